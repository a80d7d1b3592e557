#!/usr/bin/env bash
# Clients that nobody here wrote, against the real uniond: curl, nghttp and gRPC's C core. They send
# values in plain; none may be left in its memory, its files or its log.
. "$(dirname "$0")/../lib.sh"
story "other clients' values leave no trace"

v=$(canary)
w=$(canary)
port=$((20000 + RANDOM % 20000))
cat >"$T/plane.yaml" <<YAML
data: $T/plane
listen: {tcp: "127.0.0.1:$port"}
log: {level: debug}
YAML
mkfifo "$T/ready"
uniond --config "$T/plane.yaml" --ready-fd 9 9>"$T/ready" 2>"$T/plane.log" &
read -r line <"$T/ready"
equals "a control plane on a socket and a port" ready "$line"

printf '{"id":{"name":"by_curl","project":"p"},"secretSpec":{"stringValue":"%s"}}' "$v" >"$KEPT/create.json"
post() { # METHOD CURL_OPTION... : a Connect call in JSON; the status code on stdout
	local method=$1
	shift
	curl -sS -o "$T/reply" -w '%{http_code} %{http_version}' -H 'content-type: application/json' \
		"$@" "http://127.0.0.1:$port/$method"
}
classic=cloudidl.secret.SecretService
equals "curl creates over HTTP/1.1" "200 1.1" "$(post $classic/CreateSecret --data @"$KEPT/create.json")"
equals "a second time is refused" "409 1.1" "$(post $classic/CreateSecret --data @"$KEPT/create.json")"
equals "with the code's name" 1 "$(grep -c '"already_exists"' "$T/reply")"
equals "and over HTTP/2" "200 2" "$(post $classic/GetSecret --http2-prior-knowledge -d '{"id":{"name":"by_curl","project":"p"}}')"
equals "no answer has the value" 0 "$(grep -c "$v" "$T/reply")"
gzip -c "$KEPT/create.json" | sed 's/x/x/' >"$KEPT/create.json.gz"
equals "a gzip body is read" "409 1.1" "$(post $classic/CreateSecret -H 'content-encoding: gzip' --data-binary @"$KEPT/create.json.gz")"
equals "an unknown method is unimplemented" "404 1.1" "$(post $classic/Nothing -d '{}')"
equals "broken JSON is an invalid argument" "400 1.1" "$(post $classic/CreateSecret -d '{"id":')"
cluster=flyteidl2.cluster.ClusterService/SelectCluster
equals "flyte 2 asks where secrets are" "200 1.1" "$(post $cluster -d '{"operation":"OPERATION_USE_SECRETS","domainId":{"name":"d"}}')"
equals "and they are here" "{}" "$(cat "$T/reply")"
equals "a cluster pool is not ignored" "404 1.1" "$(post $cluster -d '{"operation":8,"clusterPoolId":{"name":"x"}}')"
equals "nor is a run that is not for us" "501 1.1" "$(post $cluster -d '{"operation":2}')"
check "it lives" curl -fsS "http://127.0.0.1:$port/healthz"
check "and is ready" curl -fsS "http://127.0.0.1:$port/readyz"
check "and has metrics" curl -fsS "http://127.0.0.1:$port/metrics"
check "nghttp gets an answer" nghttp -n "http://127.0.0.1:$port/healthz"

printf %s "$w" >"$KEPT/grpc-value"
check "gRPC over the port: all five calls, both packages" \
	/usr/bin/python3 "$HARNESS_DIR/harness/grpc_secrets.py" "127.0.0.1:$port" "$KEPT/grpc-value"
check "gRPC over the socket" \
	/usr/bin/python3 "$HARNESS_DIR/harness/grpc_secrets.py" "unix:$T/plane/uniond.sock" "$KEPT/grpc-value"
finish
