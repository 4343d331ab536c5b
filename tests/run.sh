#!/bin/bash
# Builds the project and runs its tests: tests/run.sh [release|debug|clang|llvm22|asan|tsan|fuzz] [CTEST OPTION...]
#
# Without a preset: release. Installs with apt what is not there yet. asan and tsan leave the slow tests out. The last line
# counts the programs of ctest; a skipped one says why.
set -euo pipefail
cd "$(dirname "$0")/.."

preset=${1:-release}
[ $# -eq 0 ] || shift
groups=(build test)
select=()
case $preset in
    release | debug) ;;
    clang | llvm22) groups+=("$preset") ;;
    fuzz) groups+=(clang) ;;
    asan) select=(-LE slow) ;;
    tsan) select=(-R '^test_(pool|cuda)$') ;; # what is made of threads
    *)
        echo "usage: tests/run.sh [release|debug|clang|llvm22|asan|tsan|fuzz] [CTEST OPTION...]" >&2
        exit 2
        ;;
esac

tests/install.sh "${groups[@]}"
jobs=$(nproc)
log=build/$preset.log
mkdir -p build
targets=()
[ "$preset" != tsan ] || targets=(--target test_pool test_cuda)
echo "Building in build/$preset (what the build prints goes to $log)"
if ! { cmake --preset "$preset" && cmake --build --preset "$preset" "${targets[@]}" -j "$jobs"; } \
    >"$log" 2>&1; then
    cat "$log" >&2
    exit 1
fi

results=build/$preset/results.xml
status=0
ctest --preset "$preset" -j "$jobs" --output-junit "$PWD/$results" "${select[@]}" "$@" || status=$?
python3 tests/summary.py "$results" || status=1
exit $status
