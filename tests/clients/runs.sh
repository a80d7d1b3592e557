#!/usr/bin/env bash
# Runs of the union package and of pyflyte: the clients register and start, and the tasks are run by
# flytekit's own runtime, which union-exec starts.
. "$(dirname "$0")/lib.sh"
story "other people's clients run their tasks here"
v=$(canary)
start_plane 'parallel_tasks: 2'
configure_cleartext
mkdir -p "$T/scripts"
cp "$SCRIPTS"/*.py "$SOURCE_ROOT"/examples/*.py "$T/scripts"
cd "$T/scripts" || exit 1
for name in my_secret my_file_secret password Token pem plain named; do
	run_with_input "$v" union create secret "$name"
done >"$T/out" 2>&1
len=${#v}

starts() { # NAME PROGRAM SCRIPT ENTITY [INPUT...] : starts it, and does not wait for it
	local name=$1 program=$2 script=$3 entity=$4
	shift 4
	check "$program starts $script" "real_$program" run --remote --project flytesnacks --domain development \
		--name "$name" "$script" "$entity" "$@"
}
starts sleeps pyflyte trouble.py sleeps
starts flow pyflyte flow.py main --n 2
starts flaky pyflyte trouble.py flaky
printf 'i: 1\nf: 1.5\ns: a b\nflag: true\nat: "2020-01-02T03:04:05"\nspan: 2h\nnumbers: {k: 1}\npoint: {x: 4, names: [q]}\n' >"$T/inputs.yaml"
starts values pyflyte values.py main --inputs-file "$T/inputs.yaml"
starts grouped pyflyte grouped.py main
starts ungrouped union ungrouped.py main
for example in using_secrets file_secret pipeline; do
	starts "example-${example//_/-}" union "$example.py" "$([ $example = file_secret ] && echo t1 || echo main)"
done
check "the same script, registered once more, is the same" \
	real_union run --remote --project flytesnacks --domain development --name flow2 flow.py main --n 2
refuses_with "a task that fails makes the waiting client fail" "ValueError: no good: 7" \
	real_union run --remote --wait --poll-interval 1 --project flytesnacks --domain development --name broken \
	trouble.py broken
check "one that succeeds does not" real_union run --remote --wait --poll-interval 1 flow.py main --n 1
says "and is said to" "has succeeded"
check "a registered launch plan runs again, the newest active one" \
	real_union run --remote --wait --poll-interval 1 --project flytesnacks --domain development \
	remote-launchplan flow.main --n 1
check "an execution is launched again" real_union execution --project flytesnacks --domain development \
	--execution-id flow2 relaunch
refuses_with "map tasks are refused by name" "node 'n0' is an array (map task), which is not supported" \
	real_pyflyte run --remote mapped.py main --ns '[1, 2]'
refuses_with "files of this machine as inputs are refused" "Failed to get signed url for flow.py" \
	real_pyflyte run --remote with_file.py main --f flow.py
check "FlyteRemote reads all of it" "$V1/python" "$SOURCE_ROOT/tests/clients/reads.py" flytesnacks development \
	"$HOME/.flyte/config.yaml"

outputs_of() { # NAME : on one line
	capture union get execution "$1" --project flytesnacks --domain development -o json
	tr -d ' \n' <"$T/out" | grep -o '"outputs":[^}]*}' | cut -d: -f2-
}
equals "flytekit finds secrets by group, as files and variables" "{\"o0\":[$len,$len,$len,$len,$len]}" "$(outputs_of grouped)"
equals "and without groups" "{\"o0\":[$len,$len,$len,$len]}" "$(outputs_of ungrouped)"
equals "the first example gives its result" "{\"o0\":$len}" "$(outputs_of example-using-secrets)"
equals "the one with a file, too" "{\"o0\":$len}" "$(outputs_of example-file-secret)"
capture union logs grouped --project flytesnacks --domain development
says "logs have no value" "the password is [secret password]"
finish
