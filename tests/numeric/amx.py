#!/usr/bin/env python3
"""Code for AMX in `--precision bf16`, on any processor with AVX-512 and bf16.

    amx.py SANC [--shared] [NAME...]
    amx.py SANC --random RANDOM_MODELS N

Objects with code for x86-64-v3 and x86-64-v4+amx are linked with amx.c, which carries out what the
processor does not have. Of each case here, of ../shared/cases, or of N random models, the results
are at most twice as far off as the evaluator's that rounds the same operands, and those in whole
numbers are exactly its own. Where the processor lacks AMX, its registers are not saved or
permission is refused, the weaker code runs, to the same end. Threads, signals and fork find nothing
of it (amx_threads.c). Skips where vectors cannot be rounded to bf16, and where the processor has AMX:
bf16.py covers that.
"""
import argparse
import array
import os
import re
import subprocess
import sys
import tempfile

import bf16
import common
import emulated

HERE = os.path.dirname(os.path.abspath(__file__))
TARGETS = "x86-64-v3,x86-64-v4+amx"
ABSENT = ["no_bits", "no_state", "refused"]
IN_PROGRAM = 50  # models of a program
THREADED = "pair_subtraction"  # the case that threads share
DIGITS = 1e-8  # of an error as it is printed
UD2 = b"\x0f\x0b"
# What an object asks the processor and the system, and what takes its place.
QUESTIONS = {"cpuid": UD2, "syscall": UD2, "xgetbv": UD2 + b"\x90"}


def ask_elsewhere(path, name):
    """Puts illegal instructions in the place of an object's questions; returns how many."""
    sections = common.call("objdump", "-h", path)
    begin = int(re.search(r"\.text\s+\w+\s+\w+\s+\w+\s+(\w+)", sections)[1], 16)
    code = common.call("objdump", "-d", "--no-show-raw-insn", f"--disassemble={name}__run", path)
    found = re.findall(r"^\s*(\w+):\s+(\w+)", code, re.MULTILINE)
    places = [(begin + int(at, 16), QUESTIONS[word]) for at, word in found if word in QUESTIONS]
    with open(path, "r+b") as file:
        for at, code in places:
            file.seek(at)
            file.write(code)
    return len(places)


def compile_case(sanc, name, folder, scratch, *options):
    """The object, and its numbers as plain files."""
    path = os.path.join(scratch, name + ".o")
    common.call(sanc, "compile", os.path.join(folder, "model.json"), "-w",
                os.path.join(folder, "weights.safetensors"), "--precision", "bf16", "--target",
                TARGETS, "--name", name, *options, "-o", path)
    if ask_elsewhere(path, name) < 4:
        raise common.Failure([name], 0, "fewer questions than expected")
    io = common.read_safetensors(os.path.join(folder, "io.safetensors"))
    images = io["input"][1]
    numbers = {"input": images if images.typecode == "B" else array.array("f", images),
               "output": array.array("d", io["output"][1])}
    for kind, values in numbers.items():
        with open(os.path.join(scratch, f"{name}.{kind}"), "wb") as file:
            values.tofile(file)


def link(source, names, folder):
    return emulated.link(source, names, folder, os.path.join(HERE, "amx.c"), "-mfma", "-pthread",
                         "-D_GNU_SOURCE")


def run(program, folder, amx):
    """{case: error}, and the number of products."""
    done = subprocess.run([program], cwd=folder, env={**os.environ, "SANC_AMX": amx},
                          capture_output=True, text=True, check=False)
    lines = [line.split() for line in done.stdout.splitlines()]
    found = {line[0]: float(line[1]) for line in lines if len(line) == 2}
    if done.returncode or "products" not in found:
        raise common.Failure([program, amx], done.returncode, done.stderr + done.stdout)
    return found, found.pop("products")


def most_error(sanc, folder, scratch):
    """The error of the evaluator that rounds the same operands."""
    io = os.path.join(folder, "io.safetensors")
    _, reference = common.read_safetensors(io)["output"]
    out = os.path.join(scratch, "out.safetensors")
    plain = common.run_model(sanc, folder, io, out, *bf16.BF16, "--engine", "eval32")
    return common.relative_error(plain, reference)


def check_threads(sanc, folder, tally):
    """Two threads of a hook, signals, and fork."""
    with tempfile.TemporaryDirectory() as scratch:
        compile_case(sanc, THREADED, folder, scratch, "--threads", "2")
        found, products = run(link("amx_threads.c", [THREADED], scratch), scratch, "there")
    tally.check(products > 0, f"threads: {products} products of tiles")
    tally.check(found.get("signals", 0) > 0, "no signal came")
    for what in "other", "kept", "child":
        tally.check(found[what] == 0, f"threads: {what} {found[what]}")


def check_cases(sanc, folders, tally):
    """All of them in one program, where AMX is there and where it is not."""
    with tempfile.TemporaryDirectory() as scratch:
        for name, folder in folders.items():
            compile_case(sanc, name, folder, scratch)
        program = link("emulated.c", list(folders), scratch)
        found, products = run(program, scratch, "there")
        tally.check(products > 0, "no products of tiles")
        for name, folder in folders.items():
            most = most_error(sanc, folder, scratch)
            print(f"{name:24} error {found[name]:.1e}, the evaluator's {most:.1e}")
            tally.check(0 <= found[name] <= max(bf16.LEAST_BOUND, 2 * most),
                        f"{name}: error {found[name]:.2e}, the evaluator's {most:.2e}")
            if name.startswith("exact_"):
                tally.check(abs(found[name] - most) <= DIGITS * most,
                            f"{name}: whole numbers are not the evaluator's")
        for amx in ABSENT:
            weaker, products = run(program, scratch, amx)
            tally.check(products == 0, f"{amx}: {products} products of tiles")
            tally.check(set(weaker) == set(found) and all(error >= 0 for error in weaker.values()),
                        f"{amx}: {weaker}")


def check_random(sanc, program, count, tally):
    """Models over the whole format."""
    with tempfile.TemporaryDirectory() as folder:
        common.call(program, "--write", folder, "--count", count)
        folders = common.case_folders(folder)
        names = list(folders)
        for begin in range(0, len(names), IN_PROGRAM):
            some = {name: folders[name] for name in names[begin:begin + IN_PROGRAM]}
            check_cases(sanc, some, tally)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sanc")
    parser.add_argument("--shared", action="store_true")
    parser.add_argument("--random", nargs=2, metavar=("RANDOM_MODELS", "N"))
    parser.add_argument("name", nargs="*")
    args = parser.parse_intermixed_args()
    if not emulated.has_avx512() or "avx512_bf16" not in emulated.processor("flags"):
        common.skip("this processor does not round vectors to bf16")
    if "amx_tile" in emulated.processor("flags"):
        common.skip("this processor has AMX, whose instructions need end in no signal: see bf16.py")
    tally, sanc = common.Tally(), common.Sanc(args.sanc)
    if args.random:
        check_random(sanc, *args.random, tally)
        return tally.end()
    folders = common.case_folders(None if args.shared else os.path.join(HERE, "cases"))
    check_cases(sanc, {name: folders[name] for name in args.name or folders}, tally)
    if THREADED in folders:
        check_threads(sanc, folders[THREADED], tally)
    return tally.end()


if __name__ == "__main__":
    sys.exit(main())
