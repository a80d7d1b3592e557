#!/usr/bin/env bash
# The embedded control plane: started on demand, once; found again; stopped and brought back.
. "$(dirname "$0")/../lib.sh"
story "one control plane per user, whoever starts it"

v=$(canary)
for i in 1 2 3 4 5 6 7 8 9 10; do
	(printf %s "$v" | union create secret "racer_$i" >"$T/race.$i" 2>&1 || echo failed >>"$T/raced") &
done
wait $(jobs -p)
if [ -e "$T/raced" ]; then cat "$T"/race.*; fail "ten commands race"; else pass "ten commands race"; fi
check "and all ten wrote" union get secret -o json
equals "ten secrets" 10 "$(grep -o '"racer_[0-9]*"' "$T/out" | sort -u | wc -l)"
equals "one control plane and one keeper" 2 "$(plane_pids | wc -l)"

check "info says what runs" union info
says "with its fingerprint" "(pinned)"
says "and where" "$DATA"
check "info as JSON" union info -o json
pid=$(uniond_pid)
equals "the socket is for its owner only" 600 "$(stat -c %a "$DATA/uniond.sock")"
equals "the data folder too" 700 "$(stat -c %a "$DATA")"
loose=$(find "$DATA" -type f -perm /077 | head -3)
equals "no file there can be read by others" "" "$loose"
for p in $(plane_pids); do
	[ "$(id -u)" = 0 ] && continue
	equals "process $p is not dumpable" "" "$(cat "/proc/$p/environ" 2>/dev/null | head -c 1)"
done

refuses "a second server on the same data" "in use" uniond --embedded --data "$DATA"
kill -9 "$pid"
await_exit 10 "$pid"
check "after kill -9 the next command starts it again" union get secret racer_3
new=$(uniond_pid)
if [ -n "$new" ] && [ "$new" != "$pid" ]; then pass "as another process"; else fail "as another process ($pid, $new)"; fi
check "a clean stop" kill -TERM "$new"
await_exit 20 "$new"
equals "leaves nothing running" "" "$(plane_pids)"

printf 'data: %s\nidle_timeout: 1\n' "$T/idle" >"$T/idle.yaml"
mkfifo "$T/ready"
uniond --config "$T/idle.yaml" --ready-fd 9 9>"$T/ready" &
idle=$!
read -r line <"$T/ready"
equals "says that it is ready on the descriptor" ready "$line"
if await_exit 20 "$idle"; then pass "stops by itself when idle"; else fail "stops by itself when idle"; fi
finish
