#!/usr/bin/env bash
# A task that uses the control plane itself: union.UnionRemote with an API key, over TLS.
. "$(dirname "$0")/../lib.sh"
story "a task logs in with the API key it was given"

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
	-addext subjectAltName=DNS:localhost -keyout "$T/tls.key" -out "$T/tls.pem" 2>/dev/null
chmod 600 "$T/tls.key"
port=$(/usr/bin/python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
printf 'data: %s\nlisten: {tcp: "127.0.0.1:%s"}\ntls: {certificate: %s, key: %s}\n' \
	"$T/plane" "$port" "$T/tls.pem" "$T/tls.key" >"$T/plane.yaml"
mkfifo "$T/ready"
uniond --config "$T/plane.yaml" --ready-fd 9 9>"$T/ready" 2>"$T/plane.log" &
read -r line <"$T/ready"
equals "a control plane with TLS" ready "$line"
export UNION_ENDPOINT=unix://$T/plane/uniond.sock

make_key() { # NAME ROLE : sets $key
	local json secret value
	json=$(curl -sS --unix-socket "$T/plane/uniond.sock" -H 'content-type: application/json' \
		-d "{\"name\":\"$1\",\"role\":\"$2\",\"project\":\"default\"}" \
		http://localhost/union.v1.AccessService/CreateApiKey)
	secret=$(sed 's/.*"clientSecret":"\([^"]*\)".*/\1/' <<<"$json" | base64 -d)
	key=$(printf 'localhost:%s:%s:%s:None' "$port" "$1" "$secret" | base64 -w0)
	for value in "$secret" "$key"; do
		printf %s "$value" | base64 -w0 >>"$KEPT/values"
		echo >>"$KEPT/values"
	done
}
make_key task viewer
check "its key becomes a secret" run_with_input "$key" union create secret my_union_api_key

mkdir "$T/scripts"
cp "$T/tls.pem" "$T/scripts/ca.pem"
cat >"$T/scripts/script.py" <<'PY'
from typing import List

import union


@union.task(secret_requests=[union.Secret(key="my_union_api_key", env_var="UNION_API_KEY")])
def t1() -> List[str]:
    remote = union.UnionRemote(default_project="default", default_domain="development")
    (me,) = remote.recent_executions()
    try:
        remote.terminate(me, "no longer needed")
    except union.UnionError as denied:
        return [me.phase, remote._connection.endpoint.partition(":")[0], denied.slug]
    return ["terminated"]
PY
cd "$T/scripts" || exit 1
check "the task runs" union run --remote --copy all --env SSL_CERT_FILE=ca.pem script.py t1
says "sees itself over TLS, and may do what its key may" '["RUNNING", "https", "denied"]'
refuses "and tells no more to who cannot prove its name" "certificate" \
	union run --remote --copy all --env SSL_CERT_FILE=/etc/hostname script.py t1

cat >start.py <<'PY'
import union
from sums import total

remote = union.UnionRemote(default_project="default", default_domain="development")
run = remote.execute(total, inputs={"numbers": [1, 2, 39]}, wait=True)
print(run.phase, run.outputs)
PY
cat >sums.py <<'PY'
from typing import List

import union


@union.task
def total(numbers: List[int]) -> int:
    return sum(numbers)
PY
make_key starter runner
unset UNION_ENDPOINT
export PYTHONPATH=$SOURCE_ROOT/python
check "a program elsewhere sends its code and starts a run, with a key for that" \
	env UNION_API_KEY="$key" SSL_CERT_FILE=ca.pem "$UNION_PYTHON" start.py
says "and gets the result" "SUCCEEDED {'o0': 42}"
finish
