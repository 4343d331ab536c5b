#!/usr/bin/env python3
"""Draws what peers.py measured: chart.py RESULTS.json CHART.svg, and prints it as tables of
Markdown.

A panel for each number of threads and size of batch, a row for each network, a mark for each
program, of its own shape and colour, at its median time per image; a line through it spans a tenth
to nine tenths of its runs. A stroke stands where the core's FMA peak would be. The axis is
logarithmic; lower is better. Besides medians, tables compare the times that a tenth of the runs
keep below: what a disturbed machine shows at its best. Tables of kernels follow, with their shares
of the peak.
"""
import html
import json
import math
import os
import sys

NAMES = {
    "sanc": "sanc", "openvino": "OpenVINO", "compiled": "torch.compile", "eager": "PyTorch eager",
    "onnxruntime": "ONNX Runtime", "iree": "IREE", "tvm": "TVM"
}
COLOURS = {"sanc": "#d1495b", "openvino": "#00798c", "compiled": "#edae49", "eager": "#66a182",
           "onnxruntime": "#7a6fbf", "iree": "#8d6a4f", "tvm": "#4c566a"}
SHAPES = {
    "sanc": "M-6 0a6 6 0 1 0 12 0a6 6 0 1 0-12 0z", "openvino": "M-5-5h10v10h-10z",
    "compiled": "M0-7L6.5 5h-13z", "eager": "M0-7L6 0L0 7L-6 0z", "onnxruntime": "M0 7L6.5-5h-13z",
    "iree": "M-2-6h4v4h4v4h-4v4h-4v-4h-4v-4h4z",
    "tvm": "M-6-4l2-2l4 4l4-4l2 2l-4 4l4 4l-2 2l-4-4l-4 4l-2-2l4-4z"
}
WIDTH, LEFT, RIGHT, ROW, TOP, GAP = 860, 130, 20, 26, 64, 58
STYLE = """text { font: 13px system-ui, sans-serif; fill: #24292f } .axis { stroke: #d0d7de } .small { font-size: 11px }
.title { font-weight: 600 } .floor { stroke: #57606a; stroke-width: 2 }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .axis { stroke: #3d444d } .floor { stroke: #9198a1 } .back { fill: #0d1117 } }"""


def mark(name, x, y, title=""):
    inside = f"<title>{title}</title>" if title else ""
    return f'<path d="{SHAPES[name]}" transform="translate({x:.1f} {y:.1f})" fill="{COLOURS[name]}">{inside}</path>'


def floor_ms(row):
    """Milliseconds of an image if every FMA of the core were one of the network's."""
    return 2e-6 * row["macs"] / (row["peak_gflops"] * row["threads"])


def settings_of(rows):
    return sorted({(row["threads"], row["batch"]) for row in rows})


def scale(rows):
    """The function from milliseconds to x, and the ticks."""
    times = [time["p90_ms"] / row["batch"] for row in rows for time in row["programs"].values()]
    low, high = math.log(min(map(floor_ms, rows)) * 0.85), math.log(max(times) * 1.1)
    ticks = [
        m * 10**e for e in range(-1, 5) for m in (1, 2, 5) if low <= math.log(m * 10**e) <= high
    ]
    return lambda ms: LEFT + (WIDTH - LEFT - RIGHT) * (math.log(ms) - low) / (high - low), ticks


def legend(names):
    parts, x = [], LEFT
    for name in names:
        parts.append(f'{mark(name, x, 40)}<text x="{x + 10}" y="44">{NAMES[name]}</text>')
        x += 32 + 7.3 * len(NAMES[name])
    return parts + [
        f'<line x1="{x}" x2="{x}" y1="34" y2="46" class="floor"/><text x="{x + 7}" y="44">FMA peak</text>'
    ]


def panel(rows, setting, top, x_of, ticks):
    threads, batch = setting
    rows = sorted((row for row in rows if (row["threads"], row["batch"]) == setting),
                  key=lambda row: row["network"])
    bottom = top + ROW * len(rows)
    title = f'{threads} thread{"s" if threads > 1 else ""}, batch {batch}: milliseconds per image, logarithmic; lower is better'
    parts = [f'<text x="{LEFT}" y="{top - 8}" class="title">{title}</text>']
    for tick in ticks:
        x = x_of(tick)
        parts.append(
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{bottom}" class="axis"/>'
            f'<text x="{x:.1f}" y="{bottom + 14}" text-anchor="middle" class="small">{tick:g}</text>'
        )
    for i, row in enumerate(rows):
        y = top + ROW * (i + 0.5)
        floor = x_of(floor_ms(row))
        parts.append(
            f'<text x="{LEFT - 8}" y="{y + 4}" text-anchor="end">{html.escape(row["network"])}</text>'
            f'<line x1="{floor:.1f}" x2="{floor:.1f}" y1="{y - 8}" y2="{y + 8}" class="floor"/>')
        for name, time in row["programs"].items():
            low, middle, high = (x_of(time[key] / batch)
                                 for key in ("p10_ms", "median_ms", "p90_ms"))
            parts.append(
                f'<line x1="{low:.1f}" x2="{high:.1f}" y1="{y}" y2="{y}" stroke="{COLOURS[name]}" stroke-width="2"/>'
                + mark(name, middle, y, f'{NAMES[name]}: {time["median_ms"] / batch:.1f} ms'))
    return parts, bottom + GAP


def draw(rows):
    x_of, ticks = scale(rows)
    names = [name for name in NAMES if any(name in row["programs"] for row in rows)]
    parts, top = legend(names), TOP + 24
    for setting in settings_of(rows):
        more, top = panel(rows, setting, top, x_of, ticks)
        parts += more
    machine = html.escape(f'{rows[0]["machine"]}; {max(row["date"] for row in rows)}')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top - 20}" width="{WIDTH}" height="{top - 20}">\n'
        f'<style>{STYLE}</style>\n<rect width="100%" height="100%" fill="#ffffff" class="back"/>\n'
        f'<text x="{LEFT}" y="20" class="small">{machine}</text>\n' + "\n".join(parts) +
        "\n</svg>\n")


def lead(times, key):
    """How many times as fast as the fastest peer."""
    peers = [time[key] for name, time in times.items() if time and name != "sanc"]
    return f'{min(peers) / times["sanc"][key]:.2f}' if peers else "–"


def print_tables(rows):
    names = [name for name in NAMES if any(name in row["programs"] for row in rows)]
    for threads, batch in settings_of(rows):
        print(
            f"\n{threads} thread(s), batch {batch}, milliseconds per image (median, 10% to 90%):\n")
        print(
            f"| network | {' | '.join(NAMES[name] for name in names)} | of the FMA peak | to the fastest peer | by the fastest tenth |"
        )
        print("|---" * (len(names) + 4) + "|")
        for row in sorted(rows, key=lambda row: row["network"]):
            if (row["threads"], row["batch"]) != (threads, batch):
                continue
            times = {name: row["programs"].get(name) for name in names}
            cells = [
                f'{t["median_ms"] / batch:.1f} ({t["p10_ms"] / batch:.1f} to {t["p90_ms"] / batch:.1f})'
                if t else "–" for t in times.values()
            ]
            share = 100 * floor_ms(row) * batch / times["sanc"]["median_ms"]
            print(
                f'| {row["network"]} | {" | ".join(cells)} | {share:.0f}% | {lead(times, "median_ms")} | {lead(times, "p10_ms")} |'
            )


def print_kernels(row):
    """Kernels that take at least a hundredth of the time, at their best in the row's run of one
    image on one thread."""
    print(
        f'\n{row["network"]}, 1 thread, batch 1, kernels at their best:\n\n| kernel | ms | of the FMA peak |\n|---|---|---|'
    )
    all_ms = sum(kernel["ms"] for kernel in row["kernels"])
    for kernel in sorted(row["kernels"], key=lambda kernel: -kernel["ms"]):
        if kernel["ms"] >= 0.01 * all_ms:
            share = kernel["flops"] / kernel["ms"] / 1e6 / row["peak_gflops"]
            print(f'| `{kernel["name"]}` | {kernel["ms"]:.3f} | {100 * share:.0f}% |')


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__.splitlines()[0])
    if not os.path.exists(sys.argv[1]):
        sys.exit(f"there is no {sys.argv[1]} yet: peers.py writes it")
    with open(sys.argv[1]) as file:
        rows = json.load(file)
    if not rows:
        sys.exit(f"{sys.argv[1]} holds no results: peers.py adds them")
    if len({row["machine"] for row in rows}) != 1:
        sys.exit(f"{sys.argv[1]} is of several machines: draw each by itself")
    with open(sys.argv[2], "w") as file:
        file.write(draw(rows))
    print_tables(rows)
    for row in sorted(rows, key=lambda row: row["network"]):
        if (row["threads"], row["batch"]) == (1, 1) and row.get("kernels"):
            print_kernels(row)


if __name__ == "__main__":
    main()
