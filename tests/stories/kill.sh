#!/usr/bin/env bash
# kill -9 of uniond, keeper and launchers under a mixed load. ROUNDS and SEED make it longer.
. "$(dirname "$0")/../lib.sh"
story "whatever is killed and whenever, nothing acknowledged is lost"
seed=${SEED:-$((RANDOM))}
note "seed $seed"
/usr/bin/python3 "$HARNESS_DIR/harness/kill.py" --rounds "${ROUNDS:-6}" --seed "$seed" \
	--values "$KEPT/values" >"$T/kill" 2>&1
status=$?
while read -r line; do
	case $line in
	"ok "*) pass "${line#* - }" ;;
	"not ok "*) fail "${line#* - }" ;;
	*) note "$line" ;;
	esac
done <"$T/kill"
[ "$status" = 0 ] || [ "$failed" -gt 0 ] || fail "the driver ended with status $status"
finish
