#!/usr/bin/env python3
"""Random models over the whole format, compiled for a GPU, their kernels run on the host.

    random_models.py SANC RANDOM_MODELS [--count N] [--rounded N] [--first N] [--seed N]

RANDOM_MODELS is the program that draws them: N in float32 (300), and the first N of these in tf32
and bf16 (100), every other one with matrix units wherever they can be. Models in whole numbers have
to be right to the bit; the others keep, with their first image or by the median of all, twice the
error of the plain evaluation in float32, or of the evaluator that rounds what linears multiply.
"""
import argparse
import concurrent.futures
import os
import re
import statistics
import subprocess
import sys
import tempfile

import device
import matrix
from device import common

TARGET = "nvptx:sm_80"
LEAST_BOUND = 2e-6
MOST_MEDIAN_RATIO = 1.5


def errors_of(found, reference, classes):
    return [common.relative_error(found[at:at + classes], reference[at:at + classes])
            for at in range(0, len(found), classes)]


class Model:
    """A model in one precision."""

    def __init__(self, sanc, folder, name, precision, scratch):
        self.sanc, self.folder = sanc, os.path.join(folder, name)
        self.precision, self.scratch = precision, scratch
        io = common.read_safetensors(os.path.join(self.folder, "io.safetensors"))
        (self.count, self.classes), self.reference = io["output"]
        shape, self.images = io["input"]
        self.each = device.elements(shape[1:])
        self.exact = name.startswith("exact_")
        self.batch = self.count if self.exact else 1
        self.forced = precision != "f32" and int(re.sub(r"\D", "", name)) % 2 == 1
        self.plain = io["single"][1] if precision == "f32" else self.evaluate()

    def evaluate(self):
        """What the evaluator gives that rounds the same operands."""
        out = os.path.join(self.scratch, "out.safetensors")
        common.run_model(self.sanc, self.folder, os.path.join(self.folder, "io.safetensors"), out,
                         "--engine", "eval", "--precision", self.precision, "--target", TARGET,
                         "--batch", self.batch)
        return common.read_safetensors(out)["output"][1]

    def compile(self, llc):
        dump = None
        if self.forced:
            text = common.call(self.sanc, "ir", os.path.join(self.folder, "model.json"), "--after",
                               "schedule", "--target", TARGET, "--precision", self.precision,
                               "--batch", self.batch)
            path = os.path.join(self.scratch, "forced.sanir")
            dump = path if matrix.force(self.sanc, text, path) else None
        return device.Network(self.sanc, llc, self.folder, self.scratch, TARGET, self.batch,
                              self.precision, dump)

    def check_exact(self, network):
        """Why it is wrong, or None."""
        expected = self.reference if self.precision == "f32" else self.plain
        return None if list(network.run(
            self.images)) == list(expected) else "not the bits of exact arithmetic"

    def check_real(self, network):
        """(ratio to what is allowed without the factor, why it is wrong or None)"""
        plain = errors_of(self.plain, self.reference, self.classes)
        error = errors_of(network.run(self.images[:self.each]), self.reference[:self.classes],
                          self.classes)
        ratio = error[0] / plain[0] if plain[0] else 0
        if error[0] <= max(LEAST_BOUND, 2 * plain[0]):
            return ratio, None
        error += errors_of(network.run(self.images[self.each:]), self.reference[self.classes:],
                           self.classes)
        middle, bound = statistics.median(error), max(LEAST_BOUND, 2 * statistics.median(plain))
        return ratio, None if middle <= bound else f"median error {middle:.2e} over {bound:.2e}"


def check_model(sanc, llc, folder, name, precision):
    """(tally, ratio to the plain evaluation or None)"""
    tally, ratio = common.Tally(), None
    with tempfile.TemporaryDirectory() as scratch:
        try:
            model = Model(sanc, folder, name, precision, scratch)
            network = model.compile(llc)
            if model.exact:
                wrong = model.check_exact(network)
            else:
                ratio, wrong = model.check_real(network)
        except (common.Failure, device.Wrong, RuntimeError) as failure:
            wrong = str(failure)
    tally.check(wrong is None, f"{name} ({precision}): {wrong}")
    return tally, ratio


def check_precision(args, llc, folder, names, precision, total):
    ratios = []
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for tally, ratio in pool.map(
                lambda name: check_model(args.sanc, llc, folder, name, precision), names):
            total.passed += tally.passed
            total.failed += tally.failed
            ratios += [] if ratio is None else [ratio]
    middle = statistics.median(ratios) if ratios else 0
    if len(ratios) >= 20:
        total.check(middle <= MOST_MEDIAN_RATIO,
                    f"{precision}: median ratio to the plain evaluation {middle:.2f}")
    print(
        f"{precision}: {len(names)} models, {len(ratios)} with real numbers: median ratio to the plain evaluation "
        f"{middle:.2f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sanc")
    parser.add_argument("random_models")
    for name, default in (("count", 300), ("rounded", 100), ("first", 0), ("seed", 1)):
        parser.add_argument(f"--{name}", type=int, default=default)
    args = parser.parse_args()
    args.sanc = common.Sanc(args.sanc)
    llc, total = device.find_llc(args.sanc), common.Tally()
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([
            args.random_models, "--write", folder, "--seed",
            str(args.seed), "--first",
            str(args.first), "--count",
            str(max(args.count, args.rounded))
        ], check=True, stderr=subprocess.DEVNULL)
        names = sorted(os.listdir(folder), key=lambda name: int(re.sub(r"\D", "", name)))
        for precision, count in (("f32", args.count), ("tf32", args.rounded), ("bf16",
                                                                               args.rounded)):
            check_precision(args, llc, folder, names[:count], precision, total)
    return total.end()


if __name__ == "__main__":
    sys.exit(main())
