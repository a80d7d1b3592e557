#!/usr/bin/env bash
# `make install`: everything is where a system looks for it, and works from there.
. "$(dirname "$0")/../lib.sh"
story "what is installed works from where it is installed"
dest=$T/dest
prefix=$(sed -n 's/.*"prefix": *"\([^"]*\)".*/\1/p' "$BUILD/meson-info/intro-buildoptions.json" | head -1)
[ -n "$prefix" ] || prefix=$(meson introspect --buildoptions "$BUILD" |
	/usr/bin/python3 -c 'import json, sys; print(next(o["value"] for o in json.load(sys.stdin) if o["name"] == "prefix"))')
check "installs below DESTDIR" env DESTDIR="$dest" meson install -C "$BUILD" --no-rebuild --quiet
at=$dest$prefix
for file in bin/union bin/uniond bin/union-exec lib/union/python/union/__init__.py lib/union/python/union/py.typed \
	share/man/man1/union.1 share/bash-completion/completions/union.bash share/zsh/site-functions/_union \
	share/fish/vendor_completions.d/union.fish; do
	check "$file is there" test -e "$at/$file"
done
equals "nothing outside the prefix" "" "$(find "$dest" -type f ! -path "$at/*")"
check "an installed library needs no folder of the build" sh -c '! ldd "$0" | grep -q "not found"' "$at/bin/union"

PATH=$at/bin:/usr/bin:/bin
hash -r
v=$(canary)
check "a secret through the installed union" run_with_input "$v" union create secret my_secret
check "and a task through all of it" union run --remote "$SOURCE_ROOT/examples/using_secrets.py" main
equals "with its result" "{\"o0\": ${#v}}" "$(cat "$T/out")"
says_program() { "$@" --help | grep -q "^usage: "; }
for program in union uniond union-exec; do
	check "$program --help" says_program "$program"
done

completions() { # WORDS...: what bash offers for the last one
	bash --norc -c '
		source "$0"
		COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_LINE="$*" COMP_POINT=${#COMP_LINE} COMPREPLY=()
		handler=$(complete -p union | sed "s/.*-F \([^ ]*\).*/\1/")
		"$handler" union "${@: -1}" "${@: -2:1}"
		printf "%s " "${COMPREPLY[@]}"' "$at/share/bash-completion/completions/union.bash" "$@"
}
equals "bash completes a command" "create " "$(completions union cr)"
equals "what it is about" "secret login api-key grant " "$(completions union create "")"
equals "an option" "--project " "$(completions union create secret --p)"
equals "and the words it takes" "table json " "$(completions union get secret -o "")"
if command -v fish >/dev/null; then
	equals "fish completes" "create" "$(fish -c "source $at/share/fish/vendor_completions.d/union.fish; complete -C 'union cr'" | cut -f1)"
fi
if command -v zsh >/dev/null; then
	check "zsh can read its completion" zsh -n "$at/share/zsh/site-functions/_union"
fi
check "the unit starts what was installed" grep -qE "^ExecStart=/[^ ]*/bin/uniond --config" "$at/lib/systemd/system/uniond.service"
check "with its sockets, its user and its folders" test -f "$at/lib/systemd/system/uniond.socket" \
	-a -f "$at/lib/sysusers.d/union.conf" -a -f "$at/lib/tmpfiles.d/union.conf"
if command -v man >/dev/null; then
	for page in man1/union.1 man1/union-exec.1 man8/uniond.8; do
		check "the man page ${page#*/} is read without a warning" \
			sh -c 'test -z "$(man --warnings -E UTF-8 -l -Tutf8 "$0" 2>&1 >/dev/null)"' "$at/share/man/$page"
	done
	options() { # PROGRAM...: the words of its help that are options, each once
		"$@" --help | grep -oE "^  --?[a-zA-Z-]+" | sort -u
	}
	says_all() { # PAGE PROGRAM...: the page has every option of the program
		local page=$1 text option
		shift
		text=$(man -E UTF-8 -l -Tutf8 "$page" 2>/dev/null | sed 's|.\x08||g')
		for option in $(options "$@"); do
			grep -qF -- "$option" <<<"$text" || { echo "no $option" && return 1; }
		done
	}
	for command in "" init restore; do
		# shellcheck disable=SC2086
		check "uniond(8) has every option of uniond $command" says_all "$at/share/man/man8/uniond.8" "$at/bin/uniond" $command
	done
	check "union-exec(1) those of union-exec" says_all "$at/share/man/man1/union-exec.1" "$(command -v union-exec)"
fi
finish
