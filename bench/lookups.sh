#!/bin/sh
# What a lookup costs in databases of 1,000, 100,000 and 1,000,000 secrets, side by side.
#
# usage: bench/lookups.sh BUILD
#
# `any name` picks uniformly among all secrets, so with a million of them nearly every row comes from
# memory that no cache holds; `a name in use` asks for the same thousand again and again, as tasks do.
set -eu

build=$1
dir=$(mktemp -d "${TMPDIR:-/var/tmp}/union-lookups.XXXXXX")
trap 'rm -rf "$dir"' EXIT INT TERM
ninja -C "$build" bench/bench-store >/dev/null
"$build/bench/bench-store" -l "$dir"
