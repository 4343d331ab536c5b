#!/usr/bin/env python3
"""What three compiled networks make of pictures that are turned, and of pictures made to fool them.

    robustness.py SANC FIGURE.svg

Prints two tables and draws the figure. Standard library alone: the pictures are in digits.safetensors
and attacks.safetensors, which make.py writes.
"""
import array
import json
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
KINDS = {"pairwise": "#1b6ca8", "patchwise": "#d1495b", "resnet": "#5c6b73"}
SIZE, ENLARGED = 8, 16
TURNS = {
    "upright": lambda rows: rows,
    "90°": lambda rows: [list(row) for row in zip(*rows[::-1])],
    "180°": lambda rows: [row[::-1] for row in rows[::-1]],
    "270°": lambda rows: [list(row) for row in zip(*rows)][::-1],
    "upside down": lambda rows: rows[::-1],
}


def read(path):
    """The tensors of a safetensors file as lists: bytes, or whole numbers of 64 bits."""
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        data = file.read()
    codes = {"U8": "B", "I64": "q"}
    return {name: array.array(codes[entry["dtype"]], data[slice(*entry["data_offsets"])]).tolist()
            for name, entry in header.items() if name != "__metadata__"}


def split(values, size):
    return [values[at:at + size] for at in range(0, len(values), size)]


def enlarge(rows):
    """A picture of SIZE x SIZE as bytes of ENLARGED x ENLARGED."""
    times = ENLARGED // SIZE
    return b"".join(bytes(pixel for pixel in row for _ in range(times)) * times for row in rows)


def predictions(sanc, kind, pictures):
    """The class that the compiled network gives each picture."""
    with tempfile.TemporaryDirectory() as scratch:
        images, out = os.path.join(scratch, "in.safetensors"), os.path.join(scratch, "out.safetensors")
        data = b"".join(map(enlarge, pictures))
        header = json.dumps({"input": {"dtype": "U8", "data_offsets": [0, len(data)],
                                       "shape": [len(pictures), 1, ENLARGED, ENLARGED]}}).encode()
        header += b" " * (-len(header) % 8)
        with open(images, "wb") as file:
            file.write(len(header).to_bytes(8, "little") + header + data)
        folder = os.path.join(HERE, kind)
        subprocess.run([sanc, "run", os.path.join(folder, "model.json"), "-w",
                        os.path.join(folder, "weights.safetensors"), "--batch", "10", "--input",
                        images, "--output", out], check=True)
        with open(out, "rb") as file:
            file.seek(int.from_bytes(file.read(8), "little"), os.SEEK_CUR)
            logits = split(array.array("f", file.read()).tolist(), 10)
    return [max(range(10), key=row.__getitem__) for row in logits]


def percent(found, wanted):
    return 100 * sum(a == b for a, b in zip(found, wanted)) / len(wanted)


def judge(sanc, kind, digits, attacks):
    """({turn: % right}, {change: (% taken for the target, % right)})"""
    changes = sorted(int(name.split(".")[1]) for name in attacks if name.startswith(kind + "."))
    upright = [split(pixels, SIZE) for pixels in split(digits["image"], SIZE * SIZE)]
    sets = [[turn(rows) for rows in upright] for turn in TURNS.values()]
    sets += [[split(pixels, SIZE) for pixels in split(attacks[f"{kind}.{change}"], SIZE * SIZE)]
             for change in changes]
    found = predictions(sanc, kind, [picture for pictures in sets for picture in pictures])
    found = split(found, len(upright))
    turned = {turn: percent(some, digits["label"]) for turn, some in zip(TURNS, found)}
    fooled = {change: (percent(some, digits["target"]), percent(some, digits["label"]))
              for change, some in zip(changes, found[len(TURNS):])}
    return turned, fooled


# ---- what is printed and drawn -------------------------------------------------------------------


def print_table(title, columns, rows):
    print(title)
    print(" " * 12 + "".join(f"{column:>14}" for column in columns))
    for name, cells in rows.items():
        print(f"  {name:10}" + "".join(f"{cell:>14}" for cell in cells))
    print()


def text(x, y, words, anchor="middle", size=12, colour="#333"):
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" fill="{colour}">{words}</text>'


def frame(left, width, title):
    """The axis of a panel, from 0 to 100%."""
    parts = [text(left, 24, title, "start", 14)]
    for level in range(0, 101, 20):
        y = height_of(level)
        parts.append(f'<path d="M{left} {y}h{width}" stroke="#ddd"/>')
        parts.append(text(left - 6, y + 4, f"{level}%", "end", 11, "#666"))
    return parts


def height_of(level):
    return 250 - 2 * level


def draw(path, results):
    parts = frame(50, 330, "Right, of pictures that are turned")
    for i, turn in enumerate(TURNS):
        for j, (kind, colour) in enumerate(KINDS.items()):
            level = results[kind][0][turn]
            parts.append(f'<rect x="{58 + 66 * i + 17 * j}" y="{height_of(level):.1f}" width="15" '
                         f'height="{2 * level:.1f}" fill="{colour}"/>')
        parts.append(text(58 + 66 * i + 24, 268, turn))
    parts += frame(450, 290, "Taken for what the attack wants")
    changes = list(next(iter(results.values()))[1])
    for kind, colour in KINDS.items():
        points = [(450 + 290 * change / changes[-1], height_of(results[kind][1][change][0]))
                  for change in changes]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in points]
    parts += [text(450 + 290 * change / changes[-1], 268, change) for change in changes]
    parts.append(text(595, 286, "largest change of a pixel, of 255"))
    for i, (kind, colour) in enumerate(KINDS.items()):
        parts.append(f'<rect x="{58 + 110 * i}" y="294" width="12" height="12" fill="{colour}"/>')
        parts.append(text(76 + 110 * i, 304, kind, "start"))
    with open(path, "w", encoding="utf-8") as file:
        file.write('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 316" '
                   'font-family="sans-serif"><rect width="760" height="316" fill="#fff"/>\n' +
                   "\n".join(parts) + "\n</svg>\n")


def main():
    sanc, figure = sys.argv[1:]
    digits, attacks = (read(os.path.join(HERE, name + ".safetensors"))
                       for name in ("digits", "attacks"))
    results = {kind: judge(sanc, kind, digits, attacks) for kind in KINDS}
    print_table(f"Right of {len(digits['label'])} pictures, and points lost by turning them", TURNS, {
        kind: [f"{share:.1f}%" + ("" if turn == "upright" else f" {share - turned['upright']:+.1f}")
               for turn, share in turned.items()]
        for kind, (turned, _) in results.items()})
    changes = next(iter(results.values()))[1]
    print_table("Taken for the target of the attack / right, by the largest change of a pixel", changes, {
        kind: [f"{hit:.1f}% / {right:.1f}%" for hit, right in fooled.values()]
        for kind, (_, fooled) in results.items()})
    draw(figure, results)
    print(f"Figure: {figure}")


if __name__ == "__main__":
    main()
