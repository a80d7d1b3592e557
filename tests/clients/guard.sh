#!/usr/bin/env bash
# Results as flytekit writes them: files and folders under its prefix for raw data.
. "$(dirname "$0")/lib.sh"
story "files of flytekit's tasks are looked into"
v=$(canary)
start_plane
configure_cleartext
run_with_input "$v" union create secret my_secret >"$T/out" 2>&1
cp "$SCRIPTS/leaky.py" "$T"
cd "$T" || exit 1
for name in as_file as_folder in_list clean; do
	check "pyflyte starts $name" real_pyflyte run --remote --project flytesnacks --domain development \
		--name "${name//_/-}" leaky.py "$name"
done

ends() { # NAME : waits, and shows it
	union logs "$1" --follow --project flytesnacks --domain development >"$T/log" 2>&1
	capture union get execution "$1" --project flytesnacks --domain development
}
ends as-file
says "a file, packed" "model.gz' contains the value of secret 'my_secret'"
ends as-folder
says "a file in a zip in a folder" "data.zip/inner/a.csv' contains the value of secret 'my_secret'"
ends in-list
says "one of a list of files" "o0[1]: "
ends clean
says "a clean file passes" succeeded
if grep -q "the guard looked into 1 file of the results" "$T/log"; then pass "and the log says that it was looked into"; else
	cp "$T/log" "$T/err"
	fail "and the log says that it was looked into"
fi
finish
