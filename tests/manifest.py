#!/usr/bin/env python3
"""Whether a change leaves what sanc writes as it was, byte for byte.

    manifest.py SANC [--quick] [-o FILE]            prints the SHA-256 of every output, a line each
    manifest.py --compare OLD NEW [--quick]         of two programs: prints the lines that differ
    manifest.py --against COMMIT [SANC] [--quick]   builds that commit in a temporary folder and compares

A line is `HASH MODEL TARGETS PRECISION bBATCH tTHREADS KIND`. The models are the cases of
tests/numeric and those of ../shared (if it is there), the digits, 40 random models, and the paper's
six networks, whose weights are made here from their names: their values only have to be the same
each time. Kinds are what --emit names, the weights of a launch plan, and the dump after every pass.
A whole run takes about 15 minutes on two processors; --quick takes every kind of a few models, in a
minute. Run it before and after a refactoring.
"""
import argparse
import concurrent.futures
import hashlib
import json
import os
import random
import re
import struct
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "numeric"))
import common  # noqa: E402

X86 = ["x86-64-v3,x86-64-v4", "znver3"]
GPU = [("nvptx:sm_70", "f32"), ("nvptx:sm_80", "f32"), ("nvptx:sm_80", "tf32"),
       ("nvptx:sm_80", "bf16")]
X86_KINDS, GPU_KINDS = "obj,header,asm,llvm,ir,report", "obj,llvm,ir,ptx,launch"
RANDOM_MODELS = 40


def case_folders(quick):
    """Folders with a model.json and its weights."""
    roots = [
        os.path.join(HERE, "numeric", "cases"),
        os.path.join(common.ROOT, "examples", "digits")
    ]
    shared = os.path.join(common.SHARED, "cases")
    if os.path.isdir(shared) and not quick:
        roots.append(shared)
    found = sorted(os.path.join(root, name) for root in roots for name in os.listdir(root)
                   if os.path.exists(os.path.join(root, name, "weights.safetensors")))
    return found[::4] if quick else found


def network_files(quick):
    names = [name for name in sorted(os.listdir(common.NETWORKS)) if name.endswith(".json")]
    return [os.path.join(common.NETWORKS, name) for name in names][:1 if quick else None]


def write_weights(sanc, model, path):
    """Numbers around 0.09, drawn from each tensor's name, in half precision."""
    graph = common.call(sanc, "ir", model, "--before", "expand_batch_norm")
    needs = re.findall(r'parameter \{ name = "([^"]+)", shape = \[([\d, ]+)\]', graph)
    header, parts, at = {}, [], 0
    for name, dims in needs:
        shape = [int(dim) for dim in dims.split(",")]
        count = 1
        for dim in shape:
            count *= dim
        data = bytearray(b"\x2d" * (2 * count))
        data[0::2] = random.Random(name).randbytes(count)
        header[name] = {"dtype": "F16", "shape": shape, "data_offsets": [at, at + len(data)]}
        parts.append(data)
        at += len(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.writelines(parts)


def settings(large, quick):
    """(targets, precision, batch, threads)."""
    if quick:
        return [(X86[0], "f32", 1, 2), (X86[1], "f32", 3, 1), (*GPU[0], 1, 1),
                (*GPU[3], 3, 1)][:2 if large else None]
    sizes = [(1, 1), (3, 2)] if large else [(1, 1), (1, 2), (3, 1), (3, 2)]
    found = [(targets, "f32", batch, threads) for targets in X86 for batch, threads in sizes]
    return found + [(target, precision, batch, 1) for target, precision in GPU
                    for batch in ((1,) if large else (1, 3))]


def hash_of(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() if hasattr(hashlib, "file_digest") else \
            hashlib.sha256(file.read()).hexdigest()


def rows_of(sanc, name, model, weights, setting):
    targets, precision, batch, threads = setting
    head = f"{name} {targets} {precision} b{batch} t{threads}"
    with tempfile.TemporaryDirectory() as folder:
        kinds = GPU_KINDS if targets.startswith("nvptx") else X86_KINDS
        done = subprocess.run([
            sanc, "compile", model, "-w", weights, "--emit", kinds, "--target", targets,
            "--precision", precision, "--batch",
            str(batch), "--threads",
            str(threads), "--dump-ir",
            os.path.join(folder, "states"), "-o",
            os.path.join(folder, "net")
        ], capture_output=True, text=True)
        if done.returncode:
            return [f"status-{done.returncode} {head} {done.stderr.splitlines()[:1]}"]
        files = [
            os.path.join(path, file) for path, _, names in os.walk(folder)
            for file in names if file != "passes.tsv"
        ]
        return [f"{hash_of(path)} {head} {os.path.relpath(path, folder)}" for path in sorted(files)]


def manifest(sanc, quick):
    sanc = os.path.abspath(sanc)
    with tempfile.TemporaryDirectory() as folder:
        drawn = os.path.join(folder, "random")
        generator = os.path.join(os.path.dirname(sanc), "random_models")
        os.mkdir(drawn)
        if os.path.exists(generator):
            common.call(generator, "--write", drawn, "--count", 4 if quick else RANDOM_MODELS)
        else:
            print(f"skipped: random models, no {generator}", file=sys.stderr)
        cases = case_folders(quick) + [
            os.path.join(drawn, name) for name in sorted(os.listdir(drawn))
        ]
        models = [(os.path.basename(case), os.path.join(case, "model.json"),
                   os.path.join(case, "weights.safetensors"), False)
                  for case in cases if os.path.exists(os.path.join(case, "model.json"))]
        for network in network_files(quick):
            name = os.path.basename(network)[:-5]
            weights = os.path.join(folder, name + ".safetensors")
            write_weights(sanc, network, weights)
            models.insert(0, (name, network, weights, True))
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            jobs = [pool.submit(rows_of, sanc, name, model, weights, setting)
                    for name, model, weights, large in models for setting in settings(large, quick)]
            return sorted((row for job in jobs for row in job.result()),
                          key=lambda row: row.split(" ", 1)[1])


def compare(old, new, quick):
    """Prints what differs; the number of lines."""
    before, after = ({row.split(" ", 1)[1]: row.split(" ", 1)[0]
                      for row in manifest(sanc, quick)} for sanc in (old, new))
    differ = sorted(key
                    for key in before.keys() | after.keys() if before.get(key) != after.get(key))
    for key in differ:
        print(
            f"{'only before' if key not in after else 'only after' if key not in before else 'differs'}: {key}"
        )
    print(f"{len(before.keys() | after.keys())} outputs, {len(differ)} differ")
    return len(differ)


def build(commit, folder):
    """The program of another commit."""
    tree = os.path.join(folder, "tree")
    common.call("git", "-C", common.ROOT, "worktree", "add", "--detach", tree, commit)
    common.call("cmake", "--preset", "release", cwd=tree)
    common.call("cmake", "--build", "--preset", "release", "-j", os.cpu_count(), "--target", "sanc",
                "random_models", cwd=tree, timeout=1800)
    return os.path.join(tree, "build", "release", "sanc")


def compare_with_commit(commit, sanc, quick):
    with tempfile.TemporaryDirectory() as folder:
        try:
            return compare(build(commit, folder), sanc, quick)
        finally:
            subprocess.run([
                "git", "-C", common.ROOT, "worktree", "remove", "--force",
                os.path.join(folder, "tree")
            ], check=False)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sanc", nargs="?", default=os.path.join(common.ROOT, "build", "release",
                                                                "sanc"))
    parser.add_argument("--compare", nargs=2, metavar=("OLD", "NEW"))
    parser.add_argument("--against", metavar="COMMIT")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("-o", dest="output")
    args = parser.parse_args()
    if args.compare:
        return bool(compare(*args.compare, args.quick))
    if args.against:
        return bool(compare_with_commit(args.against, args.sanc, args.quick))
    text = "".join(row + "\n" for row in manifest(args.sanc, args.quick))
    with open(args.output, "w") if args.output else sys.stdout as file:
        file.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
