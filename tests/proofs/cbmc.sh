#!/bin/sh
# Proofs by CBMC within bounds: tests/proofs/regions_proof.c with every choice left open.
#
# usage: tests/proofs/cbmc.sh        the smallest bounds, in `make check`
#        LARGE=1 tests/proofs/cbmc.sh  all of them, in `make check-proofs`
set -u

root=$(cd "$(dirname "$0")/../.." && pwd)
count=0
failed=0

# prove LENGTH STEPS MATCHES ROOM: bytes of the stream, reads, matches found by each, regions that
# the lists have room for.
prove() {
	count=$((count + 1))
	what="regions: $1 bytes, $2 reads, $3 matches each: no access out of bounds, no byte of a match"
	if "$cbmc" tests/proofs/regions_proof.c tests/proofs/models.c src/redact/regions.c \
		-D__CPROVER -D_GNU_SOURCE -DLENGTH="$1" -DSTEPS="$2" -DMATCHES="$3" \
		-DREGIONS_ROOM="$4" -I src --function proof --unwind $(($1 + 2)) \
		--unwinding-assertions --bounds-check --pointer-check --signed-overflow-check \
		--slice-formula >"$log" 2>&1 && grep -q '^VERIFICATION SUCCESSFUL' "$log"; then
		echo "ok $count - $what"
	else
		failed=1
		echo "not ok $count - $what"
		grep -E 'FAILURE|rror' "$log" | head -n 20 | sed 's/^/# /'
	fi
}

cd "$root" || exit 1
if ! cbmc=$(tools/get-cbmc "$root/build-cbmc" 2>&1) || ! "$cbmc" --version >/dev/null 2>&1; then
	echo "1..0 # SKIP CBMC is not here: $cbmc"
	exit 0
fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
prove 2 1 2 2
if [ -n "${LARGE:-}" ]; then
	prove 2 2 1 2
	prove 3 1 2 4
fi
echo "1..$count"
exit $failed
