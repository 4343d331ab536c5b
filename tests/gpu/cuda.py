#!/usr/bin/env python3
"""Compiled networks run by libsanrt's san/cuda.h, on a driver that stands in for CUDA's.

    cuda.py SANC CUDA_RUN MOCK [NAME...]

MOCK is the folder of that driver; its kernels are those of device.py, run on the host with every access checked. Without
one that can be loaded, with devices that are too old, or none, errors have to say so.
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
from device import common

CASES = os.path.join(common.ROOT, "tests", "numeric", "cases")
MOST_ERROR = 5e-6
NO_GPU, REPORTED = 4, 99  # exit statuses: of cuda_run, and of the mock where a rule was broken
TARGET = "sm_80"  # the mock's device is an 8.0
WEAKER = "sm_75"  # what the first case has besides


def c_bytes(name, data):
    return f"static const unsigned char {name}[] = {{{','.join(map(str, data))}}};\n"


def c_gpu(sm, plan):
    """The entry of san_model.gpus of one target, and what it needs."""
    kernels = "".join(f'{{"{kernel["name"]}", {device.elements(kernel["grid"])}, {device.elements(kernel["block"])}, '
                      f'{kernel["shared_bytes"]}}}, ' for kernel in plan["kernels"])
    before = f"static const struct san_gpu_kernel kernels_{sm}[] = {{{kernels}}};\n"
    entry = (f'{{.target = "nvptx:{sm}", .capability = {sm[3:]}, .kernel_count = {len(plan["kernels"])}, '
             f'.alignment = {plan["workspace"]["alignment"]}, .kernels = kernels_{sm}, .ptx = (const char *)ptx_{sm}, '
             f'.weights = weights_{sm}, .weights_bytes = {plan["weights"]["bytes"]}, '
             f'.workspace_bytes = {plan["workspace"]["bytes"]}}},\n')
    return before, entry


def c_model(networks):
    """A model's descriptor in C, of the networks that one model has become for several targets."""
    text, entries = '#include "san/abi.h"\n', ""
    for sm, network in networks.items():
        with open(network.ptx, "rb") as file:
            text += c_bytes(f"ptx_{sm}", file.read() + b"\0")
        text += f"_Alignas(256) {c_bytes(f'weights_{sm}', network.weights)}"
        before, entry = c_gpu(sm, network.plan)
        text, entries = text + before, entries + entry
    plan = next(iter(networks.values())).plan
    batch, channels, height, width = plan["input"]["shape"]
    return text + (f"static const struct san_gpu gpus[] = {{\n{entries}}};\n"
                   f'extern const struct san_model {plan["model"]}_model;\n'
                   f'const struct san_model {plan["model"]}_model = {{.abi_version = SAN_ABI_VERSION, '
                   f'.name = "{plan["model"]}", .targets = "", .batch = {batch}, .channels = {channels}, '
                   f'.height = {height}, .width = {width}, .classes = {plan["output"]["shape"][1]}, .gpus = gpus, '
                   f".gpu_count = {len(networks)}}};\n")


class Case:
    """A network as a shared object with its descriptor, and as kernels for the host."""

    def __init__(self, sanc, llc, name, scratch, targets):
        self.name = name
        io = common.read_safetensors(os.path.join(CASES, name, "io.safetensors"))
        shape, images = io["input"]
        self.batch = min(2, shape[0])
        count = shape[0] // self.batch * self.batch
        networks = {}
        for sm in targets:
            folder = os.path.join(scratch, name, sm)
            os.makedirs(folder)
            networks[sm] = device.Network(sanc, llc, os.path.join(CASES, name), folder, f"nvptx:{sm}", self.batch)
        self.kernels = [network.library for network in networks.values()]
        self.model = networks[TARGET].plan["model"]
        self.reference = io["output"][1][:len(io["output"][1]) * count // shape[0]]
        self.library, self.input, self.output = (os.path.join(scratch, name + end) for end in (".so", ".in", ".out"))
        with open(self.input, "wb") as file:
            file.write(array.array("f", images[:len(images) * count // shape[0]]).tobytes())
        self.build(c_model(networks))
        self.workspace = networks[TARGET].plan["workspace"]["bytes"]

    def build(self, text):
        self.text, source = text, self.library + ".c"
        with open(source, "w") as file:
            file.write(text)
        common.call("cc", "-std=c11", "-Wall", "-Werror", "-shared", "-fPIC", "-I", os.path.join(common.ROOT, "runtime"), source,
                    "-o", self.library)

    def words(self):
        return [self.library, self.model + "_model", self.input, self.output]

    def check(self, tally):
        out = array.array("f")
        with open(self.output, "rb") as file:
            out.frombytes(file.read())
        error = common.relative_error(out, self.reference)
        bound = 0.0 if self.name.startswith("exact_") else MOST_ERROR
        tally.check(error <= bound, f"{self.name}: error {error:.2e} over {bound}")
        print(f"{self.name:24} {error:.1e}, batches of {self.batch}", flush=True)


def check_planted(program, mock, case, tally):
    """A kernel that leaves its workspace, since that is too small: found while it runs, said by the run."""
    case.build(case.text.replace(f".workspace_bytes = {case.workspace}}}", f".workspace_bytes = {case.workspace // 2}}}"))
    status, text = run(program, [case], mock)
    tally.check(status == REPORTED and "outside of every buffer" in text
                and "cuStreamSynchronize: CUDA_ERROR_LAUNCH_FAILED (719)" in text, f"a small workspace: status {status}: {text}")


def has_driver():
    try:
        ctypes.CDLL("libcuda.so.1")
        return True
    except OSError:
        return False


def run(program, cases, library, **settings):
    """(status, what it printed) of cuda_run with the driver in a folder."""
    environment = {**os.environ, "LD_LIBRARY_PATH": library, "MOCK_REPORT": "1",
                   "MOCK_KERNELS": ":".join(path for case in cases for path in case.kernels), **settings}
    done = subprocess.run([program, "0", *(word for case in cases for word in case.words())], env=environment, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=600)
    return done.returncode, done.stdout


def check_header(tally):
    """san/cuda.h alone, in C11 and in C++11."""
    for standard, language, compilers in (("c11", "c", ("gcc", "clang-19")), ("c++11", "c++", ("g++", "clang++-19"))):
        for compiler in filter(shutil.which, compilers):
            done = subprocess.run([compiler, f"-std={standard}", "-x", language, "-Wall", "-Wextra", "-Wpedantic", "-Werror",
                                   "-fsyntax-only", "-I", os.path.join(common.ROOT, "runtime"), "-"],
                                  input="#include <san/cuda.h>\n", text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            tally.check(done.returncode == 0, f"san/cuda.h with {compiler} -std={standard}: {done.stdout}")


def check_results(program, mock, cases, tally):
    status, text = run(program, cases, mock)
    print(text, end="")
    tally.check(status == 0, f"status {status} on the mock driver")
    tally.check(text.count(f"nvptx:{TARGET} on Mock GPU 0") == len(cases), f"another target than {TARGET}")
    if status == 0:
        for case in cases:
            case.check(tally)
    status, text = run(program, cases[:1], mock, MOCK_CAPABILITY="75", MOCK_SEED="5")
    tally.check(status == 0 and f"nvptx:{WEAKER} on" in text, f"on a device of capability 7.5: {status} {text}")


def check_refusals(program, mock, case, tally):
    def refused(what, message, library, **settings):
        status, text = run(program, [case], library, **settings)
        tally.check(status == NO_GPU and message in text, f"{what}: status {status}: {text}")

    name = case.model
    refused("no device", "cuInit: CUDA_ERROR_NO_DEVICE (100)", mock, MOCK_DEVICES="0")
    refused("an old device", f"has compute capability 7.0, and model {name} has code for nvptx:sm_75, nvptx:sm_80 alone", mock,
            MOCK_CAPABILITY="70")
    with tempfile.TemporaryDirectory() as folder:
        if has_driver():
            tally.skip("without any libcuda.so.1: this machine has one")
        else:
            refused("no library", "no CUDA driver: cannot load libcuda.so.1: libcuda.so.1: cannot open shared object file",
                    folder)
        library = os.path.join(folder, "libcuda.so.1")
        with open(library, "w") as file:
            file.write("no library")
        refused("a bad library", "no CUDA driver: cannot load libcuda.so.1: ", folder)
        source = os.path.join(folder, "old.c")
        with open(source, "w") as file:
            file.write("int cuInit(unsigned flags);\nint cuInit(unsigned flags) { return (int)flags; }\n")
        common.call("cc", "-shared", "-fPIC", source, "-o", library)
        refused("an old library", "libcuda.so.1 lacks cuGetErrorName: the driver is older than CUDA 11.4", folder)


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
            cases = list(pool.map(lambda name: Case(args.sanc, llc, name, scratch,
                                                    [WEAKER, TARGET] if name == names[0] else [TARGET]), names))
        check_header(tally)
        check_results(args.program, args.mock, cases, tally)
        check_refusals(args.program, args.mock, cases[0], tally)
        check_planted(args.program, args.mock, cases[0], tally)
    return tally.end()


if __name__ == "__main__":
    sys.exit(main())
