#!/bin/sh
# Builds sanc and the server, and runs it until it is stopped (Ctrl-C). Installs with apt what is
# not there yet. Options are the server's: run.sh [--port N] [--threads N] [--queue N]
# [--max-bytes N].
set -eu
cd "$(dirname "$0")/../.."
. examples/build.sh
build_sanc server
tests/install.sh server
show examples/server/build.sh build/release/sanc build/server
show exec build/server/server "$@"
