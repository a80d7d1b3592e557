#!/bin/sh
# The committed page of who may do what is made from the table that the code decides by. TAP.
cd "$(dirname "$0")/../.." || exit 1
echo "1..1"
if output=$(tools/gen-access --check); then
	echo "ok 1 - access.the_page_is_current"
else
	echo "not ok 1 - access.the_page_is_current"
	echo "$output" | sed 's/^/# /'
fi
