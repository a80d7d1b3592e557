#!/usr/bin/env bash
# A server that is away, stopped or dead, around the end of a task without retries.
. "$(dirname "$0")/../lib.sh"
story "a task runs once, however long nobody takes its result"
tasks_may_write "$T/shared"

cat >script.py <<'PY'
import tempfile

import union


@union.task
def pay(folder: str, gate: str) -> int:
    tempfile.mkstemp(prefix="paid", dir=folder)  # what must happen once
    print("paying", flush=True)
    with open(gate) as pipe:  # until the story opens its other end
        return len(pipe.read())


@union.task(retries=1)
def pay_or_again(folder: str, gate: str) -> int:
    tempfile.mkstemp(prefix="paid", dir=folder)
    print("paying", flush=True)
    with open(gate) as pipe:
        return len(pipe.read())
PY

phase() { union get execution "$1" -o json | sed -n 's/.*"phase": *"\([a-z]*\)".*/\1/p' | head -1; }
logged() { grep -qm1 -- "$2" < <(timeout 60 union logs "$1" --follow 2>/dev/null); }
paid() { find "shared/$1" -name 'paid*' | wc -l; }

begin() { # FOLDER TASK
	mkdir -m 777 "shared/$1"
	mkfifo -m 666 "shared/$1/gate"
	check "$1: it is begun" union run --remote --no-wait script.py "$2" --folder "$T/shared/$1" \
		--gate "$T/shared/$1/gate"
	name=$(tr -d '[:space:]' <"$T/out")
	logged "$name" paying || fail "$1: the task runs"
	launcher=$(pgrep -f "union-exec attempt .*$T" | head -1)
}

begin stopped pay
server=$(uniond_pid)
kill -STOP "$server"
timeout 60 sh -c 'printf 12345 >shared/stopped/gate' # the task ends, and nobody listens
sleep 21                                             # longer than any call to it, and than 15 s
kill -CONT "$server"
timeout 60 union logs "$name" --follow >"$T/out" 2>&1
equals "stopped: its result is taken" succeeded "$(phase "$name")"
equals "stopped: it has paid once" 1 "$(paid stopped)"
check "stopped: the result is shown" union get execution "$name" -o json
says "stopped: and is right" 5

begin dead pay
kill -9 "$(uniond_pid)"
timeout 60 sh -c 'printf 1234567 >shared/dead/gate'
sleep 21
timeout 60 union logs "$name" --follow >"$T/out" 2>&1 # starts another
equals "dead: its result is taken" succeeded "$(phase "$name")"
equals "dead: it has paid once" 1 "$(paid dead)"
await_exit 10 "$launcher" && pass "dead: its launcher has ended" || fail "dead: its launcher has ended"

begin lost pay
kill -9 "$launcher"
timeout 60 union logs "$name" --follow >"$T/out" 2>&1
equals "lost: without its launcher the task is not begun again" failed "$(phase "$name")"
equals "lost: it has paid once" 1 "$(paid lost)"
check "lost: it is asked why" union get execution "$name"
says "lost: it is said" "how far the task came is not known"

begin twice pay_or_again
kill -9 "$launcher"
grep -m1 "pay_or_again#2 | paying" < <(timeout 60 union logs "$name" --follow 2>/dev/null) >/dev/null || fail "twice: it is begun again"
timeout 60 sh -c 'printf 1 >shared/twice/gate'
timeout 60 union logs "$name" --follow >"$T/out" 2>&1
equals "twice: one that may be repeated is" succeeded "$(phase "$name")"
equals "twice: and has paid twice" 2 "$(paid twice)"
finish
