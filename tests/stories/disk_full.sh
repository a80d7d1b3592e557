#!/usr/bin/env bash
# A full disk: refused with a clear error, nothing half-written, and it recovers without a restart.
. "$(dirname "$0")/../lib.sh"
story "a full disk refuses writes and recovers"

mount_small() {
	mkdir -p "$DATA" && chmod 700 "$DATA"
	mount -t tmpfs -o size=6m,mode=700 tmpfs "$DATA" 2>/dev/null
}
if ! mount_small; then
	if [ -z "${IN_NAMESPACE:-}" ]; then
		cleanup
		trap - EXIT
		IN_NAMESPACE=1 exec unshare --user --map-root-user --mount "$0" "$@"
	fi
	echo "1..0 # SKIP no tmpfs can be mounted here"
	exit 0
fi
unmount() { umount -l "$DATA/logs" 2>/dev/null; umount -l "$DATA" 2>/dev/null; }
trap 'stop_plane; unmount; cleanup' EXIT

v=$(canary)
check "a first secret" run_with_input "$v" union create secret kept
head -c 300000 /dev/urandom | base64 -w0 | head -c 300000 >"$KEPT/big"
full=
for i in $(seq 1 40); do
	if ! capture union create secret "big_$i" -f "$KEPT/big"; then full=$i; break; fi
done
if [ -n "$full" ]; then pass "the disk fills up"; else fail "the disk fills up"; fi
warns "and the error says so" "disk is full"
plane_log="$XDG_STATE_HOME/union/uniond.log"
is_ready() { curl -s --unix-socket "$DATA/uniond.sock" http://x/readyz; }
equals "/readyz says so, and that it goes on" "ready, but the disk is full: nothing can be written" "$(is_ready)"
equals "a metric, too" "union_store_disk_full 1" \
	"$(curl -s --unix-socket "$DATA/uniond.sock" http://x/metrics | grep '^union_store_disk_full')"
check "and the server's log" grep -q 'level=error area=store msg="the disk is full' "$plane_log"
for i in 1 2 3 4 5; do capture union create secret "more_$i" -f "$KEPT/big"; done
equals "once, however many are refused" 1 "$(grep -c 'area=store msg="the disk is full' "$plane_log")"
check "reads go on" union get secret kept
check "also those that are recorded in sums" union get secret
warns_nothing_of_value() { ! grep -q "CANARY" "$T/err"; }
cat >"$T/home/use.py" <<'PY'
import union

@union.task(secret_requests=[union.Secret(key="kept")])
def main() -> int:
    return 1
PY
if capture union run --remote "$T/home/use.py" main; then fail "no run begins"; else pass "no run begins, and no secret is released"; fi
check "and no value is told" warns_nothing_of_value
check "deleting is possible, or says why not" sh -c 'union delete secret big_1 || grep -q full "$0"' "$T/err"
count=$(union get secret -o json | grep -o '"big_[0-9]*"' | wc -l)
mount -o remount,size=40m "$DATA"
check "with room it takes writes again, without a restart" run_with_input "$v" union create secret after
check "and its log says that there is room" grep -q "there is room on the disk again" "$plane_log"
equals "/readyz too" ready "$(is_ready)"
check "and everything acknowledged is there" union get secret kept
check "secrets are released again" union run --remote "$T/home/use.py" main
check "and the trail is whole" union audit verify
cat >"$T/home/talk.py" <<'PY'
import union

@union.task
def main() -> int:
    print("\n".join("line %d" % i for i in range(20000)))
    return 3
PY
mount -t tmpfs -o size=64k,mode=700 tmpfs "$DATA/logs"
stop_plane
check "a task whose log has no room ends, and its result is taken" union run --remote "$T/home/talk.py" main
says "whole" '{"o0": 3}'
equals "the server's log says once that logs wait" 1 "$(grep -c 'the disk is full: logs wait' "$plane_log")"
mount -o remount,size=10m "$DATA/logs"
check "with room the next one" union run --remote "$T/home/talk.py" main
check "is written, which is said, too" grep -q "logs are written again" "$plane_log"
equals "and nothing else" "$count" "$(union get secret -o json | grep -o '"big_[0-9]*"' | wc -l)"
finish
