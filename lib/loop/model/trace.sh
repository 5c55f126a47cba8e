#!/usr/bin/env bash
# Prints the shortest counterexample of a configuration, a line for each step.
#   trace.sh -DNSH=1 -DREAD=0 …       the switches are those of switches.pml and run.sh
set -eu
model=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
sed 's/^hidden //' "$model/protocol.pml" >protocol.pml # breadth first search knows no hidden variables
cp "$model/switches.pml" .
spin -a "$@" protocol.pml >spin.out 2>&1 || { tail -5 spin.out; exit 1; }
gcc -O2 -DBFS -DNOFAIR -DCOLLAPSE -DMEMLIM=8000 -o pan pan.c 2>gcc.out || { tail -5 gcc.out; exit 1; }
timeout "${LIMIT:-600}" ./pan -w22 >pan.out 2>&1 || true
grep -E 'pan:1|errors' pan.out
spin -t "$@" protocol.pml 2>spin.err | grep -E 'engine|txn|group|assert' | grep -v 'proc ' | sed 's/^ *//'
