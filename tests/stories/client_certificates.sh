#!/usr/bin/env bash
# A control plane that asks for certificates of clients: who gets in, and what a change of the
# authorities does.
. "$(dirname "$0")/../lib.sh"
story "tls.client_ca lets in those whom it vouches for, by union and by curl"

not() { ! "$@"; }
authority() { # NAME
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$1" \
		-addext basicConstraints=critical,CA:true -addext keyUsage=keyCertSign \
		-keyout "$T/$1.key" -out "$T/$1.pem" 2>/dev/null
}
client() { # NAME AUTHORITY [OPTION...]: $T/NAME.pem and .key, mode 0600
	local name=$1 ca=$2
	shift 2
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$name" \
		-keyout "$T/$name.key" -out "$T/$name.csr" 2>/dev/null
	openssl x509 -req -in "$T/$name.csr" -CA "$T/$ca.pem" -CAkey "$T/$ca.key" -CAcreateserial \
		-out "$T/$name.pem" "$@" 2>/dev/null
	chmod 600 "$T/$name.key"
}
authority ours
authority next
authority theirs
client ann ours -days 2
client ben next -days 2
client eve theirs -days 2
client old ours -days 0
until_old() { until ! openssl x509 -in "$T/old.pem" -noout -checkend 0 >/dev/null; do :; done; }
until_old
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
	-addext subjectAltName=DNS:localhost -keyout "$T/tls.key" -out "$T/tls.pem" 2>/dev/null
chmod 600 "$T/tls.key"
cp "$T/ours.pem" "$T/clients.pem"
port=$(/usr/bin/python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
printf 'data: %s\nlisten:\n  tcp: 127.0.0.1:%s\ntls:\n  certificate: %s\n  key: %s\n  client_ca: %s\n' \
	"$T/plane" "$port" "$T/tls.pem" "$T/tls.key" "$T/clients.pem" >"$T/plane.yaml"
mkfifo "$T/ready"
uniond --config "$T/plane.yaml" --ready-fd 9 9>"$T/ready" 2>>"$T/plane.log" &
served=$!
read -r line <"$T/ready"
equals "a server that asks for certificates starts" ready "$line"

mkdir -p "$XDG_CONFIG_HOME/union"
by_curl() { # [CLIENT] ARG...: /healthz
	local who=$1
	shift
	curl -sS --max-time 20 --cacert "$T/tls.pem" ${who:+--cert "$T/$who.pem" --key "$T/$who.key"} "$@" \
		"https://localhost:$port/healthz"
}
for version in 1.2 1.3; do
	check "TLS $version: curl gets in with a certificate of ours" by_curl ann --tlsv$version --tls-max $version
	check "TLS $version: not without one" not by_curl "" --tlsv$version --tls-max $version
	check "TLS $version: not with one of another authority" not by_curl eve --tlsv$version --tls-max $version
	check "TLS $version: not with one that has expired" not by_curl old --tlsv$version --tls-max $version
done

config() { # [CLIENT]: what union is configured with
	printf 'admin:\n  endpoint: dns:///localhost:%s\n  caCertFilePath: %s\n' "$port" "$T/tls.pem"
	[ -z "$1" ] || printf '  clientCertFilePath: %s\n  clientKeyFilePath: %s\n' "$T/$1.pem" "$T/$1.key"
}
as() { # CLIENT COMMAND...
	config "$1" >"$XDG_CONFIG_HOME/union/config.yaml"
	shift
	"$@"
}
union create api-key admin --name ci --host "localhost:$port" \
	--endpoint "unix://$T/plane/uniond.sock" >"$T/key" 2>/dev/null && . "$T/key" && rm "$T/key"
v=$(canary)
created() { config ann >"$XDG_CONFIG_HOME/union/config.yaml" && run_with_input "$v" union create secret far; }
check "union creates with a certificate of ours" created
check "and lists" union get secret
says "what is there" far
refuses "union without one" "asks for a certificate" as "" union get secret
warns "with what to do" clientCertFilePath
refuses "union with one of another authority" "does not accept the certificate" as eve union get secret
refuses "union with one that has expired" "does not accept the certificate" as old union get secret
cp "$T/ann.pem" "$T/mixed.pem" && cp "$T/eve.key" "$T/mixed.key"
refuses "a key that is not the certificate's" "cannot use the certificate" as mixed union get secret

# ---- the authorities change ----
ticket() {
	printf 'GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n' |
		openssl s_client -connect "localhost:$port" -CAfile "$T/tls.pem" -cert "$T/ann.pem" \
			-key "$T/ann.key" -alpn http/1.1 -sess_out "$T/ticket" -ign_eof >/dev/null 2>&1
	[ -s "$T/ticket" ]
}
check "no ticket is given, which would outlive its certificate" not ticket
reload() { # the number of reloads the log must show
	kill -HUP "$served"
	until [ "$(grep -c 'SIGHUP.*reloaded' "$T/plane.log")" -ge "$1" ]; do kill -0 "$served" || return 1; done
}
cat "$T/next.pem" >>"$T/clients.pem"
check "a second authority is taken at SIGHUP" reload 1
check "whom the new one vouches for gets in" by_curl ben
check "whom the old one vouches for, too" by_curl ann
check "union as well" as ben union get secret
cp "$T/next.pem" "$T/clients.pem"
check "the old authority is given up" reload 2
check "its clients are out" not by_curl ann
refuses "union says so" "does not accept the certificate" as ann union get secret
check "the others stay" as ben union get secret
echo nonsense >"$T/clients.pem"
kill -HUP "$served"
until grep -q 'SIGHUP.*the old certificate stays' "$T/plane.log"; do kill -0 "$served" || break; done
check "authorities that cannot be read are not taken" grep -q "client CA" "$T/plane.log"
check "and the last ones hold" as ben union get secret
check "for strangers, too" not by_curl ann
kill -TERM "$served"
await_exit 20 "$served"
finish
