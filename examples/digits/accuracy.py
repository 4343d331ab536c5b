#!/usr/bin/env python3
"""How many of the images in a safetensors file a compiled network gets right.

    accuracy.py LIBRARY.so IMAGES.safetensors [THREADS]

The library is made by `sanc compile --emit shared`; `san` is the package in runtime/python.
"""
import json
import sys
import time

import numpy as np
import san

MEAN, DEVIATION = 0.1307, 0.3081  # of the pixels that the networks were trained on


def read_bytes(path):
    """The tensors of bytes in a safetensors file: {name: array}. Labels are numbers of 64 bits."""
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        data = file.read()
    types = {"U8": np.uint8, "I64": np.int64}
    return {name: np.frombuffer(data[slice(*entry["data_offsets"])],
                                types[entry["dtype"]]).reshape(entry["shape"])
            for name, entry in header.items() if name != "__metadata__"}


def main():
    library, path, *threads = sys.argv[1:]
    tensors = read_bytes(path)
    images = (tensors["image"][:, np.newaxis] / 255 - MEAN) / DEVIATION  # (n, 1, 28, 28)
    with san.load(library, threads=int(threads[0]) if threads else 1) as model:
        start = time.perf_counter()
        logits = model(images)
        milliseconds = (time.perf_counter() - start) * 1000 / len(images)
        correct = np.count_nonzero(logits.argmax(axis=1) == tensors["label"])
        print(f"{model.name}: {correct} of {len(images)} correct, {milliseconds:.3f} ms an image "
              f"on {model.device}")


if __name__ == "__main__":
    main()
