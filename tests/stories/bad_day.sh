#!/usr/bin/env bash
# An operator's bad day: each thing that is broken around the program gets a clear error, or is no matter.
. "$(dirname "$0")/../lib.sh"
story "what is broken around it is named, with what to do"
examples=$SOURCE_ROOT/examples

await_end() { await_exit 20 "$1"; }
halt() { # the story's own control plane, in good order
	local pid
	pid=$(uniond_pid)
	[ -n "$pid" ] && kill -TERM "$pid" && await_end "$pid"
}

v=$(canary)
check "a secret" run_with_input "$v" union create secret my_secret
phrase=$(canary)
printf %s "$phrase" >"$KEPT/phrase"
check "a backup with the keys" union backup --with-keys -f "$KEPT/phrase" "$T/home/with-keys"
check "a backup without" union backup "$T/home/without-keys"

note "processes die"
kill -9 "$(uniond_pid)"
check "a stale socket and a stale lock are no matter" union get secret my_secret
keeper=$(pgrep -x uniond -P "$(uniond_pid)")
kill -9 "$keeper"
await_end "$keeper"
check "a dead keeper is replaced" run_with_input "$v" union create secret after_keeper

note "files are gone or not as they were"
halt
cp -a "$DATA/keys" "$KEPT/keys"
rm "$DATA/keys/ring"
refuses "a missing key ring" "the key ring is missing" union get secret
warns "with its folder" "$DATA/keys"
warns "and what brings it back" "union restore --with-keys"
check "that command does" union restore --yes --with-keys -f "$KEPT/phrase" "$T/home/with-keys"
check "and values open" union run --remote "$examples/using_secrets.py" main
halt
rm -r "$DATA/keys" && cp -a "$KEPT/keys" "$DATA/keys"
printf x >"$DATA/keys/ring"
refuses "a damaged key ring" "the key ring is damaged" union get secret
warns "with what brings it back" "union restore --with-keys --replace-keys"
check "that command does too" union restore --yes --with-keys --replace-keys -f "$KEPT/phrase" "$T/home/with-keys"
check "and values open again" union run --remote "$examples/using_secrets.py" main
halt
cp -a "$DATA/keys" "$KEPT/keys.2"
chmod 644 "$DATA/keys/root"
refuses "a key file that others can read" "open to others" union get secret
chmod 600 "$DATA/keys/root"
rm "$DATA/keys/root"
refuses "a missing key file" "'root', which opens the key ring, is missing" union get secret
rm -r "$DATA/keys" && cp -a "$KEPT/keys.2" "$DATA/keys"

HOME=$T/other XDG_DATA_HOME=$T/other/data XDG_STATE_HOME=$T/other/state \
	run_with_input other union create secret z 2>/dev/null
halt
mv "$DATA/keys" "$KEPT/keys.3" && cp -a "$T/other/data/union/keys" "$DATA/keys"
refuses "another plane's key ring" "is not the one this database was written with" union get secret
rm -r "$DATA/keys" && mv "$KEPT/keys.3" "$DATA/keys"

cp "$DATA/union.db" "$KEPT/db"
: >"$DATA/union.db"
refuses "an emptied database is not taken for a new one" "is gone, its keys are there" union get secret
rm -f "$DATA"/union.db*
refuses "nor is a missing one" "is gone, its keys are there" union get secret
warns "with what brings it back" "union restore FILE"
check "that command does" union restore --yes "$T/home/without-keys"
check "and everything is there" union get secret my_secret
halt
rm "$DATA/union.db" && mkdir "$DATA/union.db"
refuses "a folder in its place" "damaged" union get secret
rmdir "$DATA/union.db" && cp "$KEPT/db" "$DATA/union.db" && chmod 600 "$DATA/union.db"
printf nonsense >"$T/home/nonsense"
refuses "what is no backup, under the name of the command" "union: error: the file is not a backup" \
	union restore --yes "$T/home/nonsense"

note "folders"
chmod 755 "$DATA"
refuses "a data folder that others can read" "chmod 700 '$DATA'" union get secret
chmod 700 "$DATA"
check "and with that command it goes on" union get secret my_secret
halt
long=$T/$(printf 'long%.0s' {1..40})
mkdir -p "$long"
check "a path too long for a socket's address" env HOME="$long" XDG_DATA_HOME="$long" XDG_STATE_HOME="$long" \
	union get secret
long_pid=$(XDG_DATA_HOME=$long XDG_STATE_HOME=$long uniond_pid)
kill -TERM "$long_pid" && await_end "$long_pid"
printf x >"$T/home/a_file"
refuses "a data folder that is a file" "Not a directory" env XDG_DATA_HOME="$T/home/a_file" union get secret
warns "says where it looks" "XDG_DATA_HOME"
if [ "$(id -u)" = 0 ] && setpriv --reuid=65534 --regid=65534 --clear-groups true 2>/dev/null; then
	as_nobody() { setpriv --reuid=65534 --regid=65534 --clear-groups "$@"; }
	mkdir -m 755 "$T/not_yours"
	chmod 711 "$T"
	refuses "a home that cannot be written" "cannot make the folder $T/not_yours/.local/share/union: Permission denied" \
		as_nobody env -u XDG_DATA_HOME -u XDG_STATE_HOME -u XDG_CONFIG_HOME HOME="$T/not_yours" union get secret
	check "a plane to be met" union get secret
	chmod 711 "$HOME" "$HOME/.local" "$HOME/.local/share" "$DATA"
	chmod 666 "$DATA/uniond.sock"
	refuses "another user's control plane" "belongs to another user (uid 0)" \
		as_nobody env XDG_CONFIG_HOME=/nonexistent UNION_ENDPOINT="unix://$DATA/uniond.sock" union get secret
	chmod 600 "$DATA/uniond.sock"
	refuses "a socket that is closed to others" "Permission denied" \
		as_nobody env XDG_CONFIG_HOME=/nonexistent UNION_ENDPOINT="unix://$DATA/uniond.sock" union get secret
	chmod 700 "$HOME" "$HOME/.local" "$HOME/.local/share" "$DATA"
	chmod 700 "$T"
fi
if unshare -m true 2>/dev/null; then
	halt
	refuses "a data folder on a read-only disk" "Read-only file system" unshare -m sh -c \
		'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && union get secret' "$DATA"
fi

note "Python and scripts"
cat >"$T/home/old_python" <<'SH'
#!/bin/sh
shift
code=$1
shift
exec /usr/bin/python3 -c "import sys; sys.version_info = (3, 8, 18, 'final', 0)
$code" "$@"
SH
chmod 700 "$T/home/old_python"
refuses "a Python that is too old" "is a Python older than 3.9" \
	union run --remote --python "$T/home/old_python" "$examples/using_secrets.py" main
refuses "for a local run too" "is a Python older than 3.9" \
	union run --python "$T/home/old_python" "$examples/using_secrets.py" main
refuses "a Python that is not there" "cannot start '/nonexistent/python'" \
	union run --remote --python /nonexistent/python "$examples/using_secrets.py" main
refuses "no room for temporary files" "set TMPDIR" \
	env TMPDIR=/nonexistent union run --remote "$examples/using_secrets.py" main
refuses "what is no Python" "does not answer like Python" \
	union run --remote --python /bin/true "$examples/using_secrets.py" main
mkdir -p "$T/home/large"
cp "$examples/using_secrets.py" "$T/home/large/"
head -c 70000000 /dev/urandom >"$T/home/large/blob"
refuses "a bundle over its limit, with the largest file" "the largest file is 'blob', 66 MiB" \
	union run --remote --copy all "$T/home/large/using_secrets.py" main
check "which --copy auto leaves out" union run --remote "$T/home/large/using_secrets.py" main
rm -r "$T/home/large"

note "many at once"
for i in $(seq 1 20); do
	(union run --remote "$examples/using_secrets.py" main >"$T/many.$i" 2>/dev/null || echo failed >>"$T/many.failed") &
done
wait $(jobs -p)
equals "twenty runs at once all give their result" 20 "$(cat "$T"/many.[0-9]* | grep -cxF "{\"o0\": ${#v}}")"
finish
