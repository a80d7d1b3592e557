#!/usr/bin/env bash
# As a service: sockets, credentials and notifications of a manager, which a harness plays; restarts
# under a running task; certificates that change; and the units themselves.
. "$(dirname "$0")/../lib.sh"
story "uniond is a good service"

make_certificate() { # NAME: $T/NAME.pem and .key for 127.0.0.1
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj "/CN=$1" \
		-addext subjectAltName=IP:127.0.0.1,DNS:localhost -keyout "$T/$1.key" -out "$T/$1.pem" 2>/dev/null
	chmod 600 "$T/$1.key"
}
make_certificate old
make_certificate new
mkdir "$T/tls" "$KEPT/service" "$T/run"
cp -p "$T/old.pem" "$T/tls/crt"
cp -p "$T/old.key" "$T/tls/key"
phrase=$(canary)
printf %s "$phrase" >"$KEPT/phrase"
mkdir "$T/shared" && chmod 777 "$T/shared"
cat >"$T/plane.yaml" <<YAML
tasks:
  writable: $T/shared
data: $T/plane
listen: {unix: $T/elsewhere.sock}
tls: {certificate: $T/tls/crt, key: $T/tls/key}
keys: {provider: passphrase, passphrase_file: "credential:phrase"}
YAML

ulimit -Sn 300 # uniond takes more, its tasks do not
coproc service {
	exec /usr/bin/python3 "$HARNESS_DIR/harness/service.py" --folder "$KEPT/service" \
		--unix "$T/run/uniond.sock" --tcp 127.0.0.1:0 --credential phrase="$KEPT/phrase" --watchdog 3 \
		-- uniond --config "$T/plane.yaml" 2>"$T/plane.log"
}
exec {from}<&"${service[0]}" {to}>&"${service[1]}"
manager=$service_PID
hear() { # WORD...: reads until a line begins with it; the rest is in $heard
	local line
	while read -r -t 60 line <&"$from"; do
		case $line in
		"$*"*) heard=${line#"$*"} && heard=${heard# } && return 0 ;;
		esac
	done
	return 1
}
tell() { echo "$1" >&"$to"; }
certificate() { # the CN that the server shows
	openssl s_client -connect "127.0.0.1:$port" -alpn h2 </dev/null 2>/dev/null |
		openssl x509 -noout -subject 2>/dev/null | sed 's/.*CN *= *//'
}

check "the port is the manager's" hear port
port=$heard
hear pid
pid=$heard
check "it says that it is ready" hear notify READY=1
case $heard in *"$T/run/uniond.sock"*) pass "and where" ;; *) fail "and where: $heard" ;; esac
check "no socket of its own is made" test ! -e "$T/elsewhere.sock"
export UNION_ENDPOINT="unix://$T/run/uniond.sock"
v=$(canary)
check "the socket that was passed serves; the passphrase was a credential" \
	run_with_input "$v" union create secret my_secret
equals "the port has TLS" old "$(certificate)"
check "in 1.3" openssl s_client -tls1_3 -connect "127.0.0.1:$port" -alpn h2 </dev/null
check "and in 1.2" openssl s_client -tls1_2 -connect "127.0.0.1:$port" -alpn h2 </dev/null
refuses "not in 1.1" alert openssl s_client -tls1_1 -cipher ALL:@SECLEVEL=0 -connect "127.0.0.1:$port" </dev/null
check "the watchdog is fed" hear notify WATCHDOG=1
equals "its children know nothing of the manager" 0 \
	"$(for p in $(pgrep -P "$pid"); do tr '\0' '\n' <"/proc/$p/environ"; done | grep -c 'NOTIFY\|LISTEN\|CREDENTIALS')"

# certificates change while a connection lives
cat >"$T/held.py" <<'PY'
import socket, ssl, sys
context = ssl.create_default_context()
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE
def connect(session=None):
    return context.wrap_socket(socket.create_connection(("127.0.0.1", int(sys.argv[1]))),
                               session=session)
s = connect()
def ask():
    s.sendall(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n")
    print(s.recv(4096).split(b"\r\n")[0].decode(), flush=True)
ask()
again = connect(s.session)
print("resumed" if again.session_reused else "not resumed", flush=True)
for _ in sys.stdin:
    ask()
PY
mkfifo "$T/held.in" "$T/held.out"
/usr/bin/python3 "$T/held.py" "$port" <"$T/held.in" >"$T/held.out" &
exec {held_to}>"$T/held.in" {held_from}<"$T/held.out"
read -r line <&"$held_from"
equals "a connection is made" "HTTP/1.1 200 OK" "$line"
read -r line <&"$held_from"
equals "a second one resumes its session" resumed "$line"
equals "it has all the descriptors it may have" "$(ulimit -Hn)" \
	"$(awk '/^Max open files/ { print $4 }' "/proc/$pid/limits")"
tell hup
check "a reload is announced" hear notify RELOADING=1
check "and its end" hear notify READY=1
cp "$T/new.pem" "$T/tls/crt.tmp" && mv "$T/tls/crt.tmp" "$T/tls/crt"
check "a new certificate is noticed" hear notify RELOADING=1
hear notify READY=1
equals "without its key the old one stays" old "$(certificate)"
check "and the log says why" grep -q "the old certificate stays" "$T/plane.log"
cp -p "$T/new.key" "$T/tls/key.tmp" && mv "$T/tls/key.tmp" "$T/tls/key"
hear notify RELOADING=1
hear notify READY=1
equals "with its key it is taken" new "$(certificate)"
echo other >"$T/tls/other"
echo >&"$held_to"
read -r line <&"$held_from"
equals "the connection from before lives on" "HTTP/1.1 200 OK" "$line"
chmod 644 "$T/tls/key"
tell hup
hear notify READY=1
check "a key that everybody may read is refused" grep -q "open to every user" "$T/plane.log"
chmod 600 "$T/tls/key"

# a restart under a running task
mkfifo -m 666 "$T/shared/go" "$T/shared/began"
cat >"$T/home/wait.py" <<PY
import union

import resource

@union.task(secret_requests=[union.Secret(key="my_secret")])
def wait() -> int:
    with open("$T/shared/began", "w") as f:
        f.write("began\n")
    with open("$T/shared/go") as f:
        f.read()
    return len(union.current_context().secrets.get(key="my_secret")) * 1000 + resource.getrlimit(
        resource.RLIMIT_NOFILE)[0]
PY
union run --remote "$T/home/wait.py" wait >"$T/run.out" 2>"$T/run.err" &
runner=$!
read -r line <"$T/shared/began"
equals "a task runs" began "$line"
tell restart
check "it says that it stops" hear notify STOPPING=1
hear exit
equals "and ends well" 0 "$heard"
check "it starts again with the same sockets" hear notify READY=1
echo go >"$T/shared/go"
wait $runner
equals "the task ran on, and its client saw the end" 0 $?
check "with its result, and the descriptors of before" grep -q "${#v}300" "$T/run.out"
union get execution -o json >"$T/out" 2>&1
equals "in one attempt" 0 "$(grep -c '"attempt": *[2-9]' "$T/out")"
tell kill
hear exit
check "killed, it starts again, too" hear notify READY=1
check "and serves" union get secret

tell stop
check "at the end" hear exit
wait "$manager"
unset UNION_ENDPOINT

equals "other files beside a certificate are not taken for one" 2 \
	"$(grep -c "a certificate has changed" "$T/plane.log")"

# what it refuses
bad() { # PROMISE TEXT SED-EXPRESSION
	sed "$3" "$T/plane.yaml" >"$T/bad.yaml"
	refuses "$1" "$2" env CREDENTIALS_DIRECTORY="$KEPT/service/credentials" uniond -t --config "$T/bad.yaml"
}
check "-t takes what is good" env CREDENTIALS_DIRECTORY="$KEPT/service/credentials" uniond -t --config "$T/plane.yaml"
bad "a certificate that is not there" "tls/none: not found" "s|tls/crt|tls/none|"
bad "a key of another certificate" "it does not belong to the certificate" "s|tls/key|old.key|"
bad "a key in the place of a certificate" "there is none in it, in PEM" "s|tls/crt|tls/key|"
bad "a credential that was not given" "cannot read" "s|credential:phrase|credential:other|"
refuses "credentials without a manager" "no credentials were given" uniond -t --config "$T/plane.yaml"
chmod 604 "$T/tls/key"
bad "a key that everybody may read" "chmod o=" "s|a|a|"
chmod 600 "$T/tls/key"
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -aes128 -pass pass:x -out "$T/locked.key" 2>/dev/null
chmod 600 "$T/locked.key"
bad "a key with a passphrase, without asking" "cannot use the private key" "s|tls/key|locked.key|"

# the units
if command -v systemd-analyze >/dev/null; then
	mkdir "$T/units"
	sed "s|@bindir@|$BUILD|" "$SOURCE_ROOT/packaging/systemd/uniond.service" >"$T/units/uniond.service"
	cp "$SOURCE_ROOT/packaging/systemd/uniond.socket" "$T/units/"
	systemd-analyze verify --man=no "$T/units/uniond.service" "$T/units/uniond.socket" >"$T/out" 2>&1
	equals "systemd finds nothing wrong with the units" "" "$(grep uniond "$T/out")"
	check "and rates the service as good as tasks allow" \
		systemd-analyze security --offline=true --threshold=36 "$T/units/uniond.service"
else
	note "no systemd-analyze here"
fi
finish
