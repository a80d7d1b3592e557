#!/usr/bin/env bash
# A server that stops while somebody follows.
. "$(dirname "$0")/../lib.sh"
story "whoever follows a run does not hold up a server that stops"
tasks_may_write "$T/shared"
printf 'drain_timeout: 600\n' >>"$XDG_CONFIG_HOME/union/uniond.yaml"

cat >script.py <<'PY'
import union


@union.task
def hold(gate: str) -> int:
    print("holding", flush=True)
    with open(gate) as pipe:  # until the story opens its other end
        pipe.read()
    print("going on", flush=True)
    return 7
PY

mkfifo -m 666 shared/gate
union run --remote script.py hold --gate "$T/shared/gate" >run.out 2>run.err &
runner=$!
until name=$(union get execution -o json | sed -n 's/.*"name": *"\([^"]*\)".*/\1/p' | head -1) && [ -n "$name" ]; do :; done
mkfifo seen
timeout 120 union logs "$name" --follow >seen &
follower=$!
exec 3<seen
read -r line <&3
equals "it is followed" "hold | holding" "$line"
server=$(uniond_pid)
kill -TERM "$server"
await_exit 60 "$server" && pass "the server has stopped" || fail "the server has stopped"
timeout 60 sh -c 'printf 1 >shared/gate'
read -r line <&3
equals "and the follower goes on with the next one" "hold | going on" "$line"
wait $follower
equals "to the end" 0 $?
wait $runner
equals "as does who waits for the result" 0 $?
equals "which is right" '{"o0": 7}' "$(cat run.out)"
finish
