#!/usr/bin/env bash
# A secret as variable in a task of real flytekit, which does not load our SDK: what of our protection
# holds without it. SECURITY.md says so.
. "$(dirname "$0")/lib.sh"
story "a variable of another SDK's task"
v=$(canary)
start_plane
configure_cleartext
mkdir -p "$T/scripts"
cp "$SCRIPTS/environ.py" "$T/scripts"
cd "$T/scripts" || exit 1
check "a secret" run_with_input "$v" union create secret named
check "a task of flytekit runs" real_union run --remote --wait --poll-interval 1 --project flytesnacks \
	--domain development --name looks environ.py main
capture union get execution looks --project flytesnacks --domain development -o json
says "its own /proc/self/environ has the value: only our SDK takes it out" '"own-environ:True"'
says "its children have it" '"children:True"'
says "it can be dumped, as its uid and its namespace are all that protects it" '"dumpable:1"'
says "but leaves no core: the launcher sets that" '"core:True"'
finish
