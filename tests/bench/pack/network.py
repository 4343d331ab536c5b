"""A network of the pack on the device, by its launch plan alone."""
import ctypes
import gzip
import json
import os
import statistics

import numpy as np

import cuda
import counter

HERE = os.path.dirname(os.path.abspath(__file__))
SEED_BLOCK, SEEDS_EACH = 256, 16
ROUNDS, ROUND_MS, LEAST_RUNS = 10, 30, 3


def blob(name):
    with open(os.path.join(HERE, "data", name), "rb") as file:
        return gzip.decompress(file.read())


def manifest():
    with open(os.path.join(HERE, "manifest.json"), encoding="utf-8") as file:
        return json.load(file)


def relative_error(out, reference):
    """||out - reference|| / ||reference||; infinite where out has a NaN."""
    out, reference = out.astype(np.float64).ravel(), np.asarray(reference, np.float64).ravel()
    norm = float(np.linalg.norm(reference))
    error = float(np.linalg.norm(out - reference)) / norm if norm else float("inf")
    return error if error == error else float("inf")


def load_code(session, entry):
    """(module, how): the cubin, or where the driver refuses it the PTX."""
    refused = ""
    for kind in ("cubin", "ptx"):
        if kind in entry:
            try:
                return session.load(blob(entry[kind])), kind + refused
            except cuda.CudaError as error:
                refused += f" ({kind}: {error})"
    raise cuda.CudaError(f"no code that the driver takes:{refused}", 0)


class Seeds:
    """Weights made on the device; on the host where the pack's kernel for it does not run."""

    def __init__(self, session, pack):
        self.session, self.function, self.how = session, None, "on the host"
        try:
            module, _ = load_code(session, pack["device"])
            self.function = session.function(module, "seed")
            self.parameters, self.none = session.allocate(32), session.allocate(4)
            self.how = "on the device"
        except (KeyError, cuda.CudaError) as error:
            self.how += f" ({error})"

    def fill(self, memory, offset, settings):
        count = settings[0]
        if not self.function:
            self.session.upload(memory, counter.find(*settings), offset)
            return
        self.session.upload(self.parameters, counter.words(offset // 4, *settings))
        self.session.launch(self.function, -(-count // (SEED_BLOCK * SEEDS_EACH)), SEED_BLOCK, 0,
                            [self.parameters, self.none, memory, self.none])
        self.session.wait()  # before the parameters are others


class Network:
    def __init__(self, session, pack, entry):
        self.session, self.entry = session, entry
        self.plan = plan = json.loads(blob(entry["plan"]))
        module, self.code = load_code(session, entry)
        self.memory = {
            "input": session.allocate(4 * int(np.prod(plan["input"]["shape"]))),
            "output": session.allocate(4 * int(np.prod(plan["output"]["shape"]))),
            "workspace": session.allocate(plan["workspace"]["bytes"]),
            "weights": session.allocate(plan["weights"]["bytes"])
        }
        self.fill_weights(pack)
        self.kernels = [(session.function(module, kernel["function"],
                                          kernel["shared_bytes"]), kernel)
                        for kernel in plan["kernels"]]

    def fill_weights(self, pack):
        weights, memory = self.entry["weights"], self.memory["weights"]
        if "whole" in weights:
            self.session.upload(memory, np.frombuffer(blob(weights["whole"]), np.uint8))
            return
        seeds = Seeds(self.session, pack)
        self.seeded = seeds.how
        data = np.frombuffer(blob(weights["raw"]), np.uint8)
        at = 0
        for offset, size in weights["pieces"]:
            self.session.upload(memory, data[at:at + size], offset)
            at += size
        for offset, *settings in weights["seeds"]:
            seeds.fill(memory, offset, settings)

    def enqueue_kernel(self, function, kernel):
        arguments = [ctypes.c_uint64(self.memory[name].value + offset)
                     for name, offset in zip(self.plan["arguments"], kernel["offsets"])]
        self.session.launch(function, kernel["grid"][0], kernel["block"][0], kernel["shared_bytes"],
                            arguments)

    def enqueue(self):
        for function, kernel in self.kernels:
            self.enqueue_kernel(function, kernel)

    def run(self, images):
        """The output of one batch."""
        self.session.upload(self.memory["input"], np.ascontiguousarray(images, np.float32))
        self.enqueue()
        out = np.empty(self.plan["output"]["shape"], np.float32)
        return self.session.download(self.memory["output"], out)

    def same_images(self):
        """One image in all places of a batch."""
        shape = self.plan["input"]["shape"]
        return np.tile(counter.image(shape[1:]).reshape(1, *shape[1:]), (shape[0], 1, 1, 1))

    def as_graph(self):
        """(function that starts a run, how)"""
        try:
            return self.session.capture(self.enqueue), "graph"
        except cuda.CudaError as error:
            return self.enqueue, f"launches ({error})"

    def measure(self, quick):
        """Milliseconds of a run: median, least, most of the rounds."""
        run, how = self.as_graph()
        timer = self.session.timer()
        timer(run, 1 if quick else 3)
        times = 1 if quick else max(LEAST_RUNS, int(ROUND_MS / max(timer(run), 1e-3)))
        rounds = sorted(timer(run, times) for _ in range(2 if quick else ROUNDS))
        return {"ms": statistics.median(rounds), "least_ms": rounds[0], "most_ms": rounds[-1],
                "runs": times, "how": how}

    def measure_kernels(self, quick):
        """A row for each kernel: microseconds of one launch among many, warm."""
        timer, rows = self.session.timer(), []
        estimates = self.entry.get("estimate_us", {})
        self.run(self.same_images())
        for function, kernel in self.kernels:
            start = lambda: self.enqueue_kernel(function, kernel)  # noqa: E731
            times = 1 if quick else max(3, min(50, int(1.0 / max(timer(start), 1e-3))))
            row = {"name": kernel["name"], "us": 1e3 * min(timer(start, times) for _ in range(3)),
                   "grid": kernel["grid"][0], "block": kernel["block"][0],
                   "shared_bytes": kernel["shared_bytes"]}
            if kernel["name"] in estimates:
                row["estimate_us"] = estimates[kernel["name"]]
            registers = self.session.registers(function)
            if registers:
                row["registers"], row["local_bytes"] = registers
            rows.append(row)
        return rows
