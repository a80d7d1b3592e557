#!/usr/bin/env bash
# A ticket that was stolen on its way to the launcher: replayed, tampered with, of an attempt that has
# ended or was aborted. The rows of the attacker's table that need a running task.
. "$(dirname "$0")/../lib.sh"
story "a stolen ticket opens nothing"

# uniond starts the launcher beside it: here one that keeps a copy of the ticket for the thief
mkdir "$T/bin"
cp "$BUILD/uniond" "$T/bin/"
ln -s "$SOURCE_ROOT/python" "$T/python"
cat >"$T/bin/union-exec" <<SH
#!/bin/sh
cat <&3 >"$KEPT/ticket.\$\$"
mv "$KEPT/ticket.\$\$" "$KEPT/ticket"
exec 3<"$KEPT/ticket"
exec "$BUILD/union-exec" "\$@" --sdk "$BUILD/../python"
SH
chmod +x "$T/bin/union-exec"
mkdir "$T/shared" && chmod 777 "$T/shared"
mkfifo "$T/ready"
mkfifo -m 666 "$T/shared/go" "$T/shared/began"
port=$(/usr/bin/python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
printf 'data: %s\nlisten: {tcp: "127.0.0.1:%s"}\ntasks: {writable: %s}\n' "$T/plane" "$port" "$T/shared" >"$T/plane.yaml"
"$T/bin/uniond" --config "$T/plane.yaml" --ready-fd 9 9>"$T/ready" 2>"$T/plane.log" &
read -r line <"$T/ready"
equals "a control plane" ready "$line"
export UNION_ENDPOINT="unix://$T/plane/uniond.sock"
v=$(canary)
check "a secret" run_with_input "$v" union create secret my_secret
cat >"$T/home/wait.py" <<PY
import union

@union.task(secret_requests=[union.Secret(key="my_secret")])
def wait() -> int:
    with open("$T/shared/began", "w") as f:
        f.write("began\n")
    with open("$T/shared/go") as f:
        f.read()
    return len(union.current_context().secrets.get(key="my_secret"))
PY

claim() { # FILE CURL-OPTION...: the status of a claim with that ticket
	local ticket=$1
	shift
	echo >>"$T/shown"
	printf '{"ticket":"%s","publicKey":"%s"}' "$(base64 -w0 <"$ticket")" \
		"$(head -c 32 /dev/urandom | base64 -w0)" >"$KEPT/claim.json"
	curl -sS -o "$T/reply" -w '%{http_code}' -H 'content-type: application/json' -d @"$KEPT/claim.json" "$@"
}
here=(--unix-socket "$T/plane/uniond.sock" http://localhost/union.v1.AttemptService/Claim)
there=("http://127.0.0.1:$port/union.v1.AttemptService/Claim")
refused() { # PROMISE STATUS
	if [ "$2" -ge 400 ] && ! grep -q sealedValue "$T/reply"; then pass "$1"; else fail "$1 ($2: $(head -c 300 "$T/reply"))"; fi
}

union run --remote "$T/home/wait.py" wait >"$T/run.out" 2>"$T/run.err" &
runner=$!
read -r -t 20 line <>"$T/shared/began"
equals "a task runs; its launcher has claimed it" began "$line"
cp "$KEPT/ticket" "$KEPT/first"
refused "the same ticket again, while it runs" "$(claim "$KEPT/first" "${here[@]}")"
grep -q '"permission_denied"' "$T/reply" && pass "with one word for every reason" || fail "with one word for every reason"
cp "$T/reply" "$T/reply.replayed"
refused "over the network" "$(claim "$KEPT/first" "${there[@]}")"
bits=0
for byte in 0 1 8 20 40 60 80; do # one bit of what it says, and of its proof
	/usr/bin/python3 -c 'import sys; d = bytearray(open(sys.argv[1], "rb").read()); i = int(sys.argv[2]) % len(d); d[i] ^= 4; sys.stdout.buffer.write(d)' \
		"$KEPT/first" $byte >"$KEPT/bent"
	[ "$(claim "$KEPT/bent" "${here[@]}")" -ge 400 ] && bits=$((bits + 1))
done
equals "tampered with, in seven places" 7 $bits
head -c 20 "$KEPT/first" >"$KEPT/short"
refused "cut" "$(claim "$KEPT/short" "${here[@]}")"
head -c 100 /dev/urandom >"$KEPT/chance"
refused "by chance" "$(claim "$KEPT/chance" "${here[@]}")"
echo go >"$T/shared/go"
wait $runner
equals "the task itself has noticed nothing" 0 $?
refused "the ticket of an attempt that has finished" "$(claim "$KEPT/first" "${here[@]}")"
equals "is refused in the same words" "$(cat "$T/reply.replayed")" "$(cat "$T/reply")"

union run --remote "$T/home/wait.py" wait >"$T/run.out" 2>"$T/run.err" &
runner=$!
read -r -t 20 line <>"$T/shared/began"
name=$(union get execution -o json | sed -n 's/.*"name": *"\([^"]*\)".*/\1/p' | head -1)
check "a second one is aborted" union abort execution "$name"
wait $runner
refused "the ticket of an attempt that was aborted" "$(claim "$KEPT/ticket" "${here[@]}")"
lease=$(head -c 32 /dev/urandom | base64 -w0)
equals "a lease by chance" 403 "$(curl -sS -o "$T/reply" -w '%{http_code}' -H 'content-type: application/json' \
	-d "{\"lease\":\"$lease\"}" --unix-socket "$T/plane/uniond.sock" http://localhost/union.v1.AttemptService/Heartbeat)"
shown=$(($(wc -l <"$T/shown") + 1)) # and the lease
recorded() { # they are summed by the second, so the last ones are there a second later
	union get audit --action request --verdict denied -o jsonl >"$T/denials"
	/usr/bin/python3 -c 'import json, sys
records = [json.loads(line) for line in open(sys.argv[1])]
print(sum(int(r.get("count") or 1) for r in records if r["reason"] == "bad-ticket"))' "$T/denials"
}
for _ in $(seq 200); do [ "$(recorded)" -lt "$shown" ] || break; done
equals "each that was refused is in the trail: replayed, bent, cut, by chance, late, a lease" "$shown" "$(recorded)"
finish
