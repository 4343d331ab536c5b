#!/usr/bin/env python3
"""Runs compiled networks on this machine's NVIDIA GPU: checks them, then times them.

    run.py [--seconds 480] [--quick] [--only WORD]

Needs Python 3.8, NumPy and NVIDIA's driver. Results go to the folder that the environment variable
OUT names (otherwise `results` here), part by part as they are there: results.jsonl has a line for
each part, summary.txt what there is to read, logs/ what each part printed.

The most valuable comes first: the device; small networks against right answers in each precision;
the paper's networks, checked and timed as a whole; each of their kernels beside its estimate; the
device's limits; the tools of compute-sanitizer; PyTorch. Each part is a process with a time limit,
so that none can harm the others; what does not fit into the seconds is left out. --quick: little of
everything, for a driver that is not one. --only: parts whose name has WORD. Exit status: 0, or 1
where a part failed or an output was wrong.

One part alone, which prints its result: run.py --part WORD...
"""
import argparse
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time

import summary

HERE = os.path.dirname(os.path.abspath(__file__))
LIMITS = {"device": 40, "cases": 60, "time": 40, "kernels": 30, "limits": 40, "sanitizer": 60,
          "torch": 120}
LEAST_SECONDS = 3
SANITIZER = "/usr/local/cuda/bin/compute-sanitizer"
TOOLS = ["memcheck", "racecheck", "initcheck", "synccheck"]
FORMS = ["eager", "eager_tf32", "compiled", "compiled_tf32"]
RESULT = "result: "


def sanitizer():
    path = os.environ.get("COMPUTE_SANITIZER") or shutil.which("compute-sanitizer") or SANITIZER
    return path if os.path.exists(path) else None


def parts_of(pack):
    """Lists of words, in the order of their value."""
    precisions, names = pack["precisions"], list(pack["networks"])
    parts = [["device"]]
    parts += [["cases", precision] for precision in precisions]
    parts += [["time", name] for name in names]
    first = [name for name in names if pack["networks"][name]["first"]]
    parts += [["kernels", name] for name in first] + [["limits"]]
    if sanitizer():
        parts += [["sanitizer", tool, precision] for precision in precisions for tool in TOOLS]
    parts += [["kernels", name] for name in names if name not in first]
    if importlib.util.find_spec("torch") and pack["reference"]:
        plain = [name for name in names if pack["networks"][name]["precision"] == "f32"]
        parts += [["torch", name, form] for form in FORMS for name in plain]
    return parts


def command_of(words, quick):
    command = [sys.executable, os.path.join(HERE, "run.py"), *(["--quick"] if quick else [])]
    if words[0] != "sanitizer":
        return [*command, "--part", *words]
    return [sanitizer(), "--tool", words[1], "--error-exitcode", "9", *command, "--part", "cases",
            words[2]]


def run_part(words, seconds, out, quick):
    """A row of the results."""
    name, start = " ".join(words), time.monotonic()
    log, status = os.path.join(out, "logs", "-".join(words) + ".txt"), "failed"
    with open(log, "w+", encoding="utf-8", errors="replace") as file:
        try:
            done = subprocess.run(command_of(words, quick), stdout=file, stderr=subprocess.STDOUT,
                                  stdin=subprocess.DEVNULL, timeout=seconds)
            status = "ok" if done.returncode == 0 else f"failed: status {done.returncode}"
        except subprocess.TimeoutExpired:
            status = f"failed: more than {seconds:.0f} s"
        except OSError as error:
            status = f"failed: {error}"
        file.seek(0)
        lines = file.read().splitlines()
    row = {"part": name, "status": status, "seconds": round(time.monotonic() - start, 2)}
    found = [line[len(RESULT):] for line in lines if line.startswith(RESULT)]
    if found:
        row.update(json.loads(found[-1]))
    if status != "ok":
        row["said"] = "\n".join(lines[-8:])
    return row


def keep(out, rows, pack):
    with open(os.path.join(out, "results.jsonl"), "a", encoding="utf-8") as file:
        file.write(json.dumps(rows[-1]) + "\n")
        file.flush()
        os.fsync(file.fileno())
    text = summary.text(rows, pack)
    with open(os.path.join(out, "summary.txt.new"), "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(file.name, os.path.join(out, "summary.txt"))


def run_all(pack, args):
    out = os.environ.get("OUT") or os.path.join(HERE, "results")
    os.makedirs(os.path.join(out, "logs"), exist_ok=True)
    end, rows, useless = time.monotonic() + args.seconds, [], None
    for words in parts_of(pack):
        if args.only not in " ".join(words) or words[0] == useless:
            continue
        left = end - time.monotonic()
        if left < LEAST_SECONDS:
            rows.append({"part": " ".join(words), "status": "left out: no time", "seconds": 0})
        else:
            rows.append(run_part(words, min(left, LIMITS[words[0]]), out, args.quick))
        if "skipped" in rows[-1]:
            useless = words[0]
        keep(out, rows, pack)
        print(summary.line(rows[-1]), flush=True)
    bad = [row for row in rows if row["status"].startswith("failed") or row.get("ok") is False]
    print(f"{len(rows)} parts, {len(bad)} failed; {os.path.join(out, 'summary.txt')}")
    return 1 if bad else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=480)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", default="")
    parser.add_argument("--part", nargs="+")
    args = parser.parse_args()
    if args.part:
        import parts
        print(RESULT + json.dumps(parts.run(args.part, args.quick)))
        return 0
    with open(os.path.join(HERE, "manifest.json"), encoding="utf-8") as file:
        return run_all(json.load(file), args)


if __name__ == "__main__":
    sys.exit(main())
