#!/bin/sh
# Generates the C code of all messages: a tree of .pb-c.h/.c below OUT, and proto-all.[ch] that
# include every one of them.
#
# usage: generate.sh PROTOC_C ROOT OUT GOOGLE_FILE... -- PROTO_FILE...   (names without .proto)
set -eu
protoc_c=$1 root=$2 out=$(cd "$3" && pwd)
shift 3
names=
google=
while [ "$1" != -- ]; do
	google="$google google/protobuf/$1"
	shift
done
shift
for name in $google "$@"; do
	case $name in
	google/*) names="$names /usr/include/$name.proto" ;;
	*) names="$names $name.proto" ;;
	esac
done
# shellcheck disable=SC2086
(cd "$root" && "$protoc_c" -I. -I/usr/include --c_out="$out" $names)
: >"$out/proto-all.c.tmp"
: >"$out/proto-all.h.tmp"
echo "/* Generated from proto/. Every message and service of the wire. */" >>"$out/proto-all.h.tmp"
for name in $google "$@"; do
	echo "#include \"$name.pb-c.c\"" >>"$out/proto-all.c.tmp"
	echo "#include \"$name.pb-c.h\"" >>"$out/proto-all.h.tmp"
done
mv "$out/proto-all.c.tmp" "$out/proto-all.c"
mv "$out/proto-all.h.tmp" "$out/proto-all.h"
