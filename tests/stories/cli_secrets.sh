#!/usr/bin/env bash
# What the command line says about secrets, and how it takes them.
. "$(dirname "$0")/../lib.sh"
story "values come in by every way, and nothing but names comes out"
length() { # NAME EXPECTED: what a task measures
	cat >"$T/home/length.py" <<PY
import union

@union.task(secret_requests=[union.Secret(key="$1", mount_requirement=union.Secret.MountType.FILE)])
def main() -> int:
    with open(union.current_context().secrets.get_secrets_file("$1"), "rb") as f:
        return len(f.read())
PY
	check "a task finds all $2 bytes of $1" union run --remote "$T/home/length.py" main
	says "exactly" "{\"o0\": $2}"
}

v=$(canary)
check "stdin, with its newline dropped" run_with_input "$v
" union create secret from_stdin
length from_stdin 43
check "-f - keeps every byte" run_with_input "$v
" union create secret from_dash -f -
length from_dash 44
canary_file "$KEPT/binary" 300000
check "a binary file" union create secret from_file -f "$KEPT/binary"
length from_file 300000
check "a pipe as a file" union create secret from_pipe -f <(printf %s "$v")
check "--value" union create secret from_value --value "$v"
check "a paste of 20,000 bytes on a terminal" /usr/bin/python3 -c '
import os, pty, sys
pid, fd = pty.fork()
if not pid:
    os.execvp("union", ["union", "create", "secret", "from_terminal"])
seen = b""
while b"Enter secret value: " not in seen:
    seen += os.read(fd, 1000)
os.write(fd, b"p" * 4000)
for _ in range(4):
    os.write(fd, b"q" * 4000)
os.write(fd, b"\n")
try:
    while True:
        piece = os.read(fd, 1000)
        if not piece:
            break
        seen += piece
except OSError:
    pass
status = os.waitpid(pid, 0)[1]
sys.exit(status or (b"ppp" in seen))
'
length from_terminal 20000

check "a new project is noted" run_with_input "$v" union create secret a --project fraud --domain production
warns "by name" "project 'fraud' is new"
check "one that is close to a known one" run_with_input "$v" union create secret a --project fruad --domain production
warns "with the nearest" "did you mean 'fraud'?"
check "a list of a scope that nobody has" union get secret --project frad
warns "suggests the nearest known one" "did you mean 'fraud'?"
equals "and prints nothing" "" "$(cat "$T/out")"
check "an empty list as JSON is a list" union get secret --project frad -o json
equals "of nothing" '{"secrets": []}' "$(/usr/bin/python3 -c 'import json, sys; print(json.dumps(json.load(sys.stdin)))' <"$T/out")"
check "explains what hides what" union explain secret a --project fraud --domain production -o json
says "which one wins" '"wins": true'
refuses "a name that a task would not find" "would not find 'nowhere'" union explain secret nowhere --project fraud --domain production

check "a table" union get secret
widest=$(awk '{ if (length($0) > w) w = length($0) } END { print w + 0 }' "$T/out")
check "fits a narrow terminal" /usr/bin/python3 -c '
import fcntl, os, pty, struct, sys, termios
pid, fd = pty.fork()
if not pid:
    os.execvp("sh", ["sh", "-c", "stty cols 60; exec union get secret"])
seen = b""
try:
    while True:
        piece = os.read(fd, 4096)
        if not piece:
            break
        seen += piece
except OSError:
    pass
os.waitpid(pid, 0)
lines = seen.decode().replace("\r", "").split("\n")
widest = max(map(len, lines))
print(widest, lines)
sys.exit(widest > 60 or len(lines) < 5)
'
note "the widest line without a terminal: $widest"
check "version" union version
check "create, update and delete say what they did on stderr" run_with_input "$v" union update secret a --project fraud --domain production
warns "with the version" "version 2"
equals "and nothing on stdout" "" "$(cat "$T/out")"
check "a reader that leaves early is no crash" sh -c 'union get secret -o json | head -1'
refuses "a full disk behind stdout is told" "standard output" sh -c 'union get secret >/dev/full'
finish
