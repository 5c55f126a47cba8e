#!/usr/bin/env bash
# Holds what the house promises of its source: includes point inward, the core is a function, files, functions and lines
# stay small. Prints every breach; fails when there is one.
set -u
export LC_ALL=C
cd "$(dirname "$0")/../.."
rooms="base model codec order state feature score operator engine config metric loop io"
core="base model codec order state feature score operator engine"
breaches=$(mktemp)
trap 'rm -f "$breaches"' EXIT

# Includes: a room may include only rooms that come before it, and itself.
seen=""
for room in $rooms; do
  seen="$seen $room"
  [ -d "lib/$room" ] || continue
  grep -rnoE '^#include "[a-z_]+/' "lib/$room" --include='*.[ch]' | while IFS= read -r line; do
    target=${line##*\"}
    target=${target%/}
    case " $seen " in *" $target "*) ;; *) echo "${line%%:#*}: lib/$room may not include $target/" ;; esac
  done
done >>"$breaches"

# The core has no clock, file, thread, heap, environment or hidden randomness.
for room in $core; do
  [ -d "lib/$room" ] || continue
  grep -rnE '\b(malloc|calloc|realloc|free|time|clock_gettime|gettimeofday|getenv|fopen|open|read|write|printf|fprintf|rand|random|qsort|usleep|pthread_[a-z]+|localtime(_r)?|mktime)\(' \
    "lib/$room" --include='*.[ch]' | grep -vE '^\S+\s*(/?\*|//)' | grep -vE '^[^:]+:[0-9]+: *\*' |
    sed 's/$/   <- not in the core/'
  grep -rnE '^#include <(time|unistd|pthread|fcntl|sys/[a-z]+|signal|errno)\.h>' "lib/$room" --include='*.[ch]' |
    sed 's/$/   <- not in the core/'
done >>"$breaches"

# Sizes: 500 lines a file, 70 a function, 100 columns a line.
find lib cmd tests -name '*.[ch]' | sort | while IFS= read -r file; do
  awk -v file="$file" '
    { line = $0; gsub(/[\200-\277]/, "", line) } # a character is a byte that continues none
    length(line) > 100 { printf "%s:%d: line of %d columns\n", file, FNR, length(line) }
    /^[a-z].*[^;,]$/ || /^[a-z].*[,(]$/ { if (!inside) start = FNR }
    /^\{/ { inside = 1; start = FNR }
    /^\}/ { if (inside && FNR - start > 70) printf "%s:%d: function of %d lines\n", file, start, FNR - start; inside = 0 }
    END { if (FNR > 500) printf "%s: file of %d lines\n", file, FNR }' "$file"
done >>"$breaches"

# Nothing is left undone without a number, and no path of one machine is in the tree.
grep -rnwE 'TODO|FIXME|XXX|HACK' lib cmd --include='*.[ch]' >>"$breaches"

if [ -s "$breaches" ]; then
  cat "$breaches"
  exit 1
fi
echo "tidy: $(find lib cmd tests -name '*.[ch]' | wc -l) files"
