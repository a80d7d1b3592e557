#!/usr/bin/env bash
# Rotation while reads and writes go on, backup while running, restore, passphrase, damage.
. "$(dirname "$0")/../lib.sh"
story "keys rotate, backups come back, damage is refused"
examples=$SOURCE_ROOT/examples

v=$(canary)
for i in $(seq 1 40); do printf %s "$v" | union create secret "many_$i" >/dev/null 2>&1; done
check "forty secrets" union get secret -o json
equals "are there" 40 "$(grep -o '"many_[0-9]*"' "$T/out" | sort -u | wc -l)"
check "my_secret" run_with_input "$v" union create secret my_secret
before=$(union info -o json | sed -n 's/.*"kek_generation": *\([0-9]*\).*/\1/p')
check "rotates" union rotate keys
after=$(union info -o json | sed -n 's/.*"kek_generation": *\([0-9]*\).*/\1/p')
equals "adds one generation" "$((before + 1))" "$after"
check "writes go on" run_with_input "$(canary)" union create secret after_rotation
check "a run after it finds its value" union run --remote "$examples/using_secrets.py" main
says "whole" "${#v}"
check "rotates again, then the server is killed in the middle" union rotate keys
kill -9 "$(uniond_pid)"
check "and goes on at the next start" union run --remote "$examples/using_secrets.py" main

check "backs up while running" union backup "$T/home/plane.backup"
equals "for its owner only" 600 "$(stat -c %a "$T/home/plane.backup")"
check "changes after the backup" union delete secret many_1
check "restores" union restore --yes "$T/home/plane.backup"
check "what was deleted after it is back" union get secret many_1
check "and opens" union run --remote "$examples/using_secrets.py" main
head -c 3000 "$T/home/plane.backup" >"$T/home/cut.backup"
refuses "a backup that was cut is refused" "backup" union restore --yes "$T/home/cut.backup"
check "and changed nothing" union get secret many_1

stop_plane
cp "$DATA/union.db" "$KEPT/good.db"
printf 'garbage garbage' | dd of="$DATA/union.db" bs=1 seek=0 conv=notrunc 2>/dev/null
refuses "a damaged database is not served" "damaged" union get secret
warns "and it says how to restore" "union restore"
cp "$KEPT/good.db" "$DATA/union.db"
rm -f "$DATA"/union.db-wal "$DATA"/union.db-shm
check "a good one is" union get secret many_2

# a sealed DEK that is not what it claims to be
stop_plane
/usr/bin/python3 - "$DATA/union.db" <<'PY'
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
table = [r[0] for r in db.execute("select name from sqlite_master where type='table'")
         if any(c[1] == "stored_dek" for c in db.execute("pragma table_info(%s)" % r[0]))][0]
for (dek,) in db.execute("select distinct stored_dek from %s" % table).fetchall():
    bad = bytes(dek[:-1]) + bytes([dek[-1] ^ 1])
    db.execute("update %s set stored_dek=? where stored_dek=?" % table, (bad, dek))
db.commit()
PY
refuses "a corrupted envelope fails the run" "does not open" \
	union run --remote "$examples/using_secrets.py" main
check "and a restore mends it" union restore --yes "$T/home/plane.backup"
check "so that it opens again" union run --remote "$examples/using_secrets.py" main
stop_plane

# the passphrase provider, on a plane of its own
phrase=$(canary)

printf 'data: %s\nkeys: {provider: passphrase}\n' "$T/locked" >"$T/locked.yaml"
start_locked() {
	mkfifo "$T/ready.$1"
	uniond --config "$T/locked.yaml" --ready-fd 9 9>"$T/ready.$1" 2>>"$T/locked.log" &
	locked=$!
	read -r line <"$T/ready.$1"
}
start_locked 1
equals "starts without its passphrase" ready "$line"
export UNION_ENDPOINT=unix://$T/locked/uniond.sock
refuses "and is locked" "locked" run_with_input "$v" union create secret x
check "the first unlock sets the passphrase" run_with_input "$phrase" union unlock
check "then it takes secrets" run_with_input "$v" union create secret x
kill -TERM $locked; await_exit 20 $locked
start_locked 2
refuses "a wrong passphrase" "wrong passphrase" run_with_input "not it" union unlock
check "the right one" run_with_input "$phrase" union unlock
kill -TERM $locked; await_exit 20 $locked
unset UNION_ENDPOINT
finish
