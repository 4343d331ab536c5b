#!/bin/sh
# Builds sanc, compiles a network, and classifies a folder of 2000 pictures by it on several
# processes: by MPI, and where Python has Ray, by Ray Data.
set -eu
cd "$(dirname "$0")/../.."
net=examples/digits/pairwise out=build/cluster python=${RAY_PYTHON:-python3}

. examples/build.sh
build_sanc cluster
tests/install.sh cluster
show build/release/sanc compile $net/model.json -w $net/weights.safetensors --emit obj,shared \
    -o $out/digits_pairwise
show python3 examples/cluster/pictures.py $out/pictures 2000
show mpicc -std=gnu11 -O2 -I $out -I examples/digits examples/cluster/classify_mpi.c \
    $out/digits_pairwise.o -lpng -lm -o $out/classify_mpi
# As root, as in a container, Open MPI wants to be told that this is meant.
[ "$(id -u)" -ne 0 ] || export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
echo "\$ mpirun -n 2 $out/classify_mpi $out/pictures > $out/mpi.csv"
mpirun -n 2 $out/classify_mpi $out/pictures >$out/mpi.csv
if $python -c 'import ray, numpy, pandas, pyarrow, PIL' 2>/dev/null; then
    export PYTHONPATH="$PWD/runtime/python" RAY_ENABLE_UV_RUN_RUNTIME_ENV=0
    show $python examples/cluster/classify_ray.py $out/digits_pairwise.so $out/pictures $out/ray.csv
    show cmp $out/mpi.csv $out/ray.csv
else
    echo "$python has no Ray (pip install 'ray[data]' pillow): classify_ray.py is left out"
fi
echo "$(wc -l <$out/mpi.csv) pictures in $out/mpi.csv; right are" \
    "$(grep -cE '_([0-9])\.png,\1$' $out/mpi.csv)"
