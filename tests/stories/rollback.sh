#!/usr/bin/env bash
# Everything that the plane has of its past is taken back at once: only who looked before can tell.
. "$(dirname "$0")/../lib.sh"
story "a trail that was taken back is found by who verified it before"
v=$(canary)
put() { printf %s "$v" | union create secret "$1"; }
keep() { stop_plane; cp -a "$DATA" "$1"; }
back() { stop_plane; rm -rf "$DATA"; cp -a "$1" "$DATA"; }
remembered() { find "$XDG_STATE_HOME/union/verified" -type f -exec cat {} +; }

check "a secret" put one
check "a backup" union backup "$T/home/plane.backup"
check "the trail is verified" union audit verify -o json
says "for the first time" '"history": "first"'
equals "which is remembered for this user alone" "600" \
	"$(find "$XDG_STATE_HOME/union/verified" -type f -printf %m)"
keep "$T/home/old"
for i in 1 2 3 4 5 6; do put "then_$i" >/dev/null 2>&1; done
check "life goes on" put two
check "and is verified" union audit verify
says "from there" "They go on from the"
check "again" put three
keep "$T/home/new"
before=$(remembered)

back "$T/home/old"
refuses "a copy of the whole data folder, put back, is found" "the trail was taken back: " union audit verify
warns "no restore was recorded" "no record tells of a restore since"
warns "and it says what to do" "--accept-restore"
refuses "also by a script" "the trail was taken back" union audit verify -o json
says "with a word for it" '"history": "taken-back"'
says "and no praise" '"good": false'
for i in $(seq 1 14); do put "other_$i" >/dev/null 2>&1; done
refuses "so is one that has grown beyond since" "went on otherwise" union audit verify
refuses "also by a script" "went on otherwise" union audit verify -o json
says "with another word" '"history": "forked"'
equals "what was remembered stays" "$before" "$(remembered)"

back "$T/home/new"
check "with the right one back, all is well" union audit verify
says "from where it was" "They go on from the"

check "an announced restore" union restore --yes "$T/home/plane.backup"
refuses "is not taken for granted either" "tells of a restore at" union audit verify
check "it is accepted by who knows of it" union audit verify --accept-restore
warns "in so many words" "accepted: the trail was taken back"
capture union get audit --action audit.export --limit 1 -o jsonl
says "and the trail says so" '"reason": "restore-accepted"'
check "from then on" union audit verify
says "it goes on" "They go on from the"

stop_plane
mv "$DATA" "$T/home/gone"
check "a plane that was set up anew" put one
refuses "is another one" "this is another trail than the one that was verified here" union audit verify
refuses "also for who gives its key" "another trail" union audit verify \
	--key "$(sed -n 's/.*#audit //p' "$DATA/known_planes")"
check "until that is accepted" union audit verify --accept-restore
refuses "a file is accepted as it is, or not" "not for a file" union audit verify --accept-restore some.bin

find "$XDG_STATE_HOME/union/verified" -type f -exec truncate -s 40 {} +
refuses "a memory that was cut is not taken for none" "what was verified before is not to be read" union audit verify
finish
