#!/usr/bin/env bash
# A team's server from nothing: init, TLS beyond loopback, a login, and other clients' values over TLS,
# which leave no trace in memory or on disk.
. "$(dirname "$0")/../lib.sh"
story "a team's server, from init to the first secret over TLS"

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
	-addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout "$T/tls.key" -out "$T/tls.pem" 2>/dev/null
chmod 600 "$T/tls.key"
port=$(/usr/bin/python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cat >"$T/plane.yaml" <<YAML
data: $T/plane
listen: {tcp: "0.0.0.0:$port"}
tls: {certificate: $T/tls.pem, key: $T/tls.key}
log: {level: debug}
YAML

# ---- init ----
if [ "$(id -u)" = 0 ]; then
	refuses "root alone does not know whose it will be" "does not know for whom" \
		uniond init --config "$T/plane.yaml"
	check "and has made nothing" test ! -e "$T/plane"
	chmod 755 "$T"
	check "for a service's user" uniond init --config "$T/plane.yaml" --user nobody --host localhost
	equals "everything is that user's" "" "$(find "$T/plane" ! -user nobody)"
	equals "and nobody else's" 700 "$(stat -c %a "$T/plane")"
	grep -q '^export UNION_API_KEY=' "$T/out" && pass "an API key is shown" || fail "an API key is shown"
	refuses "a second time" "already" uniond init --config "$T/plane.yaml" --user nobody
	refuses "a user that there is not" "no such user" uniond init --data "$T/other" --user not-a-user
	mkdir "$T/theirs"
	chown nobody "$T/theirs"
	refuses "somebody else's folder" "does not belong to" uniond init --data "$T/theirs" --user root
	rm -rf "$T/plane"
	chmod 700 "$T"
	who=(--user root)
else
	who=()
fi
uniond init --config "$T/plane.yaml" --host "localhost:$port" "${who[@]}" >"$KEPT/key" 2>"$T/err"
equals "init" 0 $?
equals "one key is shown, on standard output alone" "1 0" \
	"$(grep -c UNION_API_KEY= "$KEPT/key") $(grep -c UNION_API_KEY= "$T/err")"
refuses "a second time" "already" uniond init --config "$T/plane.yaml" "${who[@]}"
refuses "with a passphrase that nobody has given" "passphrase_file" \
	uniond init --config <(echo "{data: $T/other, keys: {provider: passphrase}}") "${who[@]}"
eval "$(cat "$KEPT/key")" # UNION_API_KEY
sed -n 's/.*UNION_API_KEY="\(.*\)"/\1/p' "$KEPT/key" | base64 -d | cut -d: -f4 | tr -d '\n' >"$KEPT/client-secret"
base64 -w0 <"$KEPT/client-secret" >>"$KEPT/values" # looked for like any value
echo >>"$KEPT/values"

check "another control plane" uniond init --data "$T/lost" --host localhost "${who[@]}"
rm "$T/lost/union.db"
refuses "that has lost its database says what brings it back on a server" "uniond restore --data $T/lost" \
	timeout 10 uniond --data "$T/lost"

# ---- serve ----
mkfifo "$T/ready"
env -u UNION_API_KEY uniond --config "$T/plane.yaml" --ready-fd 9 9>"$T/ready" 2>"$T/plane.log" &
read -r line <"$T/ready"
equals "it serves on every address" ready "$line"
printf '{data: %s, listen: {tcp: "127.0.0.1:%s"}}\n' "$T/second" "$port" >"$T/second.yaml"
refuses "a second server on its port" "port $port is in use" timeout 10 uniond --config "$T/second.yaml"
mkdir -p "$XDG_CONFIG_HOME/union"
printf 'admin:\n  caCertFilePath: %s\n' "$T/tls.pem" >"$XDG_CONFIG_HOME/union/config.yaml"
v=$(canary)
check "the administrator's key makes a secret over TLS" run_with_input "$v" union create secret by_key
check "and lists it" union get secret
says "by its name" by_key
refuses "without a key" "log" env -u UNION_API_KEY union get secret --endpoint "https://localhost:$port"

# ---- other clients, over TLS ----
w=$(canary)
x=$(canary)
y=$(canary)
unset UNION_API_KEY
reply=$T/reply
curl_tls() { curl -sS --cacert "$T/tls.pem" -o "$reply" -w '%{http_code} %{http_version}' "$@"; }
printf 'grant_type=client_credentials&client_id=admin&client_secret=' | cat - "$KEPT/client-secret" >"$KEPT/form"
reply=$KEPT/token.json curl_tls --data @"$KEPT/form" "https://localhost:$port/oauth2/token" >"$T/out"
equals "a login" "200 2" "$(cat "$T/out")"
token=$(sed 's/.*"access_token":"\([^"]*\)".*/\1/' "$KEPT/token.json")
printf %s "$token" | base64 -w0 >>"$KEPT/values"
echo >>"$KEPT/values"
printf 'header = "authorization: Bearer %s"\nheader = "content-type: application/json"\n' "$token" >"$KEPT/curl"
post() { # METHOD FILE OPTION...
	local method=$1 file=$2
	shift 2
	curl_tls -K "$KEPT/curl" --data @"$file" "$@" "https://localhost:$port/cloudidl.secret.SecretService/$method"
}
json() { printf '{"id":{"name":"%s"},"secretSpec":{"stringValue":"%s"}}' "$1" "$2"; }
json by_h2 "$w" >"$KEPT/h2.json"
json by_h1 "$x" >"$KEPT/h1.json"
# one that spans many records and reads
{ printf '{"id":{"name":"large"},"secretSpec":{"stringValue":"%s' "$y"; head -c 700000 /dev/zero | tr '\0' x; printf '"}}'; } >"$KEPT/large.json"
equals "curl creates over HTTP/2 and TLS 1.3" "200 2" "$(post CreateSecret "$KEPT/h2.json" --tlsv1.3)"
equals "over HTTP/1.1" "200 1.1" "$(post CreateSecret "$KEPT/h1.json" --http1.1)"
equals "over TLS 1.2" "200 2" "$(post UpdateSecret "$KEPT/h2.json" --tls-max 1.2)"
equals "a large one" "200 2" "$(post CreateSecret "$KEPT/large.json")"
equals "a broken one, which is refused" "400 2" "$(head -c 200 "$KEPT/large.json" >"$KEPT/half.json" && post CreateSecret "$KEPT/half.json")"
equals "with a wrong token" "401 2" "$(sed 's/Bearer ..../Bearer AAAA/' "$KEPT/curl" >"$KEPT/curl2" &&
	curl_tls -K "$KEPT/curl2" --data @"$KEPT/h2.json" "https://localhost:$port/cloudidl.secret.SecretService/CreateSecret")"
printf %s "$w" >"$KEPT/grpc-value"
cat >"$T/held.py" <<'PY'
"""Sends a value over a connection that stays open, and says when the reply has come."""
import socket, ssl, sys
port, ca, token, body = int(sys.argv[1]), sys.argv[2], open(sys.argv[3]).read(), open(sys.argv[4], "rb").read()
context = ssl.create_default_context(cafile=ca)
s = context.wrap_socket(socket.create_connection(("127.0.0.1", port)), server_hostname="localhost")
s.sendall(b"POST /cloudidl.secret.SecretService/UpdateSecret HTTP/1.1\r\nhost: localhost\r\n"
          b"content-type: application/json\r\nauthorization: Bearer " + token.encode() +
          b"\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
print(s.recv(4096).split(b"\r\n")[0].decode(), flush=True)
sys.stdin.read()
PY
printf %s "$token" >"$KEPT/token"
mkfifo "$T/held.in" "$T/held.out"
/usr/bin/python3 "$T/held.py" "$port" "$T/tls.pem" "$KEPT/token" "$KEPT/h1.json" <"$T/held.in" >"$T/held.out" &
exec {held_to}>"$T/held.in" {held_from}<"$T/held.out"
read -r line <&"$held_from"
equals "one whose connection stays open" "HTTP/1.1 200 OK" "$line"
canary_search # while it is open
exec {held_to}>&-
finish
