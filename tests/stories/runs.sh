#!/usr/bin/env bash
# Executions: values through sub-workflows, retries, abort, a server that dies under them.
. "$(dirname "$0")/../lib.sh"
story "an execution goes its way, and whatever happens it ends once"
tasks_may_write "$T/shared"

cat >script.py <<'PY'
import os
import typing

import union


@union.task
def add(a: int, b: int = 1) -> int:
    print("adding", a, b, flush=True)
    return a + b


@union.task
def total(xs: typing.List[int]) -> typing.Dict[str, int]:
    return {"sum": sum(xs)}


@union.task
def hold(gate: str) -> int:
    print("holding", flush=True)
    with open(gate) as pipe:  # until the story opens its other end
        return len(pipe.read())


@union.task
def broken(a: int) -> int:
    raise ValueError("on purpose")


@union.task(retries=2)
def flaky(folder: str) -> int:
    tries = len(os.listdir(folder))
    open(os.path.join(folder, str(tries)), "w").close()
    if tries < 2:
        os.abort()
    return tries


@union.workflow
def inner(a: int) -> int:
    return add(a=add(a=a), b=10)


@union.workflow
def nested(a: int = 5) -> typing.Dict[str, int]:
    x = inner(a=a)
    return total(xs=[x, inner(a=x), 7])


@union.workflow
def held(gate: str) -> int:
    return add(a=hold(gate=gate), b=add(a=1))


@union.workflow
def failing(a: int = 1) -> int:
    return add(a=broken(a=add(a=a)))


@union.workflow
def again(folder: str) -> int:
    return flaky(folder=folder)
PY

phase() { union get execution "$1" -o json | sed -n 's/.*"phase": *"\([a-z]*\)".*/\1/p' | head -1; }

# Waits for a line in an execution's log: the story goes on when the task is where it shall be.
logged() { # NAME TEXT
	grep -qm1 -- "$2" < <(timeout 60 union logs "$1" --follow 2>/dev/null)
}

check "values pass in and out of sub-workflows" union run --remote script.py nested
says "and come out right" '"sum": 50'
check "inputs come from the command line" union run --remote script.py nested --a 0
says "and change the result" '"sum": 40'

refuses "a failure fails the execution" "on purpose" union run --remote script.py failing
warns "and names the node" "node 'n1'"
refuses "an input of the wrong type" "'a'" union run --remote script.py nested --a x

mkdir -m 777 shared/tries
check "a task that crashes is tried again" union run --remote script.py again --folder "$T/shared/tries"
says "until it works" 2

mkfifo -m 666 shared/gate
check "--no-wait prints the name" union run --remote --no-wait script.py held --gate "$T/shared/gate"
name=$(tr -d '[:space:]' <"$T/out")
logged "$name" holding && pass "its log can be followed" || fail "its log can be followed"
kill -9 "$(uniond_pid)"
equals "the server died and the execution goes on" running "$(phase "$name")"
kill -9 "$(uniond_pid)"
timeout 60 sh -c 'printf 12345 >shared/gate'
timeout 60 union logs "$name" --follow >"$T/out" 2>&1
equals "after two deaths of the server it succeeds" succeeded "$(phase "$name")"
equals "and the task ran once" 1 "$(grep -c holding "$T/out")"
check "its result is kept" union get execution "$name" -o json
says "and is right" 7

check "another one is held" union run --remote --no-wait script.py held --gate "$T/shared/gate"
name=$(tr -d '[:space:]' <"$T/out")
logged "$name" holding
check "it is aborted" union abort execution "$name"
timeout 60 union logs "$name" --follow >/dev/null 2>&1
equals "and ends so" aborted "$(phase "$name")"
refuses "an abort of what is over" "over" union abort execution "$name"
refuses "an execution that is not there" "no execution" union get execution nosuch
finish
