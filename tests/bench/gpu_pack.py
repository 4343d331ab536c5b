#!/usr/bin/env python3
"""Makes a pack: a folder that checks and times networks on a machine with a GPU and nothing else.

    gpu_pack.py SANC [NETWORK...] --pack DIR [--target nvptx:sm_90] [--batch 1,64]
                [--precisions f32,tf32,bf16] [--estimates] [--no-answers] [--quick] [--host FOLDER]

NETWORK is one of examples/models, or a path of such a file; without one, all six. DIR gets pack/,
which is programs, and data/: kernels as cubins and PTX for GPUs of the target's architecture,
launch plans, small cases with right answers; for whole networks in batches of 1 an answer, too, by
running their kernels on this machine, which needs LLVM's llc. Weights of networks are numbers from
a counter (pack/counter.py) that spread as those of seeded weights do, so the folder holds none.
--estimates adds what ../shared/tools/gpu-estimate predicts. --quick: of small cases, the compiler's
schedules alone. --host: a folder that gets the kernels for a driver that stands in for NVIDIA's.
Needs NumPy and ptxas. Then, on the machine with the GPU: python3 DIR/run.py
"""
import argparse
import concurrent.futures
import ctypes
import gzip
import hashlib
import json
import math
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAMS = os.path.join(HERE, "pack")
sys.path[:0] = [os.path.join(os.path.dirname(HERE), "gpu"), PROGRAMS]
import cases
import counter
import device
import pack_kernels
import ptxas
from device import common

CASES = os.path.join(common.ROOT, "tests", "numeric", "cases")
KEYS = 0x51ed270b  # between keys of one network's buffers
MASKS = {13: 0xffffe000, 16: 0xffff0000}  # by bits that are 0 in every number
ALIGNMENT = 256
MOST_BYTES = 60e6


# ---- files -------------------------------------------------------------------------------------


class Data:
    """The folder data/ of a pack."""

    def __init__(self, folder):
        self.folder = os.path.join(folder, "data")
        os.makedirs(self.folder, exist_ok=True)

    def put(self, data):
        """The name of a file with this content."""
        name = hashlib.sha256(data).hexdigest()[:16] + ".gz"
        path = os.path.join(self.folder, name)
        if not os.path.exists(path):
            with open(path, "wb") as file:
                file.write(gzip.compress(data, 9, mtime=0))
        return name

    def put_file(self, path):
        with open(path, "rb") as file:
            return self.put(file.read())


def write_weights(sanc, model, path):
    """Seeded weights of a network; so small that nothing grows from block to block."""
    first = common.call(sanc, "ir", "--list-passes").split()[1]
    text = common.call(sanc, "ir", model, "--before", first)
    random, tensors = np.random.default_rng(1), {}
    for name, shape in re.findall(r'parameter \{ name = "([^"]*)", shape = \[([^]]*)\]', text):
        shape = [int(word) for word in shape.split(",")]
        spread = math.sqrt(0.5 / math.prod(shape[1:])) if len(shape) > 1 else 0.1
        values = spread * random.standard_normal(math.prod(shape), dtype=np.float32)
        if len(shape) == 1 and name.endswith(("weight", "running_var")):
            values = 1 + np.abs(values)
        tensors[name] = (shape, values.tobytes())
    write_tensors(path, tensors)


def write_tensors(path, tensors):
    header, end = {}, 0
    for name, (shape, data) in tensors.items():
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [end, end + len(data)]}
        end += len(data)
    head = json.dumps(header).encode()
    head += b" " * (-len(head) % 8)
    with open(path, "wb") as file:
        file.write(len(head).to_bytes(8, "little") + head)
        file.writelines(data for _, data in tensors.values())


# ---- weights -----------------------------------------------------------------------------------


def describe_numbers(bits, key):
    """Settings of counter.find for numbers that spread as these do, or None."""
    values, ored = bits.view(np.float32), int(np.bitwise_or.reduce(bits))
    zeros = (ored & -ored).bit_length() - 1 if ored else 0
    mask = MASKS[max((n for n in MASKS if n <= zeros), default=0)] if zeros >= 13 else 0xffffffff
    if (bits == bits[0]).all():
        return [len(bits), key, 8, 1 << 23, 0.0, float(values[0]), 0xffffffff]
    mean, deviation = float(values.mean(dtype=np.float64)), float(values.std(dtype=np.float64))
    if not math.isfinite(mean) or not 1e-20 < deviation < 1e20 or abs(mean) > 1000 * deviation:
        return None
    reach = 2.0 ** round(math.log2(deviation * math.sqrt(3)))
    if abs(mean) < deviation / 4:
        return [len(bits), key, 8, 1 << 23, reach * 2.0 ** -23, 0.0, mask]
    step = reach * 2.0 ** -11
    return [len(bits), key, 20, 2048, step, step * round(mean / step), mask]


def describe_weights(plan, weights):
    """(seeds, [(offset, bytes)] of what goes as it is)"""
    seeds, pieces = [], []
    for number, buffer in enumerate(buffer for buffer in plan["buffers"]
                                    if buffer["place"] == "weights"):
        offset, size = buffer["offset"], buffer["bytes"]
        bits = np.frombuffer(weights, np.uint32, size // 4, offset) if size % 4 == 0 else None
        settings = None
        if buffer["type"] == "f32" and bits is not None:
            settings = describe_numbers(bits, (number + 1) * KEYS & 0xffffffff)
        if settings:
            seeds.append([offset, *settings])
        else:
            pieces.append([offset, size])
    return seeds, pieces


def put_weights(data, plan, weights):
    seeds, pieces = describe_weights(plan, weights)
    raw = b"".join(weights[offset:offset + size] for offset, size in pieces)
    return {"seeds": seeds, "pieces": pieces, "raw": data.put(raw)}


def seeded_weights(plan, weights):
    """What the device will have."""
    seeds, _ = describe_weights(plan, weights)
    out = np.frombuffer(weights, np.uint8).copy()
    for offset, *settings in seeds:
        values = counter.find(*settings).view(np.uint8)
        out[offset:offset + len(values)] = values
    return out


# ---- the networks' right answers: their kernels on the host ------------------------------------


def aligned(count, fill=0):
    room = np.full(count + ALIGNMENT, fill, np.uint8)
    at = -room.ctypes.data % ALIGNMENT
    return room[at:at + count]


def answer(plan, library, weights, image):
    """The output for one image; the kernels run without checks."""
    host = device.load_host(library)
    ctypes.c_int32.in_dll(host, "host_unchecked").value = 1
    memory = {"input": aligned(image.nbytes), "weights": aligned(len(weights)),
              "output": aligned(4 * math.prod(plan["output"]["shape"])),
              "workspace": aligned(plan["workspace"]["bytes"], 0xff)}
    memory["input"][:], memory["weights"][:] = image.view(np.uint8).ravel(), weights
    for kernel in plan["kernels"]:
        arguments = (ctypes.c_void_p * 4)(*(
            memory[name].ctypes.data + offset
            for name, offset in zip(plan["arguments"], kernel["offsets"])))
        function = ctypes.cast(getattr(host, kernel["function"]), ctypes.c_void_p)
        if not host.host_launch(function, arguments, kernel["grid"][0], kernel["block"][0],
                                kernel["shared_bytes"]):
            raise device.Wrong(f"{kernel['name']}: {host.host_error().decode()}")
    out = memory["output"].view(np.float32).copy()
    if not np.isfinite(out).all():
        raise device.Wrong(f"{plan['model']}: an answer that is not finite")
    return out


# ---- what goes into the pack -------------------------------------------------------------------


class Maker:
    def __init__(self, sanc, folder, target, host):
        self.sanc, self.folder, self.target, self.data = sanc, folder, target, Data(folder)
        self.llc, self.ptxas, self.host = device.llc_of(sanc)[0], ptxas.find_ptxas(), host
        if host:
            os.makedirs(host, exist_ok=True)

    def compile(self, scratch, model, weights, name, batch, precision):
        """{kind: path} of what sanc writes."""
        stem = os.path.join(scratch, name)
        words = [] if model.endswith(".sanir") else [
            "--name", name, "--target", self.target, "--batch", batch, "--precision", precision
        ]
        common.call(self.sanc, "compile", model, "-w", weights, *words, "--emit",
                    "ptx,cubin,launch,llvm", "-o", stem)
        return {"ptx": stem + ".ptx", "cubin": stem + ".cubin", "plan": stem + ".launch.json",
                "llvm": stem + ".ll", "weights": stem + ".weights.bin"}

    def put_code(self, paths):
        return {kind: self.data.put_file(paths[kind]) for kind in ("ptx", "cubin", "plan")}

    def library(self, paths, scratch, checked):
        """The kernels for this machine; None without llc."""
        if not self.llc:
            return None
        with open(paths["llvm"], encoding="utf-8") as file:
            return device.compile_host(self.llc, file.read(), scratch, checked)

    def keep_library(self, name, paths, scratch):
        """For a driver that stands in for NVIDIA's."""
        if self.host:
            shutil.copy(self.library(paths, scratch, True), os.path.join(self.host, name + ".so"))

    def device_kernels(self, scratch):
        """Kernels for seeds and limits; {} without llc."""
        if not self.llc:
            return {}
        paths = {kind: os.path.join(scratch, "device." + kind) for kind in ("llvm", "ptx", "cubin")}
        with open(paths["llvm"], "w", encoding="ascii") as file:
            file.write(pack_kernels.text())
        gpu = self.target.partition(":")[2]
        common.call(self.llc, "-O2", "-mtriple=nvptx64-nvidia-cuda", f"-mcpu={gpu}", paths["llvm"],
                    "-o", paths["ptx"])
        common.call(self.ptxas, f"--gpu-name={gpu}", paths["ptx"], "-o", paths["cubin"])
        self.keep_library("device", paths, scratch)
        return {kind: self.data.put_file(paths[kind]) for kind in ("ptx", "cubin")}

    def case(self, name, precision, dump):
        """(name, entry) of a case with the compiler's schedules, and with those of a dump."""
        case = cases.Case(name, os.path.join(CASES, name))
        entries = {}
        with tempfile.TemporaryDirectory() as scratch:
            reference, bound = case.reference, 0.0 if case.exact else cases.MOST_ERROR
            if precision != "f32":
                found = case.evaluate(self.sanc, precision, scratch)
                if case.exact:
                    reference = found
                else:
                    bound = max(bound, 2 * common.relative_error(found, reference))
            models = [(os.path.join(case.folder, "model.json"), "")]
            models += case.dumps(self.sanc, precision, scratch) if dump else []
            for number, (model, how) in enumerate(models):
                unique = f"{name}_{precision}_{number}"
                paths = self.compile(scratch, renamed(model, unique), os.path.join(
                    case.folder, "weights.safetensors"), unique, case.batch, precision)
                entries[unique] = {
                    **self.put_code(paths), "precision": precision, "bound": bound, "how": how,
                    "weights": {"whole": self.data.put_file(paths["weights"])},
                    "images": self.data.put(np.array(case.images, np.float32).tobytes()),
                    "output": self.data.put(np.array(reference, np.float64).tobytes())
                }
                self.keep_library(unique, paths, scratch)
        return entries

    def network(self, model, weights, batch, precision, answers):
        """(name, entry). answers: {what the weights are: the answer's file}, which grows."""
        network = os.path.basename(model)[:-len(".json")]
        name = f"{network}_{precision}_{batch}"
        with tempfile.TemporaryDirectory() as scratch:
            paths = self.compile(scratch, model, weights, name, batch, precision)
            with open(paths["plan"], encoding="utf-8") as file:
                plan = json.load(file)
            with open(paths["weights"], "rb") as file:
                contents = file.read()
            entry = {**self.put_code(paths), "network": network, "batch": batch,
                     "precision": precision, "model": self.data.put_file(model),
                     "weights": put_weights(self.data, plan, contents)}
            key = network, precision, hashlib.sha256(contents).hexdigest()
            if batch == 1 and self.llc and answers is not None:
                found = answer(plan, self.library(paths, scratch, False),
                               seeded_weights(plan, contents), counter.image(plan["input"]["shape"]))
                answers[key] = self.data.put(found.tobytes())
            if answers and key in answers:
                entry["answer"] = answers[key]
            self.keep_library(name, paths, scratch)
        return name, entry


def renamed(path, name):
    """A dump with another name for its model, so that kernels of all cases can lie together."""
    if path.endswith(".sanir"):
        with open(path, encoding="utf-8") as file:
            text = file.read()
        with open(path, "w", encoding="utf-8") as file:
            file.write(re.sub(r'^model ".*"', f'model "{name}"', text, count=1, flags=re.M))
    return path


# ---- estimates ---------------------------------------------------------------------------------


def estimate(sanc, model, weights, target, batch, precision):
    """({kernel's name: us}, us an image) by ../shared/tools/gpu-estimate; ({}, None) without it."""
    tool = os.path.join(common.SHARED, "tools", "gpu-estimate", "gpu-estimate")
    if not os.path.exists(tool):
        return {}, None
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run([
            sys.executable, tool, str(sanc), model, weights, "--batch", str(batch), "--precision",
            precision, "--target", target, "--keep", folder
        ], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        total = re.search(r": ([\d.]+) us an image", done.stdout)
        if done.returncode or not total:
            print(f"no estimate: {done.stderr.strip().splitlines()[-1:]}", flush=True)
            return {}, None
        with open(os.path.join(folder, "net.rows.json"), encoding="utf-8") as file:
            rows = json.load(file)
    return {row["name"]: max(row["us"], row["dram_us"]) for row in rows}, float(total[1])


def add_estimate(sanc, entry, name, model, weights, target):
    """Kernels of the pack have the network's name, precision and batch in theirs."""
    found, total = estimate(sanc, model, weights, target, entry["batch"], entry["precision"])
    network = entry["network"]
    if total is not None:
        entry["estimate_us"] = {name + kernel[len(network):]: us for kernel, us in found.items()}
        entry["estimate_us_an_image"] = total


# ---- the whole ---------------------------------------------------------------------------------


def by_value(paths):
    """SAN19 pairwise is what goals are for; then the largest."""
    def key(path):
        name = os.path.basename(path)
        size = re.search(r"\d+", name)
        return ("pairwise" not in name or "19" not in name), -int(size[0] if size else 0), name
    return sorted(paths, key=key)


def say(text):
    print(text, flush=True)


def make(sanc, folder, args):
    shutil.rmtree(os.path.join(folder, "data"), ignore_errors=True)
    os.makedirs(folder, exist_ok=True)
    for name in os.listdir(PROGRAMS):
        if name.endswith(".py"):
            shutil.copy(os.path.join(PROGRAMS, name), folder)
    maker = Maker(sanc, folder, args.target, args.host)
    pack = {"target": args.target, "precisions": args.precisions, "cases": {}, "networks": {},
            "sanc": common.call(sanc, "--version").splitlines()[0],
            "reference": put_reference(folder)}
    with tempfile.TemporaryDirectory() as scratch:
        pack["device"] = maker.device_kernels(scratch)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = [(name, precision) for precision in args.precisions
                for name in sorted(os.listdir(CASES))]
        for entries in pool.map(lambda job: maker.case(*job, not args.quick), jobs):
            pack["cases"].update(entries)
    say(f"{len(pack['cases'])} cases")
    with tempfile.TemporaryDirectory() as scratch:
        for model in by_value(args.models):
            weights = os.path.join(scratch, "weights.safetensors")
            write_weights(sanc, model, weights)
            put_network(maker, pack, model, weights, args)
    put_in_order(pack)
    with open(os.path.join(folder, "manifest.json"), "w", encoding="utf-8") as file:
        json.dump(pack, file, indent=1)
    put_commands(folder, pack)
    return pack


def put_network(maker, pack, model, weights, args):
    answers = {} if args.answers else None
    settings = [(batch, precision) for batch in sorted(args.batch) for precision in args.precisions]
    for batch, precision in settings:
        name, entry = maker.network(model, weights, batch, precision, answers)
        if args.estimates:
            add_estimate(maker.sanc, entry, name, model, weights, args.target)
        pack["networks"][name] = entry
        say(f"{name}{', with an answer' if 'answer' in entry else ''}")


def put_in_order(pack):
    """All of the first network before the others, large batches before small ones."""
    networks = list(dict.fromkeys(entry["network"] for entry in pack["networks"].values()))
    for entry in pack["networks"].values():
        entry["first"] = entry["network"] == networks[0]
    pack["networks"] = dict(sorted(pack["networks"].items(), key=lambda item: (
        networks.index(item[1]["network"]), -item[1]["batch"],
        pack["precisions"].index(item[1]["precision"]))))


def put_reference(folder):
    """The network in PyTorch, where the project has it beside it."""
    source = os.path.join(common.SHARED, "reference", "san_reference.py")
    if not os.path.exists(source):
        return False
    os.makedirs(os.path.join(folder, "reference"), exist_ok=True)
    target = os.path.join(folder, "reference", "san_reference.py")
    shutil.copyfile(source, target)
    return True


def put_commands(folder, pack):
    lines = ["#!/bin/sh", "# NVIDIA's compute-sanitizer on the small networks; run.py does it, too, "
             "where it finds the tool.", 'cd "$(dirname "$0")" || exit 2', "status=0"]
    for precision in pack["precisions"]:
        for tool in ("memcheck", "racecheck", "initcheck", "synccheck"):
            lines.append(f"compute-sanitizer --tool {tool} --error-exitcode 9 python3 run.py "
                         f"--part cases {precision} || status=1")
    with open(os.path.join(folder, "sanitizer.sh"), "w", encoding="ascii") as file:
        file.write("\n".join([*lines, "exit $status"]) + "\n")
    os.chmod(file.name, 0o755)


def size_of(folder):
    return sum(os.path.getsize(os.path.join(path, name))
               for path, _, names in os.walk(folder) for name in names)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sanc")
    parser.add_argument("network", nargs="*")
    for name, default in (("--pack", None), ("--target", "nvptx:sm_90"), ("--batch", "1,64"),
                          ("--precisions", "f32,tf32,bf16"), ("--host", None)):
        parser.add_argument(name, default=default)
    parser.add_argument("--estimates", action="store_true")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--no-answers", dest="answers", action="store_false")
    args = parser.parse_args()
    names = args.network or sorted(name[:-len(".json")] for name in os.listdir(common.NETWORKS)
                                   if name.endswith(".json"))
    args.models = [name if "/" in name else os.path.join(common.NETWORKS, name + ".json")
                   for name in names]
    args.batch = [int(word) for word in args.batch.split(",")]
    args.precisions = args.precisions.split(",")
    start = time.monotonic()
    cases.TARGET = args.target
    make(common.Sanc(args.sanc), args.pack, args)
    size = size_of(args.pack)
    say(f"{args.pack}: {size / 1e6:.1f} MB, made in {time.monotonic() - start:.0f} s")
    return 0 if size <= MOST_BYTES else 1


if __name__ == "__main__":
    sys.exit(main())
