"""Schedules that use matrix units wherever they can, leave over rows in every other nest, and copy
all rows that can be copied: for networks so small that the compiler would not."""
import os
import re

SIZES = [
    "rows 16 columns 8", "rows 32 columns 16", "rows 16 columns 32", "rows 32 columns 24",
    "rows 64 columns 32"
]
TILE = 20  # pixels: a fragment's rows, and some that are left


def wanted(text):
    """The lines of a dump of scheduled kernels, changed, each with what it was ('' for a new one);
    None: as it was."""
    lines, nests = [], 0
    for line in text.splitlines():
        nest = re.fullmatch(r" +nest (\d+) rows .*", line)
        tile = re.fullmatch(r" +tile (\d+)", line)
        if re.match(r" +(matrix|pad|stage|parts|depth|ahead) ", line):
            continue
        if tile and int(tile[1]) < TILE:
            lines.append([f"    tile {TILE}", line])
            continue
        lines.append([line, None])
        if nest:
            lines += [[f"    matrix {nest[1]} {SIZES[nests % len(SIZES)]}", ""],
                      [f"    stage {nest[1]}", ""]]
            lines += [[f"    pad {nest[1]}", ""]] if nests % 2 else []
            nests += 1
    return lines


def move_locals(lines, kernel):
    """Puts what a kernel's nests hand on into the workspace; whether there was something left to
    move."""
    names = [line.split()[1] for line, _ in lines if line.startswith("kernel ")]
    name = max((name for name in names if kernel.startswith(name)), key=len)
    first = next(i for i, (line, _) in enumerate(lines) if line.startswith(f"kernel {name} "))
    end = next(i for i in range(first, len(lines))
               if lines[i][0] == "  }" and "schedule" in "".join(line
                                                                 for line, _ in lines[first:i]))
    found = [re.match(r"  (\w+) +: stack ", line) for line, _ in lines[first:end]]
    places = [[f"    place {local[1]} workspace", None] for local in found if local]
    places = [place for place in places if place not in lines[first:end]]
    lines[end:end] = places
    return bool(places)


def force(sanc, text, path, wanted=wanted, words=("matrix",)):
    """Writes the dump to a file, with the lines that are wanted wherever a common.Sanc allows them;
    how often `word` is."""
    lines = wanted(text)
    while True:
        with open(path, "w") as file:
            file.write("".join(line + "\n" for line, _ in lines))
        status, _, said = sanc.run("ir", path, "-o", os.devnull)
        if status == 0:
            return sum(old == "" and line.split()[0] in words for line, old in lines)
        large = re.search(r"error: kernel (\w+): \d+ bytes of shared memory", said)
        if large and move_locals(lines, large[1]):
            continue
        at = re.match(r".*?:(\d+):\d+: error: ", said)
        line, old = lines[int(at[1]) - 1] if at else (None, None)
        if old is None:
            raise RuntimeError(said)
        lines[int(at[1]) - 1:int(at[1])] = [[old, None]] if old else []
