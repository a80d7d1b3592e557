#!/usr/bin/env bash
# Another user of the same machine: sees that it runs, and gets nothing.
. "$(dirname "$0")/../lib.sh"
if [ "$(id -u)" != 0 ]; then
	echo "1..0 # SKIP only root can become another user"
	exit 0
fi
story "another user on the machine gets nothing"
chmod 755 "$T" "$T/home" "$T/home/.local" 2>/dev/null # as open as a careless person's home
as_other() { setpriv --reuid 65534 --regid 65534 --clear-groups "$@"; }
fails() { # PROMISE COMMAND...
	local promise=$1
	shift
	if capture "$@"; then fail "$promise"; else pass "$promise"; fi
}

v=$(canary)
check "a secret" run_with_input "$v" union create secret my_secret
pid=$(uniond_pid)
keeper=$(plane_pids | grep -vx "$pid" | head -1)
chmod 755 "$XDG_DATA_HOME"
fails "cannot enter the data folder" as_other ls "$DATA"
chmod 755 "$DATA" # suppose even that
fails "cannot connect to the socket" as_other env UNION_ENDPOINT="unix://$DATA/uniond.sock" \
	"$BUILD/union" get secret
fails "cannot read the database" as_other cat "$DATA/union.db"
fails "cannot read the keys" as_other find "$DATA/keys" -type f -readable -exec cat {} +
chmod 700 "$DATA"
fails "cannot read uniond's memory" as_other cat "/proc/$pid/mem"
fails "cannot read uniond's environment" as_other cat "/proc/$pid/environ"
fails "cannot read the keeper's memory map" as_other cat "/proc/$keeper/maps"

touch "$T/home/locked" && chmod 600 "$T/home/locked"
mkdir -p "$T/other" && chown 65534 "$T/other"
fails "a file that it cannot read is refused" as_other env HOME="$T/other" XDG_DATA_HOME="$T/other/d" \
	XDG_STATE_HOME="$T/other/s" XDG_CONFIG_HOME="$T/other/c" "$BUILD/union" create secret x -f "$T/home/locked"
warns "and it says so" "cannot read"

printf 'data: %s\nlisten: {tcp: "127.0.0.1:0"}\n' "$T/tcp" >"$T/tcp.yaml"
sed -i 's/127.0.0.1:0/127.0.0.1:18473/' "$T/tcp.yaml"
mkfifo "$T/ready"
uniond --config "$T/tcp.yaml" --ready-fd 9 9>"$T/ready" 2>"$T/tcp.log" &
read -r line <"$T/ready"
equals "a control plane on a loopback port" ready "$line"
check "serves its own user" env UNION_ENDPOINT=http://127.0.0.1:18473 union get secret
ask() { # METHOD BODY CURL-OPTION...
	local method=$1 body=$2
	shift 2
	curl -sS --fail-with-body -H 'content-type: application/json' -d "$body" "$@" \
		"http://127.0.0.1:18473/$method"
}
check "and speaks to whoever asks for this machine" ask union.v1.PlaneService/GetInfo {}
fails "not to a web page that has its own name point here" \
	ask union.v1.PlaneService/GetInfo {} -H 'host: pages.example:18473'
says "and says so" "another machine's name"
fails "nor over HTTP/2" ask union.v1.PlaneService/GetInfo {} -H 'host: pages.example' --http2-prior-knowledge
check "an upload over HTTP/2" ask flyteidl.service.DataProxyService/CreateUploadLocation \
	'{"project":"p","domain":"d","contentMd5":"AAAAAAAAAAAAAAAAAAAAAA==","contentLength":"3"}' --http2-prior-knowledge
says "goes to the port that was asked" http://127.0.0.1:18473/union/upload/
mkdir -p "$T/other2" && chown 65534 "$T/other2"
fails "and not another user of the machine" as_other env HOME="$T/other2" \
	UNION_ENDPOINT=http://127.0.0.1:18473 "$BUILD/union" get secret
warns "who is told why" "serves the user that runs it"
cat >"$T/crowd.py" <<'PY'
import resource, socket, sys
most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
kept = []
for _ in range(min(most - 50, 9000)):
    one = socket.create_connection(("127.0.0.1", 18473))
    try:
        one.sendall(b"POST")
    except OSError:
        pass
    kept.append(one)
print("there", flush=True)
sys.stdin.read()
PY
coproc crowd { as_other /usr/bin/python3 "$T/crowd.py"; }
crowd_pid=$crowd_PID # the shell forgets its own when the crowd ends
read -r line <&"${crowd[0]}"
equals "a crowd of connections of another user's" there "$line"
for i in 1 2 3 4 5 6; do
	check "keeps the user out of nothing, $i" env UNION_ENDPOINT="unix://$T/tcp/uniond.sock" union get secret
done
kill "$crowd_pid"
wait "$crowd_pid" 2>/dev/null
finish
