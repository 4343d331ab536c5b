"""Compiled networks and PyTorch on a GPU, timed in turns; prints JSON.

    gpu_peer.py --device
    gpu_peer.py --reference FOLDER --case FOLDER --batch N --rounds N --peers A,B --model NAME PRECISION=LIBRARY...

FOLDER is that of the network in PyTorch, and one of its cases; LIBRARY a shared object of the
compiled network NAME and the runtime. Times are the GPU's own, between two events on one stream,
inputs and outputs in its memory.
"""
import argparse
import ctypes
import json
import os
import statistics
import sys

import torch

ROUND_MS, LEAST_RUNS = 50, 3  # of each program in a round
TEXT_BYTES = 2048             # SAN_CUDA_TEXT_BYTES of san/cuda.h


class Error(ctypes.Structure):
    """struct san_cuda_error"""
    _fields_ = [("status", ctypes.c_int), ("driver", ctypes.c_int),
                ("text", ctypes.c_char * TEXT_BYTES)]


class Compiled:
    """A compiled network by san/cuda.h, on PyTorch's tensors and stream."""

    def __init__(self, path, name, images, classes):
        self.library, self.handle, self.error = ctypes.CDLL(path), ctypes.c_void_p(), Error()
        self.images = images.contiguous()
        self.output = torch.empty(len(images), classes, device="cuda")
        model = ctypes.byref(ctypes.c_char.in_dll(self.library, name + "_model"))
        self.check(
            self.library.san_cuda_open(model, 0, ctypes.byref(self.handle),
                                       ctypes.byref(self.error)))

    def check(self, status):
        if status:
            raise RuntimeError(self.error.text.decode())

    def __call__(self):
        stream = ctypes.c_void_p(torch.cuda.current_stream().cuda_stream)
        self.check(self.library.san_cuda_run(self.handle, ctypes.c_void_p(self.images.data_ptr()),
                                             ctypes.c_void_p(self.output.data_ptr()), stream,
                                             ctypes.byref(self.error)))
        return self.output


def with_tf32(allowed, function):
    """The function, its products of matrices in TF32 or in float32."""
    def run():
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = allowed
        return function()
    return run


def peer(name, net, images):
    kind, _, precision = name.partition("_")
    if kind == "compiled":
        torch._dynamo.reset()
        net = torch.compile(net, mode="max-autotune")
    return with_tf32(precision == "tf32", lambda: net(images))


def elapsed_ms(run, count):
    begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    begin.record()
    for _ in range(count):
        run()
    end.record()
    end.synchronize()
    return begin.elapsed_time(end) / count


def measure(programs, expected, rounds):
    found = {}
    for name, run in programs.items():
        for _ in range(3):  # torch.compile tunes, graphs are captured
            out = run()
        out = out.double().cpu()
        error = float((out - expected).norm() / expected.norm())
        found[name] = {
            "error": error, "times": [], "runs": max(LEAST_RUNS, int(ROUND_MS / elapsed_ms(run, 1)))
        }
    for _ in range(rounds):
        for name, run in programs.items():
            run()
            found[name]["times"].append(elapsed_ms(run, found[name]["runs"]))
    for of in found.values():
        times = sorted(of.pop("times"))
        of.update(median_ms=statistics.median(times), p10_ms=times[len(times) // 10],
                  p90_ms=times[-1 - len(times) // 10])
    return found


def limits():
    """What the device reaches: TFLOP/s of products of large matrices, GB/s of a copy (read and
    written)."""
    size, found = 8192, {}
    for name, kind, tf32 in (("f32", torch.float32, False), ("tf32", torch.float32, True),
                             ("bf16", torch.bfloat16, False)):
        a, b = (torch.randn(size, size, device="cuda", dtype=kind) for _ in range(2))
        run = with_tf32(tf32, lambda: a @ b)
        elapsed_ms(run, 3)
        found[name + "_tflops"] = 2e-9 * size ** 3 / min(elapsed_ms(run, 5) for _ in range(5))
    source, target = (torch.empty(1 << 28, device="cuda") for _ in range(2))
    copy = lambda: target.copy_(source)
    elapsed_ms(copy, 3)
    found["copy_gbs"] = 2e-6 * 4 * (1 << 28) / min(elapsed_ms(copy, 5) for _ in range(5))
    return found


def describe_device():
    if not torch.cuda.is_available():
        return None
    major, minor = torch.cuda.get_device_capability(0)
    return {"name": torch.cuda.get_device_name(0), "capability": 10 * major + minor}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", action="store_true")
    for name, kind in (("reference", str), ("case", str), ("batch", int), ("rounds", int),
                       ("peers", str), ("model", str)):
        parser.add_argument("--" + name, type=kind)
    parser.add_argument("compiled", nargs="*")
    args = parser.parse_args()
    if args.device:
        print(json.dumps(describe_device()))
        return
    sys.path.insert(0, args.reference)
    import san_reference as reference
    from safetensors.torch import load_file
    torch.set_grad_enabled(False)
    with open(os.path.join(args.case, "model.json")) as file:
        net = reference.San(json.load(file))
    net.load_state_dict(load_file(os.path.join(args.case, "weights.safetensors")), strict=False)
    net.eval().cuda()
    io = load_file(os.path.join(args.case, "io.safetensors"))
    images, expected = io["input"][:args.batch].float().cuda(), io["output"][:args.batch].double()
    programs = {}
    for word in args.compiled:
        precision, _, path = word.partition("=")
        programs["sanc " + precision] = Compiled(path, args.model, images, expected.shape[1])
    for name in filter(None, args.peers.split(",")):
        programs[name] = peer(name, net, images)
    print(json.dumps({"limits": limits(), "programs": measure(programs, expected, args.rounds)}))


if __name__ == "__main__":
    main()
