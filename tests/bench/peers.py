#!/usr/bin/env python3
"""Times compiled networks and the programs that a user would pick instead.

    peers.py SANC [NETWORK...] [--peers A,B] [--threads 1,2] [--batch 1,8] [--rounds N]
             [--precision bf16] [--results FILE]

NETWORK is one of examples/models; without one, all of them. Weights are seeded
(../shared/reference/make_case.py). For each network, number of threads and size of batch, the
programs are started and checked against the reference in float64, then take turns in N rounds; what
the start needs (compiling, exporting) is not timed, and kept in build/bench for the next time. The
results are added to FILE, by default build/bench/results.json, after each; `chart.py FILE` draws
them. In bf16 the programs that have it are given it; their results are of one precision a file. The
programs come from this Python, the one named by TORCH_PYTHON, or a virtual environment
made in build/peers.
"""
import argparse
import array
import json
import os
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "numeric"))
import common
import torch_python

PEERS = ["eager", "compiled", "onnxruntime", "openvino",
         "iree"]  # tvm, 2 s an image as it comes, if it is named
# What each program imports besides PyTorch, and the packages that have it.
EXPORT = ["onnx", "onnxscript"]
NEEDS = {
    "eager": ([], []),
    "compiled": ([], []),
    "onnxruntime": (["onnxscript", "onnxruntime"], [*EXPORT, "onnxruntime"]),
    "openvino": (["openvino"], ["openvino"]),
    "iree": (["onnxscript", "iree.runtime"], [*EXPORT, "iree-base-compiler", "iree-base-runtime"]),
    "tvm": (["onnxscript", "tvm"], [*EXPORT, "apache-tvm"]),
}
IN_BF16 = ["eager", "compiled", "openvino"]  # which programs compute in it when they are told
BUILD = os.path.join(common.ROOT, "build", "bench")
MOST_ERROR = {"f32": 1e-5, "bf16": 0.1}
SANC_OPTIONS = {"f32": [], "bf16": ["--precision", "bf16", "--target",
                                    "x86-64-v3,x86-64-v4,x86-64-v4+bf16,x86-64-v4+amx"]}
LEAST_RUNS, ROUND_MS = 1, 400  # of each program in a round
CALM_S = 0.3  # before each turn: worker threads of the program before spin that long for more work


class Program:
    """A process that runs the network as often as it is told."""

    def __init__(self, log, *command):
        start = time.monotonic()
        with open(log, "w") as errors:
            self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE,
                                            stdout=subprocess.PIPE, stderr=errors, text=True)
        self.log, self.times = log, []
        self.error = float(self.line())
        self.start_s = time.monotonic() - start
        self.runs = max(LEAST_RUNS, int(ROUND_MS / min(self.run(1))))

    def line(self):
        line = self.process.stdout.readline()
        if not line:
            raise EOFError(f"ended early, see {self.log}")
        return line

    def run(self, runs):
        """Milliseconds of each run."""
        self.process.stdin.write(f"{runs}\n")
        self.process.stdin.flush()
        return list(map(float, self.line().split()))

    def turn(self):
        time.sleep(CALM_S)
        self.times += self.run(self.runs)

    def end(self):
        self.process.stdin.close()
        self.process.wait()

    def summary(self):
        times = sorted(self.times)
        return {"median_ms": statistics.median(times), "p10_ms": times[len(times) // 10],
                "p90_ms": times[-1 - len(times) // 10], "runs": len(times), "error": self.error,
                "start_s": self.start_s}


def start_sanc(sanc, name, case, batch, threads, precision):
    """The network compiled and linked with time_model.c, run on raw files of images and logits."""
    folder = os.path.join(BUILD, f"{name}-{batch}-{threads}-{precision}")
    os.makedirs(folder, exist_ok=True)
    stem = os.path.join(folder, name)
    common.call(sanc, "compile", os.path.join(case, "model.json"), "-w",
                os.path.join(case, "weights.safetensors"), "-o", stem + ".o", "--batch", batch,
                "--threads", threads, *SANC_OPTIONS[precision])
    tensors = common.read_safetensors(os.path.join(case, "io.safetensors"))
    for tensor, typecode, path in ("input", "f", stem + ".in"), ("output", "d", stem + ".out"):
        shape, values = tensors[tensor]
        with open(path, "wb") as file:
            array.array(typecode, values[:len(values) // shape[0] * batch]).tofile(file)
    libraries = os.path.dirname(os.path.abspath(sanc))
    common.call("cc", "-std=c11", "-D_POSIX_C_SOURCE=200809L", "-O2", "-I", folder, "-I",
                os.path.join(common.ROOT,
                             "runtime"), f"-DMODEL={name}_model", f'-DHEADER="{name}.h"',
                os.path.join(HERE, "time_model.c"), stem + ".o",
                os.path.join(libraries, "libsanrt.a"), "-lm",
                "-lpthread", "-o", stem)
    return Program(stem + ".log", stem, threads, stem + ".in", stem + ".out")


def start_peer(python, peer, name, case, batch, threads, precision):
    cache = os.path.join(BUILD, name)
    os.makedirs(cache, exist_ok=True)
    return Program(os.path.join(cache, f"{peer}-{batch}-{threads}-{precision}.log"), python,
                   os.path.join(HERE, "peer.py"), peer, common.shared("reference"), case, batch,
                   threads, precision, cache)


def machine():
    with open("/proc/cpuinfo") as file:
        rows = dict(line.split(":", 1) for line in file if ":" in line)
    names = {key.strip(): value.strip() for key, value in rows.items()}
    wide = "AVX-512" if "avx512dq" in names["flags"] else "AVX2"
    return (f"{names['model name']} (family {names['cpu family']}, model {names['model']}), "
            f"{os.cpu_count()} processors, {wide}")


def bench(sanc, case, target):
    """What `sanc bench` finds of one thread and one image: above all the core's FMA peak with the
    target's vectors, measured now, in GFLOP/s; None where the target does not run here."""
    try:
        text = common.call(sanc, "bench", os.path.join(case, "model.json"), "-w",
                           os.path.join(case, "weights.safetensors"), "--target", target,
                           "--kernels", "--json")
    except common.Failure as failure:
        if failure.status == 4:
            return None
        raise
    return json.loads(text)


def measure(start, names, rounds, most_error):
    """{name: summary}; a program that does not start is left out and said so."""
    programs = {}
    for name in names:
        try:
            programs[name] = start(name)
        except EOFError as error:
            print(f"  {name} is left out: {error}", flush=True)
            continue
        if not programs[name].error <= most_error:
            sys.exit(f"{name}: the output is off by {programs[name].error}")
    for _ in range(rounds):
        for program in programs.values():
            program.turn()
    for program in programs.values():
        program.end()
    return {name: program.summary() for name, program in programs.items()}


def keep(path, row, setting):
    """Puts the row into the file, in the place of an earlier one with the same values of
    `setting`."""
    rows = []
    if os.path.exists(path):
        with open(path) as file:
            rows = json.load(file)
    rows = [old for old in rows if any(old[key] != row[key] for key in setting)] + [row]
    with open(path + ".new", "w") as file:
        json.dump(rows, file, indent=1)
    os.rename(path + ".new", path)


def show(row):
    print(f"{row['network']}, batch {row['batch']}, {row['threads']} thread(s)")
    for name, times in row["programs"].items():
        print(
            f"  {name:12} median {times['median_ms']:9.2f} ms, 10% to 90%: {times['p10_ms']:.2f} to "
            f"{times['p90_ms']:.2f}, {times['runs']} runs, error {times['error']:.1e}")
    peers = {name: times["median_ms"] for name, times in row["programs"].items() if name != "sanc"}
    ours = row["programs"]["sanc"]["median_ms"]
    floor = 2e-6 * row["macs"] * row["batch"] / (row["peak_gflops"] * row["threads"])
    print(
        f"  sanc is at {100 * floor / ours:.1f}% of the FMA peak of {row['peak_gflops']:.0f} GFLOP/s a core"
        + (f", and {min(peers.values()) / ours:.2f} times as fast as {min(peers, key=peers.get)}"
           if peers else ""), flush=True)


def whole_numbers(text):
    return [int(word) for word in text.split(",")]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sanc")
    parser.add_argument("network", nargs="*")
    parser.add_argument("--precision", choices=MOST_ERROR, default="f32")
    parser.add_argument("--peers")
    parser.add_argument("--threads", type=whole_numbers, default=[1, 2])
    parser.add_argument("--batch", type=whole_numbers, default=[1, 8])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--results")
    args = parser.parse_args()
    precision, plain = args.precision, args.precision == "f32"
    results = args.results or os.path.join(BUILD, f"results{'' if plain else '-' + precision}.json")
    folder = common.NETWORKS
    networks = args.network or sorted(name[:-5]
                                      for name in os.listdir(folder) if name.endswith(".json"))
    known = NEEDS if plain else IN_BF16
    peers = (PEERS if plain else IN_BF16) if args.peers is None else args.peers.split(",")
    peers = [peer for peer in peers if peer]
    if not set(peers) <= set(known):
        parser.error(f"--peers: of {', '.join(known)} in {precision}, found {args.peers}")
    modules, packages = (sorted({need for peer in peers for need in NEEDS[peer][which]})
                         for which in range(2))
    python = torch_python.find_or_make(", ".join(["torch", "safetensors.torch", *modules]),
                                       ["torch", "numpy", "safetensors", *packages])
    os.makedirs(BUILD, exist_ok=True)
    print(machine(), flush=True)
    for network in networks:
        case = torch_python.make_case(python, os.path.join(folder, network + ".json"),
                                      os.path.join(BUILD, network, "case"), max(args.batch))
        macs = json.loads(
            common.call(args.sanc, "stats", os.path.join(case, "model.json"), "--json"))["macs"]
        for batch in args.batch:
            for threads in args.threads:
                setting = (network, case, batch, threads, precision)
                start = lambda name: (start_sanc(args.sanc, *setting) if name == "sanc" else
                                      start_peer(python, name, *setting))
                programs = measure(start, ["sanc"] + peers, args.rounds, MOST_ERROR[precision])
                alone = bench(args.sanc, case, "x86-64-v4") or bench(args.sanc, case, "x86-64-v3")
                row = {
                    "network": network, "batch": batch, "threads": threads, "machine": machine(),
                    "date": time.strftime("%Y-%m-%d"), "macs": macs,
                    "peak_gflops": alone["peak_gflops"], "programs": programs, "kernels": [{
                        "name": kernel["name"], "ms": kernel["ms"]["best"], "flops": kernel["flops"]
                    } for kernel in alone["kernels"]]
                }
                keep(results, row, ("network", "batch", "threads", "machine"))
                show(row)


if __name__ == "__main__":
    main()
