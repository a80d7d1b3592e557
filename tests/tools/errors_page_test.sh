#!/bin/sh
# The committed page of errors is the generated one, and each of its rows has its test. TAP.
cd "$(dirname "$0")/../.." || exit 1
echo "1..1"
if output=$(tools/gen-errors --check); then
	echo "ok 1 - errors.the_page_is_current_and_every_row_has_its_test"
else
	echo "not ok 1 - errors.the_page_is_current_and_every_row_has_its_test"
	echo "$output" | sed 's/^/# /'
fi
