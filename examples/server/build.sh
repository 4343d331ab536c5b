#!/bin/sh
# Builds the server: build.sh SANC FOLDER [WORD OF CC...]
#
# For a network of your own change the model and the weights here, and network.c.
set -eu
sanc=$1 out=$2
shift 2
here=$(dirname "$0")
digits=$here/../digits/pairwise

mkdir -p "$out"
"$sanc" compile "$digits/model.json" -w "$digits/weights.safetensors" -o "$out/digits_pairwise.o"
# The page as bytes of a C array.
od -An -v -tx1 "$here/page.html" | sed 's/ \(..\)/0x\1,/g' >"$out/page.inc"
cc -std=c11 -D_POSIX_C_SOURCE=200809L -O2 -Wall -Wextra "$@" -I "$out" "$here"/*.c "$out/digits_pairwise.o" \
    -lmicrohttpd -lpng -lm -pthread -o "$out/server"
