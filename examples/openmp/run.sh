#!/bin/sh
# Builds sanc, compiles a network for several threads, and runs it on those of OpenMP.
set -eu
cd "$(dirname "$0")/../.."
net=examples/digits/pairwise out=build/openmp

. examples/build.sh
build_sanc openmp
show build/release/sanc compile $net/model.json -w $net/weights.safetensors --threads 2 \
    -o $out/digits_pairwise.o
show cc -std=c11 -O2 -fopenmp -I $out -I examples/digits examples/openmp/accuracy.c \
    $out/digits_pairwise.o -o $out/accuracy
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-2}"
show $out/accuracy examples/digits/images.safetensors
