# tests/lib.sh - what every whole-program test is made of. Source it first:
#
#   . "$(dirname "$0")/../lib.sh"
#   story "a secret reaches the task that asked for it"
#   v=$(canary)                       # a marked value; the search at the end looks for it
#   check "creates a secret from stdin" \
#       run_with_input "$v" union create secret db_password
#   refuses "a second one" secret-exists  union create secret db_password --value "$v"   (avoid: argv)
#   finish                            # canary search, then the plan; exit status 1 on any failure
#
# A story has its own home and folders under $T, its own embedded control plane, and leaves nothing
# running. Run one alone: tests/stories/x.sh [-v] [-x] [-i]
#   -v  show the output of every command   -x  trace   -i  stop at the first failure, keep the folder
#
# UNION_BUILD names the build folder (default: build of this checkout).
# shellcheck shell=bash

set -u
HARNESS_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
SOURCE_ROOT=$(dirname "$HARNESS_DIR")
BUILD=$(cd "${UNION_BUILD:-$SOURCE_ROOT/build}" && pwd)
verbose= stop_at_failure=
while getopts vxi option; do
	case $option in
	v) verbose=1 ;;
	x) set -x ;;
	i) stop_at_failure=1 ;;
	*) exit 2 ;;
	esac
done

story() {
	T=$(mktemp -d "${TMPDIR:-/tmp}/union-story.XXXXXX")
	KEPT=$(mktemp -d "${TMPDIR:-/tmp}/union-values.XXXXXX") # outside every searched folder
	chmod 700 "$T" "$KEPT"
	mkdir -p "$T/home" "$T/tmp"
	: >"$KEPT/values"
	passed=0 failed=0 planned=0
	export HOME=$T/home TMPDIR=$T/tmp
	export XDG_DATA_HOME=$HOME/.local/share XDG_STATE_HOME=$HOME/.local/state
	export XDG_CONFIG_HOME=$HOME/.config XDG_CACHE_HOME=$HOME/.cache
	unset UNION_ENDPOINT UNION_API_KEY UNION_CONFIG FLYTE_DEFAULT_PROJECT FLYTE_DEFAULT_DOMAIN
	unset XDG_RUNTIME_DIR UNIONAI_CONFIG FLYTE_API_KEY EAGER_API_KEY
	export PATH=$BUILD:$PATH
	export UNION_PYTHON=${UNION_PYTHON:-/usr/bin/python3}
	export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1:abort_on_error=0:log_path=$T/asan}
	DATA=$XDG_DATA_HOME/union
	cd "$T" || exit 1
	trap cleanup EXIT
	trap 'exit 130' INT TERM
	echo "# story: $1"
}

# A fresh marked value: 24 random bytes in hex behind a word, so that it never appears by chance.
canary() {
	local value
	value="CANARY-$(od -An -N18 -tx1 /dev/urandom | tr -d ' \n')"
	printf %s "$value" | base64 -w0 >>"$KEPT/values"
	echo >>"$KEPT/values"
	printf %s "$value"
}

# A file of N random bytes as a value.
canary_file() { # FILE BYTES
	head -c "$2" /dev/urandom >"$1"
	base64 -w0 "$1" >>"$KEPT/values"
	echo >>"$KEPT/values"
}

# Tasks may change this folder from now on; an embedded control plane that runs does not know yet.
tasks_may_write() { # FOLDER
	mkdir -p "$XDG_CONFIG_HOME/union" "$1"
	chmod 777 "$1"
	printf 'tasks:\n  writable: "%s"\n' "$1" >"$XDG_CONFIG_HOME/union/uniond.yaml"
}

note() { echo "# $*"; }

pass() {
	passed=$((passed + 1)) planned=$((planned + 1))
	echo "ok $planned - $1"
}

fail() {
	failed=$((failed + 1)) planned=$((planned + 1))
	echo "not ok $planned - $1"
	[ -f "$T/out" ] && sed 's/^/# stdout: /' "$T/out" | tail -20
	[ -f "$T/err" ] && sed 's/^/# stderr: /' "$T/err" | tail -20
	if [ -n "$stop_at_failure" ]; then
		echo "# stopped; folder kept: $T"
		trap - EXIT
		exit 1
	fi
}

# Runs a command; its streams are in $T/out and $T/err, its status in $status.
capture() {
	"$@" >"$T/out" 2>"$T/err"
	status=$?
	if [ -n "$verbose" ]; then
		echo "# \$ $* -> $status"
		sed 's/^/#   /' "$T/out" "$T/err"
	fi
	return "$status"
}

run_with_input() { # VALUE COMMAND... : the value on stdin, never in argv
	local value=$1
	shift
	printf %s "$value" | "$@"
}

check() { # PROMISE COMMAND... : passes when the command does
	local promise=$1
	shift
	if capture "$@"; then pass "$promise"; else fail "$promise (status $status)"; fi
}

refuses() { # PROMISE TEXT COMMAND... : fails with status 1 or 2, and stderr has TEXT
	local promise=$1 text=$2
	shift 2
	capture "$@"
	if { [ "$status" = 1 ] || [ "$status" = 2 ]; } && grep -qF -- "$text" "$T/err"; then
		pass "$promise"
	else
		fail "$promise (status $status, wanted '$text')"
	fi
}

says() { # PROMISE TEXT : stdout of the last command has TEXT
	if grep -qF -- "$2" "$T/out"; then pass "$1"; else fail "$1 (wanted '$2')"; fi
}

warns() { # PROMISE TEXT : stderr of the last command has TEXT
	if grep -qF -- "$2" "$T/err"; then pass "$1"; else fail "$1 (wanted '$2')"; fi
}

equals() { # PROMISE EXPECTED ACTUAL
	if [ "$2" = "$3" ]; then pass "$1"; else fail "$1 (wanted '$2', got '$3')"; fi
}

# Process ids of this story's control planes and of their keepers (which have no environment, and are
# known by their parent).
plane_pids() {
	local pid
	for pid in $(pgrep -x uniond); do
		if { tr '\0' '\n' <"/proc/$pid/environ"; } 2>/dev/null | grep -qxF "HOME=$HOME" ||
			{ tr '\0' ' ' <"/proc/$pid/cmdline"; } 2>/dev/null | grep -qF "$T"; then
			echo "$pid"
			pgrep -x uniond -P "$pid"
		fi
	done
}

uniond_pid() { union info -o json 2>/dev/null | sed -n 's/.*"pid": *\([0-9]*\).*/\1/p'; }

await_exit() { # SECONDS PID... : fails when one of them is still there then
	/usr/bin/python3 -c 'import os, select, sys, time
until = time.monotonic() + float(sys.argv[1])
for pid in sys.argv[2:]:
    try:
        fd = os.pidfd_open(int(pid))
    except ProcessLookupError:
        continue
    if not select.select([fd], [], [], max(0, until - time.monotonic()))[0]:
        sys.exit(1)' "$@"
}

stop_plane() {
	local pid pids
	pids=$(plane_pids)
	for pid in $pids; do kill -TERM "$pid" 2>/dev/null; done
	[ -z "$pids" ] || await_exit 10 $pids || kill -KILL $pids 2>/dev/null
}

# The search. Stdout and stderr of the last commands lie under $T and are part of it.
canary_search() {
	local pid args=()
	if [ "$(id -u)" = 0 ]; then # no one else can read their memory: that is another test
		for pid in $(plane_pids); do args+=(--pid "$pid"); done
	fi
	if /usr/bin/python3 "$HARNESS_DIR/harness/canary.py" --values "$KEPT/values" --root "$T" \
		"${args[@]}" --allow-pid $$ >"$KEPT/search" 2>&1; then
		sed 's/^/# /' "$KEPT/search"
		pass "no value is anywhere but in its task"
	else
		sed 's/^/# /' "$KEPT/search"
		rm -f "$T/out" "$T/err"
		fail "no value is anywhere but in its task"
	fi
}

finish() {
	canary_search
	stop_plane
	canary_search
	# Where a process may not be traced (launchers, anything not dumpable for a plain user) the leak
	# check itself says that it cannot run: no finding.
	if grep -lE 'ERROR: (Address|Leak)Sanitizer|runtime error:' "$T"/asan* >"$T/found" 2>/dev/null; then
		xargs sed 's/^/# /' <"$T/found" | head -80
		fail "the sanitizers found nothing"
	else
		pass "the sanitizers found nothing"
	fi
	echo "1..$planned"
	[ "$failed" = 0 ]
	exit
}

cleanup() {
	stop_plane
	cd / && rm -rf "$T" "$KEPT"
}
