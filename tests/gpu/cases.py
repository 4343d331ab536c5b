#!/usr/bin/env python3
"""Networks compiled for a GPU, their kernels run on the host by their launch plans.

    cases.py SANC [--shared] [NAME...]

Outputs are compared with references in float64; every access of memory is checked on the way (see host.c). In the end
mistakes are planted, and have to be found.
"""
import argparse
import concurrent.futures
import os
import re
import sys
import tempfile

import device
from device import common

MOST_ERROR = 5e-6
MOST_IMAGES = 2


def run_case(sanc, llc, name, folder):
    """(tally, line to print)"""
    tally, io = common.Tally(), common.read_safetensors(os.path.join(folder, "io.safetensors"))
    shape, images = io["input"]
    count = min(shape[0], MOST_IMAGES)
    batch = count if name.startswith("exact_") else 1
    images, reference = (values[:len(values) * count // shape[0]] for values in (images, io["output"][1]))
    with tempfile.TemporaryDirectory() as scratch:
        try:
            network = device.Network(sanc, llc, folder, scratch, batch=batch)
            error = common.relative_error(network.run(images), reference)
        except (common.Failure, device.Wrong) as failure:
            tally.check(False, f"{name}: {failure}")
            return tally, name
    bound = 0.0 if name.startswith("exact_") else MOST_ERROR
    tally.check(error <= bound, f"{name}: error {error:.2e} over {bound}")
    return tally, f"{name:24} {error:.1e}, {len(network.plan['kernels'])} kernels"


def found(tally, what, network, images, message, plan):
    try:
        device.run_plan(plan, network.library, network.weights, images)
        tally.check(False, f"{what} is not found")
    except device.Wrong as wrong:
        tally.check(re.search(message, str(wrong)) is not None, f"{what}: {wrong}")


def plant_races(llc, network, images, tally):
    """Barriers left out. Where the same thread writes and reads there is none to miss: results are right then."""
    right, races = network.run(images), 0
    barriers = [match.start() for match in re.finditer(r"^ .*call void @llvm.nvvm.barrier", network.text, re.M)]
    for at in barriers:
        text = network.text[:at] + ";" + network.text[at:]
        with tempfile.TemporaryDirectory() as other:
            library = device.compile_host(llc, text, other)
            try:
                out = device.run_plan(network.plan, library, network.weights, images.tobytes())
                tally.check(out == right, f"the barrier at byte {at} left out is not found")
            except device.Wrong as wrong:
                races += 1
                tally.check("race" in str(wrong) or "nothing was written" in str(wrong), str(wrong))
    tally.check(races > len(barriers) // 2, f"of {len(barriers)} barriers left out only {races} are found")


def plant(sanc, llc, folder, tally):
    """Barriers left out one at a time, a block too many, shared half of the shared memory, a store not told of."""
    io = common.read_safetensors(os.path.join(folder, "io.safetensors"))
    with tempfile.TemporaryDirectory() as scratch:
        network = device.Network(sanc, llc, folder, scratch)
        images = io["input"][1][:device.elements(network.plan["input"]["shape"])]
        plant_races(llc, network, images, tally)
        images = images.tobytes()
        for i, kernel in enumerate(network.plan["kernels"]):
            def changed(**values):
                kernels = list(network.plan["kernels"])
                kernels[i] = {**kernel, **values}
                return {**network.plan, "kernels": kernels}
            more = [kernel["grid"][0] + 1, 1, 1]
            found(tally, f"a block too many of {kernel['name']}", network, images, "outside|race|does not tell|shared",
                  changed(grid=more))
            if kernel["shared_bytes"]:
                found(tally, f"too little shared memory for {kernel['name']}", network, images, "in shared memory",
                      changed(shared_bytes=kernel["shared_bytes"] // 2))
            for name in kernel["writes"]:
                found(tally, f"a store to {name}", network, images, "outside|does not tell",
                      changed(writes=[other for other in kernel["writes"] if other != name]))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sanc")
    parser.add_argument("--shared", action="store_true")
    parser.add_argument("name", nargs="*")
    args = parser.parse_intermixed_args()
    own = os.path.join(common.ROOT, "tests", "numeric", "cases")
    folder = common.shared("cases") if args.shared else own
    llc = device.find_llc(args.sanc)
    total = common.Tally()
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for tally, line in pool.map(lambda name: run_case(args.sanc, llc, name, os.path.join(folder, name)),
                                    args.name or sorted(os.listdir(folder))):
            print(line, flush=True)
            total.passed += tally.passed
            total.failed += tally.failed
    if not args.shared:
        plant(args.sanc, llc, os.path.join(own, "mixed"), total)
    return total.end()


if __name__ == "__main__":
    sys.exit(main())
