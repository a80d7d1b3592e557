#!/bin/sh
# Proofs by CBMC within bounds: the proofs of this folder with every choice left open.
#
# usage: tests/proofs/cbmc.sh        the smallest bounds, in `make check`
#        LARGE=1 tests/proofs/cbmc.sh  all of them, in `make check-proofs`
set -u

root=$(cd "$(dirname "$0")/../.." && pwd)
count=0
failed=0

# prove WHAT UNWIND ARGUMENT...: cbmc's verdict; UNWIND is more than any loop takes.
prove() {
	count=$((count + 1))
	what=$1
	unwind=$2
	shift 2
	if "$cbmc" "$@" -D__CPROVER -D_GNU_SOURCE -I src --function proof --unwind "$unwind" \
		--unwinding-assertions --bounds-check --pointer-check --signed-overflow-check \
		--slice-formula >"$log" 2>&1 && grep -q '^VERIFICATION SUCCESSFUL' "$log"; then
		echo "ok $count - $what"
	else
		failed=1
		echo "not ok $count - $what"
		grep -E 'FAILURE|rror' "$log" | head -n 20 | sed 's/^/# /'
	fi
}

# prove_regions LENGTH STEPS MATCHES ROOM: bytes of the stream, reads, matches found by each, regions
# that the lists have room for.
prove_regions() {
	prove "regions: $1 bytes, $2 reads, $3 matches each: no access out of bounds, no byte of a match" \
		$(($1 + 2)) tests/proofs/regions_proof.c tests/proofs/models.c src/redact/regions.c \
		-DLENGTH="$1" -DSTEPS="$2" -DMATCHES="$3" -DREGIONS_ROOM="$4"
}

# prove_decode KIND LENGTH WHAT
prove_decode() {
	prove "decode: $1, $3: no access out of bounds, a unit stays what it is whatever follows" 40 \
		tests/proofs/decode_proof.c src/redact/decode.c src/base/text.c \
		-DKIND="ESCAPE_$1" -DLENGTH="$2"
}

cd "$root" || exit 1
if ! cbmc=$(tools/get-cbmc "$root/build-cbmc" 2>&1) || ! "$cbmc" --version >/dev/null 2>&1; then
	echo "1..0 # SKIP CBMC is not here: $cbmc"
	exit 0
fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
prove_regions 2 1 2 2
prove_decode PERCENT 4 "every text" # its longest escape has 3 bytes
prove_decode QUOTED 4 "every text"
prove_decode BACKSLASH 4 "texts of 4 bytes"
prove_decode ENTITY 4 "texts of 4 bytes"
prove_decode TERMINAL 4 "texts of 4 bytes"
if [ -n "${LARGE:-}" ]; then
	prove_regions 2 2 1 2
	prove_regions 3 1 2 4
	prove_decode BACKSLASH 13 "every text" # its longest escape has 12 bytes
	prove_decode ENTITY 8 "texts of 8 bytes"
	prove_decode TERMINAL 7 "texts of 7 bytes"
fi
echo "1..$count"
exit $failed
