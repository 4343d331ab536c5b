#!/bin/sh
# Builds sanc, compiles a network for GPUs, and runs it on the first one: from C with the runtime,
# and where Python has CuPy, from its PTX and launch plan. Building needs nothing of CUDA.
set -eu
cd "$(dirname "$0")/../.."
net=examples/digits/pairwise out=build/gpu
images=examples/digits/images.safetensors

. examples/build.sh
build_sanc gpu

show build/release/sanc compile $net/model.json -w $net/weights.safetensors --batch 100 \
    --target nvptx:sm_70,nvptx:sm_80,nvptx:sm_90 -o $out/digits_pairwise.o
show cc -std=c11 -O2 -I $out -I runtime examples/gpu/accuracy.c $out/digits_pairwise.o \
    build/release/libsanrt.a -pthread -ldl -o $out/accuracy
show build/release/sanc compile $net/model.json -w $net/weights.safetensors --batch 100 \
    --target nvptx:sm_70 --emit ptx,launch -o $out/digits
show $out/accuracy $images
if python3 -c 'import cupy' 2>/dev/null; then
    show python3 examples/gpu/launch.py $out/digits.launch.json $out/digits.ptx $images
else
    echo "python3 has no CuPy: examples/gpu/launch.py is left out"
fi
