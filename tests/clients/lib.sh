# tests/clients/lib.sh - tests with the clients that others wrote, as they come from the package index
# (docs/reference/clients.md). On top of tests/lib.sh:
#
#   . "$(dirname "$0")/lib.sh"     # ends the test with "# SKIP" where the clients cannot be had
#   story "..."
#   start_plane [more YAML]        # a uniond on a cleartext port, its tasks with the clients' programs
#   check "..." real_union create secret db --value "$v"
#   finish
# shellcheck shell=bash
if ! clients=$("$(dirname "${BASH_SOURCE[0]}")/venvs" 2>"${TMPDIR:-/tmp}/union-clients.$$"); then
	echo "1..0 # SKIP $(cat "${TMPDIR:-/tmp}/union-clients.$$")"
	rm -f "${TMPDIR:-/tmp}/union-clients.$$"
	exit 0
fi
rm -f "${TMPDIR:-/tmp}/union-clients.$$"
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
SCRIPTS=$SOURCE_ROOT/tests/clients/scripts
V1=$clients/v1/bin
V2=$clients/v2/bin
# What they print is made for terminals: wide, and without colours. They also tell their makers, over
# the network, what went wrong: not from here.
export COLUMNS=200 NO_COLOR=1 TERM=dumb FLYTE_DISABLE_TELEMETRY=true UNION_USAGE_STATS_ENABLED=0

real_union() { "$V1/union" "$@"; }
real_pyflyte() { "$V1/pyflyte" "$@"; }
flyte_2() { "$V2/python" "$SOURCE_ROOT/tests/clients/v2.py" "$@"; } # what $V2/flyte does, but for its end
real_flyte() { flyte_2 --config "$HOME/.flyte/v2.yaml" "$@"; }

# A port that nobody has: the kernel names it.
free_port() {
	/usr/bin/python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

start_plane() { # [YAML]
	port=$(free_port)
	printf 'data: %s\nlisten: {tcp: "127.0.0.1:%s"}\ntasks: {path: "%s:/usr/bin:/bin"}\n%s\n' \
		"$T/plane" "$port" "$V1" "${1:-}" >"$T/plane.yaml"
	[ -p "$T/ready" ] || mkfifo "$T/ready"
	uniond --config "$T/plane.yaml" --ready-fd 9 9>"$T/ready" 2>>"$T/plane.log" &
	read -r line <"$T/ready"
	equals "a control plane for others' clients" ready "$line"
	export UNION_ENDPOINT=unix://$T/plane/uniond.sock # of our own `union`
}

# The configuration of every client, for cleartext without authentication.
configure_cleartext() {
	mkdir -p "$HOME/.union" "$HOME/.flyte"
	printf 'admin:\n  endpoint: dns:///localhost:%s\n  insecure: true\n' "$port" >"$HOME/.union/config.yaml"
	cp "$HOME/.union/config.yaml" "$HOME/.flyte/config.yaml"
	printf 'admin:\n  endpoint: http://localhost:%s\n  insecure: true\n' "$port" >"$HOME/.flyte/v2.yaml"
}

refuses_with() { # PROMISE TEXT COMMAND... : fails, and says TEXT on either stream
	local promise=$1 text=$2
	shift 2
	capture "$@"
	if [ "$status" != 0 ] && tr -d '│\n' <"$T/err" | cat - "$T/out" | tr -s ' ' | grep -qF -- "$text"; then
		pass "$promise"
	else
		fail "$promise (status $status, wanted '$text')"
	fi
}

row_of() { # NAME : the columns of its row in a table on the last command's stdout, by one blank each
	grep -E "│ +$1 " "$T/out" | tr -s '│ ' ' ' | sed 's/^ //; s/ $//'
}
