#!/usr/bin/env bash
# What users are promised, in the order in which they are told: each check is named by its line.
. "$(dirname "$0")/../lib.sh"
story "everything that users are told works as it is written"
tasks_may_write "$T/gates"

json() { # PROMISE PYTHON-EXPRESSION over d, the JSON on stdout of the last command
	if /usr/bin/python3 -c '
import json, sys
d = json.load(open(sys.argv[1]))
assert eval(sys.argv[2]), d' "$T/out" "$2" 2>"$T/err"; then pass "$1"; else fail "$1"; fi
}
# Types a value at the prompt on a terminal; what is seen there goes to $T/seen.
typed() { # VALUE_FILE COMMAND...
	/usr/bin/python3 - "$T/seen" "$@" <<'PY'
import os, pty, sys
seen_path, value_path, *command = sys.argv[1:]
with open(value_path, "rb") as file:
    value = file.read()
pid, fd = pty.fork()
if not pid:
    os.execvp(command[0], command)
seen = b""
def take():
    global seen
    try:
        piece = os.read(fd, 4096)
    except OSError:
        piece = b""
    seen += piece
    return piece
while b": " not in seen and take():
    pass
prompt = seen
os.write(fd, value + b"\n")
while take():
    pass
with open(seen_path, "wb") as file:
    file.write(prompt + b"\n" + seen[len(prompt):])
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) or value in seen)
PY
}

note "Secrets on the command line"
v=$(canary) w=$(canary)
printf %s "$v" >"$KEPT/v" && printf %s "$w" >"$KEPT/w"
check "union create secret NAME asks" typed "$KEPT/v" union create secret my_secret_name
equals "exactly 'Enter secret value: ', and shows nothing" "Enter secret value: " "$(head -1 "$T/seen")"
canary_file "$KEPT/file" 1000
check "-f path/to/file" union create secret s_file -f "$KEPT/file"
check "-f - reads stdin" sh -c 'union create secret s_dash -f - <"$0"' "$KEPT/file"
check "not a terminal: stdin is the value" run_with_input "$v" union create secret s_stdin
check "--value V" union create secret s_value --value "$v"
check "its help advises against it" union create secret --help
says "in words" "avoid it"
check "--project and --domain" run_with_input "$v" union create secret my_secret_name --project my_project --domain development
check "--project alone" run_with_input "$v" union create secret my_secret_name --project my_project
check "--domain alone" run_with_input "$v" union create secret my_secret_name --domain development
check "options before the name" run_with_input "$v" union create secret --project my_project --domain my_domain my_secret
check "union get secret lists" union get secret
equals "in these columns" "NAME PROJECT DOMAIN TYPE VERSION CREATED UPDATED" "$(head -1 "$T/out" | tr -s ' ' | sed 's/ $//')"
equals "every secret of the organization" 10 "$(wc -l <"$T/out")"
check "with both filters" union get secret --project my_project --domain development -o json
json "only those of exactly this scope" '[(s["project"], s["domain"]) for s in d["secrets"]] == [("my_project", "development")]'
check "-o json on a list" union get secret -o json
json "one object, with exactly these keys in this order" 'list(d) == ["secrets"] and all(list(s) == ["name", "project", "domain", "type", "version", "created_at", "updated_at"] for s in d["secrets"])'
json "a scope part that means any is empty" '("my_secret_name", "", "") in [(s["name"], s["project"], s["domain"]) for s in d["secrets"]]'
check "union get secret NAME" union get secret my_secret_name
says "with its versions" "VERSION"
check "union get secret NAME -o json" union get secret my_secret_name -o json
json "with its versions too" '[x["version"] for x in d["versions"]] == [1]'
check "union update secret asks again" typed "$KEPT/w" union update secret --project my_project --domain my_domain my_secret
equals "with the same prompt" "Enter secret value: " "$(head -1 "$T/seen")"
check "update takes -f" union update secret s_file -f "$KEPT/v"
check "update takes stdin" run_with_input "$w" union update secret s_stdin
check "update takes --value" union update secret s_value --value "$w"
check "and counts" union get secret s_value -o json
json "versions" 'd["version"] == 2 and len(d["versions"]) == 2'
check "union explain secret" union explain secret my_secret_name --project my_project --domain development
equals "the four places of the cascade" 5 "$(wc -l <"$T/out")"
equals "which one wins" "project 'my_project', domain 'development' 1 wins" "$(sed -n 2p "$T/out" | tr -s ' ' | sed 's/ $//')"
says "what it shadows" "hidden by a narrower one"
refuses "creating what exists" "exists already" run_with_input "$v" union create secret my_secret_name
warns "names the other scopes" "project 'my_project', every domain"
refuses "updating what is not at exactly that scope" "no secret 'my_secret'" run_with_input "$v" union update secret my_secret
warns "names the scopes where it is" "project 'my_project', domain 'my_domain'"
refuses "deleting what is not at exactly that scope" "no secret 'my_secret'" union delete secret --project my_project my_secret
warns "names the scopes where it is, too" "project 'my_project', domain 'my_domain'"
check "union delete secret" union delete secret --project my_project --domain my_domain my_secret
refuses "never succeeds for nothing" "no secret 'my_secret'" union delete secret --project my_project --domain my_domain my_secret

note "Secrets in workflow code"
mkdir "$T/home/code" && cd "$T/home/code" || exit 1
cat >using_secrets.py <<'PY'
import union

@union.task(secret_requests=[union.Secret(key="my_secret")])
def t1() -> int:
    secret_value = union.current_context().secrets.get(key="my_secret")
    return len(secret_value)

@union.workflow
def main() -> int:
    return t1()
PY
cat >env_var.py <<'PY'
import union

@union.task(secret_requests=[union.Secret(key="my_union_api_key", env_var="UNION_API_KEY")])
def t1():
    remote = union.UnionRemote(default_project="default", default_domain="development")   # authenticates with UNION_API_KEY
PY
cat >file_secret.py <<'PY'
import union

@union.task(secret_requests=[
    union.Secret(key="my_file_secret", mount_requirement=union.Secret.MountType.FILE),
])
def t1():
    path = union.current_context().secrets.get_secrets_file("my_file_secret")
    with open(path, "r") as f:
        secret_value = f.read()
PY
cat >ways.py <<'PY'
import os
import union

@union.task(secret_requests=[union.Secret(key="my_secret"), union.Secret(group="grp", key="inner"),
                             union.Secret(key="spaced", group_version="1")])
def ways() -> str:
    secrets = union.current_context().secrets
    value = secrets.get(key="my_secret")
    assert secrets.get("my_secret") == value
    assert secrets.get(key="my_secret", encode_mode="rb") == value.encode()
    assert secrets.get(group="grp", key="inner") == secrets.grp.inner == "inner value"
    assert secrets.get(key="spaced", group_version="1") == "white space around"
    assert not [name for name in os.environ if "MY_SECRET" in name.upper()], "in the environment"
    return "all ways"

@union.task
def unasked() -> int:
    return len(union.current_context().secrets.get(key="my_secret"))

@union.task(secret_requests=[union.Secret(key="my_secret")])
def give(times: int = 1, suffix: str = "x") -> str:
    """Gives it away."""
    return union.current_context().secrets.get(key="my_secret") * times + suffix
PY
check "my_secret" run_with_input "$v" union create secret my_secret
check "my_union_api_key" run_with_input "$v" union create secret my_union_api_key
check "my_file_secret" union create secret my_file_secret -f "$KEPT/v"
check "a key in a group" run_with_input "inner value" union create secret inner
check "one with white space" run_with_input "  white space around  " union create secret spaced
check "union run --remote using_secrets.py main" union run --remote using_secrets.py main
equals "prints the result as JSON" "{\"o0\": ${#v}}" "$(cat "$T/out")"
check "a script of one task and no main" union run --remote env_var.py main
warns "runs it, with a note" "union: note: env_var.py has no 'main'; running its only task 't1'"
check "and as a file" union run --remote file_secret.py main
check "get in all its ways" union run --remote ways.py ways
refuses "an unknown name lists the names there are" "there are: ways (task), unasked (task), give (task)" \
	union run --remote ways.py main
refuses "without a request the error says which to add" 'add secret_requests=[union.Secret(key="my_secret")]' \
	union run --remote ways.py unasked
refuses "a result with a value names the output and the secret" "output 'o0' contains the value of secret 'my_secret'" \
	union run --remote ways.py give
check "a workflow reaches what its project and domain include" run_with_input "$v" union create secret elsewhere --project other
sed 's/my_secret/elsewhere/' using_secrets.py >elsewhere.py
refuses "and nothing else" "no secret 'elsewhere'" union run --remote elsewhere.py main
warns "with a hint on a line of its own" "union: hint: "
check "run without --remote, with the unprefixed variable" env MY_SECRET=12345 union run using_secrets.py main
equals "prints its result" '{"o0": 5}' "$(cat "$T/out")"
refuses "without the variable it says which" "set the environment variable MY_SECRET" union run using_secrets.py main

note "Running"
check "--help for inputs" union run --remote ways.py give --help
says "with their types and defaults" '--times int (default: 1)'
says "and what it does" 'Gives it away.'
cat >gate.py <<'PY'
import os, time
import union

@union.task
def wait_for(gate: str) -> str:
    print("one line before", os.environ.get("COLOUR"), flush=True)
    while not os.path.exists(gate):
        time.sleep(0.02)
    print("one line after", flush=True)
    return os.environ.get("COLOUR", "none")
PY
check "--no-wait, --env, --name, --copy, --project, --domain" union run --remote --no-wait --env COLOUR=red --name picked \
	--copy all --project my_project --domain development gate.py wait_for --gate "$T/gates/gate"
equals "prints the name and returns" picked "$(cat "$T/out")"
union logs picked --follow --project my_project --domain development >"$T/logs" 2>&1 &
follower=$!
check "FLYTE_DEFAULT_PROJECT and _DOMAIN are the defaults" env FLYTE_DEFAULT_PROJECT=my_project FLYTE_DEFAULT_DOMAIN=development \
	union get execution picked -o json
: >"$T/gates/gate"
wait "$follower"
equals "union logs --follow shows it to the end" 2 "$(grep -c 'one line' "$T/logs")"
check "its result" union get execution picked --project my_project --domain development -o json
json "came with its environment" 'd["outputs"] == {"o0": "red"} and d["phase"] == "succeeded"'
check "another, in the default place" union run --remote --no-wait gate.py wait_for --gate "$T/gates/no-gate"
name=$(cat "$T/out")
check "union abort execution" union abort execution "$name"
check "a run that was aborted" union get execution "$name" -o json
json "is" 'd["phase"] in ("aborting", "aborted")'
check "a run in a project never seen before" union run --remote --project my_projcet gate.py wait_for --gate "$T/gates/gate"
warns "is accepted with a note, and the nearest one" "project 'my_projcet' is new; did you mean 'my_project'?"
refuses "a run that fails has exit status 1" "failed" union run --remote ways.py give
equals "that is" 1 "$status"
cd "$T" && finish
