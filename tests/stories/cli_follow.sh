#!/usr/bin/env bash
# A run is followed, left, found again, stopped; and followed through the death of its control plane.
. "$(dirname "$0")/../lib.sh"
story "a run is followed from wherever, and to its end"
tasks_may_write "$T/gates"
export GATES=$T/gates
v=$(/usr/bin/python3 -c 'import secrets; print("CANARY-" + secrets.token_hex(16)[:25], end="")')
printf %s "$v" | base64 -w0 >>"$KEPT/values"
echo >>"$KEPT/values"
check "a secret to be redacted" run_with_input "$v" union create secret followed
/usr/bin/python3 "$HARNESS_DIR/harness/follow.py" "$T/home" >"$T/follow" 2>&1
status=$?
while read -r line; do
	case $line in
	"ok "*) pass "${line#* - }" ;;
	"not ok "*) fail "${line#* - }" ;;
	*) note "$line" ;;
	esac
done <"$T/follow"
[ "$status" = 0 ] || fail "the driver ended with status $status"
finish
