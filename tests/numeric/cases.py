#!/usr/bin/env python3
"""Compiled and evaluated networks against reference outputs in float64.

    cases.py SANC [--cases FOLDER | --shared] [--sample] [NAME...]

A case is a folder with model.json, weights.safetensors and io.safetensors (`input`, and `output` in
float64). Each is evaluated, and compiled for every target, number of threads and batch below;
--sample: for one of these. Without options: the cases in this folder's cases/; --shared: those of
../shared/cases and ../shared/resnet/cases, which are not part of the project.
"""
import argparse
import concurrent.futures
import os
import sys
import tempfile

import common

TARGETS = ["x86-64-v3", "x86-64-v4"]
BATCHES_AND_THREADS = ["1:1", "3:2", "3:1", "1:2"]
COMPILED_ERROR = EVAL32_ERROR = 5e-6
EVAL_ERROR = 1e-6  # the output file holds float32
NO_SUCH_PROCESSOR = 4


def bound(name, error):
    """Networks of small integers are exact in any order of operations."""
    return 0.0 if name.startswith("exact_") else error


def run_evaluators(sanc, name, folder, io, reference, tally, scratch):
    errors = []
    for engine, most in (("eval", EVAL_ERROR), ("eval32", EVAL32_ERROR)):
        out = common.run_model(sanc, folder, io, scratch, "--engine", engine)
        error = common.relative_error(out, reference)
        tally.check(error <= bound(name, most),
                    f"{name} {engine}: error {error:.2e} over {bound(name, most)}")
        errors.append(f"{engine} {error:.1e}")
    return errors


def run_target(sanc, name, folder, io, target, runs, tally):
    """A batch's results must not depend on the threads."""
    files = [os.path.join(folder, file) for file in ("model.json", "weights.safetensors")]
    errors = [
        float(line)
        for line in common.call(sanc.beside("run_case"), *files, io, target, *runs).split()
    ]
    for run, error in zip(runs, errors):
        tally.check(error <= bound(name, COMPILED_ERROR),
                    f"{name} {target}, {run}: error {error:.2e} over {bound(name, COMPILED_ERROR)}")
    tally.check(len(errors) == len(runs), f"{name} {target}: {len(errors)} results")
    return f"{target} {max(errors):.1e}"


def run_case(sanc, name, folder, runs):
    """(tally, line to print)"""
    tally, io, parts = common.Tally(), os.path.join(folder, "io.safetensors"), []
    reference = common.read_safetensors(io)["output"][1]
    with tempfile.TemporaryDirectory() as scratch:
        out = os.path.join(scratch, "out.safetensors")
        try:
            parts += run_evaluators(sanc, name, folder, io, reference, tally, out)
        except common.Failure as failure:
            tally.check(False, f"{name}: {failure}")
    for target in TARGETS:
        try:
            parts.append(run_target(sanc, name, folder, io, target, runs, tally))
        except common.Failure as failure:
            if failure.status == NO_SUCH_PROCESSOR:
                tally.skip(f"{name} {target}: not on this processor (see emulated.py)")
            else:
                tally.check(False, f"{name}: {failure}")
    return tally, f"{name:24} {', '.join(parts)}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sanc")
    parser.add_argument("--cases", default=os.path.join(os.path.dirname(__file__), "cases"))
    parser.add_argument("--shared", action="store_true")
    parser.add_argument("--sample", action="store_true")
    parser.add_argument("name", nargs="*")
    args = parser.parse_intermixed_args()
    folders = common.case_folders(None if args.shared else args.cases)
    names = args.name or list(folders)
    sanc, total = common.Sanc(args.sanc), common.Tally()

    def run(number):
        count = len(BATCHES_AND_THREADS)
        runs = [BATCHES_AND_THREADS[number % count]] if args.sample else BATCHES_AND_THREADS
        return run_case(sanc, names[number], folders[names[number]], runs)

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for tally, line in pool.map(run, range(len(names))):
            print(line, flush=True)
            total.passed += tally.passed
            total.failed += tally.failed
            total.skipped += tally.skipped
    return total.end()


if __name__ == "__main__":
    sys.exit(main())
