#!/usr/bin/env bash
# Every place is searched while tasks run and after: docs/reference/where-values-live.md is that run.
here=$(cd "$(dirname "$0")" && pwd)
exec /usr/bin/python3 "$here/../leaks/where" --build "${UNION_BUILD:-$here/../../build}"
