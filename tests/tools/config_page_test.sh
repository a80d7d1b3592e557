#!/bin/bash
# docs/reference/config.md has a row for each key of the program, with its default, and no other. TAP.
cd "$(dirname "$0")/../.." || exit 1
build=${UNION_BUILD:-build}
rows() { # KEY=DEFAULT lines of the page
	sed -n 's/^| `\([^`]*\)` | \(`\([^`]*\)`\)\{0,1\} *| .*/\1=\3/p' docs/reference/config.md
}
keys() { # the same of the program; what depends on the data directory is empty
	"$build/uniond" -T --data /nowhere | awk -F': ' '
		/^[a-z]+:$/ { section = substr($1, 1, length($1) - 1) "."; next }
		/^[a-z]/ { section = "" }
		{ key = $1; value = $2; gsub(/^ +/, "", key); gsub(/\047/, "", value)
		  if (value ~ /^\/nowhere/) value = ""; print section key "=" value }'
}
echo "1..1"
if difference=$(diff <(keys) <(rows)); then
	echo "ok 1 - config.the_page_has_every_key_with_its_default"
else
	echo "not ok 1 - config.the_page_has_every_key_with_its_default"
	echo "$difference" | sed 's/^/# /'
fi
