"""The parts of a run; each is a process of its own, and returns what goes into the results."""
import json
import math
import os
import statistics
import sys

import numpy as np

import counter
import cuda
import network

HERE = os.path.dirname(os.path.abspath(__file__))
THREADS = 256  # of a block of the kernels for limits
FMAS, PRODUCTS = 128, 32  # of a thread, of a warp, in a round
TERMS = {"mma_tf32": 8, "mma_bf16": 16}
ONE = {"mma_tf32": 0x3f800000, "mma_bf16": 0x3f803f80}
# Of a network's output, which the pack has from the same kernels on a processor, summed in another
# order.
MOST_ERROR = {"f32": 1e-4, "tf32": 2e-2, "bf16": 1e-1}


def device(pack, quick):
    with cuda.Session() as session:
        return session.describe()


def check_case(session, pack, entry):
    net = network.Network(session, pack, entry)
    images = np.frombuffer(network.blob(entry["images"]), np.float32)
    images = images.reshape(-1, *net.plan["input"]["shape"])
    out = np.concatenate([net.run(batch).ravel() for batch in images])
    error = network.relative_error(out, np.frombuffer(network.blob(entry["output"]), np.float64))
    return {"error": error, "bound": entry["bound"], "ok": error <= entry["bound"],
            "code": net.code}


def cases(pack, quick, precision):
    found = {}
    for name, entry in pack["cases"].items():
        if entry["precision"] == precision:
            with cuda.Session() as session:
                found[name] = check_case(session, pack, entry)
    return {"cases": found, "ok": all(case["ok"] for case in found.values())}


def check_network(net, entry):
    """One image in all places of the batch: every place gives the same bits, again and again; and
    the answer, where the pack has one."""
    first, again = net.run(net.same_images()), net.run(net.same_images())
    found = {"finite": bool(np.isfinite(first).all()),
             "same_everywhere": bool((first == first[0]).all()),
             "same_again": bool((first == again).all())}
    good = all(found.values())
    if "answer" in entry:
        answer = np.frombuffer(network.blob(entry["answer"]), np.float32)
        found["error"] = network.relative_error(first[0], answer)
        found["bound"] = MOST_ERROR[entry["precision"]]
        good = good and found["error"] <= found["bound"]
    return {**found, "ok": good}


def time(pack, quick, name):
    entry = pack["networks"][name]
    with cuda.Session() as session:
        net = network.Network(session, pack, entry)
        found = {"code": net.code, "seeded": getattr(net, "seeded", ""),
                 "launches": len(net.kernels), **check_network(net, entry), **net.measure(quick)}
    found["us_an_image"] = 1e3 * found["ms"] / entry["batch"]
    if "estimate_us_an_image" in entry:
        found["estimate_us_an_image"] = entry["estimate_us_an_image"]
    return found


def kernels(pack, quick, name):
    with cuda.Session() as session:
        net = network.Network(session, pack, pack["networks"][name])
        rows = net.measure_kernels(quick)
    return {"kernels": rows, "sum_us": sum(row["us"] for row in rows)}


# ---- what the device can do --------------------------------------------------------------------


class Limits:
    def __init__(self, session, pack, quick):
        module, _ = network.load_code(session, pack["device"])
        self.session, self.quick, self.module = session, quick, module
        self.blocks = 2 if quick else 8 * session.attribute(cuda.ATTRIBUTES["multiprocessors"])
        self.parameters = session.allocate(16)
        self.result = session.allocate(4 * THREADS * self.blocks)
        self.memory = session.allocate(1 << 20 if quick else 1 << 30)
        self.timer = session.timer()

    def best_ms(self, name, blocks, words):
        function = self.session.function(self.module, name)
        self.session.upload(self.parameters, np.array(words, np.uint32))
        arguments = [self.parameters, self.result, self.memory, self.memory]
        start = lambda: self.session.launch(function, blocks, THREADS, 0, arguments)  # noqa: E731
        return min(self.timer(start) for _ in range(2 if self.quick else 6))

    def fill(self):
        """So that what is read was written; numbers, since power depends on them."""
        count = 1 << 18 if self.quick else 1 << 28
        settings = (count, 7, 8, 1 << 23, 2.0 ** -23, 0.0, 0xffffffff)
        function = self.session.function(self.module, "seed")
        words = self.session.allocate(32)
        self.session.upload(words, counter.words(0, *settings))
        self.session.launch(function, count // (THREADS * network.SEEDS_EACH), THREADS, 0,
                            [words, self.result, self.memory, self.memory])
        self.session.wait()
        sample = np.empty(min(count, 1 << 20), np.float32)
        self.session.download(self.memory, sample)
        want = counter.find(len(sample), *settings[1:])
        return bool((sample.view(np.uint32) == want.view(np.uint32)).all())

    def fma_tflops(self):
        rounds = 2 if self.quick else 4000
        a, b = np.array([0.999, 0.001], np.float32).view(np.uint32)
        ms = self.best_ms("fma_peak", self.blocks, [rounds, a, b])
        return 2e-9 * rounds * FMAS * THREADS * self.blocks / ms

    def mma_tflops(self, name):
        rounds = 2 if self.quick else 4000
        ms = self.best_ms(name, self.blocks, [rounds, ONE[name]])
        products = rounds * PRODUCTS * THREADS // 32 * self.blocks
        return 2e-9 * products * 16 * 8 * TERMS[name] / ms

    def copy_gbs(self):
        vectors = 1 << 15 if self.quick else 1 << 25
        ms = self.best_ms("copy", vectors // THREADS, [vectors])
        return 1e-6 * 32 * vectors / ms

    def read_gbs(self, vectors, passes):
        threads = self.blocks * THREADS
        rounds = max(1, passes * vectors // threads)
        ms = self.best_ms("read", self.blocks, [rounds, threads, vectors - 1])
        return 1e-6 * 16 * rounds * threads / ms

    def gap_us(self):
        """Of one launch after another in a graph."""
        count = 4 if self.quick else 200
        function = self.session.function(self.module, "nothing")
        arguments = [self.parameters, self.result, self.memory, self.memory]

        def enqueue():
            for _ in range(count):
                self.session.launch(function, 1, 32, 0, arguments)

        run = self.session.capture(enqueue)
        return 1e3 * min(self.timer(run) for _ in range(2 if self.quick else 6)) / count


def limits(pack, quick):
    with cuda.Session() as session:
        of = Limits(session, pack, quick)
        of_cache, of_memory = (1 << 14, 1 << 16) if quick else (1 << 19, 1 << 26)
        measures = {
            "numbers_of_device_are_those_of_host": of.fill, "fma_tflops": of.fma_tflops,
            "copy_gbs": of.copy_gbs, "read_memory_gbs": lambda: of.read_gbs(of_memory, 1),
            "read_cache_gbs": lambda: of.read_gbs(of_cache, 100), "graph_gap_us": of.gap_us,
            "mma_tf32_tflops": lambda: of.mma_tflops("mma_tf32"),
            "mma_bf16_tflops": lambda: of.mma_tflops("mma_bf16")
        }
        found = {}
        for name, measure in measures.items():
            try:
                found[name] = measure()
            except cuda.CudaError as error:
                found[name] = str(error)
        good = not any(isinstance(value, str) or value is False for value in found.values())
        return {**found, "ok": good}


# ---- PyTorch -----------------------------------------------------------------------------------


def torch(pack, quick, name, form):
    """The same network by PyTorch: eager or compiled, float32 products as they are or in TF32."""
    import torch as pytorch
    if not pytorch.cuda.is_available():
        return {"skipped": f"PyTorch {pytorch.__version__} sees no GPU"}
    sys.path.insert(0, os.path.join(HERE, "reference"))
    import san_reference
    entry, (kind, _, precision) = pack["networks"][name], form.partition("_")
    pytorch.set_grad_enabled(False)
    tf32 = precision == "tf32"
    pytorch.backends.cuda.matmul.allow_tf32 = pytorch.backends.cudnn.allow_tf32 = tf32
    net = san_reference.San(json.loads(network.blob(entry["model"]))).eval().cuda()
    if kind == "compiled":
        net = pytorch.compile(net, mode="max-autotune")
    shape = json.loads(network.blob(entry["plan"]))["input"]["shape"]
    images = pytorch.rand(*shape, device="cuda")
    begin, end = (pytorch.cuda.Event(enable_timing=True) for _ in range(2))
    times = []
    for i in range(13):
        begin.record()
        net(images)
        end.record()
        end.synchronize()
        if i >= 3:
            times.append(begin.elapsed_time(end))
    return {"ms": statistics.median(times), "least_ms": min(times), "most_ms": max(times),
            "us_an_image": 1e3 * statistics.median(times) / entry["batch"],
            "version": pytorch.__version__, "ok": math.isfinite(times[0])}


FUNCTIONS = {"device": device, "cases": cases, "time": time, "kernels": kernels, "limits": limits,
             "torch": torch}


def run(words, quick):
    return FUNCTIONS[words[0]](network.manifest(), quick, *words[1:])
