#!/bin/sh
# What a launch costs. usage: bench/launch.sh BUILD_DIR; prints ROW lines for bench/run.
set -eu
ninja -C "$1" --quiet bench/bench-launch union-exec
exec "$1/bench/bench-launch" 300 "$1/union-exec"
