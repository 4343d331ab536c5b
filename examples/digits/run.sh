#!/bin/sh
# Builds sanc, compiles both networks, links them into two programs, classifies twenty pictures and
# counts what the networks get right of 1000. Installs with apt what is not there yet.
set -eu
cd "$(dirname "$0")/../.."
here=examples/digits out=build/digits

. examples/build.sh
build_sanc digits

for kind in pairwise patchwise; do
    show build/release/sanc compile $here/$kind/model.json -w $here/$kind/weights.safetensors \
        --threads 2 -o $out/digits_$kind.o
done
show cc -std=c11 -O2 -I $out $here/classify.c $out/digits_pairwise.o -lpng -lm -o $out/classify
show cc -std=c11 -O2 -I $out -I runtime $here/accuracy.c $out/digits_pairwise.o \
    $out/digits_patchwise.o build/release/libsanrt.a -pthread -o $out/accuracy
echo "\$ $out/classify $here/png/*.png"
$out/classify $here/png/*.png
show $out/accuracy $here/images.safetensors
show $out/accuracy --threads 2 $here/images.safetensors
