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
last=$(($(nproc) - 1))
dir=$(mktemp -d "${TMPDIR:-/tmp}/union-tls.XXXXXX")
pids=()

cleanup() {
	for pid in "${pids[@]}"; do
		kill "$pid" 2>/dev/null || true
	done
	wait 2>/dev/null || true
	rm -rf "$dir"
}
trap cleanup EXIT

ninja -C "$build" --quiet bench/bench-fill
"$build/bench/bench-fill" "$dir/data" "$secrets" >/dev/null
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
	-addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout "$dir/key" -out "$dir/crt" 2>/dev/null
chmod 600 "$dir/key"
free_port() {
	python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}
port=$(free_port) nginx_port=$(free_port)
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

mkdir -p "$dir/nginx/html"
head -c 90 /dev/zero | tr '\0' x >"$dir/nginx/html/body"
cat >"$dir/nginx.conf" <<END
daemon off;
worker_processes 1;
pid $dir/nginx.pid;
error_log /dev/null;
events { worker_connections 1024; }
http {
	access_log off;
	keepalive_requests 1000000000;
	client_body_temp_path $dir/nginx;
	proxy_temp_path $dir/nginx;
	fastcgi_temp_path $dir/nginx;
	uwsgi_temp_path $dir/nginx;
	scgi_temp_path $dir/nginx;
	server {
		listen 127.0.0.1:$nginx_port ssl http2;
		ssl_certificate $dir/crt;
		ssl_certificate_key $dir/key;
		ssl_protocols TLSv1.3;
		root $dir/nginx/html;
	}
}
END
chmod 755 "$dir" "$dir/nginx" "$dir/nginx/html"
taskset -c 0 nginx -p "$dir" -c "$dir/nginx.conf" &
theirs=$!
pids+=("$theirs")
until curl -ks -o /dev/null "https://127.0.0.1:$nginx_port/body"; do
	kill -0 "$theirs"
done

# load OURS|NGINX STREAMS REQUESTS: h2load's report on stdout
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

rate() {
	local report
	report=$(load "$@")
	if ! grep -q " $3 2xx" <<<"$report"; then
		echo "tls: not every request was answered:" >&2
		echo "$report" >&2
		exit 1
	fi
	sed -n 's/^finished in .*, \([0-9]*\)[.0-9]* req\/s.*/\1/p' <<<"$report"
}

# Ticks (10 ms) of processor time of a process and its children.
ticks() {
	cat /proc/"$1"/stat $(sed 's|[0-9]*|/proc/&/stat|g' "/proc/$1/task/$1/children") 2>/dev/null |
		awk '{ sum += $14 + $15 } END { print sum }'
}

median() {
	sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
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
	: >"$dir/ours.rate" >"$dir/nginx.rate" >"$dir/ours.cost" >"$dir/nginx.cost"
	load ours "$streams" 20000 >/dev/null # warm
	for ((round = 0; round < rounds; round++)); do
		for who in ours nginx; do
			[ "$who" = ours ] && pid=$ours || pid=$theirs
			before=$(ticks "$pid")
			rate "$who" "$streams" "$count" >>"$dir/$who.rate"
			after=$(ticks "$pid")
			awk -v t="$((after - before))" -v n="$count" \
				'BEGIN { printf "%.2f\n", t * 10000 / n }' >>"$dir/$who.cost"
		done
	done
	wanted=">= 45,000/s" name="a connection each"
	[ "$streams" = 16 ] && wanted=">= 90,000/s" name="16 streams each"
	awk -v a="$(median <"$dir/ours.rate")" -v c="$(median <"$dir/ours.cost")" -v n="$name" -v w="$wanted" \
		-v b="$(median <"$dir/nginx.rate")" -v d="$(median <"$dir/nginx.cost")" 'BEGIN {
		printf "ROW reads over TLS on one core, logged in, audited: 16 connections, %s | %s | ", n, w
		printf "%d a second of the core; %d/s as it was shared (nginx with a static body: %d, %d/s)\n",
			1e6 / c, a, 1e6 / d, b }'
done
unset UNION_ENDPOINT
