#!/bin/sh
# Installs Debian packages that are not there yet, as root or through sudo, and says which.
#
#   tests/install.sh GROUP...        build: what `sanc` and the example need to be built
#                                    test: what the tests need besides; clang; llvm22
#                                    linkers: other linkers, for the test of that name
#                                    server: what examples/server needs
#                                    packages: what Debian packages are made and checked with
#                                    photo: what examples/photo is built with
#                                    cluster: MPI, for examples/cluster
#                                    browser: what the test of the report draws its page with
set -eu

packages=
for group in "$@"; do
    case $group in
        build) packages="$packages gcc libc6-dev make cmake llvm-19-dev libcjson-dev libpng-dev libstb-dev" ;;
        test)
            packages="$packages g++ python3 python3-jsonschema python3-numpy libcmocka-dev binutils"
            packages="$packages pkg-config"
            ;;
        clang) packages="$packages clang-19 libclang-rt-19-dev" ;;
        llvm22) packages="$packages llvm-22-dev" ;;
        linkers) packages="$packages lld mold musl-tools" ;;
        server) packages="$packages libmicrohttpd-dev libpng-dev" ;;
        packages) packages="$packages dpkg-dev file lintian pkg-config python3" ;;
        photo) packages="$packages g++ libstb-dev make pkg-config" ;;
        cluster) packages="$packages libopenmpi-dev openmpi-bin libpng-dev python3" ;;
        browser) packages="$packages chromium fonts-dejavu-core" ;;
        *) echo "$0: unknown group '$group'; there are build, test, clang, llvm22, linkers, server, packages, photo, cluster and browser" >&2; exit 2 ;;
    esac
done

missing=
for package in $packages; do
    case $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true) in
        installed) ;;
        *) missing="$missing $package" ;;
    esac
done
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null; then
    echo "$0: no apt-get here; on Debian it would install:$missing" >&2
    exit 4
fi
root=
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "$0: neither root nor sudo; as root run: apt-get install --no-install-recommends$missing" >&2
        exit 4
    fi
    root=sudo
fi
echo "Installing with apt:$missing"
$root apt-get update -qq
# $missing is a list of words. apt writes much; it is shown only if it fails.
log=$(mktemp)
if ! $root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends $missing >"$log" 2>&1; then
    cat "$log" >&2
    rm -f "$log"
    exit 4
fi
rm -f "$log"
