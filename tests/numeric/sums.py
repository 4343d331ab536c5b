#!/usr/bin/env python3
"""Sums of many numbers, which must not lose digits in float32: the mean over all pixels of large
maps, and a softmax over many classes.

    sums.py SANC

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
CLASSES, CLASSES_OF_GPU = (100003, 1, 1), (1000, 1, 1)
MEAN = """sanir 1
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


SOFTMAX = MEAN.replace("  %3 = mean %2", """  %5 = reshape %2 {{ shape = [1, {c}] }} : f32[1, {c}]
  %3 = softmax %5 {{ axis = 1 }}""")


def write_graph(folder, graph, target, size):
    path = os.path.join(folder, "means.sanir")
    channels, height, width = size
    with open(path, "w") as file:
        file.write(graph.format(target=target, c=channels, h=height, w=width))
    return path


def image_of(size):
    """Numbers from 0 to 1, as after a ReLU: a sum of those grows, and loses most."""
    draw = random.Random(math.prod(size)).random
    return array.array("f", (draw() for _ in range(math.prod(size))))


def means(image, channels):
    pixels = len(image) // channels
    return [math.fsum(image[c * pixels:(c + 1) * pixels]) / pixels for c in range(channels)]


def softmax(image, _):
    total = math.fsum(math.exp(x) for x in image)
    return [math.exp(x) / total for x in image]


EXACT = {MEAN: means, SOFTMAX: softmax}


def check_processor(sanc, graph, size, tally):
    with tempfile.TemporaryDirectory() as folder:
        weights, images, out = (os.path.join(folder, name) for name in ("w", "images", "out"))
        dump, image = write_graph(folder, graph, "x86-64-v3", size), image_of(size)
        common.write_tensors(weights, {})
        common.write_safetensors(images, "input", [1, *size], image)
        for engine in ("native", "eval32"):
            common.call(sanc, "run", dump, "-w", weights, "--input", images, "-o", out,
                        "--engine", engine)
            error = common.relative_error(common.read_safetensors(out)["output"][1],
                                          EXACT[graph](image, size[0]))
            tally.check(error <= MOST_ERROR, f"{size}, {engine}: error {error:.2e}")


def check_gpu(sanc, graph, size, tally):
    llc, version = device.llc_of(sanc)
    if not llc:
        tally.skip(f"nvptx:sm_80: no llc of LLVM {version}")
        return
    with tempfile.TemporaryDirectory() as folder:
        common.write_tensors(os.path.join(folder, "weights.safetensors"), {})
        image = image_of(size)
        network = device.Network(sanc, llc, folder, folder,
                                 dump=write_graph(folder, graph, "nvptx:sm_80", size))
        error = common.relative_error(network.run(image), EXACT[graph](image, size[0]))
        tally.check(error <= MOST_ERROR, f"{size}, nvptx:sm_80: error {error:.2e}")


def main():
    sanc, tally = sys.argv[1], common.Tally()
    for size in MAPS:
        check_processor(sanc, MEAN, size, tally)
    check_processor(sanc, SOFTMAX, CLASSES, tally)
    check_gpu(sanc, MEAN, MAP_OF_GPU, tally)
    check_gpu(sanc, SOFTMAX, CLASSES_OF_GPU, tally)
    return tally.end()


if __name__ == "__main__":
    sys.exit(main())
