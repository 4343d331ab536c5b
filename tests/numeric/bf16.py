#!/usr/bin/env python3
"""`--precision bf16` on processors: linears' operands rounded to bf16, sums and all else in float32.

    bf16.py SANC [--shared]

Of the cases here, or of ../shared/cases: what is compiled is at most twice as far off as the
evaluator that rounds the same operands, has the same bits on two threads and with its weights
outside, and is exactly the evaluator's in whole numbers. So is code of a dump for all levels, whose
weights lie in pairs, for each level that this machine runs. Of the digits, at most one of 1000
changes. The object has its weights in two bytes.
"""
import concurrent.futures
import json
import os
import sys
import tempfile

import common
import digits
import emulated

LEAST_BOUND = 2e-6
CHANGED = 1  # of 1000 images
SIZE = 0.53  # of the weights in float32
BF16 = ["--precision", "bf16"]
ALL_LEVELS = ["x86-64-v3", "x86-64-v4", "x86-64-v4+bf16", "x86-64-v4+amx"]
RUNS_HERE = [True, emulated.has_avx512(), emulated.has_pairs(), emulated.has_amx()]
LEVELS = [level for level, runs in zip(ALL_LEVELS, RUNS_HERE) if runs]


def check_case(sanc, name, folder):
    """(tally, line to print)"""
    tally = common.Tally()
    io = os.path.join(folder, "io.safetensors")
    _, reference = common.read_safetensors(io)["output"]
    with tempfile.TemporaryDirectory() as scratch:
        out, dump = (os.path.join(scratch, name) for name in ("out.safetensors", "net.sanir"))

        def run(*options):
            return common.run_model(sanc, folder, io, out, *BF16, *options)
        try:
            plain = run("--engine", "eval32")
            found = {level: run("--target", level) for level in LEVELS}
            strongest = ["--target", LEVELS[-1]]
            tally.check(run("--batch", 3, "--threads", 2, *strongest) ==
                        run("--batch", 3, *strongest), f"{name}: other bits on two threads")
            with open(dump, "w", encoding="utf-8") as file:
                file.write(common.call(sanc, "ir", os.path.join(folder, "model.json"), *BF16,
                                       "--target", ",".join(ALL_LEVELS)))
            for level in LEVELS:
                common.call(sanc, "run", dump, "-w", os.path.join(folder, "weights.safetensors"),
                            "--input", io, "--output", out, "--target", level)
                found[f"{level} of a dump"] = common.read_safetensors(out)["output"][1]
        except common.Failure as failure:
            tally.check(False, f"{name}: {failure}")
            return tally, ""
    most = common.relative_error(plain, reference)
    for level, output in found.items():
        error = common.relative_error(output, reference)
        if name.startswith("exact_"):
            tally.check(output == plain, f"{name}, {level}: whole numbers are not the evaluator's")
        else:
            tally.check(error <= max(LEAST_BOUND, 2 * most),
                        f"{name}, {level}: error {error:.2e}, the evaluator's {most:.2e}")
    return tally, f"{name:24} error {error:.1e}, the evaluator's {most:.1e}"


def check_digits(sanc, tally):
    right = digits.expected()
    with tempfile.TemporaryDirectory() as scratch:
        images, out = (os.path.join(scratch, name) for name in ("in.safetensors", "out.safetensors"))
        digits.write_input(images)
        for kind in digits.NETWORKS:
            seen = common.predictions(common.run_model(
                sanc, os.path.join(digits.EXAMPLE, kind), images, out, *BF16, "--batch", "10"))
            changed = sum(a != b for a, b in zip(seen, right[kind]))
            print(f"{kind}: {changed} of 1000 classes change")
            tally.check(changed <= CHANGED, f"{kind}: {changed} of 1000 classes change")


def check_size(sanc, tally):
    model = os.path.join(common.NETWORKS, "san10_pairwise.json")
    size = {}
    for precision in "f32", "bf16":
        report = json.loads(common.call(sanc, "stats", model, "--json", "--precision", precision))
        size[precision] = report["weights_bytes"]
    print(f"SAN10 pairwise: weights of {size['f32']} bytes in float32, {size['bf16']} in bf16")
    tally.check(size["bf16"] <= SIZE * size["f32"], f"weights of {size} bytes")


def check_outside(sanc, tally):
    """An object with its weights in a file runs as one that has them inside."""
    folder = os.path.join(digits.EXAMPLE, "patchwise")
    with tempfile.TemporaryDirectory() as scratch:
        sizes = [os.path.join(scratch, name) for name in ("net.weights", "net.o")]
        common.call(sanc, "compile", os.path.join(folder, "model.json"), "-w",
                    os.path.join(folder, "weights.safetensors"), *BF16, "--weights-in", sizes[0],
                    "-o", sizes[1])
        stated = json.loads(common.call(sanc, "stats", os.path.join(folder, "model.json"), *BF16,
                                        "--json"))["weights_bytes"]
        tally.check(stated <= os.path.getsize(sizes[0]) < stated + 64 * 100,
                    f"weights of {stated} bytes in a file of {os.path.getsize(sizes[0])}")


def main():
    sanc, tally = common.Sanc(sys.argv[1]), common.Tally()
    own = os.path.join(common.ROOT, "tests", "numeric", "cases")
    folders = common.case_folders(None if "--shared" in sys.argv else own)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for some, line in pool.map(lambda case: check_case(sanc, *case), folders.items()):
            print(line, flush=True)
            tally.passed += some.passed
            tally.failed += some.failed
    if "--shared" not in sys.argv:
        check_digits(sanc, tally)
        check_size(sanc, tally)
        check_outside(sanc, tally)
    return tally.end()


if __name__ == "__main__":
    sys.exit(main())
