#!/usr/bin/env python3
"""Writes the digits of examples/digits as PNG files: NUMBER_LABEL.png, numbered from 0.

    pictures.py FOLDER COUNT

After the last of the 1000 digits the first one follows again.
"""
import json
import os
import struct
import sys
import zlib

DIGITS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "digits",
                      "images.safetensors")


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(rows):
    """A file of grey pixels; rows are bytes of one length."""
    head = struct.pack(">IIBBBBB", len(rows[0]), len(rows), 8, 0, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row for row in rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def main():
    folder, count = sys.argv[1], int(sys.argv[2])
    with open(DIGITS, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        data = file.read()
    pixels, labels = (data[slice(*header[name]["data_offsets"])] for name in ("image", "label"))
    images, height, width = header["image"]["shape"]
    os.makedirs(folder, exist_ok=True)
    for number in range(count):
        image = number % images
        rows = [pixels[(image * height + row) * width:][:width] for row in range(height)]
        with open(os.path.join(folder, f"{number:06}_{labels[8 * image]}.png"), "wb") as file:
            file.write(png(rows))


if __name__ == "__main__":
    main()
