#!/usr/bin/env python3
"""Programs that run networks on a GPU, on a stand-in for the CUDA driver: sanc itself, and
examples/gpu.

    programs.py SANC FOLDER_OF_LIBCUDA RUNTIME

The stand-in (mock/) does on the host what the driver promises, and runs the kernels' host form.
"""
import json
import os
import re
import subprocess
import sys
import tempfile

import device
from device import common

CASE = os.path.join(common.ROOT, "tests", "numeric", "cases", "pair_subtraction")
EXAMPLE, DIGITS = (os.path.join(common.ROOT, "examples", name) for name in ("gpu", "digits"))
CORRECT = "986 of 1000 correct"
NO_GPU = "cuInit: CUDA_ERROR_NO_DEVICE"
OFF, SYSTEM = 1, 4


class StandIn:
    """Runs commands that find the stand-in driver, with kernels for it."""

    def __init__(self, sanc, folder, scratch):
        self.sanc, self.folder, self.scratch = sanc, folder, scratch
        self.llc = device.find_llc(sanc)

    def kernels(self, model, target, *options, spoil=lambda text: text):
        """The path of the kernels' host form; `spoil` may change their LLVM text."""
        folder = tempfile.mkdtemp(dir=self.scratch)
        text = os.path.join(folder, "kernels.ll")
        common.call(self.sanc, "compile", model, "--target", target, "--emit", "llvm", "-o", text,
                    *options)
        with open(text) as file:
            return device.compile_host(self.llc, spoil(file.read()), folder)

    def run(self, *command, kernels="", **settings):
        """(status, what it printed)"""
        environment = {**os.environ, "LD_LIBRARY_PATH": self.folder, "MOCK_KERNELS": kernels,
                       **{name: str(value) for name, value in settings.items()}}
        done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, env=environment)
        return done.returncode, done.stdout


def check(tally, what, found, status, *says):
    good = found[0] == status and all(re.search(word, found[1]) for word in says)
    tally.check(good, f"{what}: status {found[0]}, must be {status} with {says}:\n{found[1]}")


def spoil(text):
    """The first subtraction becomes an addition."""
    return text.replace(" fsub ", " fadd ", 1)


def check_sanc(stand_in, tally):
    model, weights, io = (os.path.join(CASE, name)
                          for name in ("model.json", "weights.safetensors", "io.safetensors"))
    kernels = stand_in.kernels(model, "nvptx:sm_80")
    out = os.path.join(stand_in.scratch, "out.safetensors")
    for targets in "nvptx:sm_80", "x86-64-v3,nvptx:sm_80":
        def sanc(command, *options, **settings):
            return stand_in.run(stand_in.sanc, command, model, "-w", weights, "--target", targets,
                                *options, kernels=kernels, **settings)

        check(tally, "run", sanc("run", "--input", io, "--output", out, "-v", MOCK_REPORT=1), 0,
              "on nvptx:sm_80")
        tensors = [common.read_safetensors(path)["output"][1] for path in (out, io)]
        error = common.relative_error(*tensors)
        tally.check(error <= 5e-6, f"run: error {error:.2e}")
        check(tally, "verify", sanc("verify", MOCK_REPORT=1), 0, "nvptx:sm_80: error .*: ok")
        check(tally, "bench", sanc("bench", "--seconds", "0.1"), 0,
              "on nvptx:sm_80, batches of 1, ", "throughput")
        check(tally, "bench --kernels", sanc("bench", "--kernels", "--seconds", "0.1"), 0,
              r"\nlayer0_0_sam\S* +\d+\.\d", r"\nall +\d+\.\d")
        status, text = sanc("bench", "--kernels", "--json", "--seconds", "0.1")
        found = json.loads(text) if status == 0 else {"kernels": []}
        tally.check(len(found["kernels"]) > 5 and all(
            kernel["ms"]["median"] > 0 and kernel["blocks"] > 0 for kernel in found["kernels"]),
            f"bench --kernels --json: status {status}: {text}")
        few = sanc("run", "--input", io, "--output", out, "-v", MOCK_CAPABILITY=75)
        none = sanc("verify", MOCK_DEVICES=0)
        if "," in targets:
            check(tally, "run on an older GPU", few, 0, "on x86-64-v3")
            check(tally, "verify without a GPU", none, 0, "x86-64-v3: error .*: ok", NO_GPU)
        else:
            check(tally, "run on an older GPU", few, SYSTEM,
                  "nvptx:sm_80: the GPU has compute capability 7.5")
            check(tally, "verify without a GPU", none, SYSTEM, NO_GPU)
    check(tally, "verify of a kernel that adds where it must subtract",
          stand_in.run(stand_in.sanc, "verify", model, "-w", weights, "--target", "nvptx:sm_80",
                       kernels=stand_in.kernels(model, "nvptx:sm_80", spoil=spoil)),
          OFF, "nvptx:sm_80: error .*: OFF", "a kernel's code is off")


def check_examples(stand_in, runtime, tally):
    model, weights = (os.path.join(DIGITS, "pairwise", name)
                      for name in ("model.json", "weights.safetensors"))
    images, scratch = os.path.join(DIGITS, "images.safetensors"), stand_in.scratch
    kernels = stand_in.kernels(model, "nvptx:sm_80", "--batch", "100")
    common.call(stand_in.sanc, "compile", model, "-w", weights, "--batch", "100", "--target",
                "nvptx:sm_80,nvptx:sm_90", "-o", os.path.join(scratch, "digits_pairwise.o"))
    program = os.path.join(scratch, "accuracy")
    common.call("cc", "-std=c11", "-O2", "-I", scratch, "-I", os.path.join(common.ROOT, "runtime"),
                os.path.join(EXAMPLE, "accuracy.c"), os.path.join(scratch, "digits_pairwise.o"),
                runtime, "-pthread", "-ldl", "-o", program)
    check(tally, "accuracy",
          stand_in.run(program, images, kernels=kernels, MOCK_CAPABILITY=86, MOCK_REPORT=1), 0,
          "code for nvptx:sm_80", CORRECT)
    check(tally, "accuracy without a GPU", stand_in.run(program, images, MOCK_DEVICES=0), SYSTEM,
          NO_GPU)
    stem = os.path.join(scratch, "digits")
    common.call(stand_in.sanc, "compile", model, "-w", weights, "--batch", "100", "--target",
                "nvptx:sm_80", "--emit", "ptx,launch", "-o", stem)
    check(
        tally, "launch.py",
        stand_in.run(sys.executable, os.path.join(EXAMPLE, "launch.py"), stem + ".launch.json",
                     stem + ".ptx", images, kernels=kernels,
                     PYTHONPATH=os.path.join(os.path.dirname(__file__), "standin")), 0, CORRECT)


def main():
    sanc, folder, runtime = sys.argv[1:]
    tally = common.Tally()
    with tempfile.TemporaryDirectory() as scratch:
        stand_in = StandIn(sanc, folder, scratch)
        check_sanc(stand_in, tally)
        check_examples(stand_in, runtime, tally)
    return tally.end()


if __name__ == "__main__":
    sys.exit(main())
