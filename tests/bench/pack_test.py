#!/usr/bin/env python3
"""A pack (gpu_pack.py) from start to end: pack_test.py SANC FOLDER_OF_LIBCUDA

Made of a small network and the small cases, moved to a folder of its own, and run there by a Python
that has NumPy alone, on a driver that stands in for NVIDIA's. Then with mistakes: kernels that are
not there, a driver that refuses cubins, little time, and no driver. Needs NumPy (TORCH_PYTHON can
name a Python with it), ptxas, and LLVM's llc.
"""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), "gpu")]
import device
import ptxas
from device import common
import torch_python

CASE = os.path.join(common.ROOT, "tests", "numeric", "cases", "mixed")
PRECISIONS, BATCHES = ["f32", "bf16"], [1, 2]
MOST_BYTES = 2e6
NO_BINARY = 209


class Machine:
    """A folder with a pack, a Python with NumPy alone, and a driver."""

    def __init__(self, python, scratch, mock, kernels):
        self.folder, self.scratch, self.mock = os.path.join(scratch, "pack"), scratch, mock
        self.kernels = [os.path.join(kernels, name) for name in sorted(os.listdir(kernels))]
        self.only, self.runs = os.path.join(scratch, "only"), 0
        base, site = subprocess.run([
            python, "-c", "import numpy, os, sys; print(sys._base_executable); "
            "print(os.path.dirname(os.path.dirname(numpy.__file__)))"
        ], stdout=subprocess.PIPE, text=True, check=True).stdout.split()
        self.python = base
        os.mkdir(self.only)
        for name in ("numpy", "numpy.libs"):
            if os.path.exists(os.path.join(site, name)):
                os.symlink(os.path.join(site, name), os.path.join(self.only, name))

    def run(self, *options, driver=True, kernels=None, **settings):
        """(exit status, rows of the results, summary)"""
        self.runs += 1
        out = os.path.join(self.scratch, f"out{self.runs}")
        environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": self.only, "OUT": out,
                       "MOCK_KERNELS": ":".join(kernels or self.kernels), "MOCK_REPORT": "1",
                       "LD_LIBRARY_PATH": self.mock if driver else "", **settings}
        done = subprocess.run([self.python, os.path.join(self.folder, "run.py"), "--quick",
                               *options], env=environment, cwd="/", stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)
        try:
            with open(os.path.join(out, "results.jsonl"), encoding="utf-8") as file:
                rows = [json.loads(line) for line in file]
            with open(os.path.join(out, "summary.txt"), encoding="utf-8") as file:
                return done.returncode, rows, file.read()
        except OSError as error:
            raise common.Failure([f"{error}"], done.returncode, done.stdout) from None


def make(sanc, scratch):
    """A pack in SCRATCH/pack, and its kernels for the host in SCRATCH/host."""
    made, model = os.path.join(scratch, "made"), os.path.join(scratch, "tiny.json")
    shutil.copyfile(os.path.join(CASE, "model.json"), model)
    common.call(sys.executable, os.path.join(HERE, "gpu.py"), sanc, model, "--pack", made,
                "--target", "nvptx:sm_80", "--quick", "--precisions", ",".join(PRECISIONS),
                "--batch", ",".join(map(str, BATCHES)), "--host", os.path.join(scratch, "host"))
    shutil.move(made, os.path.join(scratch, "pack"))


def check_whole(machine, tally):
    status, rows, summary = machine.run()
    tally.check(status == 0, f"a run: status {status}: {summary}")
    names = [f"tiny_{precision}_{batch}" for batch in reversed(BATCHES) for precision in PRECISIONS]
    want = ["device", *(f"cases {precision}" for precision in PRECISIONS),
            *(f"time {name}" for name in names), *(f"kernels {name}" for name in names), "limits"]
    found = [row["part"] for row in rows if row["part"].split()[0] not in ("torch", "sanitizer")]
    tally.check(found == want, f"parts in their order: {found}, not {want}")
    for row in rows:
        tally.check(row["status"] == "ok" and row.get("ok", True), f"{row['part']}: {row}")
        if row["part"].startswith("time "):
            tally.check(row["error"] == 0 and row["how"] == "graph" and row["code"] == "cubin"
                        and row["seeded"] == "on the device", f"{row['part']}: {row}")
            tally.check(re.search(rf"tiny \| {row['part'][-1]} \| .*\| cubin", summary),
                        f"{row['part']} is in the summary")
    least = {precision: 6 for precision in PRECISIONS}
    for row in rows:
        if row["part"].startswith("cases "):
            tally.check(len(row["cases"]) >= least[row["part"].split()[1]], f"cases: {row}")
    return rows


def check_mistakes(machine, tally):
    spoiled = [path for path in machine.kernels if "mixed_bf16" not in path]
    status, rows, _ = machine.run("--only", "cases", kernels=spoiled, MOCK_MISSING="1")
    good = {row["part"]: row["ok"] for row in rows}
    tally.check(status == 1 and good == {"cases f32": True, "cases bf16": False},
                f"kernels that make zeros: status {status}, {good}")
    status, rows, _ = machine.run("--only", "time", kernels=[
        path for path in machine.kernels if "tiny_f32_2" not in path
    ])
    failed = [row["part"] for row in rows if row["status"] != "ok"]
    tally.check(status == 1 and failed == ["time tiny_f32_2"],
                f"a part fails and the others do not: status {status}, {failed}")
    status, rows, _ = machine.run("--only", "time tiny_f32_1",
                                  MOCK_FAIL=f"cuModuleLoadDataEx:1:{NO_BINARY}")
    tally.check(status == 0 and rows[0]["code"].startswith("ptx (cubin: cuModuleLoadDataEx"),
                f"a refused cubin: status {status}, {rows}")
    status, rows, _ = machine.run("--seconds", "3.2")
    tally.check(status == 0 and rows[-1]["status"] == "left out: no time",
                f"little time: status {status}, {rows[-1]}")
    status, rows, summary = machine.run("--only", "cases", driver=False)
    tally.check(status == 1 and "libcuda" in summary, f"no driver: status {status}, {summary}")


def main():
    sanc, mock = map(os.path.abspath, sys.argv[1:])
    tally = common.Tally()
    device.find_llc(sanc), ptxas.find_ptxas()
    python = torch_python.find("numpy") or common.skip("no NumPy; TORCH_PYTHON can name a Python "
                                                       "with it")
    with tempfile.TemporaryDirectory() as scratch:
        make(sanc, scratch)
        machine = Machine(python, scratch, mock, os.path.join(scratch, "host"))
        size = sum(os.path.getsize(os.path.join(path, name))
                   for path, _, names in os.walk(machine.folder) for name in names)
        tally.check(size <= MOST_BYTES, f"the pack has {size} bytes, at most {MOST_BYTES:.0f}")
        rows = check_whole(machine, tally)
        print(f"{size / 1e6:.1f} MB, {sum(row['seconds'] for row in rows):.0f} s")
        check_mistakes(machine, tally)
    return tally.end()


if __name__ == "__main__":
    sys.exit(main())
