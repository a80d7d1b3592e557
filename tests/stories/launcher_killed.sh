#!/usr/bin/env bash
# kill -9 of a launcher: its values vanish with it, while a launcher that was started ahead waits beside it.
here=$(cd "$(dirname "$0")" && pwd)
exec /usr/bin/python3 "$here/../leaks/killed" --build "${UNION_BUILD:-$here/../../build}"
