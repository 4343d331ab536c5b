#!/bin/bash
# Builds the project and runs its tests:
#
#     tests/run.sh                          a sample of everything: all that is not slow
#     tests/run.sh all                      everything
#     tests/run.sh PRESET [CTEST OPTION...] another build, with the tests that it is for: release,
#                                           debug, clang, llvm22, asan, tsan or fuzz. With options:
#                                           those tests
#
# Installs with apt what is not there yet. The last line counts the programs of ctest; a skipped one
# says why. Times are those of two quiet processors, the build included.
set -euo pipefail
cd "$(dirname "$0")/.."

what=${1:-quick}
[ $# -eq 0 ] || shift
preset=$what
groups=(build test server)
targets=()
case $what in
    quick) preset=release select=(-LE slow) minutes=5 ;;
    all) preset=release select=() minutes=25 ;;
    release | debug) select=(-LE slow) minutes=3 ;;
    clang) groups+=(clang) select=(-L unit) minutes=2 ;;
    llvm22) groups+=(llvm22) select=(-L 'unit|backend') minutes=4 ;;
    asan) select=(-LE '^slow$|compiled') minutes=8 ;;
    tsan) select=(-R '^test_(pool|cuda)$') targets=(--target test_pool test_cuda) minutes=1 ;;
    fuzz) groups+=(clang) select=(-R '^fuzz_') minutes=3 ;;
    *)
        echo "usage: tests/run.sh [quick | all | PRESET [CTEST OPTION...]]" >&2
        exit 2
        ;;
esac
if [ $# -gt 0 ]; then
    select=("$@")
    echo "Tests of the preset $preset: $*"
else
    echo "Tests of the preset $preset, about $minutes minutes on two processors"
fi
[ "$what" != quick ] || echo "(A sample of everything; all of it: tests/run.sh all, about 25 minutes)"

tests/install.sh "${groups[@]}"
jobs=$(nproc)
log=build/$preset.log
mkdir -p build
echo "Building in build/$preset (what the build prints goes to $log)"
if ! { cmake --preset "$preset" && cmake --build --preset "$preset" "${targets[@]}" -j "$jobs"; } \
    >"$log" 2>&1; then
    cat "$log" >&2
    exit 1
fi
echo "Built after $SECONDS s"

[ ! -t 1 ] || select+=(--progress) # one line that says how far it is
results=build/$preset/results.xml
status=0
ctest --preset "$preset" -j "$jobs" --output-junit "$PWD/$results" "${select[@]}" || status=$?
python3 tests/summary.py "$results" || status=1
exit $status
