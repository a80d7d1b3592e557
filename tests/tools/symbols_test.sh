#!/bin/sh
# No two layers define the same name: a program that links both would get either one, in silence. TAP.
cd "${UNION_BUILD:?}" || exit 1
echo "1..1"
same=$(for library in src/*/lib*.a; do
	nm -g --defined-only "$library" 2>/dev/null | awk '$2 ~ /^[TDBR]$/ { print $3 }' | sort -u
done | sort | uniq -d | grep -v '^__')
if [ -z "$same" ]; then
	echo "ok 1 - symbols.no_two_layers_define_the_same_name"
else
	echo "not ok 1 - symbols.no_two_layers_define_the_same_name"
	echo "$same" | sed 's/^/# /'
fi
