#!/usr/bin/env python3
"""The mean over all pixels of large maps, whose sum in float32 must not lose digits.

    mean.py SANC

Processors and the evaluator's float32 against exact sums; a GPU's kernels run on the host
(../gpu/device.py).
"""
import array
import math
import os
import random
import sys
import tempfile

import common

sys.path.insert(0, os.path.join(common.ROOT, "tests", "gpu"))
import device  # noqa: E402

MOST_ERROR = 1e-6
# (channels, height, width): long sides, many pixels, sides that are no multiples of a block.
MAPS = [(8, 1, 4096), (3, 4096, 1), (5, 129, 515), (1, 2048, 2048)]
MAP_OF_GPU = (16, 70, 130)
GRAPH = """sanir 1
model "means"
input f32[1, {c}, {h}, {w}]
classes {c}
targets "{target}"
threads 1
graph {{
  %1 = input {{ shape = [1, {c}, {h}, {w}] }} : f32[1, {c}, {h}, {w}]
  %2 = transpose %1 {{ order = [0, 2, 3, 1] }} : f32[1, {h}, {w}, {c}]
  %3 = mean %2 : f32[1, {c}]
  %4 = output %3 : f32[1, {c}]
}}
"""


def write_graph(folder, target, size):
    path = os.path.join(folder, "means.sanir")
    channels, height, width = size
    with open(path, "w") as file:
        file.write(GRAPH.format(target=target, c=channels, h=height, w=width))
    return path


def image_of(size):
    """Numbers from 0 to 1, as after a ReLU: a sum of those grows, and loses most."""
    draw = random.Random(math.prod(size)).random
    return array.array("f", (draw() for _ in range(math.prod(size))))


def means(image, channels):
    pixels = len(image) // channels
    return [math.fsum(image[c * pixels:(c + 1) * pixels]) / pixels for c in range(channels)]


def check_processor(sanc, size, tally):
    with tempfile.TemporaryDirectory() as folder:
        weights, images, out = (os.path.join(folder, name) for name in ("w", "images", "out"))
        graph, image = write_graph(folder, "x86-64-v3", size), image_of(size)
        common.write_tensors(weights, {})
        common.write_safetensors(images, "input", [1, *size], image)
        for engine in ("native", "eval32"):
            common.call(sanc, "run", graph, "-w", weights, "--input", images, "-o", out,
                        "--engine", engine)
            error = common.relative_error(common.read_safetensors(out)["output"][1],
                                          means(image, size[0]))
            tally.check(error <= MOST_ERROR, f"{size}, {engine}: error {error:.2e}")


def check_gpu(sanc, size, tally):
    llc, version = device.llc_of(sanc)
    if not llc:
        tally.skip(f"nvptx:sm_80: no llc of LLVM {version}")
        return
    with tempfile.TemporaryDirectory() as folder:
        common.write_tensors(os.path.join(folder, "weights.safetensors"), {})
        image = image_of(size)
        network = device.Network(sanc, llc, folder, folder,
                                 dump=write_graph(folder, "nvptx:sm_80", size))
        error = common.relative_error(network.run(image), means(image, size[0]))
        tally.check(error <= MOST_ERROR, f"{size}, nvptx:sm_80: error {error:.2e}")


def main():
    sanc, tally = sys.argv[1], common.Tally()
    for size in MAPS:
        check_processor(sanc, size, tally)
    check_gpu(sanc, MAP_OF_GPU, tally)
    return tally.end()


if __name__ == "__main__":
    sys.exit(main())
