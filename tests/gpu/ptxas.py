#!/usr/bin/env python3
"""What NVIDIA's assembler says of the PTX: nothing in local memory, no register spilled.

A kernel that keeps two blocks or more on a multiprocessor has fewer registers for it and may spill
SPILLED bytes: estimated for 56x56 attention, the second block saves a fifth of the time.

    ptxas.py SANC [--shared]

--shared: the cases of ../shared/cases and those of examples/models. Kernels that differ in their
names only are assembled once.
"""
import argparse
import concurrent.futures
import os
import re
import shutil
import subprocess
import sys
import tempfile

from device import common

TARGETS = ["sm_80", "sm_90"]
PRECISIONS = ["f32", "tf32", "bf16"]
SPILLED = 32
# More than shared memory has for one pixel.
OWN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "models")


def path():
    return shutil.which("ptxas") or "/usr/local/cuda/bin/ptxas"


def exists():
    return os.path.exists(path())


def find_ptxas():
    return path() if exists() else common.skip("no ptxas (NVIDIA's CUDA toolkit)")


def new_kernels(text, seen):
    """The PTX without the kernels whose text is in `seen`, names and labels apart, which gets the
    others."""
    declared = "".join(re.findall(r"\.extern \.shared.*\n", text))
    head, *kernels = re.split(r"(?=\t// \.globl)", re.sub(r"\.extern \.shared.*\n", "", text))
    new = []
    for kernel in kernels:
        name = re.search(r"\.entry (\w+)\(", kernel)[1]
        plain = re.sub(r"\$L__BB\d+_", "$L_", kernel.replace(name, ""))
        if plain not in seen:
            seen.add(plain)
            new.append(kernel)
    return "".join([head, declared, *new]) if new else ""


def assemble(ptxas, what, sm, ptx, seen):
    """(tally, line to print). seen: of this target, see new_kernels"""
    tally = common.Tally()
    with open(ptx, encoding="ascii") as file:
        text = new_kernels(file.read(), seen)
    if not text:
        return tally, f"{what}: no kernels that were not seen before"
    with open(ptx, "w", encoding="ascii") as file:
        file.write(text)
    done = subprocess.run([ptxas, "-v", f"--gpu-name={sm}", "-o", ptx + ".cubin", ptx],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600)
    blocks = dict(re.findall(r"\.entry (\w+)\([^{]*\.minnctapersm (\d+)", text))
    tally.check(done.returncode == 0, f"{what}: ptxas: {done.stdout[-500:]}")
    reports = re.findall(
        r"Function properties for (\w+)\s+"
        r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads", done.stdout)
    registers = [int(number) for number in re.findall(r"Used (\d+) registers", done.stdout)]
    tally.check(
        len(reports) > 0 and len(reports) == len(registers),
        f"{what}: no report: {done.stdout[-500:]}")
    spills = {kernel: max(map(int, numbers)) for kernel, *numbers in reports}
    wrong = {
        kernel: spilled
        for kernel, spilled in spills.items()
        if spilled > (SPILLED if int(blocks.get(kernel, 1)) > 1 else 0)
    }
    tally.check(not wrong, f"{what}: bytes on the stack or spilled: {wrong}")
    tally.check("lmem" not in done.stdout, f"{what}: local memory")
    line = (f"{what}: {len(reports)} kernels, at most {max(registers, default=0)} registers, "
            f"{max(spills.values(), default=0)} bytes spilled")
    return tally, line


def check_model(sanc, ptxas, model, precision, seen):
    """[(tally, line to print)] of its targets. seen: {target: see new_kernels}"""
    with tempfile.TemporaryDirectory() as scratch:
        stem = os.path.join(scratch, "net")
        common.call(sanc, "compile", model, "--emit", "ptx", "--target",
                    ",".join("nvptx:" + sm for sm in TARGETS), "--precision", precision, "-o", stem)
        return [assemble(ptxas, f"{model} {sm} {precision}", sm, f"{stem}.{sm}.ptx", seen[sm])
                for sm in TARGETS]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sanc")
    parser.add_argument("--shared", action="store_true")
    args = parser.parse_args()
    ptxas, sanc = find_ptxas(), common.Sanc(args.sanc)
    folder = common.shared("cases") if args.shared else os.path.join(common.ROOT, "tests",
                                                                     "numeric", "cases")
    models = [os.path.join(folder, name, "model.json") for name in sorted(os.listdir(folder))]
    models += [] if args.shared else [os.path.join(OWN, name) for name in sorted(os.listdir(OWN))]
    if args.shared:
        networks = common.NETWORKS
        models += [
            os.path.join(networks, name)
            for name in sorted(os.listdir(networks)) if name.endswith(".json")
        ]
    total = common.Tally()
    seen = {sm: set() for sm in TARGETS}
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = [(model, precision) for model in models for precision in PRECISIONS]
        for results in pool.map(lambda job: check_model(sanc, ptxas, *job, seen), jobs):
            for tally, line in results:
                print(line, flush=True)
                total.passed += tally.passed
                total.failed += tally.failed
    return total.end()


if __name__ == "__main__":
    sys.exit(main())
