#!/usr/bin/env bash
# The user guide, line by line: secrets in, tasks run, values nowhere else.
. "$(dirname "$0")/../lib.sh"
story "a secret created on the command line reaches the task that asked for it"

plain=$(canary)
env_value=$(canary)
file_value=$(canary)
scoped=$(canary)
examples=$SOURCE_ROOT/examples

check "stdin is the value" run_with_input "$plain" union create secret my_secret
printf '%s\n' "$env_value" >"$KEPT/env"
check "a file is the value" union create secret my_union_api_key -f "$KEPT/env"
printf 'line one\n%s\nline three\n' "$file_value" >"$KEPT/file"
check "-f - reads stdin" run_with_input "$(cat "$KEPT/file")" union create secret -f - my_file_secret
check "options may stand after the name" \
	run_with_input "$scoped" union create secret scoped --project fraud --domain production
warns "a project that was never seen is noted" "fraud"
check "the same name at another scope is another secret" \
	run_with_input "$scoped" union create --project fraud secret scoped
refuses "creating what exists" "exists" run_with_input "$scoped" union create secret scoped --project fraud

check "lists every secret" union get secret
says "with its name" my_file_secret
says "with its scope" production
check "lists as JSON" union get secret -o json
cp "$T/out" "$T/list"
check "the JSON is one object with the agreed keys" /usr/bin/python3 -c '
import json
d = json.load(open("list"))
assert list(d) == ["secrets"], d
assert len(d["secrets"]) == 5, d
for s in d["secrets"]:
    assert {"name", "project", "domain", "type", "version", "created_at", "updated_at"} <= set(s), s
assert {(s["project"], s["domain"]) for s in d["secrets"]} == {("", ""), ("fraud", ""), ("fraud", "production")}
'
check "lists one exact scope" union get secret --project fraud --domain production -o json
equals "and nothing else" 1 "$(grep -o '"name"' "$T/out" | wc -l)"
check "shows one" union get secret my_secret
check "explains a lookup" union explain secret scoped --project fraud --domain production
says "the narrowest place wins" "production"

check "updates" run_with_input "$(canary)" union update secret --project fraud scoped
check "shows both versions" union get secret --project fraud scoped -o json
says "the newest is 2" '"version": 2'
check "deletes" union delete secret --project fraud scoped
refuses "deleting what is not there" "no secret 'scoped'" union delete secret --project fraud scoped
warns "with the scope where the name does exist" "production"
refuses "updating what is not there" "no secret 'scoped'" \
	run_with_input x union update secret --project nowhere scoped

check "runs the plain example" union run --remote "$examples/using_secrets.py" main
says "and prints its result" "${#plain}"
check "runs the env_var example" union run --remote "$examples/env_var.py" main
check "runs the FILE example" union run --remote "$examples/file_secret.py" main
check "runs three tasks, two in parallel" union run --remote "$examples/pipeline.py" main
check "lists executions" union get execution
check "lists executions as JSON" union get execution -o json

cat >"$T/home/leaky.py" <<'PY'
import os, sys
import union

@union.task(secret_requests=[union.Secret(key="my_secret"), union.Secret(key="my_union_api_key", env_var="MY_KEY")])
def leak() -> int:
    value = union.current_context().secrets.get(key="my_secret")
    print("stdout:", value, flush=True)
    for part in (value[:7], value[7:]):       # two writes
        os.write(1, part.encode())
    print(os.environ["MY_KEY"], file=sys.stderr)
    return len(value)

@union.task(secret_requests=[union.Secret(key="my_secret")])
def give_away() -> str:
    return "x" + union.current_context().secrets.get(key="my_secret") + "y"

@union.task(secret_requests=[union.Secret(key="my_secret")])
def raise_it() -> int:
    raise ValueError("the value is " + union.current_context().secrets.get(key="my_secret"))

@union.task
def unasked() -> str:
    return union.current_context().secrets.get(key="my_secret")

@union.task(secret_requests=[union.Secret(key="scoped")])
def out_of_reach() -> int:
    return 1
PY
check "a task that prints its values succeeds" union run --remote "$T/home/leaky.py" leak
warns "its output shows the mark instead" "[secret my_secret]"
refuses "a result that holds a value" "my_secret" union run --remote "$T/home/leaky.py" give_away
refuses "an exception that holds a value, redacted" "[secret my_secret]" \
	union run --remote "$T/home/leaky.py" raise_it
refuses "a secret that was not asked for, with the line to add" "secret_requests=[" \
	union run --remote "$T/home/leaky.py" unasked
refuses "a secret outside the task's scope, naming the places" "scoped" \
	union run --remote "$T/home/leaky.py" out_of_reach
check "which its own project and domain reach" union run --remote --project fraud --domain production \
	"$T/home/leaky.py" out_of_reach

check "--no-wait prints the execution's name" union run --remote --no-wait --name picked-name "$examples/using_secrets.py" main
says "as given" picked-name
check "logs can be followed" union logs picked-name --follow
check "one execution" union get execution picked-name -o json
check "runs here without --remote" env MY_SECRET=local-value union run "$examples/using_secrets.py" main
says "with the unprefixed variable" 11
finish
