#!/bin/bash
# Measures the unary path beside nginx: one SQLite lookup and one AEAD open a request, against a
# static body over the same h2c. Prints rows for bench/run.
#
# usage: [SECRETS=N] [REQUESTS=N] [ROUNDS=N] bench/unary.sh BUILD_DIR
#
# Server on one core, h2load on the other; the two servers take turns, and the median of the rounds
# counts.
set -euo pipefail

build=$(cd "$1" && pwd)
requests=${REQUESTS:-300000}
rounds=${ROUNDS:-3}
secrets=${SECRETS:-100000}
last=$(($(nproc) - 1))
dir=$(mktemp -d "${TMPDIR:-/tmp}/union-unary.XXXXXX")
pids=()

cleanup() {
	for pid in "${pids[@]}"; do
		kill "$pid" 2>/dev/null || true
	done
	wait 2>/dev/null || true
	rm -rf "$dir"
}
trap cleanup EXIT

ninja -C "$build" --quiet bench/bench-unary

# The request: GetSecret for "*" in a gRPC envelope.
printf '\0\0\0\0\005\n\003\n\001*' >"$dir/request"

mkfifo "$dir/hold" "$dir/said"
mkdir "$dir/data"
taskset -c 0 "$build/bench/bench-unary" "$dir/data" "$secrets" <"$dir/hold" >"$dir/said" &
ours=$!
pids+=("$ours")
exec 8>"$dir/hold"
read -r _ port <"$dir/said"

# nginx serves a file as long as our reply, as it comes out of the box.
mkdir -p "$dir/nginx/html"
head -c 90 /dev/zero | tr '\0' x >"$dir/nginx/html/body"
nginx_port=$((port == 65535 ? 65000 : port + 1))
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
		listen 127.0.0.1:$nginx_port http2;
		root $dir/nginx/html;
	}
}
END
chmod 755 "$dir" "$dir/nginx" "$dir/nginx/html"
taskset -c 0 nginx -p "$dir" -c "$dir/nginx.conf" &
theirs=$!
pids+=("$theirs")
until curl -s -o /dev/null --http2-prior-knowledge "http://127.0.0.1:$nginx_port/body"; do
	kill -0 "$theirs"
done

method=/cloudidl.secret.SecretService/GetSecret

# load OURS|NGINX STREAMS REQUESTS [ARG...]: h2load's report on stdout
load() {
	local who=$1 streams=$2 count=$3
	shift 3
	if [ "$who" = ours ]; then
		taskset -c "$last" h2load -t 1 -c 16 -m "$streams" -n "$count" "$@" \
			-H 'content-type: application/grpc' -H 'te: trailers' -d "$dir/request" \
			"http://127.0.0.1:$port$method"
	else
		taskset -c "$last" h2load -t 1 -c 16 -m "$streams" -n "$count" "$@" \
			"http://127.0.0.1:$nginx_port/body"
	fi
}

rate() {
	local report
	report=$(load "$@")
	if ! grep -q " $3 2xx" <<<"$report"; then
		echo "unary: not every request was answered:" >&2
		echo "$report" >&2
		exit 1
	fi
	sed -n 's/^finished in .*, \([0-9]*\)[.0-9]* req\/s.*/\1/p' <<<"$report"
}

# Ticks (10 ms) of processor time a process and its children have used.
ticks() {
	cat /proc/"$1"/stat $(sed 's|[0-9]*|/proc/&/stat|g' "/proc/$1/task/$1/children") 2>/dev/null |
		awk '{ sum += $14 + $15 } END { print sum }'
}

median() {
	sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}

for streams in 16 1; do
	count=$((streams == 16 ? requests : requests / 2))
	for who in ours nginx; do
		: >"$dir/$who.rate" >"$dir/$who.cost"
	done
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
	our_rate=$(median <"$dir/ours.rate") their_rate=$(median <"$dir/nginx.rate")
	our_cost=$(median <"$dir/ours.cost") their_cost=$(median <"$dir/nginx.cost")
	wanted="more than nginx"
	[ "$streams" = 16 ] && wanted=">= 100,000/s"
	printf 'ROW unary, 16 connections of %d streams | %s | %d/s, %.1f us of a core each\n' \
		"$streams" "$wanted" "$our_rate" "$our_cost"
	[ "$streams" = 16 ] && wanted=">= 1.2 times nginx" || wanted="-"
	awk -v a="$our_rate" -v b="$their_rate" -v c="$our_cost" -v d="$their_cost" -v s="$streams" \
		-v w="$wanted" 'BEGIN {
		printf "ROW unary against nginx with a static body, streams %d | %s | ", s, w
		printf "%.2f times the rate (%d/s), %.2f times a request per core-second (%.1f us)\n",
			a / b, b, d / c, d }'
done

# An open loop of 10,000 requests a second; the log has one line a request: start, status, us.
taskset -c "$last" h2load -t 1 -c 16 -m 16 --rps=625 -D 5 --log-file="$dir/log" \
	-H 'content-type: application/grpc' -H 'te: trailers' -d "$dir/request" \
	"http://127.0.0.1:$port$method" >"$dir/report"
sort -n -k3,3 "$dir/log" | awk '{ v[NR] = $3 } END {
	printf "ROW unary at 10,000/s: p50, p99 | p99 < 2 ms | %.2f ms, %.2f ms (%d requests in 5 s)\n",
		v[int(NR / 2)] / 1000, v[int(NR * 0.99)] / 1000, NR }'
exec 8>&-
