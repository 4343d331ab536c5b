#!/usr/bin/env python3
"""Compiled networks run by libsanrt's san/cuda.h, on a driver that stands in for CUDA's.

    cuda.py SANC CUDA_RUN MOCK [NAME...]

MOCK is the folder of that driver; its kernels are those of device.py, run on the host with every
access checked. Without one that can be loaded, with devices that are too old, or none, errors have
to say so.
"""
import argparse
import array
import concurrent.futures
import ctypes
import os
import shutil
import subprocess
import sys
import tempfile

import device
import ptxas
from device import common

CASES = os.path.join(common.ROOT, "tests", "numeric", "cases")
MOST_ERROR = 5e-6
NO_GPU, REPORTED = 4, 99  # exit statuses: of cuda_run, and of the mock where a rule was broken
INVALID_IMAGE = 200  # CUDA_ERROR_INVALID_IMAGE
TARGET = "sm_80"  # the mock's device is an 8.0
WEAKER = "sm_75"  # what the first case has besides


PLANT = """#include "san/abi.h"
extern const struct san_model {name}_model;
extern struct san_model planted_model;
struct san_model planted_model;
static struct san_gpu gpu;
__attribute__((constructor)) static void plant(void)
{{
    gpu = {name}_model.gpus[{name}_model.gpu_count - 1];
    gpu.workspace_bytes /= 2;
    planted_model = {name}_model;
    planted_model.gpus = &gpu;
    planted_model.gpu_count = 1;
}}
"""


class Case:
    """A network as a shared object, and its kernels for the host."""

    def __init__(self, sanc, llc, name, scratch, targets):
        self.name, self.folder = name, os.path.join(CASES, name)
        self.bound = 0.0 if name.startswith("exact_") else MOST_ERROR
        io = common.read_safetensors(os.path.join(self.folder, "io.safetensors"))
        shape, images = io["input"]
        self.batch = min(2, shape[0])
        count = shape[0] // self.batch * self.batch
        self.kernels = []
        for sm in targets:
            scratch_sm = os.path.join(scratch, name, sm)
            os.makedirs(scratch_sm)
            network = device.Network(sanc, llc, self.folder, scratch_sm, f"nvptx:{sm}", self.batch)
            self.kernels.append(network.library)
            self.model = network.plan["model"]
        self.symbol = self.model + "_model"
        self.reference = io["output"][1][:len(io["output"][1]) * count // shape[0]]
        self.object, self.library, self.input, self.output = (os.path.join(scratch, name + end)
                                                              for end in (".o", ".so", ".in",
                                                                          ".out"))
        with open(self.input, "wb") as file:
            file.write(array.array("f", images[:len(images) * count // shape[0]]).tobytes())
        self.targets = targets
        self.compile(sanc)
        self.link()

    def compile(self, sanc, *options):
        common.call(sanc, "compile", os.path.join(self.folder, "model.json"), "-w",
                    os.path.join(self.folder, "weights.safetensors"), "--batch", self.batch,
                    "--target", ",".join(f"nvptx:{sm}" for sm in self.targets), "-o", self.object,
                    *options)

    def link(self, *sources):
        common.call("cc", "-std=c11", "-Wall", "-Werror", "-shared", "-fPIC", "-I",
                    os.path.join(common.ROOT, "runtime"), *sources, self.object, "-o", self.library)

    def words(self):
        return [self.library, self.symbol, self.input, self.output]

    def check(self, tally):
        out = array.array("f")
        with open(self.output, "rb") as file:
            out.frombytes(file.read())
        error = common.relative_error(out, self.reference)
        tally.check(error <= self.bound, f"{self.name}: error {error:.2e} over {self.bound}")
        print(f"{self.name:24} {error:.1e}, batches of {self.batch}", flush=True)


def check_planted(program, mock, case, tally):
    """A workspace that is too small: accesses beyond it are found while the kernel runs, and the
    run reports them."""
    source = case.object + ".c"
    with open(source, "w") as file:
        file.write(PLANT.format(name=case.model))
    case.link(source)
    case.symbol = "planted_model"
    status, text = run(program, [case], mock)
    tally.check(
        status == REPORTED and "outside of every buffer" in text
        and "cuStreamSynchronize: CUDA_ERROR_LAUNCH_FAILED (719)" in text,
        f"a small workspace: status {status}: {text}")


def check_cubins(sanc, program, mock, case, tally):
    """Code that ptxas made: taken by a driver that knows no PTX at all; in its place PTX, where the
    driver refuses it or the device is another one."""
    if not ptxas.exists():
        tally.skip("cubins: no ptxas")
        return
    plain = os.path.getsize(case.object)
    case.compile(sanc, "--cubins")
    case.link()
    tally.check(os.path.getsize(case.object) > plain, "--cubins: the object has not grown")
    for what, settings, status in (
        ("a cubin", {"MOCK_PTX": "1"}, 0),
        ("a refused cubin", {"MOCK_FAIL": f"cuModuleLoadDataEx:1:{INVALID_IMAGE}"}, 0),
        ("a later device", {"MOCK_CAPABILITY": "86"}, 0),
        ("a later device without PTX", {"MOCK_CAPABILITY": "86", "MOCK_PTX": "1"}, NO_GPU)):
        found, text = run(program, [case], mock, **settings)
        tally.check(found == status, f"{what}: status {found}, must be {status}: {text}")
        if not status:
            case.check(tally)


def has_driver():
    try:
        ctypes.CDLL("libcuda.so.1")
        return True
    except OSError:
        return False


def call(command, cases, library, **settings):
    """(status, what it printed) of a command with the driver in a folder, and the kernels of some
    cases."""
    environment = {
        **os.environ, "LD_LIBRARY_PATH": library, "MOCK_REPORT": "1",
        "MOCK_KERNELS": ":".join(path for case in cases for path in case.kernels), **settings
    }
    done = subprocess.run(command, env=environment, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=600)
    return done.returncode, done.stdout


def run(program, cases, library, **settings):
    return call([program, "0", *(word for case in cases for word in case.words())], cases, library,
                **settings)


def check_header(tally):
    """san/cuda.h alone, in C11 and in C++11."""
    for standard, language, compilers in (("c11", "c", ("gcc", "clang-19")),
                                          ("c++11", "c++", ("g++", "clang++-19"))):
        for compiler in filter(shutil.which, compilers):
            done = subprocess.run([
                compiler, f"-std={standard}", "-x", language, "-Wall", "-Wextra", "-Wpedantic",
                "-Werror", "-fsyntax-only", "-I",
                os.path.join(common.ROOT, "runtime"), "-"
            ], input="#include <san/cuda.h>\n", text=True, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT)
            tally.check(done.returncode == 0,
                        f"san/cuda.h with {compiler} -std={standard}: {done.stdout}")


def check_results(program, mock, cases, tally):
    status, text = run(program, cases, mock)
    print(text, end="")
    tally.check(status == 0, f"status {status} on the mock driver")
    tally.check(
        text.count(f"nvptx:{TARGET} on Mock GPU 0") == len(cases), f"another target than {TARGET}")
    if status == 0:
        for case in cases:
            case.check(tally)
    status, text = run(program, cases[:1], mock, MOCK_CAPABILITY="75", MOCK_SEED="5")
    tally.check(status == 0 and f"nvptx:{WEAKER} on" in text,
                f"on a device of capability 7.5: {status} {text}")
    status, text = run(program, cases[:1], mock, MOCK_PTX="63")
    tally.check(status == 0 and f"nvptx:{WEAKER} on" in text,
                f"with a driver that takes PTX 6.3: {status} {text}")


def check_commands(sanc, mock, case, tally):
    """sanc run and sanc verify on the GPU."""
    def command(word, *options, **settings):
        return call([
            sanc, word,
            os.path.join(case.folder, "model.json"), "-w",
            os.path.join(case.folder, "weights.safetensors"), "--target", f"nvptx:{TARGET}",
            "--batch",
            str(case.batch), *options
        ], [case], mock, **settings)

    files = ("--input", os.path.join(case.folder, "io.safetensors"), "--output", case.output)
    status, text = command("run", *files)
    tally.check(status == 0, f"sanc run: status {status}: {text}")
    if status == 0:
        out = common.read_safetensors(case.output)["output"][1][:len(case.reference)]
        tally.check(
            common.relative_error(out, case.reference) <= case.bound,
            "sanc run: other outputs than the reference")
    status, text = command("verify")
    tally.check(status == 0 and f"nvptx:{TARGET}: error" in text,
                f"sanc verify: status {status}: {text}")
    for fault, message in (("cuMemAlloc:3:2", "cuMemAlloc: CUDA_ERROR_OUT_OF_MEMORY (2)"),
                           ("cuStreamSynchronize:2:700",
                            "cuStreamSynchronize: CUDA_ERROR_ILLEGAL_ADDRESS (700)")):
        status, text = command("run", *files, MOCK_FAIL=fault)
        tally.check(status == NO_GPU and message in text,
                    f"sanc run, {fault}: status {status}: {text}")


def check_refusals(program, mock, case, tally):
    def refused(what, message, library, **settings):
        status, text = run(program, [case], library, **settings)
        tally.check(status == NO_GPU and message in text, f"{what}: status {status}: {text}")

    name = case.model
    refused("no device", "cuInit: CUDA_ERROR_NO_DEVICE (100)", mock, MOCK_DEVICES="0")
    refused(
        "an old device",
        f"has compute capability 7.0, and model {name} has code for nvptx:sm_75, nvptx:sm_80 alone",
        mock, MOCK_CAPABILITY="70")
    with tempfile.TemporaryDirectory() as folder:
        if has_driver():
            tally.skip("without any libcuda.so.1: this machine has one")
        else:
            refused(
                "no library",
                "no CUDA driver: cannot load libcuda.so.1: libcuda.so.1: cannot open shared object file",
                folder)
        library = os.path.join(folder, "libcuda.so.1")
        with open(library, "w") as file:
            file.write("no library")
        refused("a bad library", "no CUDA driver: cannot load libcuda.so.1: ", folder)
        source = os.path.join(folder, "old.c")
        with open(source, "w") as file:
            file.write(
                "int cuInit(unsigned flags);\nint cuInit(unsigned flags) { return (int)flags; }\n")
        common.call("cc", "-shared", "-fPIC", source, "-o", library)
        refused("an old library",
                "libcuda.so.1 lacks cuGetErrorName: the driver is older than CUDA 11.4", folder)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for word in ("sanc", "program", "mock"):
        parser.add_argument(word)
    parser.add_argument("name", nargs="*")
    args = parser.parse_args()
    llc, tally = device.find_llc(args.sanc), common.Tally()
    with tempfile.TemporaryDirectory() as scratch:
        names = args.name or sorted(os.listdir(CASES))
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            cases = list(
                pool.map(
                    lambda name: Case(args.sanc, llc, name, scratch, [WEAKER, TARGET]
                                      if name == names[0] else [TARGET]), names))
        check_header(tally)
        check_results(args.program, args.mock, cases, tally)
        check_commands(args.sanc, args.mock, cases[0], tally)
        check_refusals(args.program, args.mock, cases[0], tally)
        check_cubins(args.sanc, args.program, args.mock, cases[0], tally)
        check_planted(args.program, args.mock, cases[0], tally)
    return tally.end()


if __name__ == "__main__":
    sys.exit(main())
