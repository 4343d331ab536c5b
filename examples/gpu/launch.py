#!/usr/bin/env python3
"""Runs a network from its PTX and its launch plan, with CuPy and nothing of sanc.

    launch.py NET.launch.json NET.ptx IMAGES.safetensors

The plan says how much memory the network needs, what the kernels are called, and how each is
started.
"""
import array
import json
import os
import struct
import sys

import cupy

MEAN, DEVIATION = 0.1307, 0.3081  # of the pixels that the networks were trained on


class Network:
    def __init__(self, plan_path, ptx_path):
        with open(plan_path) as file:
            self.plan = json.load(file)
        with open(os.path.join(os.path.dirname(plan_path), self.plan["weights"]["file"]),
                  "rb") as file:
            weights = file.read()
        self.inputs, self.outputs = (count(self.plan[name]["shape"])
                                     for name in ("input", "output"))
        memory = {
            "input": cupy.empty(self.inputs,
                                "float32"), "output": cupy.empty(self.outputs, "float32"),
            "workspace": cupy.empty(max(1, self.plan["workspace"]["bytes"] // 4),
                                    "float32"), "weights": cupy.frombuffer(weights, "float32")
        }
        self.memory = memory
        module = cupy.RawModule(path=ptx_path)
        self.kernels = []
        for entry in self.plan["kernels"]:
            kernel = module.get_function(entry["function"])
            if entry["shared_bytes"] > 48 * 1024:
                kernel.max_dynamic_shared_size_bytes = entry["shared_bytes"]
            arguments = tuple(memory[name][offset // 4:]
                              for name, offset in zip(self.plan["arguments"], entry["offsets"]))
            self.kernels.append((kernel, entry, arguments))

    def run(self, batch):
        """The floats of a batch of results; `batch` holds the floats of one of images."""
        self.memory["input"][...] = cupy.frombuffer(batch, "float32")
        for kernel, entry, arguments in self.kernels:
            kernel(tuple(entry["grid"]), tuple(entry["block"]), arguments,
                   shared_mem=entry["shared_bytes"])
        return self.memory["output"].get().tolist()


def count(shape):
    product = 1
    for extent in shape:
        product *= extent
    return product


def read_images(path):
    """The bytes of `image`, and `label` as numbers."""
    with open(path, "rb") as file:
        data = file.read()
    (size,) = struct.unpack_from("<Q", data)
    tensors = json.loads(data[8:8 + size])
    pixels, labels = (data[8 + size + begin:8 + size + end]
                      for begin, end in (tensors[name]["data_offsets"]
                                         for name in ("image", "label")))
    return pixels, struct.unpack(f"<{len(labels) // 8}q", labels)


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    network = Network(sys.argv[1], sys.argv[2])
    pixels, labels = read_images(sys.argv[3])
    scaled = [(byte / 255 - MEAN) / DEVIATION for byte in range(256)]
    classes, correct, size = network.plan["output"]["shape"][1], 0, network.inputs
    images = size // network.plan["output"]["shape"][0]  # floats, and so bytes of `image`, of each
    for first in range(0, len(pixels), size):
        batch = array.array("f", (scaled[byte] for byte in pixels[first:first + size]))
        batch.extend([0.0] * (size - len(batch)))  # the last batch is filled up
        logits = network.run(batch.tobytes())
        for i, label in enumerate(labels[first // images:first // images + len(logits) // classes]):
            row = logits[i * classes:(i + 1) * classes]
            correct += row.index(max(row)) == label
    print(
        f"{network.plan['model']}: {correct} of {len(labels)} correct, {len(network.kernels)} kernels of "
        f"{network.plan['target']}")


if __name__ == "__main__":
    main()
