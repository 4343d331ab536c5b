#!/bin/sh
# Builds sanc, runs three compiled networks on turned and on adversarial pictures, prints two tables
# and draws them. Installs with apt what is not there yet.
set -eu
cd "$(dirname "$0")/../.."

. examples/build.sh
build_sanc robustness
show python3 examples/robustness/robustness.py build/release/sanc build/robustness/robustness.svg
