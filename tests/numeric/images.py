#!/usr/bin/env python3
"""NAME_run_images: any number of images, by objects with code for one batch or several.

    images.py SANC             a network of the digits
    images.py SANC --all       both, all targets, SAN10 for its size, and the cases of ../shared

On processors, kernels for any batch sum in the same order: the bits have to be those of single runs,
on memory between pages that cannot be touched. On GPUs an image has the same bits at any place of a
batch; kernels for another batch may divide sums among threads in another way. An object with several
batches holds its weights once, and needs no larger workspace than the largest batch.
"""
import array
import os
import random
import subprocess
import sys
import tempfile

import common
import emulated

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "driver"))
import limits

CHECK = os.path.join(common.ROOT, "compiler", "check")
DIGITS = os.path.join(common.ROOT, "examples", "digits")
BATCHES = ["1", "8", "1,8"]
MORE = ["8,3", "7,4,6", "2,9,1"]
COUNTS = [0, 1, 7, 8, 9]
MANY = 1000
PROCESSORS = ["x86-64-v3", "x86-64-v4"]
GPUS = ["nvptx:sm_70", "nvptx:sm_80"]
SIZE = 1.1  # of an object for two batches, by one for one

RESIDUAL = os.path.join(common.ROOT, "tests", "numeric", "cases", "resnet_mixed")


class Network:
    """options: of every compilation."""

    def __init__(self, sanc, folder, model, weights, scratch, *options):
        self.sanc, self.scratch, self.options = sanc, scratch, options
        self.single = None
        self.model, self.weights = os.path.join(folder, model), os.path.join(folder, weights)

    def compile(self, name, batches, *options):
        path = os.path.join(self.scratch, name + ".o")
        common.call(self.sanc, "compile", self.model, "-w", self.weights, "--name", name, "--batch",
                    batches, *self.options, *options, "-o", path)
        return path

    def facts(self, batches, counts):
        """What the program says of an object for these batches: sizes, bytes of the workspace and
        of weights."""
        program = os.path.join(self.scratch, "program")
        self.single = self.single or self.compile("single", 1)
        several = self.compile("several", batches, "--threads", 2)
        common.call("gcc", "-std=c11", "-O1", "-Wall", "-Wextra", "-Werror", "-D_GNU_SOURCE",
                    "-I", CHECK, "-I", self.scratch, os.path.join(CHECK, "guarded.c"),
                    os.path.join(HERE, "images.c"), self.single, several, "-o", program)
        done = subprocess.run([program, *map(str, counts)], capture_output=True, text=True)
        if done.returncode:
            raise common.Failure(["images.c"], done.returncode, done.stdout + done.stderr)
        said, workspace, weights = done.stdout.split()
        return said, int(workspace), int(weights)


def check_network(network, what, lists, counts, tally):
    facts = {}
    for batches in lists:
        try:
            facts[batches] = network.facts(batches, counts)
        except common.Failure as failure:
            tally.check(False, f"{what}, --batch {batches}: {failure}")
            continue
        in_order = ",".join(sorted(batches.split(","), key=int, reverse=True))
        tally.check(facts[batches][0] == in_order, f"{what}: the model says {facts[batches][0]}")
    if {"1", "8", "1,8"} <= facts.keys():
        most = max(facts["1"][1], facts["8"][1])
        tally.check(facts["1,8"][1] <= most,
                    f"{what}: workspace of {facts['1,8'][1]} bytes, must be at most {most}")
        most = max(facts["1"][2], facts["8"][2])
        tally.check(facts["1,8"][2] <= SIZE * most,
                    f"{what}: weights of {facts['1,8'][2]} bytes, must be at most 1.1 times {most}")


def check_order(sanc, name, targets, scratch, tally):
    """Of targets that this machine may lack: their loops, evaluated in float32."""
    images = [array.array("f", (random.Random(i).uniform(-1, 1) for _ in range(28 * 28)))
              for i in range(8)]
    network = Network(sanc, os.path.join(DIGITS, name), "model.json", "weights.safetensors", scratch)
    dump, out = os.path.join(scratch, "loops.sanir"), os.path.join(scratch, "out.safetensors")
    file = os.path.join(scratch, "images.safetensors")

    def evaluate(order):
        pixels = array.array("f")
        for i in order:
            pixels += images[i]
        common.write_safetensors(file, "input", (len(order), 1, 28, 28), pixels)
        common.call(sanc, "run", dump, "-w", network.weights, "--engine", "eval32", "--input", file,
                    "--output", out)
        logits = common.read_safetensors(out)["output"][1]
        each = len(logits) // len(order)
        return {image: logits[each * i:each * (i + 1)] for i, image in enumerate(order)}

    for target in targets:
        def build(batch):
            common.call(sanc, "ir", network.model, "--batch", batch, "--target", target, "-o", dump)

        build(8)
        found = evaluate(range(8))
        turned = evaluate([3, 4, 5, 6, 7, 0, 1, 2])
        tally.check(turned == found, f"{name}, {target}: other bits at another place in a batch")
        if target in PROCESSORS:
            build(1)
            tally.check(evaluate(range(8)) == found, f"{name}, {target}: other bits in a batch of 8")


def check_size(sanc, scratch, tally):
    model = os.path.join(common.NETWORKS, "san10_pairwise.json")
    weights = os.path.join(scratch, "san10.safetensors")
    limits.write_weights(weights, limits.parameters(str(sanc), model))
    network = Network(sanc, "", model, weights, scratch)
    sizes = [os.path.getsize(network.compile("net", batches)) for batches in ("1", "8", "1,8")]
    print("SAN10 pairwise: objects for 1, 8 and both of", *sizes, "bytes", flush=True)
    tally.check(sizes[2] <= SIZE * min(sizes), "SAN10 pairwise: the object for both is too large")


def check_all(sanc, scratch, tally):
    for name, lists in ("pairwise", BATCHES + MORE), ("patchwise", BATCHES):
        network = Network(sanc, os.path.join(DIGITS, name), "model.json", "weights.safetensors",
                          scratch)
        check_network(network, name, lists, COUNTS, tally)
    cases = common.case_folders() if os.path.exists(common.SHARED) else {}
    runs_here = "x86-64-v4" if emulated.has_avx512() else "x86-64-v3"
    for name, folder in cases.items():
        network = Network(sanc, folder, "model.json", "weights.safetensors",
                          scratch, "--target", runs_here)
        check_network(network, name, BATCHES[2:], COUNTS, tally)
    for name in "pairwise", "patchwise":
        check_order(sanc, name, PROCESSORS + GPUS, scratch, tally)
    check_size(sanc, scratch, tally)


def main():
    sanc, tally = common.Sanc(sys.argv[1]), common.Tally()
    with tempfile.TemporaryDirectory() as scratch:
        if "--all" in sys.argv:
            check_all(sanc, scratch, tally)
        else:
            network = Network(sanc, os.path.join(DIGITS, "patchwise"), "model.json",
                              "weights.safetensors", scratch)
            check_network(network, "patchwise", ["8", "1,8"], COUNTS + [MANY], tally)
            check_order(sanc, "patchwise", PROCESSORS[1:], scratch, tally)
            residual = Network(sanc, RESIDUAL, "model.json", "weights.safetensors", scratch)
            check_network(residual, "resnet_mixed", ["8", "1,8"], COUNTS, tally)
    return tally.end()


if __name__ == "__main__":
    sys.exit(main())
