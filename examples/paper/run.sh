#!/bin/sh
# Builds sanc, times the nine networks of the paper's table on this machine, prints the table and
# draws it. Installs with apt what is not there yet; about five minutes. Options are those of
# paper.py.
set -eu
cd "$(dirname "$0")/../.."

. examples/build.sh
build_sanc paper
show python3 examples/paper/paper.py build/release/sanc build/paper/paper.svg "$@"
