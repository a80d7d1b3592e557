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
name=unary
. "$(dirname "$0")/beside_nginx.sh"

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

start_nginx http http2

method=/cloudidl.secret.SecretService/GetSecret

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

for streams in 16 1; do
	count=$((streams == 16 ? requests : requests / 2))
	take_turns "$streams" "$count" "$rounds"
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
