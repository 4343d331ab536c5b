#!/usr/bin/env python3
"""Networks compiled for a GPU, their kernels run on the host by their launch plans.

    cases.py SANC [--all | --sample] [NAME...]

Outputs are compared with references in float64; every access of memory is checked on the way (see
host.c). In tf32 and bf16 they may be off by twice as much as the evaluator in that precision, with
the schedules that the compiler chooses and with matrix units wherever they can be (matrix.py); in
f32 also with all that nests hand on in the workspace (slices.py); in every precision with sums in
blocks of terms (blocks.py). --all: the cases of ../shared/cases, which are more; and mistakes are
planted, which have to be found. --sample: each in one precision.
"""
import argparse
import array
import concurrent.futures
import math
import json
import os
import random
import shutil
import re
import sys
import tempfile

import blocks
import device
import matrix
import slices
from device import common

TARGET = "nvptx:sm_80"
PRECISIONS = ["f32", "tf32", "bf16"]
MOST_ERROR = 5e-6
MOST_IMAGES = 2


class Case:
    """The first images of a case, all at once where every sum is exact."""

    def __init__(self, name, folder):
        io = common.read_safetensors(os.path.join(folder, "io.safetensors"))
        shape, images = io["input"]
        count = min(shape[0], MOST_IMAGES)
        self.name, self.folder, self.exact = name, folder, name.startswith("exact_")
        self.texts = {}  # of scheduled(), by precision
        self.batch = count if self.exact else 1
        self.images, self.reference = (values[:len(values) * count // shape[0]]
                                       for values in (images, io["output"][1]))

    def evaluate(self, sanc, precision, scratch):
        out = os.path.join(scratch, "out.safetensors")
        common.run_model(sanc, self.folder, os.path.join(self.folder, "io.safetensors"), out,
                         "--engine", "eval", "--precision", precision, "--target", TARGET)
        return common.read_safetensors(out)["output"][1][:len(self.reference)]

    def scheduled(self, sanc, precision):
        if precision not in self.texts:
            self.texts[precision] = common.call(
                sanc, "ir", os.path.join(self.folder, "model.json"), "--after", "schedule",
                "--target", TARGET, "--precision", precision, "--batch", self.batch)
        return self.texts[precision]

    def with_slices(self, sanc, scratch):
        """A dump with the values between nests in the workspace; None: there are none."""
        path, text = os.path.join(scratch,
                                  "slices.sanir"), slices.force(self.scheduled(sanc, "f32"))
        if not text:
            return None
        with open(path, "w") as file:
            file.write(text)
        return path

    def dump(self, sanc, precision, scratch):
        """A dump with matrix units wherever they can be, and how often they are; None: nowhere."""
        path = os.path.join(scratch, "forced.sanir")
        count = matrix.force(sanc, self.scheduled(sanc, precision), path)
        return (path, count) if count else None

    def in_blocks(self, sanc, precision, scratch):
        """A dump with sums in blocks of terms wherever they can be, and how often; None: nowhere."""
        path = os.path.join(scratch, "blocks.sanir")
        count = blocks.force(sanc, self.scheduled(sanc, precision), path, precision)
        return (path, f"{count} in blocks") if count else None

    def dumps(self, sanc, precision, scratch):
        """Dumps with schedules other than the compiler's, and a name for each."""
        found = [self.in_blocks(sanc, precision, scratch)]
        if precision == "f32":
            path = self.with_slices(sanc, scratch)
            found += [(path, "slices")] if path else []
        else:
            forced = self.dump(sanc, precision, scratch)
            found += [(forced[0], f"{forced[1]} forced")] if forced else []
        return [dump for dump in found if dump]


def run_precision(sanc, llc, case, precision, tally):
    """What to print."""
    said = ""
    with tempfile.TemporaryDirectory() as scratch:
        reference, bound = case.reference, 0.0 if case.exact else MOST_ERROR
        if precision != "f32":
            evaluated = case.evaluate(sanc, precision, scratch)
            bound = 0.0 if case.exact else max(bound, 2 *
                                               common.relative_error(evaluated, reference))
            reference = evaluated if case.exact else reference
        for dump, how in [(None, "")] + case.dumps(sanc, precision, scratch):
            network = device.Network(sanc, llc, case.folder, scratch, TARGET, case.batch, precision,
                                     dump)
            error = common.relative_error(network.run(case.images), reference)
            what = f"{precision}, {how}" if dump else precision
            tally.check(error <= bound, f"{case.name} ({what}): error {error:.2e} over {bound:.2e}")
            said += f" {error:.1e}" + (f" ({how})" if dump else "")
    return f"{precision}{said}"


def run_case(sanc, llc, name, folder, precisions):
    """(tally, line to print)"""
    tally, said = common.Tally(), []
    for precision in precisions:
        try:
            said.append(run_precision(sanc, llc, Case(name, folder), precision, tally))
        except (common.Failure, device.Wrong) as failure:
            tally.check(False, f"{name} ({precision}): {failure}")
    return tally, f"{name:24} {', '.join(said)}"


def check_large_tiles(sanc, tally):
    """What shared memory cannot hold of one pixel has a slice for each block, of at most 64 MiB."""
    folder = os.path.join(device.HERE, "models")
    for name in sorted(os.listdir(folder)):
        for target in ("nvptx:sm_75", "nvptx:sm_80"):
            text = common.call(sanc, "ir", os.path.join(folder, name), "--target", target,
                               "--after", "plan_memory")
            slices = [math.prod(int(extent) for extent in shape.split(", "))
                      for shape in re.findall(r"_slices\d* +: workspace f32\[(.*)\]", text)]
            tally.check(slices and sum(slices) <= 16 << 20,
                        f"{name}, {target}: {slices} floats in slices")


def found(tally, what, library, network, images, message, plan):
    try:
        device.run_plan(plan, library, network.weights, images)
        tally.check(False, f"{what} is not found")
    except device.Wrong as wrong:
        tally.check(re.search(message, str(wrong)) is not None, f"{what}: {wrong}")


def plant_races(network, images, tally):
    """Leaves out barriers. Where the same thread writes and reads, none was needed, and results are
    right."""
    right, races = network.run(images), 0
    barriers = len(device.BARRIER.findall(network.text))
    for number in range(barriers):
        try:
            out = device.run_plan(network.plan, network.library, network.weights, images.tobytes(),
                                  number)
            tally.check(out == right, f"barrier {number} left out is not found")
        except device.Wrong as wrong:
            races += 1
            tally.check("race" in str(wrong) or "was never written" in str(wrong), str(wrong))
    tally.check(races > barriers // 2, f"of {barriers} barriers left out only {races} are found")


def first_batch(network, case):
    return case.images[:device.elements(network.plan["input"]["shape"])]


def plant_slices(sanc, llc, case, tally):
    """Barriers left out where blocks take several tiles, which lie in device memory."""
    with tempfile.TemporaryDirectory() as scratch:
        network = device.Network(sanc, llc, case.folder, scratch, TARGET, case.batch, "f32",
                                 case.with_slices(sanc, scratch))
        tally.check(all(kernel["shared_bytes"] == 0 for kernel in network.plan["kernels"]),
                    "a kernel with shared memory")
        plant_races(network, first_batch(network, case), tally)


def plant_blocks(sanc, llc, case, tally):
    """Barriers left out between copies of a block's terms and the products that read them."""
    with tempfile.TemporaryDirectory() as scratch:
        dump, _ = case.in_blocks(sanc, "f32", scratch)
        network = device.Network(sanc, llc, case.folder, scratch, TARGET, case.batch, "f32", dump)
        plant_races(network, first_batch(network, case), tally)


def plant_matrix(sanc, llc, case, tally):
    """Barriers left out, also between sums of matrix units and what is made of them; roundings left
    out, where a unit would cut off bits; copies that are read before they are there."""
    with tempfile.TemporaryDirectory() as scratch:
        dump, _ = case.dump(sanc, "tf32", scratch)
        network = device.Network(sanc, llc, case.folder, scratch, TARGET, case.batch, "tf32", dump)
        with open(dump) as file:
            tally.check("    pad " in file.read(), "no rows that are repeated")
        plant_races(network, first_batch(network, case), tally)
        text, roundings = re.subn(r"= .*call i32 @llvm.nvvm.f2tf32.rna\((float \S+)\).*",
                                  r"= bitcast \1 to i32", network.text)
        library = device.compile_host(llc, text, scratch)
        products = re.findall(r"call .*@llvm.nvvm.mma\S*\(.* #(\d+)$", network.text, flags=re.M)
        tally.check(roundings > 0 and products,
                    "no products of matrices, or of unrounded factors")
        tally.check(all(f"attributes #{number} = {{ convergent" in network.text
                        for number in products), "a product may be moved to where threads part")
        found(tally, "a factor that is not rounded", library, network, case.images.tobytes(),
              "not rounded", network.plan)
        text, waits = re.subn(r"^ .*call void @llvm.nvvm.cp.async.wait.all\(\).*$", "",
                              network.text, flags=re.M)
        library = device.compile_host(llc, text, scratch)
        tally.check(waits > 0, "nothing is copied by the way")
        found(tally, "copies that are not waited for", library, network, case.images.tobytes(),
              "was never written", network.plan)


def plant(sanc, llc, case, tally):
    """Barriers left out one at a time, a block too many, half of the shared memory, a store that
    the plan does not mention."""
    with tempfile.TemporaryDirectory() as scratch:
        network = device.Network(sanc, llc, case.folder, scratch)
        images = first_batch(network, case)
        plant_races(network, images, tally)
        images = images.tobytes()
        for i, kernel in enumerate(network.plan["kernels"]):
            def changed(**values):
                kernels = list(network.plan["kernels"])
                kernels[i] = {**kernel, **values}
                return {**network.plan, "kernels": kernels}
            more = [kernel["grid"][0] + 1, 1, 1]
            found(tally, f"a block too many of {kernel['name']}", network.library, network, images,
                  "outside|race|does not mention|shared", changed(grid=more))
            if kernel["shared_bytes"]:
                found(tally, f"too little shared memory for {kernel['name']}", network.library,
                      network, images, "in shared memory",
                      changed(shared_bytes=kernel["shared_bytes"] // 2))
            for name in kernel["writes"]:
                found(tally, f"a store to {name}", network.library, network, images,
                      "outside|does not mention",
                      changed(writes=[other for other in kernel["writes"] if other != name]))


def plant_mistakes(sanc, llc, folder, how):
    """(tally, line to print)"""
    tally = common.Tally()
    how(sanc, llc, Case("mixed", folder), tally)
    return tally, f"{how.__name__}: {tally.passed} mistakes found"


def check_bytes(sanc, llc, tally):
    """Images of bytes, pixel by pixel and in planes, against the evaluator."""
    folder = os.path.join(common.ROOT, "tests", "numeric", "cases", "mixed")
    with open(os.path.join(folder, "model.json"), encoding="utf-8") as file:
        model = json.load(file)
    channels, height, width = (model["input"][name] for name in ("channels", "height", "width"))
    images = bytes(i * i * 7 % 251 for i in range(2 * channels * height * width))
    for layout, precision in ((layout, p) for layout in ("nhwc", "nchw") for p in PRECISIONS):
        model["input"] |= {"type": "u8", "layout": layout, "mean": [0.4] * channels,
                           "std": [0.2 + 0.1 * i for i in range(channels)]}
        shape = [2, height, width, channels] if layout == "nhwc" else [2, channels, height, width]
        with tempfile.TemporaryDirectory() as scratch:
            shutil.copy(os.path.join(folder, "weights.safetensors"), scratch)
            with open(os.path.join(scratch, "model.json"), "w", encoding="utf-8") as file:
                json.dump(model, file)
            common.write_bytes(os.path.join(scratch, "in"), "input", shape, images)
            reference = common.run_model(sanc, scratch, os.path.join(scratch, "in"),
                                         os.path.join(scratch, "out"), "--engine", "eval",
                                         "--precision", precision, "--target", TARGET)
            network = device.Network(sanc, llc, scratch, scratch, precision=precision)
            error = common.relative_error(network.run(images), reference)
        bound = {"f32": MOST_ERROR, "tf32": 1e-3, "bf16": 1e-2}[precision]
        tally.check(error <= bound, f"bytes, {layout}, {precision}: error {error:.2e} over {bound}")
        tally.check(network.plan["input"] == {"type": "u8", "shape": [1, *shape[1:]], **(
            {"layout": "nhwc"} if layout == "nhwc" else {"layout": "nchw"})}, "the plan's input")


def check_classifier(sanc, llc, tally):
    """A classifier of many terms, whose columns blocks share and whose terms threads share."""
    channels, classes, size = 512, 100, 8
    model = {"format": "san", "version": 1, "name": "deep", "classes": classes, "stem_channels": 8,
             "input": {"channels": 3, "height": size, "width": size},
             "stages": [{"blocks": 0, "channels": channels}]}
    shapes = {"conv_in.weight": [8, 3, 1, 1], "conv0.weight": [channels, 8, 1, 1],
              "fc.weight": [classes, channels], "fc.bias": [classes]}
    for norm, count in (("bn_in", 8), ("bn0", channels)):
        shapes |= {f"{norm}.{name}": [count]
                   for name in ("weight", "bias", "running_mean", "running_var")}
    numbers = random.Random(1)

    def draw(shape):
        return array.array("f", (numbers.uniform(0.1, 1) for _ in range(math.prod(shape))))
    with tempfile.TemporaryDirectory() as scratch:
        with open(os.path.join(scratch, "model.json"), "w", encoding="utf-8") as file:
            json.dump(model, file)
        common.write_tensors(os.path.join(scratch, "weights.safetensors"),
                             {name: (shape, draw(shape)) for name, shape in shapes.items()})
        shape = [1, 3, size, size]
        images = draw(shape)
        common.write_safetensors(os.path.join(scratch, "in"), "input", shape, images)
        for precision, bound in (("f32", MOST_ERROR), ("tf32", 1e-3), ("bf16", 1e-2)):
            reference = common.run_model(sanc, scratch, os.path.join(scratch, "in"),
                                         os.path.join(scratch, "out"), "--engine", "eval",
                                         "--precision", precision, "--target", TARGET)
            network = device.Network(sanc, llc, scratch, scratch, precision=precision)
            error = common.relative_error(network.run(images), reference)
            tally.check(error <= bound,
                        f"a deep classifier, {precision}: error {error:.2e} over {bound}")
            last = network.plan["kernels"][-1]
            tally.check(last["grid"][0] > 1 and last["shared_bytes"] > 0,
                        f"a deep classifier is not shared out: {last}")


def check_halves(sanc, llc, case, tally):
    """In bf16 a product's registers are loaded as they are, two terms in each; values are rounded
    by the instruction for two."""
    with tempfile.TemporaryDirectory() as scratch:
        dump, _ = case.dump(sanc, "bf16", scratch)
        network = device.Network(sanc, llc, case.folder, scratch, TARGET, case.batch, "bf16", dump)
        products = joined = 0
        for kernel in network.text.split("\ndefine ")[1:]:
            pairs = set(re.findall(r"(%\S+) = bitcast <2 x bfloat> .* to i32", kernel))
            for factors in re.findall(r"@llvm.nvvm.mma.m16n8k16.row.col.bf16\((i32 .*?), float",
                                      kernel):
                products += 1
                joined += not pairs.isdisjoint(re.findall(r"%[^ ,]+", factors))
        tally.check(products and not joined, f"{joined} of {products} products' factors are joined")
        ptx = network.ptx_text()
        tally.check("cvt.rn.bf16x2.f32" in ptx and re.search(r"ld.shared.v2.[bu]32", ptx),
                    "values are not rounded two by two")


def check_alike(sanc, llc, tally):
    """Blocks that are alike share functions, which find their own weights and workspace; without the
    offsets the results are others, or an access is found that the plan does not mention."""
    folder = os.path.join(common.ROOT, "examples", "digits", "pairwise")
    with tempfile.TemporaryDirectory() as scratch:
        network = device.Network(sanc, llc, folder, scratch)
        kernels = network.plan["kernels"]
        functions = {kernel["function"] for kernel in kernels}
        tally.check(len(functions) < len(kernels), "no two kernels of the digits are alike")
        tally.check(functions == set(re.findall(r"\.entry (\w+)\(", network.ptx_text())),
                    "the PTX has other functions than the plan")
        images = array.array("f", (i * i * 7 % 251 / 251
                                   for i in range(device.elements(network.plan["input"]["shape"]))))
        io = os.path.join(scratch, "in")
        common.write_safetensors(io, "input", network.plan["input"]["shape"], images)
        reference = common.run_model(sanc, folder, io, os.path.join(scratch, "out"), "--engine",
                                     "eval", "--target", TARGET)
        error = common.relative_error(network.run(images), reference)
        tally.check(error <= MOST_ERROR, f"digits, kernels that are alike: error {error:.2e}")
        for kernel in kernels:
            kernel["offsets"] = [0, 0, 0, 0]
        try:
            error = common.relative_error(network.run(images), reference)
            tally.check(error > MOST_ERROR, "offsets left out are not noticed")
        except device.Wrong:
            tally.check(True, "")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sanc")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--sample", action="store_true")
    parser.add_argument("name", nargs="*")
    args = parser.parse_intermixed_args()
    own = os.path.join(common.ROOT, "tests", "numeric", "cases")
    more = os.path.join(common.SHARED, "cases")
    folder = more if args.all and os.path.exists(more) else own
    if args.all and folder == own:
        print(f"no {os.path.relpath(more, common.ROOT)}: the project's own cases alone")
    names = args.name or sorted(os.listdir(folder))
    sanc = common.Sanc(args.sanc)
    llc, total = device.find_llc(sanc), common.Tally()

    def run(number):
        precisions = [PRECISIONS[number % len(PRECISIONS)]] if args.sample else PRECISIONS
        return run_case(sanc, llc, names[number], os.path.join(folder, names[number]), precisions)

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = [pool.submit(run, number) for number in range(len(names))]
        if args.all:
            jobs += [pool.submit(plant_mistakes, sanc, llc, os.path.join(own, "mixed"), how)
                     for how in (plant, plant_slices, plant_blocks, plant_matrix)]
        for tally, line in (job.result() for job in jobs):
            print(line, flush=True)
            total.passed += tally.passed
            total.failed += tally.failed
    if args.sample:
        check_large_tiles(sanc, total)
        check_bytes(sanc, llc, total)
        check_classifier(sanc, llc, total)
        check_alike(sanc, llc, total)
        check_halves(sanc, llc, Case("mixed", os.path.join(own, "mixed")), total)
    return total.end()


if __name__ == "__main__":
    sys.exit(main())
