#!/usr/bin/env bash
# The record of decisions: what is in it, who used what, and what a check of it finds.
. "$(dirname "$0")/../lib.sh"
story "what was decided is recorded, and nobody changes that unseen"
trail=$DATA/union.db
sql() { /usr/bin/python3 -c 'import sqlite3, sys
db = sqlite3.connect(sys.argv[1]); db.execute("PRAGMA journal_mode"); db.executescript(sys.argv[2]); db.commit()' "$trail" "$1"; }
count_of() { union get audit --action "$1" --limit 1000 -o jsonl | wc -l; }

v=$(canary)
check "a secret" run_with_input "$v" union create secret used
check "a second version" run_with_input "$v" union update secret used
check "one that nobody uses" run_with_input "$v" union create secret unused
cat >"$T/home/use.py" <<'PY'
import union

@union.task(secret_requests=[union.Secret(key="used", mount_requirement=union.Secret.MountType.FILE)])
def main() -> int:
    with open(union.current_context().secrets.get_secrets_file("used"), "rb") as f:
        return len(f.read())
PY
check "a task receives it" union run --remote "$T/home/use.py" main
capture union get audit --action secret.release -o json
says "the release is recorded with its version" '"version": 2'
says "its execution" '"execution_domain": "development"'
says "and its place in the keeper's journal" '"release": 1'
capture union get secret used --used-by
says "who used it" "development"
capture union get secret used --used-by -o json
says "which version" '"version": 2'
capture union get secret --unused-since 0s
says "what nobody used" "never"
equals "what was used is shown with its time" 1 "$(grep -c never "$T/out")"
capture union get secret --unused-since 90d
warns "what is younger had no time to be used" "or is younger"
refuses "no such action" "is no action" union get audit --action secret.reed
refuses "no such time" "is no time" union get audit --since yesterday
check "reads are summed in records" union get secret
equals "denials and reads need no task" 0 "$(union get audit --verdict denied -o jsonl | wc -l)"

check "the trail is good" union audit verify
says "with one release" "and 1 release are as they were written"
check "an export" union audit export "$T/home/trail.bin"
check "is good without the control plane" env UNION_ENDPOINT=unix:///nowhere union audit verify "$T/home/trail.bin"
refuses "under another key it is not" "another key" \
	union audit verify "$T/home/trail.bin" --key "$(printf '00%.0s' $(seq 32))"
size=$(stat -c %s "$T/home/trail.bin")
head -c $((size - 1)) "$T/home/trail.bin" >"$T/home/cut.bin"
refuses "nor is one that was cut" "was cut off behind record" union audit verify "$T/home/cut.bin"

web() { curl -sS -o "$T/body" -w '%{http_code} ' --unix-socket "$DATA/uniond.sock" "$@"; }
lease=$(head -c 32 /dev/zero | base64)
equals "routes refuse strangers" "401 403 403 " "$(
	web -H 'authorization: Bearer wrong' http://localhost/me
	web -T "$T/home/use.py" "http://localhost/union/upload/00"
	web -H "authorization: Bearer $lease" http://localhost/union/attempt/bundle
)"
stop_plane
for reason in unauthenticated denied bad-ticket; do
	equals "which is recorded: $reason" 1 \
		"$(union get audit --action request --verdict denied -o jsonl | grep -c "\"reason\": \"$reason\"")"
done
check "after a restart it is good, too" union audit verify
newest=$(union get audit --limit 1 -o jsonl | grep -o '"number": [0-9]*' | grep -o '[0-9]*')
stop_plane
cp "$trail" "$T/good.db"
cp "$DATA/keys/head" "$T/head"
back() { cp "$T/good.db" "$trail"; cp "$T/head" "$DATA/keys/head"; }
# export_test tries each byte, record and pair of a trail; here the ends and the middle of a real database
changed=
for seq in 1 $((newest / 2)) "$newest"; do
	back
	sql "UPDATE trail SET entry = substr(entry, 1, 60) || x'7a' || substr(entry, 62) WHERE seq = $seq"
	capture union audit verify && changed="$changed $seq"
	grep -q "record $seq was changed" "$T/err" || changed="$changed $seq?"
	stop_plane
done
equals "a changed record is found and named, wherever it is" "" "$changed"
missing=
for seq in 1 $((newest / 2)) $((newest - 1)); do
	back
	sql "DELETE FROM trail WHERE seq = $seq"
	capture union audit verify && missing="$missing $seq"
	grep -q "record $seq is missing" "$T/err" || missing="$missing $seq?"
	stop_plane
done
equals "a dropped record is found and named" "" "$missing"
cut=
for seq in 2 $((newest - 1)); do
	back
	sql "DELETE FROM trail WHERE seq >= $seq"
	capture union audit verify && cut="$cut $seq"
	stop_plane
done
equals "a trail that was cut off is found" "" "$cut"
back
sql "UPDATE trail SET name = 'another' WHERE name = 'used' AND action = 4"
refuses "a record that is filed under other words is found" "filed under other words" union audit verify
stop_plane
back
sql "DELETE FROM journal_releases; DELETE FROM meta WHERE key = 'audit.journal'"
check "a release that is not filed gets a record of its own at the start" union get secret
equals "which says so" 1 "$(count_of secret.release-found)"
stop_plane
back
cp "$DATA/keys/journal" "$T/journal"
head -c 31 "$T/journal" >"$DATA/keys/journal"
chmod 600 "$DATA/keys/journal"
refuses "a journal that was cut off is found" journal union audit verify
stop_plane

printf 'data: %s/each\naudit:\n  reads: each\n' "$T/home" >"$T/home/each.yaml"
mkfifo "$T/ready"
uniond --config "$T/home/each.yaml" --ready-fd 3 3>"$T/ready" 2>"$T/each.log" &
each=$!
read -r _ <"$T/ready"
export UNION_ENDPOINT=unix://$T/home/each/uniond.sock
for _ in 1 2 3; do check "a read that waits for its record" union get secret; done
equals "each has one of its own by then" 3 "$(union get audit --action secret.read -o jsonl | wc -l)"
refuses "so has one that finds nothing" "no secret" union get secret nothing
equals "and it is there before the answer, too" 4 "$(union get audit --action secret.read -o jsonl | wc -l)"
kill $each
wait $each
finish
