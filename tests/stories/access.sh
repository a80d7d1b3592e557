#!/usr/bin/env bash
# A shared server: who has logged in with which key may do what, and learns nothing of the rest.
. "$(dirname "$0")/../lib.sh"
story "everybody may do what was granted to her, and sees nothing else"

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
	-addext subjectAltName=DNS:localhost -keyout "$T/tls.key" -out "$T/tls.pem" 2>/dev/null
chmod 600 "$T/tls.key"
port=$(/usr/bin/python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
printf 'data: %s\nlisten:\n  unix: %s\n  tcp: 127.0.0.1:%s\ntls:\n  certificate: %s\n  key: %s\n' \
	"$T/data" "$T/s" "$port" "$T/tls.pem" "$T/tls.key" >"$T/uniond.yaml"
mkfifo "$T/ready"
uniond --config "$T/uniond.yaml" --ready-fd 9 9>"$T/ready" 2>>"$T/uniond.log" &
served=$!
read -r line <"$T/ready"
equals "a server starts" ready "$line"
mkdir -p "$XDG_CONFIG_HOME/union"
printf 'admin:\n  endpoint: dns:///localhost:%s\n  caCertFilePath: %s\n' "$port" "$T/tls.pem" \
	>"$XDG_CONFIG_HOME/union/config.yaml"

local_user() { env -u UNION_API_KEY UNION_ENDPOINT="unix://$T/s" union "$@"; }
as() { # NAME COMMAND...: with the key of this name
	local key
	key=$(cat "$KEPT/key.$1")
	shift
	UNION_API_KEY=$key "$@"
}
new_key() { # NAME [OPTION...]
	local name=$1
	shift
	local_user create api-key admin --name "$name" --host "localhost:$port" "$@" >"$KEPT/made.$name" || return
	sed -n 's/^export UNION_API_KEY="\(.*\)"$/\1/p' "$KEPT/made.$name" >"$KEPT/key.$name"
	rm "$KEPT/made.$name"
	[ -s "$KEPT/key.$name" ]
}

used=$(canary)
check "the local user makes secrets: of everybody" \
	run_with_input "$(canary)" local_user create secret shared
check "of a project" run_with_input "$(canary)" local_user create secret fraud_db --project fraud
check "of its production" \
	run_with_input "$used" local_user create secret my_secret --project fraud --domain production
check "of another project" \
	run_with_input "$(canary)" local_user create secret churn_db --project churn --domain production
check "a key for an administrator of one project" new_key ann --role admin --project fraud
check "for a runner in its production" \
	new_key ci --role runner --project fraud --domain production
check "for one who looks after secrets" new_key ops --role secret-writer --project fraud
check "for one who looks at everything in production" new_key eye --role viewer --domain production
check "and one without a role" new_key new --role none

refuses "who has no role may do nothing" "key:new is not allowed secret.read" as new union get secret
refuses "nor anything else" "key:new is not allowed" as new union get execution

check "an administrator lists her secrets" as ann union get secret -o json
says "of the project" fraud_db
says "of its domains" my_secret
equals "and of nothing else" 2 "$(grep -c '"name"' "$T/out")"
check "a viewer of production lists that domain of every project" as eye union get secret -o json
equals "and nothing else" "churn_db my_secret" \
	"$(sed -n 's/.*"name": "\(.*\)".*/\1/p' "$T/out" | sort | xargs)"
refuses "and changes nothing" "not allowed secret.delete" \
	as eye union delete secret churn_db --project churn --domain production

check "who looks after secrets creates them" \
	run_with_input "$(canary)" as ops union create secret ops_key --project fraud --domain staging
check "updates them" \
	run_with_input "$(canary)" as ops union update secret ops_key --project fraud --domain staging
check "deletes them" as ops union delete secret ops_key --project fraud --domain staging
refuses "not outside" "not allowed secret.create" \
	run_with_input "$(canary)" as ops union create secret ops_key --project churn
refuses "not what is for everybody" "not allowed secret.update" \
	run_with_input "$(canary)" as ops union update secret shared
refuses "a name of another project shows in no hint" "no secret 'churn_db'" \
	as ops union get secret churn_db --project fraud
if grep -q "production\|organization" "$T/err"; then fail "(it does)"; else pass "(it does not)"; fi
as ops union get secret churn_db --project churn --domain production >"$T/there.out" 2>"$T/there"
as ops union get secret nothing_ --project churn --domain production >"$T/missing.out" 2>"$T/missing"
check "a refusal is the same whether there is something or not" cmp "$T/there" "$T/missing"
refuses "nor does she make backups" "not allowed plane.backup" as ops union backup "$T/b"

example=$SOURCE_ROOT/examples/using_secrets.py
refuses "a runner sees no secrets" "not allowed secret.read" as ci union get secret --project fraud
refuses "not the one she uses" "not allowed secret.read" \
	as ci union get secret my_secret --project fraud --domain production
check "and runs with one" as ci union run --remote --project fraud --domain production "$example" main
says "which its task has received" "${#used}"
refuses "not in another domain" "not allowed" \
	as ci union run --remote --project fraud --domain staging "$example" main
refuses "not in another project" "not allowed" \
	as ci union run --remote --project churn --domain production "$example" main
check "the local user runs there" \
	run_with_input "$(canary)" local_user create secret my_secret --project churn --domain production
check "(with another value)" \
	local_user run --remote --project churn --domain production "$example" main
refuses "a runner does not list the executions of others" "not allowed execution.read" \
	as ci union get execution --project churn --domain production
check "she lists her own" as ci union get execution --project fraud --domain production -o json
name=$(sed -n 's/.*"name": "\(.*\)".*/\1/p' "$T/out" | head -1)
check "an execution says who started it" as ann union get execution "$name" \
	--project fraud --domain production -o json
says "by name" '"principal": "key:ci"'
check "a viewer reads its log" as eye union logs "$name" --project fraud --domain production
refuses "who looks after secrets does not" "not allowed execution.read" \
	as ops union logs "$name" --project fraud --domain production

check "the local user asks why" local_user explain access key:ci execution.create \
	--project fraud --domain production
says "and is told the grant" "the role 'runner' at project 'fraud', domain 'production'"
capture local_user explain access ci secret.read --project fraud --domain production
equals "or that there is none" 1 "$status"
says "and what would help" "union create grant key:ci --role secret-viewer --project fraud --domain production"
capture as ci union explain access me secret.read
equals "everybody may ask about herself" 1 "$status"
refuses "not about others" "not allowed access.explain" as ci union explain access ann secret.read

check "an administrator grants in her project" as ann union create grant key:new --role viewer --project fraud
check "which holds at once" as new union get secret --project fraud
refuses "not wider" "not allowed grant.create" as ann union create grant key:new --role viewer
refuses "not elsewhere" "not allowed grant.create" \
	as ann union create grant key:new --role viewer --project churn
refuses "not herself" "not allowed grant.create" as ann union create grant key:ann --role admin
refuses "nor makes a key for everything" "not allowed" \
	as ann union create api-key admin --name boss --role admin --host "localhost:$port"
check "she lists the grants of her project" as ann union get grant -o json
equals "and no others" 0 "$(grep -c '"project": ""' "$T/out")"
check "whoever administers nothing sees her own grants" as ci union get grant -o json
says "those" '"principal": "key:ci"'
equals "and nobody else's" 0 "$(grep '"principal"' "$T/out" | grep -vc '"key:ci"')"
refuses "nor asks for them" "not allowed grant.read" as ci union get grant key:ann
check "she is told which control plane this is" as ci union info
equals "and nothing that she may not know" "" "$(grep -E '^(Process|Keys|Secrets|Executions)' "$T/out")"
check "takes one back" as ann union delete grant key:new --role viewer --project fraud
refuses "which holds at once, too" "not allowed" as new union get secret --project fraud
refuses "a role that there is not" "secret-writer" as ann union create grant new --role boss
refuses "a key that there is not" "no API key 'nobody'" local_user create grant nobody --role viewer

check "an administrator reads the record of her project" \
	as ann union get audit --limit 1000 -o jsonl
says "with its secrets" '"my_secret"'
equals "and of nothing else" 0 "$(grep -vc '"project": "fraud"' "$T/out")"
capture local_user get audit --limit 1000 -o jsonl
equals "where there is more" 1 "$(($(grep -c churn_db "$T/out") > 0))"
equals "her pages are full, whatever lies between" 7 "$(as ann union get audit --limit 7 -o jsonl | wc -l)"
refuses "she asks for no other project's" "not allowed audit.read" as ann union get audit --project churn
refuses "nor for an export, which has all" "not allowed audit.read" as ann union audit export "$T/home/all.bin"
check "she is told who used her secrets" \
	as ann union get secret my_secret --project fraud --domain production --used-by
says "in which execution" "$name"
refuses "others are not" "not allowed secret.read" \
	as ci union get secret my_secret --project fraud --domain production --used-by
check "she is told what is not used" as ann union get secret --unused-since 0s
says "of hers" fraud_db
equals "only" 0 "$(grep -c 'churn_db\|shared' "$T/out")"
refuses "who looks after secrets reads no record" "not allowed audit.read" as ops union get audit

check "every refusal is on record" local_user get audit --principal key:ops -o json
says "as one" '"verdict": "denied"'
says "with the action" '"secret.update"'
refuses "what cannot be a principal is not looked for" "'NONSENSE' is no principal: it is key:NAME" \
	local_user get audit --principal NONSENSE
refuses "nor a user without a number" "is no principal" local_user get audit --principal uid:me
check "a key that there never was" local_user get audit --principal key:never
warns "is in no record" "key:never is in no record at all"
check "one that was there, but did not do that" local_user get audit --principal key:ops --action keys.rotate
warns "has none of these" "No records"
says_nothing_of_never() { ! grep -q "no record at all" "$T/err"; }
check "and is not said to be unknown" says_nothing_of_never

check "a key is deleted" local_user delete api-key ci
refuses "and lets nobody in any more" "union: error" as ci union get execution
check "a new one of its name is made" new_key ci --role none
refuses "which has nothing of the old one's" "key:ci is not allowed" as ci union get execution

kill -TERM "$served"
await_exit 20 "$served"
rm -f "$T/tls.key"
finish
