#!/bin/sh
# Builds and installs sanc in build/photo, then two programs that classify JPEG files, in C and C++.
set -eu
cd "$(dirname "$0")/../.."
here=examples/photo out=build/photo

. examples/build.sh
build_sanc photo
tests/install.sh photo
show cmake --install build/release --prefix $out/installed >$out.install.log
show cmake -S $here -B $out/cmake -DCMAKE_PREFIX_PATH="$PWD/$out/installed" -DCMAKE_BUILD_TYPE=Release >$out.cmake.log
show cmake --build $out/cmake
show $out/cmake/photo $here/labels.txt $here/*.jpg
show $out/cmake/photo_cpp $here/labels.txt $here/*.jpg
