#!/usr/bin/env bash
# A process of the same user that is not root: what it can and cannot see.
. "$(dirname "$0")/../lib.sh"
if [ "$(id -u)" = 0 ] && [ -z "${AS_PLAIN_USER:-}" ]; then
	# root sees everything; become somebody
	home=$(mktemp -d /tmp/union-plain.XXXXXX) && chown 65534:65534 "$home"
	TMPDIR=$home AS_PLAIN_USER=1 setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all "$0" "$@"
	status=$?
	rm -rf "$home"
	exit $status
fi
story "the same user cannot read what is not in a task"
fails() {
	local promise=$1
	shift
	if capture "$@"; then fail "$promise"; else pass "$promise"; fi
}
v=$(canary)
check "a plain user runs the main job: a secret" run_with_input "$v" union create secret my_secret
check "and a task" union run --remote "$SOURCE_ROOT/examples/using_secrets.py" main
says "with its result" "${#v}"
cat >"$T/home/limits.py" <<'PY'
import resource
import union

@union.task
def core_limit() -> int:
    return resource.getrlimit(resource.RLIMIT_CORE)[1]
PY
cat >"$T/home/look.py" <<'PY'
import os
import union

@union.task
def look() -> str:
    return " ".join(sorted(os.listdir(os.path.expanduser("~/.local/share/union"))))
PY
check "a task that looks at the control plane's folder" union run --remote "$T/home/look.py" look
says "sees nothing but where it works" '{"o0": "work"}'
check "a task of a plain user has a limit of cores" union run --remote "$T/home/limits.py" core_limit
[ "$(ulimit -Hc)" = 0 ] || says "that also stops those for programs" '{"o0": 1}'
for p in $(plane_pids) $(pgrep -u "$(id -u)" -x uniond); do
	fails "process $p: its memory" cat "/proc/$p/mem"
	fails "process $p: its environment" cat "/proc/$p/environ"
	fails "process $p: its descriptors" ls "/proc/$p/fd"
done
finish
