"""Schedules that put the values between nests into the workspace, a slice for each of a few blocks,
which then take several tiles in turn."""
import re

BLOCKS = 3
MOST_TILE = 4


def force(text):
    """The text of a dump of scheduled kernels, changed; None: there is nothing to put there."""
    lines, local, count = [], [], 0
    for line in text.splitlines():
        buffer = re.match(r"  (\w+) +: stack ", line)
        tile = re.fullmatch(r" +tile (\d+)", line)
        if line.startswith("kernel "):
            local = []
        if buffer:
            local.append(buffer[1])
        if tile and local:
            lines += [f"    tile {min(MOST_TILE, int(tile[1]))}", f"    blocks {BLOCKS}"]
            lines += [f"    place {name} workspace" for name in local]
            count += len(local)
        elif not re.match(r" +(split|parts|depth|ahead) ", line):
            lines.append(line)
    return "".join(line + "\n" for line in lines) if count else None
