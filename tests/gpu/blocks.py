"""Schedules whose sums run in blocks of terms wherever they can, by threads or by matrix units, and
in parts that are computed at once wherever blocks cannot."""
import re

import matrix

DEPTHS = {"f32": 4, "tf32": 8, "bf16": 16}


def wanted(text, precision):
    """As in matrix.py."""
    lines = []
    for line in text.splitlines():
        nest = re.fullmatch(r" +nest (\d+) rows .*", line)
        if re.match(r" +(matrix|pad|stage|depth|ahead|parts|blocks) ", line):
            continue
        lines.append([line, None])
        if nest and precision != "f32":
            lines.append([f"    matrix {nest[1]} rows 16 columns 8", ""])
        if nest:
            lines.append([f"    depth {nest[1]} {DEPTHS[precision]}", ""])
            lines.append([f"    ahead {nest[1]}", ""])
            lines.append([f"    parts {nest[1]} {2 + int(nest[1]) % 2}", ""])
    return lines


def force(sanc, text, path, precision):
    """Writes the dump to a file; how often a sum runs in blocks or parts."""
    return matrix.force(sanc, text, path, lambda text: wanted(text, precision),
                        ("depth", "parts"))
