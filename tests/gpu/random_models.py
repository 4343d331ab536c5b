#!/usr/bin/env python3
"""Random models over the whole format, compiled for a GPU, their kernels run on the host.

    random_models.py SANC RANDOM_MODELS [--count N] [--first N] [--seed N]

RANDOM_MODELS is the program that draws them. Models in whole numbers have to be right to the bit; the others keep
the bound of a plain evaluation in float32 with their first image, or by the median of all.
"""
import argparse
import concurrent.futures
import os
import statistics
import subprocess
import sys
import tempfile

import device
from device import common

LEAST_BOUND = 2e-6
MOST_MEDIAN_RATIO = 1.5


def errors_of(found, reference, classes):
    return [common.relative_error(found[at:at + classes], reference[at:at + classes])
            for at in range(0, len(found), classes)]


def check_real(network, io, classes):
    """(ratio to the plain evaluation, why it is wrong or None)"""
    images, reference, single = (io[name][1] for name in ("input", "output", "single"))
    each = device.elements(io["input"][0][1:])
    plain = errors_of(single, reference, classes)
    error = errors_of(network.run(images[:each]), reference[:classes], classes)
    ratio = error[0] / plain[0] if plain[0] else 0
    if error[0] <= max(LEAST_BOUND, 2 * plain[0]):
        return ratio, None
    error += errors_of(network.run(images[each:]), reference[classes:], classes)
    middle, bound = statistics.median(error), max(LEAST_BOUND, 2 * statistics.median(plain))
    return ratio, None if middle <= bound else f"median error {middle:.2e} over {bound:.2e}"


def check_model(sanc, llc, folder, name):
    """(tally, ratio to the plain evaluation or None)"""
    tally, ratio, wrong = common.Tally(), None, None
    case = os.path.join(folder, name)
    io = common.read_safetensors(os.path.join(case, "io.safetensors"))
    (count, classes), reference = io["output"]
    exact = name.startswith("exact_")
    with tempfile.TemporaryDirectory() as scratch:
        try:
            network = device.Network(sanc, llc, case, scratch, batch=count if exact else 1)
            if exact:
                found = network.run(io["input"][1])
                wrong = None if list(found) == list(reference) else "not the bits of exact arithmetic"
            else:
                ratio, wrong = check_real(network, io, classes)
        except (common.Failure, device.Wrong) as failure:
            wrong = str(failure)
    tally.check(wrong is None, f"{name}: {wrong}")
    return tally, ratio


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sanc")
    parser.add_argument("random_models")
    for name, default in (("count", 300), ("first", 0), ("seed", 1)):
        parser.add_argument(f"--{name}", type=int, default=default)
    args = parser.parse_args()
    llc, total, ratios = device.find_llc(args.sanc), common.Tally(), []
    with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        subprocess.run([args.random_models, "--write", folder, "--seed", str(args.seed), "--first", str(args.first),
                        "--count", str(args.count)], check=True, stderr=subprocess.DEVNULL)
        for tally, ratio in pool.map(lambda name: check_model(args.sanc, llc, folder, name), sorted(os.listdir(folder))):
            total.passed += tally.passed
            total.failed += tally.failed
            ratios += [] if ratio is None else [ratio]
    if len(ratios) >= 20:
        middle = statistics.median(ratios)
        total.check(middle <= MOST_MEDIAN_RATIO, f"median ratio to the plain evaluation {middle:.2f}")
        print(f"{len(ratios)} with real numbers: median ratio to the plain evaluation {middle:.2f}")
    return total.end()


if __name__ == "__main__":
    sys.exit(main())
