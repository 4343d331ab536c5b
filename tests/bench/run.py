#!/usr/bin/env python3
"""The benchmark's own test, by its commands: run.py SANC

One round of one network and PyTorch eager, then the chart of it. Says nothing about speed: only
that programs run, that their outputs are right, and that the chart holds what was measured. Needs
PyTorch (see ../numeric/torch_python.py) and the networks of ../shared.
"""
import json
import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "numeric"))
import common
import torch_python

NETWORK, SVG = "san10_pairwise", "{http://www.w3.org/2000/svg}"


def main():
    sanc = sys.argv[1]
    common.shared("reference")
    if not torch_python.find():
        common.skip("no PyTorch; TORCH_PYTHON can name a Python with it")
    tally = common.Tally()
    with tempfile.TemporaryDirectory() as folder:
        results, chart = os.path.join(folder, "results.json"), os.path.join(folder, "chart.svg")
        common.call(sys.executable, os.path.join(HERE, "peers.py"), sanc, NETWORK, "--peers",
                    "eager", "--threads", "1,2", "--batch", "1", "--rounds", "1", "--results",
                    results, timeout=1800)
        with open(results) as file:
            rows = json.load(file)
        tables = common.call(sys.executable, os.path.join(HERE, "chart.py"), results, chart)
        common.call(sys.executable, os.path.join(HERE, "peers.py"), sanc, NETWORK, "--precision",
                    "bf16", "--peers", "eager", "--threads", "1", "--batch", "1", "--rounds", "1",
                    "--results", results + ".bf16", timeout=1800)
        with open(results + ".bf16") as file:
            half = json.load(file)[0]["programs"]
        root = xml.etree.ElementTree.parse(chart).getroot()
    tally.check([row["threads"] for row in rows] == [1, 2], "a row for each number of threads")
    for name, times in half.items():
        tally.check(1e-5 < times["error"] < 0.1, f"{name} in bf16: error {times['error']}")
    for row in rows:
        for name, times in row["programs"].items():
            tally.check(times["error"] < 1e-5, f"{name}: error {times['error']}")
            cell = f"{times['median_ms']:.1f} ("
            tally.check(cell in tables, f"{name}: {cell} is in the table")
    dots = [dot for dot in root.iter(SVG + "path") if dot.find(SVG + "title") is not None]
    tally.check(len(dots) == sum(len(row["programs"]) for row in rows), "a mark for each program")
    return tally.end()


if __name__ == "__main__":
    sys.exit(main())
