#!/usr/bin/env bash
# Another machine's control plane: its certificate is checked, its key is pinned.
. "$(dirname "$0")/../lib.sh"
story "union talks TLS to who can prove its name, and seals for the key it has pinned"

serve() { # NAME: starts $T/NAME.yaml and waits until it is ready
	mkfifo "$T/$1.ready"
	uniond --config "$T/$1.yaml" --ready-fd 9 9>"$T/$1.ready" 2>>"$T/$1.log" &
	served=$!
	read -r line <"$T/$1.ready"
	rm "$T/$1.ready"
	[ "$line" = ready ]
}
end_served() {
	kill -TERM "$served"
	await_exit 20 "$served"
}

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
	-addext subjectAltName=DNS:localhost -keyout "$T/tls.key" -out "$T/tls.pem" 2>/dev/null
chmod 600 "$T/tls.key"
port=$(/usr/bin/python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
for name in first second; do
	printf 'data: %s\nlisten:\n  tcp: 127.0.0.1:%s\ntls:\n  certificate: %s\n  key: %s\n' \
		"$T/$name" "$port" "$T/tls.pem" "$T/tls.key" >"$T/$name.yaml"
done
check "a server with TLS starts" serve first

refuses "a certificate that nobody vouches for" "is not accepted" \
	union get secret --endpoint "https://localhost:$port"
mkdir -p "$XDG_CONFIG_HOME/union"
printf 'admin:\n  endpoint: dns:///localhost:%s\n  caCertFilePath: %s\n' "$port" "$T/tls.pem" \
	>"$XDG_CONFIG_HOME/union/config.yaml"
refuses "a certificate for another name" "is not accepted" \
	union get secret --endpoint "https://127.0.0.1:$port"
refuses "a key of the configuration that is not known" "line 1" \
	union get secret --config <(printf 'admn: {}\n')

refuses "who has not logged in" "serves those who log in" union get secret
make_key() { # the API key of this test, from the machine's own socket, into the environment
	union create api-key admin --name ci --host "localhost:$port" \
		--endpoint "unix://$T/$1/uniond.sock" >"$T/key" 2>/dev/null && . "$T/key" && rm "$T/key"
}
check "an API key is made on its machine" make_key first
v=$(canary)
check "creates over TLS" run_with_input "$v" union create secret far
check "lists over TLS" union get secret
says "with the name" far
check "info says where" union info
says "over TLS" "https://localhost:$port"
check "the key is pinned" grep -q "^https://localhost:$port " "$XDG_STATE_HOME/union/known_planes"

end_served
check "another control plane takes its place" serve second
refuses "which does not know the key" "the API key is not accepted" union get secret
check "and gets one of its own" make_key second
refuses "nothing is sealed for a key that has changed" "has another key than before" \
	run_with_input "$v" union create secret near
warns "with what to do" "union trust "
check "and nothing was stored" union get secret -o json
equals "no secret there" 0 "$(grep -c '"name"' "$T/out")"
refuses "trust in another fingerprint" "has another fingerprint" union trust 0000-0000
check "info shows the new one" union info -o json
new=$(sed -n 's/.*"fingerprint": "\(.*\)",/\1/p' "$T/out")
check "trust in the one that was compared" union trust "$new"
check "then it creates" run_with_input "$v" union create secret near
end_served
refuses "and a server that is gone is named" "localhost:$port" union get secret
rm -f "$T/tls.key"
finish
