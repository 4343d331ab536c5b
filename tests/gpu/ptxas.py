#!/usr/bin/env python3
"""What NVIDIA's assembler says of the PTX: nothing in local memory, no register spilled.

A kernel that keeps two blocks or more on a multiprocessor has fewer registers for it and may spill
SPILLED bytes: estimated for 56x56 attention, the second block saves a fifth of the time.

    ptxas.py SANC [--shared]

--shared: the cases of ../shared/cases and those of examples/models.
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


def find_ptxas():
    path = shutil.which("ptxas") or "/usr/local/cuda/bin/ptxas"
    return path if os.path.exists(path) else common.skip("no ptxas (NVIDIA's CUDA toolkit)")


def assemble(sanc, ptxas, model, sm, precision):
    """(tally, line to print)"""
    tally = common.Tally()
    with tempfile.TemporaryDirectory() as scratch:
        ptx = os.path.join(scratch, "net.ptx")
        common.call(sanc, "compile", model, "--emit", "ptx", "--target", f"nvptx:{sm}",
                    "--precision", precision, "-o", ptx)
        done = subprocess.run(
            [ptxas, "-v", f"--gpu-name={sm}", "-o",
             os.path.join(scratch, "cubin"), ptx], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, timeout=600)
        with open(ptx, encoding="ascii") as file:
            blocks = dict(re.findall(r"\.entry (\w+)\([^{]*\.minnctapersm (\d+)", file.read()))
    what = f"{model} {sm} {precision}"
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
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = [(model, sm, precision) for model in models for sm in TARGETS
                for precision in PRECISIONS]
        for tally, line in pool.map(lambda job: assemble(sanc, ptxas, *job), jobs):
            print(line, flush=True)
            total.passed += tally.passed
            total.failed += tally.failed
    return total.end()


if __name__ == "__main__":
    sys.exit(main())
