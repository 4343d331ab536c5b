#!/usr/bin/env python3
"""Checks compiled networks on this machine's GPU, then times them and PyTorch on it.

    gpu.py SANC [NETWORK...] [--batch 1,64] [--precisions f32,tf32,bf16] [--rounds N] [--results FILE]
    gpu.py SANC [NETWORK...] --pack DIR [--target nvptx:sm_90] [--estimates]; see gpu_pack.py

NETWORK is one of examples/models; without one, all of them. With --pack this machine needs no GPU:
DIR gets all that another one needs to do most of this with Python, NumPy and a driver alone.
Without --pack, in this order: the cases of
tests/numeric/cases in each precision against their references; the four tools of compute-sanitizer
on some of them, where it is installed; and for each network and size of batch the compiled network
in each precision, PyTorch eager and `torch.compile` (max-autotune) with float32 and with TF32
products, in turns, in the GPU's own time (CUDA events), inputs and outputs in its memory. Beside
them stand the device's limits, measured in the same run: products of large matrices, and copies.
Needs a PyTorch with CUDA: this Python's, or that of the one that TORCH_PYTHON names.
"""
import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "numeric"))
import common
import peers
import torch_python

BUILD = os.path.join(common.ROOT, "build", "bench")
CASES = os.path.join(common.ROOT, "tests", "numeric", "cases")
SANITIZED = ["pair_subtraction", "mixed"]
TOOLS = ["memcheck", "racecheck", "initcheck", "synccheck"]
MOST_ERROR = 5e-6
PEERS = ["eager", "eager_tf32", "compiled", "compiled_tf32"]


def say(text):
    print(text, flush=True)


# ---- is it right -------------------------------------------------------------------------------


def case_error(sanc, case, target, precision, engine, out):
    """The error of `sanc run` on a case, against its reference."""
    folder = os.path.join(CASES, case)
    io = os.path.join(folder, "io.safetensors")
    options = ["--precision", precision] if precision != "f32" else []
    found = common.run_model(sanc, folder, io, out, "--target", target, "--engine", engine,
                             *options)
    return common.relative_error(found, common.read_safetensors(io)["output"][1])


def check_cases(sanc, target, precisions, tally):
    with tempfile.TemporaryDirectory() as scratch:
        out = os.path.join(scratch, "out.safetensors")
        for precision in precisions:
            worst = 0
            for case in sorted(os.listdir(CASES)):
                error = case_error(sanc, case, target, precision, "native", out)
                bound = MOST_ERROR
                if precision != "f32":
                    bound = max(bound, 2 * case_error(sanc, case, target, precision, "eval", out))
                tally.check(error <= bound,
                            f"{case} in {precision}: error {error:.2e} over {bound:.2e}")
                worst = max(worst, error)
            say(f"cases in {precision}: largest error {worst:.1e}")


def sanitize(sanc, target, precisions, tally):
    program = shutil.which("compute-sanitizer") or "/usr/local/cuda/bin/compute-sanitizer"
    if not os.path.exists(program):
        tally.skip("compute-sanitizer: not installed")
        return
    with tempfile.TemporaryDirectory() as scratch:
        out = os.path.join(scratch, "out.safetensors")
        for tool in TOOLS:
            for precision in precisions:
                for case in SANITIZED:
                    folder = os.path.join(CASES, case)
                    command = [
                        program, "--tool", tool, "--error-exitcode", "9", sanc, "run",
                        os.path.join(folder, "model.json"), "-w",
                        os.path.join(folder, "weights.safetensors"), "--input",
                        os.path.join(folder, "io.safetensors"), "--output", out, "--target", target,
                        "--precision", precision
                    ]
                    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                          text=True)
                    tally.check(done.returncode == 0,
                                f"{tool}, {case} in {precision}:\n{done.stdout[-2000:]}")
        say(f"compute-sanitizer: {', '.join(TOOLS)} on {', '.join(SANITIZED)}")


# ---- how fast ----------------------------------------------------------------------------------


def compile_network(sanc, case, name, target, batch, precision):
    """A shared object of the network and the runtime."""
    folder = os.path.join(BUILD, f"{name}-gpu-{batch}-{precision}")
    os.makedirs(folder, exist_ok=True)
    stem, libraries = os.path.join(folder, name), os.path.dirname(os.path.abspath(sanc))
    start = time.monotonic()
    common.call(sanc, "compile", os.path.join(case, "model.json"), "-w",
                os.path.join(case, "weights.safetensors"), "--target", target, "--batch", batch,
                "--precision", precision, "-o", stem + ".o")
    say(f"  {name} in {precision}, batch {batch}: compiled in {time.monotonic() - start:.1f} s")
    common.call("cc", "-shared", "-o", stem + ".so", stem + ".o", "-Wl,--whole-archive",
                os.path.join(libraries, "libsanrt.a"), "-Wl,--no-whole-archive", "-lpthread",
                "-ldl")
    return stem + ".so"


def show(row):
    say(f"{row['network']}, batch {row['batch']}, on {row['device']}")
    for name, found in row["programs"].items():
        say(f"  {name:14} {1e3 * found['median_ms'] / row['batch']:9.1f} us an image, 10% to 90%: "
            f"{1e3 * found['p10_ms'] / row['batch']:.1f} to {1e3 * found['p90_ms'] / row['batch']:.1f}; "
            f"error {found['error']:.1e}")
    limits = row["limits"]
    floor = 2e-6 * row["macs"] / limits["f32_tflops"]
    say(f"  float32 FMAs alone: {floor:.1f} us an image at the measured {limits['f32_tflops']:.1f} TFLOP/s "
        f"(tf32 {limits['tf32_tflops']:.0f}, bf16 {limits['bf16_tflops']:.0f} TFLOP/s, {limits['copy_gbs']:.0f} GB/s)"
        )


def make_pack():
    """gpu_pack.py with the same words, in a Python that has NumPy."""
    python = sys.executable
    if not torch_python.imports(python, "numpy"):
        python = torch_python.find("numpy") or common.skip("no NumPy; TORCH_PYTHON can name a "
                                                           "Python with it")
    return subprocess.run([python, os.path.join(HERE, "gpu_pack.py"), *sys.argv[1:]]).returncode


def main():
    if any(word.split("=")[0] == "--pack" for word in sys.argv):
        return make_pack()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sanc")
    parser.add_argument("network", nargs="*")
    parser.add_argument("--batch", type=peers.whole_numbers, default=[1, 64])
    parser.add_argument("--precisions", default="f32,tf32,bf16")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--results", default=os.path.join(BUILD, "gpu.json"))
    args = parser.parse_args()
    tally, precisions = common.Tally(), args.precisions.split(",")
    folder = common.NETWORKS
    python = torch_python.find()
    if not python:
        common.skip("no PyTorch; TORCH_PYTHON can name a Python with it")
    device = json.loads(common.call(python, os.path.join(HERE, "gpu_peer.py"), "--device"))
    if not device:
        common.skip("PyTorch sees no GPU")
    target = f"nvptx:sm_{device['capability']}"
    say(f"{device['name']}, {target}")
    check_cases(args.sanc, target, precisions, tally)
    sanitize(args.sanc, target, precisions, tally)
    os.makedirs(BUILD, exist_ok=True)
    networks = args.network or sorted(name[:-5]
                                      for name in os.listdir(folder) if name.endswith(".json"))
    for network in networks:
        case = torch_python.make_case(python, os.path.join(folder, network + ".json"),
                                      os.path.join(BUILD, network, "gpu_case"), max(args.batch))
        macs = json.loads(
            common.call(args.sanc, "stats", os.path.join(case, "model.json"), "--json"))["macs"]
        for batch in args.batch:
            compiled = [
                f"{precision}={compile_network(args.sanc, case, network, target, batch, precision)}"
                for precision in precisions
            ]
            found = json.loads(
                common.call(python, os.path.join(HERE, "gpu_peer.py"), "--reference",
                            common.shared("reference"), "--case", case, "--batch", batch,
                            "--rounds", args.rounds, "--peers", ",".join(PEERS), "--model", network,
                            *compiled, timeout=3600))
            row = {"network": network, "batch": batch, "device": device["name"], "macs": macs,
                   "date": time.strftime("%Y-%m-%d"), **found}
            peers.keep(args.results, row, ("network", "batch", "device"))
            show(row)
    return tally.end()


if __name__ == "__main__":
    sys.exit(main())
