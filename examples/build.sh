# What the examples' run.sh share. They source it from the project's folder.

show() {
    echo "\$ $*"
    "$@"
}

# build_sanc NAME: installs what is missing, builds sanc and libsanrt, and makes the folder
# build/NAME.
build_sanc() {
    tests/install.sh build
    echo "Building sanc in build/release (what the build prints goes to build/$1.log)"
    mkdir -p "build/$1"
    cmake --preset release >"build/$1.log" 2>&1 &&
        cmake --build --preset release --target sanc sanrt -j "$(nproc)" >>"build/$1.log" 2>&1 || {
        cat "build/$1.log" >&2
        exit 1
    }
}
