#!/usr/bin/env python3
"""The paper's table of networks, with what they take on this machine.

    paper.py SANC FIGURE.svg [--seconds S] [--threads 1,2] [--batches 1,8] [--networks NAME...]

Prints parameters, FLOPs as the paper counts them, published accuracy, and milliseconds an image, and
draws accuracy over time. The weights are random: time does not depend on them. Standard library
alone.
"""
import argparse
import array
import json
import math
import os
import random
import re
import struct
import subprocess
import sys
import tempfile

MODELS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "models")
# Top-1 accuracy on ImageNet's validation set in percent, as published (Zhao, Jia, Koltun: Exploring
# Self-attention for Image Recognition, CVPR 2020, table 2).
ACCURACY = {
    "resnet26": 73.6, "san10_pairwise": 74.9, "san10_patchwise": 77.1,
    "resnet38": 76.0, "san15_pairwise": 76.6, "san15_patchwise": 78.0,
    "resnet50": 76.9, "san19_pairwise": 76.9, "san19_patchwise": 78.2,
}
PRECISIONS = ["f32", "bf16"]
COLOURS = {"resnet": "#5c6b73", "pairwise": "#1b6ca8", "patchwise": "#d1495b"}
POOL = 65521  # random numbers, used again and again: a prime, so that no two rows are alike


def call(*words):
    """(status, standard output, standard error)"""
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def must(*words):
    status, out, err = call(*words)
    if status:
        sys.exit(f"{' '.join(map(str, words))}: status {status}\n{err}")
    return out


def model_of(name):
    return os.path.join(MODELS, name + ".json")


def write_weights(sanc, name, path):
    """Float32 tensors of the names and shapes that the model needs, of a size that keeps what comes
    out of each layer near 1."""
    first = must(sanc, "ir", "--list-passes").split()[1]
    graph = must(sanc, "ir", model_of(name), "--before", first)
    pool = [random.Random(1).uniform(-1, 1) for _ in range(POOL)]
    header, end = {}, 0
    needs = [(tensor, json.loads(shape)) for tensor, shape in
             re.findall(r'parameter \{ name = "([^"]*)", shape = (\[[^]]*\])', graph)]
    for tensor, shape in needs:
        begin, end = end, end + 4 * math.prod(shape)
        header[tensor] = {"dtype": "F32", "shape": shape, "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for tensor, shape in needs:
            count, scale = math.prod(shape), math.sqrt(3 / max(1, math.prod(shape[1:])))
            low = 1.5 if tensor.endswith("running_var") else 0
            values = array.array("f", (low + scale * value for value in pool[:count]))
            file.write((values * (count // len(values) + 1))[:count].tobytes())


def milliseconds(sanc, name, weights, seconds, threads, batch, precision):
    """Of an image, the median; None where this machine or this sanc has not the precision."""
    status, out, err = call(sanc, "bench", model_of(name), "-w", weights, "--target", "native",
                            "--json", "--seconds", seconds, "--threads", threads, "--batch", batch,
                            "--precision", precision)
    if status == 0:
        return json.loads(out)["latency_ms"]["median"] / batch
    if precision == "f32":
        sys.exit(err)
    return None


def measure(args, name, settings):
    """{setting: milliseconds}, with the counts of `sanc stats`."""
    counts = json.loads(must(args.sanc, "stats", model_of(name), "--count", "paper", "--json"))
    with tempfile.TemporaryDirectory() as scratch:
        weights = os.path.join(scratch, "weights.safetensors")
        write_weights(args.sanc, name, weights)
        times = {setting: milliseconds(args.sanc, name, weights, args.seconds, *setting)
                 for setting in settings}
    return {"parameters": counts["parameters"], "flops": counts["paper_flops"], "times": times}


# ---- what is printed and drawn -------------------------------------------------------------------


def title_of(setting):
    threads, batch, precision = setting
    return (f"{threads} thread{'s' if threads > 1 else ''}, batch {batch}"
            f"{'' if precision == 'f32' else ', ' + precision}")


def print_head(settings):
    print("| network | parameters | FLOPs | top-1 |" +
          "".join(f" {title_of(setting)} |" for setting in settings))
    print("|---|---|---|---|" + "---|" * len(settings), flush=True)


def print_row(name, row, settings):
    print(f"| {name} | {row['parameters'] / 1e6:.1f} M | {row['flops'] / 1e9:.1f} G | "
          f"{ACCURACY[name]}% |" +
          "".join(f" {row['times'][setting]:.1f} ms |" for setting in settings), flush=True)


def text(x, y, words, anchor="middle", size=12, colour="#333"):
    return (f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" '
            f'fill="{colour}">{words}</text>')


def panel(left, top, setting, results, most):
    """Accuracy over time: a line for each kind of network, a point for each network."""
    def x_of(time):
        return left + 300 * time / most

    def y_of(accuracy):
        return top + 210 - 30 * (accuracy - 73)

    parts = [text(left, top - 8, title_of(setting), "start", 13)]
    for accuracy in range(73, 80):
        parts.append(f'<path d="M{left} {y_of(accuracy)}h300" stroke="#ddd"/>')
        parts.append(text(left - 6, y_of(accuracy) + 4, f"{accuracy}%", "end", 11, "#666"))
    step = next(step for step in (1, 2, 5, 10, 20, 50, 100, 200, 500) if most / step <= 7)
    for tick in range(0, int(most) + 1, step):
        parts.append(text(x_of(tick), top + 228, tick, size=11, colour="#666"))
    for kind, colour in COLOURS.items():
        points = [(x_of(row["times"][setting]), y_of(ACCURACY[name]), name)
                  for name, row in results.items() if kind in name]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y, _ in points)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        for x, y, name in points:
            parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>')
            parts.append(text(x, y - 8, re.search(r"\d+", name)[0], size=11, colour=colour))
    return parts


def draw(path, results, settings):
    parts = []
    for i, setting in enumerate(settings):
        most = 1.08 * max(row["times"][setting] for row in results.values())
        parts += panel(60 + 380 * (i % 2), 50 + 290 * (i // 2), setting, results, most)
    height = 90 + 290 * ((len(settings) + 1) // 2)
    for i, (kind, colour) in enumerate(COLOURS.items()):
        parts.append(f'<circle cx="{66 + 150 * i}" cy="{height - 40}" r="4" fill="{colour}"/>')
        name = "ResNet" if kind == "resnet" else f"SAN, {kind}"
        parts.append(text(76 + 150 * i, height - 36, name, "start"))
    parts.append(text(740, height - 36, "accuracy on ImageNet over milliseconds an image", "end"))
    with open(path, "w", encoding="utf-8") as file:
        file.write(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 {height - 20}" '
                   f'font-family="sans-serif"><rect width="760" height="{height}" fill="#fff"/>\n' +
                   "\n".join(parts) + "\n</svg>\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sanc")
    parser.add_argument("figure")
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--batches", default="1,8")
    parser.add_argument("--networks", nargs="*", default=list(ACCURACY))
    args = parser.parse_args()
    settings = [(int(threads), int(batch), precision) for precision in PRECISIONS
                for threads in args.threads.split(",") for batch in args.batches.split(",")]
    results = {}
    for name in args.networks:
        results[name] = measure(args, name, settings)
        if len(results) == 1:
            settings = [setting for setting in settings if results[name]["times"][setting]]
            print_head(settings)
        print_row(name, results[name], settings)
    draw(args.figure, results, settings)
    print(f"\nFigure: {args.figure}")


if __name__ == "__main__":
    main()
