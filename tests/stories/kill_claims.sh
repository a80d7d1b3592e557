#!/usr/bin/env bash
# kill -9 of the keeper and of uniond while launchers ask for secrets. CLAIM_ROUNDS makes it longer.
. "$(dirname "$0")/../lib.sh"
story "no secret reaches a task without its record, whatever is killed"
seed=${SEED:-$((RANDOM))}
note "seed $seed"
/usr/bin/python3 "$HARNESS_DIR/harness/kill.py" --claims --rounds "${CLAIM_ROUNDS:-4}" \
	--seed "$seed" --values "$KEPT/values" >"$T/kill" 2>&1
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
