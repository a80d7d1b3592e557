#!/usr/bin/env bash
# Secrets by union 0.1 (gRPC) and flyte 2 (Connect), in cleartext, without authentication.
. "$(dirname "$0")/lib.sh"
story "other people's clients keep their secrets here"
v=$(canary)
w=$(canary)
x=$(canary)
canary_file "$KEPT/binary" 3000
start_plane
configure_cleartext

note "union $("$V1/python" -c 'from importlib.metadata import version as v; print(v("union"), "with flytekit", v("flytekit"))')"
check "creates a secret" real_union create secret db_password --value "$v"
says "and says so" "Created secret with name: db_password"
refuses_with "not twice" "ALREADY_EXISTS" real_union create secret db_password --value "$v"
refuses_with "and is told where it is" "the secret 'db_password' exists already" \
	real_union create secret db_password --value "$v"
check "the same name in a domain, from a file" \
	real_union create secret db_password -f "$KEPT/binary" --domain development
check "in a project" real_union create secret db_password --value "$w" --project fraud
check "in both" real_union create secret db_password --value "$w" --project fraud --domain development
check "a secret to pull images" real_union create secret pull -f "$KEPT/binary" -t image-pull-secret
check "lists" real_union get secret
equals "the organization's" "db_password - - GENERIC" "$(row_of db_password | grep -- '- - ')"
equals "those of other scopes" 3 "$(row_of db_password | grep -vc -- '- - ')"
equals "with their type" "pull - - IMAGE_PULL_SECRET" "$(row_of pull)"
check "lists one scope" real_union get secret --project fraud --domain development
equals "and nothing else" "db_password fraud development GENERIC" "$(row_of '[a-z_]+')"
check "lists where nothing is" real_union get secret --project none --domain development
says "and says so" "No secrets found"
for i in $(seq 45); do run_with_input "$x" union create secret "page_$i" --project paged; done >"$T/out" 2>&1
check "lists over three pages" real_union get secret --project paged
equals "all of them, each once" 45 "$(row_of 'page_[0-9]+' | cut -d' ' -f1 | sort -u | wc -l)"
check "updates" real_union update secret db_password --value "$w"
check "from a file, too" real_union update secret db_password -f "$KEPT/binary" --domain development
check "our own client sees the versions" union get secret db_password -o json
says "one more" '"version": 2'
refuses_with "does not update what is not there" "NOT_FOUND" real_union update secret nothing --value "$w"
check "deletes" real_union delete secret db_password --project fraud
refuses_with "not twice" "NOT_FOUND" real_union delete secret db_password --project fraud
check "the others stay" real_union get secret
equals "all of them" 3 "$(row_of db_password | wc -l)"
refuses_with "a bad name is refused" "character 4 is a blank" real_union create secret "bad name" --value "$w"
refuses_with "so is an empty value" "the value is empty" real_union create secret empty -f /dev/null

note "flyte $("$V2/python" -c 'from importlib.metadata import version as v; print(v("flyte"))'), which would abort now and then at its own end: it ends before"
check "flyte 2 creates a secret" real_flyte create secret v2_secret --value "$v"
refuses_with "not twice" "already exists" real_flyte create secret v2_secret --value "$v"
check "from a file, in a project and domain" \
	real_flyte create secret v2_file --from-file "$KEPT/binary" --project fraud --domain development
check "gets it" real_flyte get secret v2_file --project fraud --domain development
says "with where it is" "fraud"
check "lists over five pages" real_flyte get secret --project paged
equals "all of them, each once" 45 "$(row_of '[^│]+│ -.*' | grep -oE 'page_[0-9]+' | sort -u | wc -l)"
refuses_with "says what is not there" "NOT FOUND" real_flyte get secret nothing
refuses_with "refuses a cluster pool" "there are no cluster pools here" \
	real_flyte create secret pooled --value "$v" --cluster-pool blue
refuses_with "a bad name" "character 4 is a blank" real_flyte create secret "bad name" --value "$v"
check "deletes" real_flyte delete secret v2_file --project fraud --domain development
refuses_with "not twice" "NOT FOUND" real_flyte delete secret v2_file --project fraud --domain development
finish
