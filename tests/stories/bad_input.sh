#!/usr/bin/env bash
# Every row of docs/reference/errors.md that a person can cause by wrong input.
. "$(dirname "$0")/../lib.sh"
story "wrong input is refused with a reason and a hint"

v=$(canary)
check "a first secret" run_with_input "$v" union create secret present
refuses "a bad name" "bad name" run_with_input "$v" union create secret 'sp ace'
refuses "a name of 129 bytes" "bad name" run_with_input "$v" union create secret "$(printf 'a%.0s' {1..129})"
refuses "a bad project" "project" run_with_input "$v" union create secret x --project 'Fraud!'
refuses "a bad domain" "domain" run_with_input "$v" union create secret x --domain '-x'
refuses "an empty value from stdin" "empty" run_with_input "" union create secret x
: >"$T/home/empty"
refuses "an empty file" "empty" union create secret x -f "$T/home/empty"
head -c 1048577 /dev/zero >"$KEPT/large"
refuses "a value over 1 MiB" "1 MiB" union create secret x -f "$KEPT/large"
head -c 1048576 /dev/urandom >"$KEPT/largest"
check "a value of exactly 1 MiB is taken" union create secret largest -f "$KEPT/largest"
refuses "a file that is not there" "no such file" union create secret x -f "$T/home/missing"
refuses "a directory" "directory" union create secret x -f "$T/home"
if [ "$(id -u)" = 0 ]; then
	note "root reads every file: the unreadable one is tried as another uid in other_user.sh"
else
	touch "$T/home/locked" && chmod 000 "$T/home/locked"
	refuses "a file that cannot be read" "cannot read" union create secret x -f "$T/home/locked"
fi
refuses "what exists" "exists" run_with_input "$v" union create secret present
warns "with what to do" "union update secret"
refuses "what does not exist" "no secret 'absent'" union get secret absent
check "elsewhere" run_with_input "$v" union create secret elsewhere --project fraud
refuses "at this scope" "no secret 'elsewhere'" union get secret elsewhere
warns "with the scopes where it is" "fraud"

check "a scope that nobody has lists nothing" union get secret --project fruad
warns "an unknown scope suggests the nearest" "did you mean 'fraud'?"

refuses "a mistyped command suggests the nearest" "create" union craete secret x
refuses "a mistyped subcommand too" "secret" union create secrte x
refuses "an unknown option" "--projet" union get secret --projet x
warns "with the nearest" "--project"
refuses "a missing name" "NAME" run_with_input "$v" union create secret
refuses "both --value and -f" "--value" union create secret x --value y -f "$T/home/empty"

refuses "a script that is not there" "no such" union run --remote "$T/home/none.py" main
refuses "a script that is a directory" "directory" union run --remote "$T/home" main
printf 'import union\n' >"$T/home/two.dots.py"
refuses "a script that cannot be imported by its name" "NAME.py" union run --remote "$T/home/two.dots.py" main
printf 'def broken(:\n' >"$T/home/broken.py"
refuses "a syntax error, as Python shows it" "SyntaxError" union run --remote "$T/home/broken.py" main
warns "with the line" "def broken(:"
cat >"$T/home/w.py" <<'PY'
import typing, union

@union.task
def add(a: int, b: float = 1.5) -> float:
    return a + b

@union.workflow
def flow(a: int) -> float:
    return add(a=a)

@union.task(secret_requests=[union.Secret(key="binary", env_var="BINARY")])
def wants_binary() -> int:
    return 1

@union.task(secret_requests=[union.Secret(key="present", env_var="SAME"), union.Secret(key="elsewhere", env_var="SAME")])
def collide_env() -> int:
    return 1

@union.task(secret_requests=[union.Secret(key="Case", mount_requirement=union.Secret.MountType.FILE), union.Secret(key="case", mount_requirement=union.Secret.MountType.FILE)])
def collide_file() -> int:
    return 1

@union.task(secret_requests=[union.Secret(key="nowhere_at_all")])
def unresolved() -> int:
    return 1
PY
refuses "an entity that is not there, with those that are" "flow" union run --remote "$T/home/w.py" floww
refuses "an input of the wrong type" "int" union run --remote "$T/home/w.py" add --a seven
refuses "a missing input" "a" union run --remote "$T/home/w.py" add
refuses "an unknown input" "no input 'c'" union run --remote "$T/home/w.py" add --a 1 --c 2
check "good input" union run --remote "$T/home/w.py" add --a 1
says "gives the result" 2.5
printf 'import union\n@union.task\ndef t(a: complex) -> int:\n    return 1\n' >"$T/home/unsupported.py"
refuses "a type that is not supported, naming the parameter" "complex" \
	union run --remote "$T/home/unsupported.py" t
printf 'a\0b' >"$T/home/binary"
check "a binary value" union create secret binary -f "$T/home/binary"
refuses "a binary value as a variable" "file" union run --remote "$T/home/w.py" wants_binary
refuses "a bad name of an execution" "bad name of an execution" \
	union run --remote --name Bad_Name "$T/home/w.py" add --a 1
check "a name that is taken" union run --remote --name taken "$T/home/w.py" add --a 1
refuses "is refused the second time" "'taken'" union run --remote --name taken "$T/home/w.py" add --a 1
refuses "--env without a value" "NAME=VALUE" union run --remote --env JUSTNAME "$T/home/w.py" add --a 1
refuses "a word that an option does not take" "all" union run --remote --copy some "$T/home/w.py" add --a 1
refuses "a configuration that is not there" "no such configuration" union --config "$T/home/none.yaml" get secret
printf 'endpiont: x\n' >"$T/home/wrong.yaml"
refuses "a configuration with an unknown key" "endpiont" union --config "$T/home/wrong.yaml" get secret
refuses "an endpoint that is no address" "ftp://" env UNION_ENDPOINT=ftp://example.org union get secret
cat >"$T/home/late.py" <<'PY'
import time, union

@union.task(timeout=1)
def late() -> int:
    time.sleep(60)
    return 1
PY
refuses "a task that runs into its timeout" "timeout" union run --remote "$T/home/late.py" late
check "Case" run_with_input "$v" union create secret Case
check "case" run_with_input "$v" union create secret case
refuses "two requests for one variable" "SAME" union run --remote "$T/home/w.py" collide_env
refuses "two requests for one file" "case" union run --remote "$T/home/w.py" collide_file
refuses "a secret that is nowhere" "nowhere_at_all" union run --remote "$T/home/w.py" unresolved
warns "with the four places looked at" "every project"

refuses "an endpoint where nothing listens" "cannot reach" \
	env UNION_ENDPOINT=unix://"$T"/nothing.sock union get secret
refuses "an execution that is not there" "no execution 'e-none'" union get execution e-none
refuses "logs of none" "no execution 'e-none'" union logs e-none
refuses "abort of none" "no execution 'e-none'" union abort execution e-none
finish
