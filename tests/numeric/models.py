#!/usr/bin/env python3
"""The paper's networks at 224x224 against PyTorch in float64, with seeded weights.

    models.py SANC [--all] [NAME...]

Without names: the smallest of each kind and resnet50; --all: all of examples/models. The reference lies in ../shared,
which is not part of the project; cases are kept in build/models. Needs PyTorch (see
torch_python.py).
"""
import argparse
import os
import sys
import tempfile
import time

import cases
import common
import torch_python

QUICK = ["san10_pairwise", "san10_patchwise", "resnet18", "resnet50"]
ERROR = 1e-5


def check_model(sanc, name, folder, tally):
    io = os.path.join(folder, "io.safetensors")
    reference = common.read_safetensors(io)["output"][1]
    for target in cases.TARGETS:
        with tempfile.TemporaryDirectory() as scratch:
            start = time.monotonic()
            try:
                out = common.run_model(sanc, folder, io, os.path.join(scratch, "out.safetensors"),
                                       "--target", target)
            except common.Failure as failure:
                if failure.status == cases.NO_SUCH_PROCESSOR:
                    tally.skip(f"{name} {target}: not on this processor")
                else:
                    tally.check(False, f"{name}: {failure}")
                continue
        error = common.relative_error(out, reference)
        print(f"{name} {target}: error {error:.1e}, {time.monotonic() - start:.1f} s", flush=True)
        tally.check(error <= ERROR, f"{name} {target}: error {error:.2e} over {ERROR}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sanc")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("name", nargs="*")
    args = parser.parse_intermixed_args()
    models = common.NETWORKS
    python = torch_python.find() or common.skip(
        "no PyTorch; TORCH_PYTHON can name a Python with it")
    every = sorted(name[:-len(".json")] for name in os.listdir(models) if name.endswith(".json"))
    tally = common.Tally()
    for name in args.name or (every if args.all else QUICK):
        folder = os.path.join(common.ROOT, "build", "models", name)
        torch_python.make_case(python, os.path.join(models, name + ".json"), folder)
        check_model(args.sanc, name, folder, tally)
    return tally.end()


if __name__ == "__main__":
    sys.exit(main())
