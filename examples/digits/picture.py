#!/usr/bin/env python3
"""Draws digits with their predictions as an SVG file, from what classify prints.

    build/digits/classify examples/digits/png/*.png | examples/digits/picture.py > examples/digits/digits.svg

Pixels come from images.safetensors, at the index in each file's name. Standard library alone.
"""
import json
import os
import re
import struct
import sys

SIZE, COLUMNS, GAP, TEXT = 28, 10, 6, 14  # pixels of the images; units of the drawing
GREYS = 8  # enough for an eye, and few paths


def read_images():
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "images.safetensors")
    with open(path, "rb") as file:
        data = file.read()
    (size,) = struct.unpack_from("<Q", data)
    begin, end = json.loads(data[8:8 + size])["image"]["data_offsets"]
    return data[8 + size + begin:8 + size + end]


def draw_pixels(pixels):
    """A path per grey level, in runs of pixels."""
    paths = {}
    for y in range(SIZE):
        row = [round(byte / 255 * GREYS) for byte in pixels[y * SIZE:(y + 1) * SIZE]]
        x = 0
        while x < SIZE:
            run = 1
            while x + run < SIZE and row[x + run] == row[x]:
                run += 1
            if row[x]:
                paths.setdefault(row[x], []).append(f"M{x} {y}h{run}v1h-{run}z")
            x += run
    for level, runs in sorted(paths.items()):
        grey = 255 * level // GREYS
        yield f'<path fill="rgb({grey},{grey},{grey})" d="{"".join(runs)}"/>'


def main():
    images, cells = read_images(), []
    for line in sys.stdin:
        index, digit, chances = re.match(r".*_(\d+)\.png: (\d) +(.*)", line).groups()
        chance = float(dict(word.split(":") for word in chances.split())[digit])
        cells.append((int(index), digit, chance))
    rows = -(-len(cells) // COLUMNS)
    width, height = COLUMNS * (SIZE + GAP) + GAP, rows * (SIZE + TEXT + GAP) + GAP
    print(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{2 * width}" '
        f'font-family="sans-serif" text-anchor="middle" shape-rendering="crispEdges">')
    print(f'<rect width="{width}" height="{height}" fill="white"/>')
    for i, (index, digit, chance) in enumerate(cells):
        x, y = GAP + i % COLUMNS * (SIZE + GAP), GAP + i // COLUMNS * (SIZE + TEXT + GAP)
        print(f'<g transform="translate({x} {y})"><rect width="{SIZE}" height="{SIZE}"/>')
        print("\n".join(draw_pixels(images[index * SIZE * SIZE:(index + 1) * SIZE * SIZE])))
        print(f'<text x="{SIZE / 2}" y="{SIZE + 9}" font-size="9">{digit}'
              f'<tspan font-size="5" dx="2" fill="#555">{100 * chance:.1f} %</tspan></text></g>')
    print("</svg>")


if __name__ == "__main__":
    main()
