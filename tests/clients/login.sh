#!/usr/bin/env bash
# Logging in as other people's clients do: by client secret over TLS and in cleartext, and by API key,
# which means port 443 and a certificate of an authority that is trusted (in a network namespace).
. "$(dirname "$0")/lib.sh"
story "other people's clients log in"
v=$(canary)
w=$(canary)
mkdir -p "$T/tls" "$KEPT/keys"

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=an authority" \
	-keyout "$T/tls/ca.key" -out "$T/tls/ca.pem" 2>/dev/null
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost -keyout "$T/tls/key" \
	-out "$T/tls/csr" 2>/dev/null
openssl x509 -req -in "$T/tls/csr" -CA "$T/tls/ca.pem" -CAkey "$T/tls/ca.key" -CAcreateserial -days 2 \
	-out "$T/tls/leaf" -extfile <(printf 'subjectAltName=DNS:localhost\nextendedKeyUsage=serverAuth\n') 2>/dev/null
cat "$T/tls/leaf" "$T/tls/ca.pem" >"$T/tls/chain"
rm "$T/tls/ca.key"
with_tls="tls: {certificate: $T/tls/chain, key: $T/tls/key}"

serve() { # PORT YAML : starts it, or starts it again
	port=$1
	printf 'data: %s\nlisten: {tcp: "127.0.0.1:%s"}\ntasks: {path: "%s:/usr/bin:/bin"}\n%s\n' \
		"$T/plane" "$port" "$V1" "$2" >"$T/plane.yaml"
	[ -p "$T/ready" ] || mkfifo "$T/ready"
	uniond --config "$T/plane.yaml" --ready-fd 9 9>"$T/ready" 2>>"$T/plane.log" &
	served=$!
	read -r line <"$T/ready"
	[ "$line" = ready ]
}
end_served() {
	kill -TERM "$served"
	timeout 20 tail --pid="$served" -f /dev/null
}
make_key() { # NAME ROLE : its secret is in $KEPT/keys/NAME, and nowhere that is searched
	local json
	json=$(curl -sS --unix-socket "$T/plane/uniond.sock" -H 'content-type: application/json' \
		-d "{\"name\":\"$1\",\"role\":\"$2\"}" http://localhost/union.v1.AccessService/CreateApiKey)
	sed 's/.*"clientSecret":"\([^"]*\)".*/\1/' <<<"$json" | base64 -d >"$KEPT/keys/$1"
	base64 -w0 "$KEPT/keys/$1" >>"$KEPT/values"
	echo >>"$KEPT/values"
	[ "$(wc -c <"$KEPT/keys/$1")" -gt 30 ]
}
config() { # FILE NAME SCHEME [LINE...] : for the key NAME, its secret in the variable KEY_SECRET
	local file=$HOME/$1 name=$2 scheme=$3
	shift 3
	mkdir -p "$(dirname "$file")"
	{
		printf 'admin:\n  endpoint: %slocalhost:%s\n  authType: ClientSecret\n' "$scheme" "$port"
		printf '  clientId: %s\n  clientSecretEnvVar: KEY_SECRET\n' "$name"
		printf '  %s\n' "$@"
	} >"$file"
}
as() { # NAME COMMAND... : with the secret of this key
	local name=$1
	shift
	KEY_SECRET=$(cat "$KEPT/keys/$name") "$@"
}
flyte_as() { # NAME CONFIG COMMAND... : flyte asks for tokens by the system's authorities only
	local name=$1 config=$2
	shift 2
	SSL_CERT_FILE=$T/tls/ca.pem KEY_SECRET=$(cat "$KEPT/keys/$name") flyte_2 --config "$HOME/$config" "$@"
}

check "a control plane with TLS" serve "$(free_port)" "$with_tls"
check "keys of three roles" make_key writer secret-writer
check "one that reads" make_key reader secret-viewer
check "one that runs" make_key runner runner
check "an administrator" make_key boss admin
for key in writer reader runner boss; do
	config "$key.yaml" "$key" dns:/// "insecure: false" "caCertFilePath: $T/tls/ca.pem"
done
config skip.yaml writer dns:/// "insecureSkipVerify: true"

note "TLS, authType ClientSecret"
check "union creates a secret" as writer real_union --config "$HOME/writer.yaml" create secret db --value "$v"
check "and lists it" as reader real_union --config "$HOME/reader.yaml" get secret
says "by its name" db
check "without looking at the certificate" as writer real_union --config "$HOME/skip.yaml" get secret
refuses_with "who may only read is told so" "key:reader is not allowed secret.create" \
	as reader real_union --config "$HOME/reader.yaml" create secret db2 --value "$w"
refuses_with "a wrong secret, too" "the API key is not accepted" \
	as reader real_union --config "$HOME/writer.yaml" get secret
check "flyte 2 creates" flyte_as writer writer.yaml create secret v2 --value "$w"
check "lists" flyte_as reader reader.yaml get secret
check "without looking at the certificate" flyte_as writer skip.yaml get secret
refuses_with "and is refused in words" "key:reader is not allowed secret.create" \
	flyte_as reader reader.yaml create secret db2 --value "$w"
refuses_with "with a wrong secret, too" "the API key is not accepted" \
	flyte_as reader writer.yaml get secret
mkdir "$T/scripts"
cp "$SOURCE_ROOT/examples/using_secrets.py" "$SCRIPTS/flow.py" "$T/scripts"
cd "$T/scripts" || exit 1
run_with_input "$v" union create secret my_secret --endpoint "unix://$T/plane/uniond.sock" >"$T/out" 2>&1
check "pyflyte runs with the role for that" as runner real_pyflyte --config "$HOME/runner.yaml" run --remote --wait \
	--poll-interval 1 flow.py main --n 1
check "union runs what uses a secret" as runner real_union --config "$HOME/runner.yaml" run --remote --wait \
	--poll-interval 1 using_secrets.py main
refuses_with "which the same key may not read" "is not allowed secret.read" \
	as runner real_union --config "$HOME/runner.yaml" get secret
refuses_with "who may only read secrets runs nothing" "is not allowed" \
	as reader real_union --config "$HOME/reader.yaml" run --remote flow.py main

note "tokens that end while a client lives"
mkfifo "$T/go" "$T/done"
(as writer "$V1/python" "$SOURCE_ROOT/tests/clients/again.py" "$HOME/writer.yaml" <"$T/go" >"$T/done" 2>"$T/again.err"
	echo ended >>"$T/again.end") &
exec 7>"$T/go" 8<"$T/done"
echo list >&7
read -r answer <&8
equals "a client with a token" 3 "$answer"
end_served
serve "$port" "$with_tls"
echo list >&7
read -r answer <&8
equals "asks for another after a restart, by itself" 3 "$answer"
curl -sS --unix-socket "$T/plane/uniond.sock" -H 'content-type: application/json' -d '{"name":"writer"}' \
	http://localhost/union.v1.AccessService/DeleteApiKey >"$T/out"
echo list >&7
read -r answer <&8
equals "and ends with its key" refused "$answer"
exec 7>&- 8<&-
refuses_with "as every other one does" "the API key is not accepted" \
	as writer real_union --config "$HOME/writer.yaml" get secret
end_served

note "cleartext, authType ClientSecret"
check "the same control plane in cleartext" serve "$(free_port)" ""
config plain.yaml reader dns:/// "insecure: true"
config v2-plain.yaml reader http:// "insecure: true"
check "on one's own machine no token is asked for: there the user counts" \
	as reader real_union --config "$HOME/plain.yaml" create secret db3 --value "$w"
check "flyte never sends one over http" flyte_as reader v2-plain.yaml create secret db4 --value "$w"
stranger() { # another user of this machine, who can see nothing of this test but his configuration
	(cd / && HOME=$other TMPDIR=$other exec setpriv --reuid 65534 --regid 65534 --clear-groups "$@")
}
other=$(mktemp -d /tmp/union-other.XXXXXX)
chmod 711 "$other"
install -m 644 "$HOME/plain.yaml" "$other/plain.yaml"
if [ "$(id -u)" = 0 ] && stranger test -x "$V1/union" -a -r "$other/plain.yaml"; then
	check "another user of it sends the token over h2c" \
		as reader stranger "$V1/union" --config "$other/plain.yaml" get secret
	refuses_with "and has the rights of the key" "key:reader is not allowed secret.create" \
		as reader stranger "$V1/union" --config "$other/plain.yaml" create secret db5 --value "$w"
	refuses_with "or none" "the API key is not accepted" \
		as writer stranger "$V1/union" --config "$other/plain.yaml" get secret
else
	note "not tested here: tokens over h2c, which only another user of this machine is asked for"
fi
rm -rf "$other"
end_served

note "API keys: port 443"
api_key() { printf 'localhost:%s:%s:None' "$1" "$(cat "$KEPT/keys/$1")" | base64 -w0; }
in_443() {
	ip link set lo up
	serve 443 "$with_tls" || return
	unset KEY_SECRET
	export UNION_API_KEY GRPC_DEFAULT_SSL_ROOTS_FILE_PATH=$T/tls/ca.pem REQUESTS_CA_BUNDLE=$T/tls/ca.pem
	export SSL_CERT_FILE=$T/tls/ca.pem
	UNION_API_KEY=$(api_key boss)
	check "union takes UNION_API_KEY" real_union get secret
	says "and lists" my_secret
	run_with_input "$UNION_API_KEY" union create secret my_union_api_key \
		--endpoint "unix://$T/plane/uniond.sock" >"$T/out" 2>&1
	cp "$SOURCE_ROOT/examples/env_var.py" .
	check "a task has it for its own UnionRemote" real_union run --remote --wait --poll-interval 1 env_var.py t1
	FLYTE_API_KEY=$UNION_API_KEY check "flyte takes FLYTE_API_KEY" flyte_2 get secret
	UNION_API_KEY=$(api_key reader)
	refuses_with "with the rights of the key" "key:reader is not allowed secret.create" \
		real_union create secret db6 --value "$w"
	end_served
}
if unshare -n true 2>/dev/null; then
	export -f in_443 serve end_served api_key real_union flyte_2 check capture pass fail says refuses_with run_with_input
	# one shell for all of it: what it counted comes back through a file
	export T KEPT V1 V2 SOURCE_ROOT with_tls HOME stop_at_failure verbose
	unshare -n bash -c 'passed=0 failed=0 planned='"$planned"'; in_443; echo "$passed $failed" >"$T/counted"'
	read -r more bad <"$T/counted"
	passed=$((passed + more)) failed=$((failed + bad)) planned=$((planned + more + bad))
else
	note "not tested here: a network namespace, and in it port 443, is for root"
fi
finish
