#!/usr/bin/env python3
"""Classifies the PNG files of a folder by a compiled network, on the workers of Ray Data.

    classify_ray.py LIBRARY.so FOLDER CLASSES.csv [--workers N] [--address ADDRESS]

Writes a line for each file, in the order of their names: its name, and the class. LIBRARY.so is
made by `sanc compile --emit shared`; every machine finds it and the folder at the same path. Without
an address it starts Ray on this machine alone. A worker that dies is replaced, and what it had not
handed over is done again.
"""
import argparse
import csv
import os

import numpy as np
import ray

MEAN, DEVIATION = 0.1307, 0.3081  # of the pixels that the network was trained on
BATCH = 50  # images that a worker takes at once


class Classifier:
    """A worker's network."""

    def __init__(self, library):
        import san  # in the worker, whose machine has it
        self.model = san.load(library)

    def __call__(self, batch):
        pixels = np.stack(list(batch["image"])).astype(np.float32)  # (n, height, width)
        images = (pixels[:, np.newaxis] / 255 - MEAN) / DEVIATION
        return {"path": batch["path"], "class": self.model(images).argmax(axis=1)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("library")
    parser.add_argument("folder")
    parser.add_argument("output")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--address", help="of a cluster's head, as `ray start` prints it")
    args = parser.parse_args()
    package = os.environ.get("PYTHONPATH")
    here = {} if args.address else {"num_cpus": args.workers + 1, "include_dashboard": False}
    ray.init(address=args.address, logging_level="warning",
             runtime_env={"env_vars": {"PYTHONPATH": package}} if package else None, **here)
    images = ray.data.read_images(os.path.abspath(args.folder), mode="L", include_paths=True,
                                  override_num_blocks=4 * args.workers)
    classes = images.map_batches(Classifier, fn_constructor_args=[os.path.abspath(args.library)],
                                 compute=ray.data.ActorPoolStrategy(size=args.workers),
                                 batch_size=BATCH)
    rows = sorted((os.path.basename(row["path"]), row["class"]) for row in classes.iter_rows())
    part = args.output + ".part"  # the file appears whole or not at all
    with open(part, "w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)
    os.replace(part, args.output)
    print(f"{len(rows)} images on {args.workers} workers")


if __name__ == "__main__":
    main()
