#!/usr/bin/env bash
# A shared server over TLS: API keys and the tokens they turn into, in every way they can be wrong.
. "$(dirname "$0")/../lib.sh"
story "who has an API key gets in, and nobody else; and no credential is left behind"

# What was printed once is a canary from now on.
remember() { # FILE
	base64 -w0 "$1" >>"$KEPT/values"
	echo >>"$KEPT/values"
}
serve() {
	mkfifo "$T/ready"
	uniond --config "$T/plane.yaml" --ready-fd 9 9>"$T/ready" 2>>"$T/log" &
	served=$!
	read -r line <"$T/ready"
	rm "$T/ready"
	[ "$line" = ready ]
}
end_served() {
	kill -TERM "$served"
	await_exit 20 "$served"
}
local_union() { union --endpoint "unix://$T/plane/uniond.sock" "$@"; }
# Makes a key; its parts lie in $KEPT/NAME.{key,secret}.
make_key() { # NAME [OPTION...]
	local name=$1
	shift
	local_union create api-key admin --name "$name" --host "localhost:$port" -o json "$@" \
		>"$KEPT/json" && /usr/bin/python3 - "$KEPT/json" "$KEPT/$name" <<-'END' &&
		import json, sys
		parts = json.load(open(sys.argv[1]))
		for part, field in (("key", "api_key"), ("secret", "client_secret")):
		    open(sys.argv[2] + "." + part, "w").write(parts[field])
	END
		remember "$KEPT/$name.key" && remember "$KEPT/$name.secret"
}
with_key() { # NAME COMMAND...
	local name=$1
	shift
	UNION_API_KEY=$(cat "$KEPT/$name.key") "$@"
}
ask() { curl -sS --cacert "$T/tls.pem" "$@"; }
# The status of a login, and its body in $T/body; credentials are in the file given to curl.
log_in_status() { # CLIENT SECRET-FILE [CURL-OPTION...]
	local client=$1 file=$2
	shift 2
	printf 'user = "%s:%s"\n' "$client" "$(cat "$file")" >"$KEPT/curl"
	ask -K "$KEPT/curl" -o "$T/body" -w '%{http_code}' -d grant_type=client_credentials "$@" \
		"https://localhost:$port/oauth2/token"
}
# Logs in with curl; the token is in $KEPT/token.
fetch_token() { # NAME
	[ "$(log_in_status "$1" "$KEPT/$1.secret")" = 200 ] || return 1
	mv "$T/body" "$KEPT/body"
	/usr/bin/python3 -c 'import json, sys
print(json.load(open(sys.argv[1]))["access_token"], end="")' "$KEPT/body" >"$KEPT/token" &&
		remember "$KEPT/token"
}
# Who a call is taken for: the answer of UserInfo, or the HTTP status of the refusal.
who() { # TOKEN-FILE|- [CURL-OPTION...]
	local file=$1
	shift
	: >"$KEPT/curl"
	[ "$file" = - ] || printf 'header = "authorization: Bearer %s"\n' "$(cat "$file")" >"$KEPT/curl"
	ask -K "$KEPT/curl" -o "$T/body" -w '%{http_code}' -H 'content-type: application/json' -d '{}' \
		"$@" "https://localhost:$port/flyteidl.service.IdentityService/UserInfo" >"$T/status"
	if [ "$(cat "$T/status")" = 200 ]; then sed 's/.*"subject":"\([^"]*\)".*/\1/' "$T/body"; else cat "$T/status"; fi
}
logins() { # RESULT: how many there were
	ask --unix-socket "$T/plane/uniond.sock" http://localhost/metrics |
		sed -n "s/^union_logins_total{result=\"$1\"} //p"
}

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
	-addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout "$T/tls.key" -out "$T/tls.pem" 2>/dev/null
chmod 600 "$T/tls.key"
port=$(/usr/bin/python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
printf 'data: %s\nlisten:\n  tcp: 127.0.0.1:%s\ntls:\n  certificate: %s\n  key: %s\n' \
	"$T/plane" "$port" "$T/tls.pem" "$T/tls.key" >"$T/plane.yaml"
export SSL_CERT_FILE=$T/tls.pem
check "a server with TLS starts" serve

note "API keys"
refuses "a key needs a host that clients can reach" "by which host" \
	local_union create api-key admin --name ci
check "a key is made" make_key ci
refuses "a name is taken once" "exists already" \
	local_union create api-key admin --name ci --host localhost
refuses "a name fits into a login" "bad name" local_union create api-key admin --name a:b --host h
refuses "an expiry lies ahead" "has passed" \
	local_union create api-key admin --name old --host h --expires 2020-01-01
refuses "a role is one there is" "role" \
	local_union create api-key admin --name x --host h --role emperor
check "and one with few rights" make_key viewer --role viewer --project fraud
check "keys are listed" local_union get api-key
says "by name" viewer
says "with their scope" fraud

note "logging in"
refuses "without a key nobody gets in" "serves those who log in" \
	union get secret --endpoint "https://localhost:$port"
v=$(canary)
check "with a key its owner does" run_with_input "$v" with_key ci union create secret far
check "and again" with_key ci union get secret
says "with what there is" far
check "and again" with_key ci union get secret far
equals "with one login for all of them" 1 "$(logins ok)"
equals "its token is its owner's alone" "600 700" \
	"$(stat -c %a "$XDG_CACHE_HOME"/union/tokens/* "$XDG_CACHE_HOME/union/tokens" | xargs)"
tail -n +2 "$XDG_CACHE_HOME"/union/tokens/* | tr -d '\n' >"$KEPT/cached"
remember "$KEPT/cached"
chmod 644 "$XDG_CACHE_HOME"/union/tokens/*
refuses "a token that others can read is not used" "open to others" with_key ci union get secret
rm "$XDG_CACHE_HOME"/union/tokens/*
check "the key works for an endpoint on its own host" \
	with_key ci union get secret --endpoint "https://localhost:$port"
refuses "and is sent to no other" "serves those who log in" \
	with_key ci union get secret --endpoint "https://127.0.0.1:$port"
cut=$(head -c 40 "$KEPT/ci.key")
refuses "a key that was cut off is none" "this is not an API key" \
	env UNION_API_KEY="$cut" union get secret
refuses "a role ends where it ends" "not allowed" \
	run_with_input "$(canary)" with_key viewer union create secret near
check "it is noted when a key was used" local_union get api-key ci -o json
equals "to the login" 0 "$(grep -c '"last_used_at": ""' "$T/out")"

note "tokens"
check "a token is given for a key" fetch_token ci
equals "and stands for it" key:ci "$(who "$KEPT/token")"
equals "with a header of old, too" key:ci \
	"$(who - -H "flyte-authorization: Bearer $(cat "$KEPT/token")")"
equals "none is nobody" 401 "$(who -)"
for at in 1 20 40 64; do
	/usr/bin/python3 -c 'import sys
t, at = bytearray(open(sys.argv[1], "rb").read()), int(sys.argv[2]) - 1
t[at] = ord("A") if t[at] != ord("A") else ord("B")
open(sys.argv[3], "wb").write(t)' "$KEPT/token" $at "$KEPT/changed"
	equals "changed at $at it is nobody" 401 "$(who "$KEPT/changed")"
done
head -c 63 "$KEPT/token" >"$KEPT/changed"
equals "cut off it is nobody" 401 "$(who "$KEPT/changed")"
socket=(--unix-socket "$T/plane/uniond.sock" --connect-to "localhost:$port:localhost:1")
here() { # [CURL-OPTION...]: the status of a request over the machine's socket
	ask --unix-socket "$T/plane/uniond.sock" -o "$T/body" -w '%{http_code}' "$@" http://localhost/me
}
equals "on the machine's socket no token is its user" 200 "$(here)"
equals "and a wrong one is nobody" 401 "$(here -H 'authorization: Bearer wrong')"
equals "whatever it is called" 401 "$(here -H 'authorization: Basic Zm9vOmJhcg==')"
equals "a right one is the key" 200 "$(here -H "authorization: Bearer $(cat "$KEPT/token")")"
equals "and not the user" 1 "$(grep -c '"key:ci"' "$T/body")"

note "the token endpoint"
equals "a wrong secret is not told" 401 "$(log_in_status ci <(echo -n wrong))"
equals "from a name" 'invalid_client the API key is not accepted' "$(/usr/bin/python3 -c 'import json
d = json.load(open("body")); print(d["error"], d["error_description"])')"
cp "$T/body" "$T/body.wrong"
equals "that nobody has" 401 "$(log_in_status nobody <(echo -n wrong))"
check "in any byte" cmp "$T/body" "$T/body.wrong"
form() { ask -o "$T/body" -w '%{http_code}' "$@" "https://localhost:$port/oauth2/token"; }
equals "another grant is not for us" 400 "$(form -d grant_type=password)"
says_body() { if grep -q "$2" "$T/body"; then pass "$1"; else fail "$1"; fi; }
says_body "as it says" unsupported_grant_type
equals "no grant is a mistake" 400 "$(form -d scope=all)"
equals "a field given twice is one" 400 "$(form -d 'grant_type=client_credentials&grant_type=x')"
equals "so is another type of body" 400 \
	"$(form -H 'content-type: application/json' -d grant_type=client_credentials)"
equals "and a form that is too long" 413 \
	"$(form -d "grant_type=client_credentials&x=$(head -c 5000 /dev/zero | tr '\0' x)")"
equals "credentials do not belong into a URL" 400 \
	"$(ask -o "$T/body" -w '%{http_code}' -d grant_type=client_credentials \
		"https://localhost:$port/oauth2/token?client_id=ci")"
equals "nor into two places" 400 \
	"$(log_in_status ci "$KEPT/ci.secret" -d client_secret=x)"
printf 'data = "grant_type=client_credentials&client_id=ci&client_secret=%s"\n' \
	"$(cat "$KEPT/ci.secret")" >"$KEPT/curl"
equals "but the form will do" 200 "$(ask -K "$KEPT/curl" -o "$KEPT/body" -w '%{http_code}' \
	"https://localhost:$port/oauth2/token")"
equals "it takes POST only" 405 "$(ask -o "$T/body" -w '%{http_code}' "https://localhost:$port/oauth2/token")"
check "discovery needs no login" ask -o "$T/body" --fail \
	"https://localhost:$port/.well-known/oauth-authorization-server"
says_body "and says where to log in" "\"token_endpoint\":\"https://localhost:$port/oauth2/token\""
equals "a host that is none is refused" 400 "$(ask -o "$T/body" -w '%{http_code}' -H 'host: a"b' \
	--http1.1 "https://localhost:$port/.well-known/oauth-authorization-server")"

note "failing too often"
for _ in $(seq 12); do status=$(log_in_status mallory <(echo -n wrong)); done
equals "who fails too often has to wait" 429 "$status"
equals "and nobody else does" 200 "$(log_in_status ci "$KEPT/ci.secret" -o "$KEPT/body")"
equals "that is counted" 1 "$(test "$(logins limited)" -ge 1 && echo 1)"

note "the end of keys and tokens"
end_served
check "the server starts again" serve
equals "tokens of before are void" 401 "$(who "$KEPT/token")"
check "and the command logs in by itself" with_key ci union get secret
check "a key with an end is made" make_key short --expires 1s
until local_union get api-key short -o json | grep -q '"expired": true'; do :; done
refuses "after it the key is told so" "the API key has expired" with_key short union get secret
check "a token is given for a key" fetch_token viewer
equals "and stands for it" key:viewer "$(who "$KEPT/token")"
check "the key is deleted" local_union delete api-key viewer
equals "and its tokens with it, at once" 401 "$(who "$KEPT/token")"
refuses "and it logs in no more" "the API key is not accepted" with_key viewer union get secret
check "a new key of that name" make_key viewer --role viewer --project fraud
equals "does not bring them back" 401 "$(who "$KEPT/token")"
refuses "what is not there is not deleted" "there is no API key" \
	local_union delete api-key nobody-has-this

note "a stream, and the end of its key"
cat >"$T/slow.py" <<-'END'
	import time

	import union


	@union.task
	def wait() -> int:
	    time.sleep(300)
	    return 1


	@union.workflow
	def main() -> int:
	    return wait()
END
check "a key of a runner" make_key runner --role runner
with_key runner union run --remote slow.py main >"$T/followed" 2>&1 &
follower=$!
until local_union get execution -o json | grep -q '"phase": "running"'; do
	kill -0 "$follower" 2>/dev/null || break
done
check "which is deleted while it follows a run" local_union delete api-key runner
wait "$follower"
equals "ends the following" 1 $?
check "with the reason" grep -q "the login that asked for this has ended" "$T/followed"
execution=$(local_union get execution -o json | sed -n 's/.*"name": "\(.*\)",/\1/p' | head -1)
check "and not the run" local_union abort execution "$execution"

note "a token, and its end"
printf 'login:\n  token_seconds: 1\n' >>"$T/plane.yaml"
end_served
check "a server whose tokens last a second" serve
check "a token is given for a key" fetch_token ci
until [ "$(who "$KEPT/token")" = 401 ]; do :; done
pass "after it, it is nobody"
check "the command logs in again by itself" with_key ci union get secret

note "configuration files"
config() { printf 'admin:\n  endpoint: dns:///localhost:%s\n  caCertFilePath: %s\n%s\n' \
	"$port" "$T/tls.pem" "$1" >"$T/config.yaml"; }
config '  authType: Pkce'
refuses "a login in a browser is not ours" "opens no browser" union get secret --config "$T/config.yaml"
config '  authType: ClientSecret
  clientId: ci
  clientSecretEnvVar: THE_SECRET'
refuses "a variable that is not set is named" THE_SECRET union get secret --config "$T/config.yaml"
with_secret() { THE_SECRET=$(cat "$KEPT/ci.secret") "$@"; }
check "a client secret logs in" with_secret union get secret --config "$T/config.yaml"
check "a token is given for a key" fetch_token ci
config "  authType: ExternalCommand
  command: [cat, '$KEPT/token']"
check "so does a command that prints a token" union get secret --config "$T/config.yaml"
config "  authType: ExternalCommand
  command: [cat, /dev/null]"
refuses "but not one that prints none" "printed no token" union get secret --config "$T/config.yaml"

note "union create login"
refuses "a server that wants a login is not written down without" "serves those who log in" \
	union create login --host "localhost:$port"
check "nothing was written" test ! -e "$HOME/.union/config.yaml"
refuses "nor with a key for another server" "this API key is for" \
	union create login --host localhost:1 --api-key "$KEPT/ci.key"
check "with its key it is" union create login --host "localhost:$port" --api-key "$KEPT/ci.key"
equals "for its owner only" "600 600" "$(stat -c %a "$HOME"/.union/* | xargs)"
check "the secret is not in the configuration" \
	test "$(grep -cF -- "$(cat "$KEPT/ci.secret")" "$HOME/.union/config.yaml")" = 0
check "then no option is needed" union get secret
says "to get there" far
refuses "another server does not take its place unasked" "names another control plane" \
	union create login --host localhost:1
check "a value goes there" run_with_input "$(canary)" union create secret my_secret
check "and reaches a task that runs there" \
	union run --remote "$SOURCE_ROOT/examples/using_secrets.py" main
check "whose logs can be read from here" union get execution

note "cleartext on this machine"
end_served
cp "$T/plane.yaml" "$T/tls.yaml"
printf 'data: %s\nlisten:\n  tcp: 127.0.0.1:%s\n' "$T/plane" "$port" >"$T/plane.yaml"
check "the same server without TLS" serve
plain() { ask -o "$T/body" -w '%{http_code}' "$@" "http://127.0.0.1:$port/me"; }
equals "knows its own user by the connection" 200 "$(plain)"
equals "but not for a page from elsewhere" 401 "$(plain -H 'host: elsewhere.example')"
equals "nor for whom a proxy speaks" 401 "$(plain -H 'via: 1.1 proxy')"
equals "nor for somebody whom a proxy names" 401 "$(plain -H 'x-forwarded-for: 192.0.2.1')"
equals "nor with a wrong token" 401 "$(plain -H 'authorization: Bearer wrong')"
printf 'admin:\n  endpoint: dns:///localhost:%s\n  insecure: true\n  authType: ClientSecret\n  clientId: ci\n  clientSecretEnvVar: THE_SECRET\n' \
	"$port" >"$T/config.yaml"
check "a client secret logs in here, too" with_secret union get secret --config "$T/config.yaml"

note "what is left behind"
rm -rf "$XDG_CACHE_HOME/union/tokens" "$HOME"/.union/secret-*
canary_search
end_served
rm -f "$T/tls.key"
finish
