#!/usr/bin/env python3
"""Compiled and evaluated networks against reference outputs in float64.

    cases.py SANC [--cases FOLDER | --shared] [NAME...]

A case is a folder with model.json, weights.safetensors and io.safetensors (`input`, and `output` in float64). Each runs
with every target, number of threads and batch below, and in the evaluator. Without options: the cases in this
folder's cases/; --shared: those of ../shared/cases, which is not part of the project.
"""
import argparse
import concurrent.futures
import os
import sys
import tempfile

import common

# Which of ../shared/cases have to pass; None: every one.
EXPECTED = None
TARGETS = ["x86-64-v3", "x86-64-v4"]
THREADS_AND_BATCH = [(1, 1), (2, 1), (1, 3), (2, 3)]
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
        tally.check(error <= bound(name, most), f"{name} {engine}: error {error:.2e} over {bound(name, most)}")
        errors.append(f"{engine} {error:.1e}")
    return errors


def run_target(sanc, name, folder, io, reference, target, tally, scratch):
    """Every thread count and batch; results must not depend on the threads."""
    worst, by_batch = 0.0, {}
    for threads, batch in THREADS_AND_BATCH:
        what = f"{name} {target}, {threads} threads, batch {batch}"
        out = common.run_model(sanc, folder, io, scratch, "--target", target, "--threads", threads,
                               "--batch", batch)
        error = common.relative_error(out, reference)
        worst = max(worst, error)
        tally.check(error <= bound(name, COMPILED_ERROR),
                    f"{what}: error {error:.2e} over {bound(name, COMPILED_ERROR)}")
        first = by_batch.setdefault(batch, out)
        if first is not out:
            tally.check(first.tobytes() == out.tobytes(), f"{what}: other bits than with 1 thread")
    return f"{target} {worst:.1e}"


def run_case(sanc, name, folder):
    """(tally, line to print)"""
    tally, io, parts = common.Tally(), os.path.join(folder, "io.safetensors"), []
    reference = common.read_safetensors(io)["output"][1]
    with tempfile.TemporaryDirectory() as scratch:
        out = os.path.join(scratch, "out.safetensors")
        steps = [lambda: parts.extend(run_evaluators(sanc, name, folder, io, reference, tally, out))]
        for target in TARGETS:
            steps.append(lambda target=target: parts.append(
                run_target(sanc, name, folder, io, reference, target, tally, out)))
        for step, what in zip(steps, ["evaluator"] + TARGETS):
            try:
                step()
            except common.Failure as failure:
                if failure.status == NO_SUCH_PROCESSOR and what in TARGETS:
                    tally.skip(f"{name} {what}: not on this processor (see emulated.py)")
                else:
                    tally.check(False, f"{name}: {failure}")
    return tally, f"{name:24} {', '.join(parts)}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sanc")
    parser.add_argument("--cases", default=os.path.join(os.path.dirname(__file__), "cases"))
    parser.add_argument("--shared", action="store_true")
    parser.add_argument("name", nargs="*")
    args = parser.parse_intermixed_args()
    folder = common.shared("cases") if args.shared else args.cases
    names = args.name or (EXPECTED if args.shared else None) or sorted(os.listdir(folder))
    total = common.Tally()
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for tally, line in pool.map(
                lambda name: run_case(args.sanc, name, os.path.join(folder, name)), names):
            print(line, flush=True)
            total.passed += tally.passed
            total.failed += tally.failed
            total.skipped += tally.skipped
    return total.end()


if __name__ == "__main__":
    sys.exit(main())
