#!/bin/bash
# Measures the real uniond over TLS: a read with authentication, authorization and the audit of reads
# on, beside nginx with a static body over TLS. Prints rows for bench/run.
#
# usage: [SECRETS=N] [REQUESTS=N] [ROUNDS=N] bench/tls.sh BUILD_DIR
#
# One worker on one core, h2load on the other; the two servers take turns, and the median of the rounds
# counts.
set -euo pipefail

build=$(cd "$1" && pwd)
requests=${REQUESTS:-200000}
rounds=${ROUNDS:-3}
secrets=${SECRETS:-100000}
name=tls
. "$(dirname "$0")/beside_nginx.sh"

ninja -C "$build" --quiet bench/bench-fill
"$build/bench/bench-fill" "$dir/data" "$secrets" >/dev/null
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
	-addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout "$dir/key" -out "$dir/crt" 2>/dev/null
chmod 600 "$dir/key"
port=$(free_port)
cat >"$dir/plane.yaml" <<END
data: $dir/data
workers: 1
listen: {tcp: "127.0.0.1:$port"}
tls: {certificate: $dir/crt, key: $dir/key}
log: {level: error}
END
mkfifo "$dir/ready"
taskset -c 0 "$build/uniond" --config "$dir/plane.yaml" --ready-fd 9 9>"$dir/ready" &
ours=$!
pids+=("$ours")
read -r line <"$dir/ready"
[ "$line" = ready ]

export UNION_ENDPOINT=unix://$dir/data/uniond.sock XDG_CONFIG_HOME=$dir XDG_STATE_HOME=$dir HOME=$dir
"$build/union" create api-key admin --name bench --role secret-viewer --host localhost -o json \
	>"$dir/key.json" 2>/dev/null
printf value | "$build/union" create secret one --project fraud --domain production >/dev/null 2>&1
token=$(python3 - "$dir" "$port" <<'PY'
import json, ssl, sys, urllib.parse, urllib.request
folder, port = sys.argv[1:]
key = json.load(open(folder + "/key.json"))
form = urllib.parse.urlencode({"grant_type": "client_credentials", "client_id": key["client_id"],
                               "client_secret": key["client_secret"]}).encode()
reply = urllib.request.urlopen("https://localhost:%s/oauth2/token" % port, form,
                               context=ssl.create_default_context(cafile=folder + "/crt"))
print(json.load(reply)["access_token"])
PY
)

# GetSecret for (fraud, production, one) in a gRPC envelope
printf '\0\0\0\0\032\n\030\n\003one\032\nproduction\042\005fraud' >"$dir/request"

start_nginx https 'ssl http2' "ssl_certificate $dir/crt;" "ssl_certificate_key $dir/key;" \
	'ssl_protocols TLSv1.3;'

load() {
	if [ "$1" = ours ]; then
		taskset -c "$last" h2load -t 1 -c 16 -m "$2" -n "$3" -d "$dir/request" \
			-H 'content-type: application/grpc' -H 'te: trailers' \
			-H "authorization: Bearer $token" \
			"https://127.0.0.1:$port/cloudidl.secret.SecretService/GetSecret"
	else
		taskset -c "$last" h2load -t 1 -c 16 -m "$2" -n "$3" "https://127.0.0.1:$nginx_port/body"
	fi
}

# one answer, looked at: gRPC status 0
curl -ks --http2 --cacert "$dir/crt" -D "$dir/head" -o "$dir/reply" --data-binary @"$dir/request" \
	-H 'content-type: application/grpc' -H 'te: trailers' -H "authorization: Bearer $token" \
	"https://localhost:$port/cloudidl.secret.SecretService/GetSecret"
grep -q "^grpc-status: 0" "$dir/head" || {
	cat "$dir/head" >&2
	exit 1
}

# a command as a whole process, with the token that the one before has left
UNION_API_KEY=$(python3 - "$dir/key.json" "$port" <<'PY'
import base64, json, sys
key = json.load(open(sys.argv[1]))
print(base64.b64encode(":".join(["localhost", sys.argv[2], key["client_id"], key["client_secret"], "None"]).encode()).decode())
PY
)
export UNION_API_KEY
env -u UNION_ENDPOINT SSL_CERT_FILE="$dir/crt" python3 - "$build/union" <<'PY'
import subprocess, sys, time
command = [sys.argv[1], "get", "secret", "one", "--project", "fraud", "--domain", "production"]
spent = []
for _ in range(50):
    began = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    spent.append((time.monotonic() - began) * 1000)
print("ROW `union get secret` over TLS, whole process | < 12 ms | %.1f ms (median of 50; best %.1f ms)" % (
    sorted(spent)[25], min(spent)))
PY
unset UNION_API_KEY

for streams in 1 16; do
	count=$((streams == 16 ? requests : requests / 2))
	take_turns "$streams" "$count" "$rounds"
	wanted=">= 45,000/s" what="a connection each"
	[ "$streams" = 16 ] && wanted=">= 90,000/s" what="16 streams each"
	awk -v a="$our_rate" -v c="$our_cost" -v n="$what" -v w="$wanted" -v b="$their_rate" \
		-v d="$their_cost" 'BEGIN {
		printf "ROW reads over TLS on one core, logged in, audited: 16 connections, %s | %s | ", n, w
		printf "%d a second of the core; %d/s as it was shared (nginx with a static body: %d, %d/s)\n",
			1e6 / c, a, 1e6 / d, b }'
done
unset UNION_ENDPOINT
