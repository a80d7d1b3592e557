#!/usr/bin/env bash
# A hostile task tries every way out; docs/reference/leaks.md says what comes of each.
here=$(cd "$(dirname "$0")" && pwd)
exec /usr/bin/python3 "$here/../leaks/run" --build "${UNION_BUILD:-$here/../../build}" --tap
