#!/usr/bin/env python3
"""How long a compiled network takes beside the same network in PyTorch eager, both on one thread.

    peers.py SANC [NAME] [--rounds N] [--json]

NAME is a network of ../shared/models, which is not part of the project; without it san10_pairwise. Weights are seeded
(../shared/reference/make_case.py). The two take turns within one run, since a machine's speed drifts; a first turn of each
is thrown away. PyTorch comes from this Python or from a virtual environment made in build/torch.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "numeric"))
import common
import torch_python

RUNS_PER_ROUND = {"sanc": 5, "PyTorch": 2}


class Program:
    """A process that runs the network as often as it is told."""

    def __init__(self, *command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)

    def run(self, runs):
        """Milliseconds of each run."""
        self.process.stdin.write(f"{runs}\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            sys.exit("a timed program ended early")
        return list(map(float, line.split()))

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def build_program(sanc, name, case, folder):
    stem = os.path.join(folder, name)
    common.call(sanc, "compile", os.path.join(case, "model.json"), "-w",
                os.path.join(case, "weights.safetensors"), "-o", stem + ".o")
    common.call("cc", "-std=c11", "-D_POSIX_C_SOURCE=200809L", "-O2", "-I", folder,
                f"-DMODEL={name}_model", f'-DHEADER="{name}.h"', os.path.join(HERE, "time_model.c"),
                stem + ".o", "-o", stem)
    return stem


def machine():
    with open("/proc/cpuinfo") as file:
        rows = dict(line.split(":", 1) for line in file if ":" in line)
    names = {key.strip(): value.strip() for key, value in rows.items()}
    wide = "AVX-512" if "avx512dq" in names["flags"] else "AVX2"
    return (f"{names['model name']} (family {names['cpu family']}, model {names['model']}), "
            f"{os.cpu_count()} processors, {wide}")


def summary(times):
    times = sorted(times)
    low, high = times[len(times) // 10], times[-1 - len(times) // 10]
    return {"median_ms": statistics.median(times), "p10_ms": low, "p90_ms": high, "runs": len(times)}


def measure(programs, rounds):
    times = {name: [] for name in programs}
    for turn in range(rounds + 1):
        for name, program in programs.items():
            took = program.run(RUNS_PER_ROUND[name])
            times[name] += took if turn > 0 else []
    return {name: summary(values) for name, values in times.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sanc")
    parser.add_argument("name", nargs="?", default="san10_pairwise")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    model = common.shared("models", args.name + ".json")
    python = torch_python.find_or_make()
    case = torch_python.make_case(python, model, os.path.join(common.ROOT, "build", "models", args.name))
    with tempfile.TemporaryDirectory() as folder:
        programs = {"sanc": Program(build_program(args.sanc, args.name, case, folder)),
                    "PyTorch": Program(python, os.path.join(HERE, "time_torch.py"),
                                       common.shared("reference"), case)}
        results = measure(programs, args.rounds)
        for program in programs.values():
            program.end()
    ratio = results["PyTorch"]["median_ms"] / results["sanc"]["median_ms"]
    if args.json:
        print(json.dumps({"network": args.name, "machine": machine(), "ratio": ratio, **results}))
        return
    print(f"{args.name}, batch 1, 1 thread, {machine()}")
    for name, row in results.items():
        print(f"  {name:8} median {row['median_ms']:8.2f} ms, 10% to 90%: {row['p10_ms']:.2f} to "
              f"{row['p90_ms']:.2f} ms, {row['runs']} runs")
    print(f"  sanc is {ratio:.2f} times as fast")


if __name__ == "__main__":
    main()
