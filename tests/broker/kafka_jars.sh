#!/bin/sh
# Prints the folder that holds the jars of a real Kafka, fetching them once with Maven. Exit 1 says why there is none.
# Usage: kafka_jars.sh [VERSION]; without one it is GF_KAFKA_VERSION, or the oldest Kafka that gridfold supports.
set -eu

version=${1:-${GF_KAFKA_VERSION:-3.9.1}}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/gridfold/kafka-$version

install_tools() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 0
    {
        apt-get update -q
        DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@"
    } >&2 || true
}

command -v java >/dev/null || install_tools openjdk-17-jre-headless
command -v java >/dev/null || { echo "java is not installed (openjdk-17-jre-headless)" >&2; exit 1; }

if [ -e "$cache/complete" ]; then
    echo "$cache/libs"
    exit 0
fi

command -v mvn >/dev/null || install_tools maven
command -v mvn >/dev/null || { echo "mvn is not installed (maven); it fetches Kafka" >&2; exit 1; }

mkdir -p "$cache"
work=$(mktemp -d "$cache/work.XXXXXX")
trap 'rm -rf "$work"' EXIT
cat >"$work/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>gridfold</groupId>
  <artifactId>broker</artifactId>
  <version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>$version</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>
POM
(cd "$work" && mvn -q -B dependency:copy-dependencies -DoutputDirectory=libs) >&2 ||
    { echo "mvn could not fetch Kafka $version" >&2; exit 1; }
# Two tests may get here at the same time; the first one wins.
if [ ! -e "$cache/libs" ]; then
    mv -T "$work/libs" "$cache/libs" 2>/dev/null || true
fi
touch "$cache/complete"
echo "$cache/libs"
