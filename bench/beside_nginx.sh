# Sourced by the measurements that have nginx beside us: a folder, its end, nginx, h2load's report.
#
# The caller has set `name`, and writes a function `load WHO STREAMS REQUESTS [ARG...]` that prints
# h2load's report for WHO = ours or nginx; `ours` and `theirs` are the two servers' processes. The
# servers run on core 0, the load on the last one ($last).
last=$(($(nproc) - 1))
dir=$(mktemp -d "${TMPDIR:-/tmp}/union-$name.XXXXXX")
pids=()

cleanup() {
	for pid in "${pids[@]}"; do
		kill "$pid" 2>/dev/null || true
	done
	wait 2>/dev/null || true
	rm -rf "$dir"
}
trap cleanup EXIT

free_port() {
	python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# start_nginx SCHEME LISTEN [LINE...]: a static body as long as our replies, as nginx comes out of the
# box. Sets theirs and nginx_port.
start_nginx() {
	local scheme=$1 listen=$2
	shift 2
	nginx_port=$(free_port)
	mkdir -p "$dir/nginx/html"
	head -c 90 /dev/zero | tr '\0' x >"$dir/nginx/html/body"
	cat >"$dir/nginx.conf" <<-END
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
			listen 127.0.0.1:$nginx_port $listen;
			$(printf '%s\n' "$@")
			root $dir/nginx/html;
		}
	}
	END
	chmod 755 "$dir" "$dir/nginx" "$dir/nginx/html"
	taskset -c 0 nginx -p "$dir" -c "$dir/nginx.conf" &
	theirs=$!
	pids+=("$theirs")
	until curl -ks -o /dev/null --http2-prior-knowledge "$scheme://127.0.0.1:$nginx_port/body"; do
		kill -0 "$theirs"
	done
}

# rate WHO STREAMS REQUESTS: requests a second; all of them have to be answered.
rate() {
	local report
	report=$(load "$@")
	if ! grep -q " $3 2xx" <<<"$report"; then
		echo "$name: not every request was answered:" >&2
		echo "$report" >&2
		exit 1
	fi
	sed -n 's/^finished in .*, \([0-9]*\)[.0-9]* req\/s.*/\1/p' <<<"$report"
}

# Ticks (10 ms) of processor time that a process and its children have used.
ticks() {
	cat /proc/"$1"/stat $(sed 's|[0-9]*|/proc/&/stat|g' "/proc/$1/task/$1/children") 2>/dev/null |
		awk '{ sum += $14 + $15 } END { print sum }'
}

median() {
	sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}

# take_turns STREAMS REQUESTS ROUNDS: sets our_rate, their_rate (a second) and our_cost, their_cost
# (us of a core for a request), medians of the rounds.
take_turns() {
	local who pid before
	rm -f "$dir"/*.rate "$dir"/*.cost
	load ours "$1" 20000 >/dev/null # warm
	for ((round = 0; round < $3; round++)); do
		for who in ours nginx; do
			[ "$who" = ours ] && pid=$ours || pid=$theirs
			before=$(ticks "$pid")
			rate "$who" "$1" "$2" >>"$dir/$who.rate"
			awk -v t="$(($(ticks "$pid") - before))" -v n="$2" \
				'BEGIN { printf "%.2f\n", t * 10000 / n }' >>"$dir/$who.cost"
		done
	done
	our_rate=$(median <"$dir/ours.rate") their_rate=$(median <"$dir/nginx.rate")
	our_cost=$(median <"$dir/ours.cost") their_cost=$(median <"$dir/nginx.cost")
}
