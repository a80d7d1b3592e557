#!/usr/bin/env bash
# The main job on the embedded control plane, in a throwaway home: secrets in, four examples run.
# Shows each command and what it printed; ends with what to type next. Exit 1 if anything failed.
#
# usage: tests/quickstart.sh BUILD_DIR
set -u
build=$(cd "${1:-build}" && pwd)
root=$(cd "$(dirname "$0")/.." && pwd)
home=$(mktemp -d "${TMPDIR:-/tmp}/union-quickstart.XXXXXX") || exit 1

export HOME=$home PATH=$build:$PATH
export XDG_DATA_HOME=$home/.local/share XDG_STATE_HOME=$home/.local/state
export XDG_CONFIG_HOME=$home/.config XDG_CACHE_HOME=$home/.cache
unset UNION_ENDPOINT UNION_API_KEY UNION_CONFIG FLYTE_DEFAULT_PROJECT FLYTE_DEFAULT_DOMAIN
# The Debian interpreter starts in a tenth of the time of a version manager's wrapper.
[ -x /usr/bin/python3 ] && export UNION_PYTHON=${UNION_PYTHON:-/usr/bin/python3}

stop() {
	local pid
	pid=$(union info -o json 2>/dev/null | sed -n 's/.*"pid": *\([0-9]*\).*/\1/p')
	if [ -n "$pid" ] && kill -TERM "$pid" 2>/dev/null; then
		timeout 10 tail --pid="$pid" -f /dev/null
	fi
	rm -rf "$home"
}
trap stop EXIT
trap 'exit 130' INT TERM

bold= plain= dim=
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
	bold=$'\033[1m' dim=$'\033[2m' plain=$'\033[0m'
fi
failed=0

say() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }
show() { # prints the command, runs it, indents what it says
	printf '%s$ %s%s\n' "$dim" "$*" "$plain"
	"$@" 2>&1 | sed 's/^/    /'
	if [ "${PIPESTATUS[0]}" != 0 ]; then
		echo "    (that failed)"
		failed=1
	fi
}

cd "$root/examples" || exit 1

say "1. Store secrets: one from stdin, two from files"
printf '%s$ printf %%s "$PASSWORD" | union create secret my_secret%s\n' "$dim" "$plain"
head -c 18 /dev/urandom | base64 | union create secret my_secret 2>&1 | sed 's/^/    /'
[ "${PIPESTATUS[2]}" = 0 ] || failed=1
head -c 24 /dev/urandom | base64 >"$home/token"
head -c 96 /dev/urandom | base64 >"$home/certificate.pem"
show union create secret my_union_api_key -f "$home/token" --project default
show union create secret my_file_secret -f "$home/certificate.pem" --domain development

say "2. What is stored (never a value)"
show union get secret
show union explain secret my_file_secret --project default --domain development

say "3. Run tasks that ask for them"
for script in using_secrets env_var file_secret pipeline; do
	[ "$script" = pipeline ] && say "4. A workflow of three tasks, two of them in parallel"
	show union run --remote "$script.py" main
done

say "5. What happened"
show union get execution
show union info

if [ "$failed" != 0 ]; then
	say "Something failed: see above."
	exit 1
fi
cat <<END

${bold}Done.${plain} The programs are
    $build/union
    $build/uniond
    $build/union-exec
Next:
    export PATH=$build:\$PATH
    union create secret my_secret
    union run --remote examples/using_secrets.py main
END
