#!/usr/bin/env python3
"""Schedules and loops that a person edits in a dump: they work, or get an error at their line.

    schedules.py SANC
"""
import math
import os
import random
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "numeric"))
import common  # noqa: E402

CASE = os.path.join(common.ROOT, "tests", "numeric", "cases", "pair_subtraction")
WEIGHTS = os.path.join(CASE, "weights.safetensors")
INPUT, NO_SUCH_PROCESSOR = 3, 4

# Of the first kernel whose name begins so: the command that begins so becomes this one, and the error stands where < is.
WRONG = [
    ("conv0", "tile", "<tilt 6", "found 'tilt', must be 'tile T' or 'nest I rows R columns C vector V'"),
    ("conv0", "tile", "<tile", "found 0 operands, must be 'tile T'"),
    ("conv0", "tile", "<tile 6 7", "found 2 operands, must be 'tile T'"),
    ("conv0", "tile", "tile <0", "found '0', must be pixels of a tile: an integer from 1 to 256"),
    ("conv0", "tile", "tile <257", "found '257', must be pixels of a tile: an integer from 1 to 256"),
    ("conv0", "tile", "tile <-1", "found '-1', must be pixels of a tile: an integer from 1 to 256"),
    ("conv0", "tile", "tile <1e3", "found '1e3', must be pixels of a tile: an integer from 1 to 256"),
    ("conv0", "nest 0", "<tile 6", "a second 'tile'"),
    ("layer0_0_sam_conv2_18x18x12_2", "tile", "tile <2", "must be 1, since no loops here run over pixels"),
    ("conv0", "nest 1", "nest <3 rows 3 columns 16 vector 8",
     "found '3', must be the number of a nest of this kernel: an integer from 0 to 2"),
    ("conv0", "nest 1", "nest <0 rows 3 columns 16 vector 8", "a second 'nest 0'"),
    ("conv0", "nest 1", "<nest 1 rows 3 columns 16", "found 5 operands, must be 'nest I rows R columns C vector V'"),
    ("conv0", "nest 1", "nest 1 <row 3 columns 16 vector 8", "found 'row', must be 'rows'"),
    ("conv0", "nest 1", "nest 1 rows 3 <column 16 vector 8", "found 'column', must be 'columns'"),
    ("conv0", "nest 1", "nest 1 rows 3 columns 16 <lanes 8", "found 'lanes', must be 'vector'"),
    ("conv0", "nest 1", "nest 1 rows <0 columns 16 vector 8", "found '0', must be rows: an integer from 1 to 64"),
    ("conv0", "nest 1", "nest 1 rows 3 columns <32 vector 8",
     "found '32', must be columns of the nest: an integer from 1 to 16"),
    ("conv0", "nest 1", "nest 1 rows 3 columns <12 vector 8", "12 columns, must be whole vectors of 8"),
    ("conv0", "nest 1", "nest 1 rows 3 columns 16 vector <16",
     "found '16', must be lanes of a vector of the target: an integer from 1 to 8"),
    ("conv0", "nest 1", "nest 1 rows 3 columns 12 vector <6", "a vector of 6 lanes, must be a power of two"),
    ("conv0", "nest 1", "nest 1 rows <9 columns 16 vector 8",
     "9 rows of 2 vectors need 18 registers, x86-64-v3 has 16"),
    ("layer0_0_sam_conv2_16", "nest 0", "nest 0 rows <64 columns 32 vector 8",
     "64 rows of 4 vectors, at most 64 vectors are written out"),
    ("conv0", "nest 1", "halves <0", "halves is for sums of an even number of x[.., k] * w[k, column]"),
    ("conv0", "nest 1", "<together 0 1", "together is for nests that take the pixels of a tile one by one"),
]

RIGHT = [
    [("conv0", "tile", "tile 1")],
    [("conv0", "tile", "tile 256")],
    [("conv0", "tile", "tile 7 ; a comment")],
    [("conv0", "nest 0", "nest 0 rows 1 columns 1 vector 1")],
    [("conv0", "nest 2", "nest 2 rows 16 columns 8 vector 8"), ("conv0", "tile", "tile 5")],
    [("conv0", "nest 2", "nest 2 rows 5 columns 12 vector 4")],
    [("layer0_0_sam_16", "tile", "tile 13"), ("layer0_0_sam_16", "nest 6", "nest 6 rows 2 columns 4 vector 2")],
    [("layer0_0_sam_conv2_18x18x12_2", "nest 1", "nest 1 rows 3 columns 4 vector 4")],
]


def kernel_lines(lines, kernel):
    """(first, behind the last) line of the kernel whose name begins so."""
    first = next(i for i, line in enumerate(lines) if line.startswith("kernel " + kernel))
    return first, next(i for i in range(first, len(lines)) if lines[i] == "}")


def edit(lines, kernel, old, new):
    """The line that was changed."""
    for i in range(*kernel_lines(lines, kernel)):
        if lines[i].startswith("    " + old + " "):
            lines[i] = "    " + new
            return i
    raise ValueError(f"no '{old}' in {kernel}")


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout + done.stderr


def check_wrong(sanc, lines, path, tally, wrong=WRONG):
    for kernel, old, new, message in wrong:
        changed = list(lines)
        line = edit(changed, kernel, old, new)
        text = "\n".join(changed)
        column = changed[line].index("<")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text.replace("<", ""))
        status, said = run(sanc, "ir", path)
        place = f"{path}:{line + 1}:{column + 1}: error: kernel {kernel}"
        tally.check(status == INPUT and said.startswith(place) and message in said and said.count("\n") == 1,
                    f"'{new}': status {status}, {said!r}, expected {place!r} … {message!r}")


def check_right(sanc, lines, edits, path, tally):
    """What is edited gives another object, whose error is that of the evaluator."""
    changed = list(lines)
    for one in edits:
        edit(changed, *one)
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(changed))
    status, said = run(sanc, "verify", path, "-w", WEIGHTS)
    if status == NO_SUCH_PROCESSOR:
        tally.skip("verify: " + said.strip())
        return
    tally.check(status == 0, f"{edits}: status {status}, {said}")
    common.call(sanc, "compile", path, "-w", WEIGHTS, "-o", path + ".o")
    with open(path + ".o", "rb") as new, open(path[:-len("edited.sanir")] + "net.o", "rb") as old:
        tally.check(new.read() != old.read(), f"{edits}: the same object")


def random_edits(lines, rng):
    """Another tile and other nests for every kernel that has pixels."""
    edits = []
    for i, line in enumerate(lines):
        if line.startswith("kernel "):
            kernel = line.split()[1]
        elif line.startswith("    tile ") and line != "    tile 1":
            edits.append((kernel, "tile", f"tile {rng.randint(1, 40)}"))
        found = re.match(r"    (nest \d+) rows \d+ columns (\d+) vector (\d+)", line)
        if found:
            lanes = min(2 ** rng.randint(0, 3), int(found[3]))
            vectors = rng.randint(1, int(found[2]) // lanes)
            columns = min(vectors, 16) * lanes
            rows = rng.randint(1, 16 // (columns // lanes))
            edits.append((kernel, found[1], f"{found[1]} rows {rows} columns {columns} vector {lanes}"))
    return edits


LINEAR = os.path.join(common.ROOT, "tests", "golden", "schedule_linear.sanir")
LINEAR_WRONG = [
    ("rows_of_a_tile", "split", "split <24", "split has to divide the columns"),
    ("rows_of_a_tile", "split", "split <65", "split is for kernels whose results have that many columns"),
    ("rows_of_a_tile", "depth", "depth 1 <24", "depth has to divide the reduction, and to be whole vectors"),
    ("rows_of_a_tile", "depth", "depth 0 <16", "depth is for sums over one variable of rows times columns"),
    ("without_blocks", "ahead", "depth 0 <32", "depth needs columns in whole panels of 32"),
    ("without_blocks", "ahead", "ahead <1", "must be the number of a nest of this kernel: an integer from 0 to 0"),
]


def check_linear(sanc, scratch, tally):
    """Linears in blocks, fetching ahead and shared out, on both targets; and what of it cannot be."""
    weights, path = os.path.join(scratch, "linear.safetensors"), os.path.join(scratch, "linear.sanir")
    rng, shapes = random.Random(1), {"w1": [2, 32, 32], "w2": [2, 64, 32], "scale": [64], "w3": [3, 64, 32]}
    common.write_tensors(weights, {name: (shape, [rng.uniform(-1, 1) for _ in range(math.prod(shape))])
                                   for name, shape in shapes.items()})
    with open(LINEAR, encoding="utf-8") as file:
        text = file.read()
    narrow = text.replace("x86-64-v4", "x86-64-v3").replace("vector 16", "vector 8").replace("rows 6", "rows 3")
    for one in (narrow, text):
        with open(path, "w", encoding="utf-8") as file:
            file.write(one)
        status, said = run(sanc, "verify", path, "-w", weights)
        if status == NO_SUCH_PROCESSOR:
            tally.skip("verify: " + said.strip())
        else:
            tally.check(status == 0, f"verify: status {status}, {said}")
    check_wrong(sanc, text.split("\n"), path, tally, LINEAR_WRONG)


MATRIX = os.path.join(common.ROOT, "tests", "golden", "apply_matrix.sanir")
MATRIX_FOR = ("matrix is for sums of at least 8 products of a row's and a column's factor, both rounded to tf32, where there "
              "are pixels or tiles")
MATRIX_WRONG = [
    ("hidden", "matrix 1", "matrix <3 rows 16 columns 8", "found '3', must be the number of a nest of this kernel"),
    ("hidden", "matrix 1", "matrix <0 rows 16 columns 8", MATRIX_FOR),
    ("hidden", "matrix 2", "matrix <1 rows 16 columns 8", "a second 'matrix 1'"),
    ("hidden", "matrix 1", "matrix 1 <row 16 columns 8", "found 'row', must be 'rows'"),
    ("hidden", "matrix 1", "matrix 1 rows <8 columns 8", "found '8', must be rows: an integer from 16 to 1024"),
    ("hidden", "matrix 1", "matrix 1 rows <24 columns 8", "24 rows, must be a multiple of 16"),
    ("hidden", "matrix 1", "matrix 1 rows 16 columns <12", "12 columns, must be a multiple of 8"),
    ("hidden", "matrix 1", "matrix 1 rows <64 columns 40",
     "64 rows of 40 columns are 80 sums of a thread, at most 64 are allowed"),
    ("pooled", "nest 0", "matrix <0 rows 16 columns 8", MATRIX_FOR),
    ("hidden", "matrix 1", "stage <3", "found '3', must be the number of a nest of this kernel"),
    ("hidden", "matrix 1", "stage <1", "stage is for sums of a row's and a column's factor, where the row's is loaded from memory"),
    ("pooled", "nest 0", "stage <0", "stage is for sums of a row's and a column's factor, where the row's is loaded from memory"),
]


def check_matrix(sanc, path, tally):
    """What matrix units are asked for and cannot do."""
    with open(MATRIX, encoding="utf-8") as file:
        check_wrong(sanc, file.read().split("\n"), path, tally, MATRIX_WRONG)


# Loops edited behind apply_schedules: what becomes what (every line that has it), and what is said at a line, or nothing.
LOOPS = [
    (r"( in \d+) parallel {", r"\1 {", None),
    (r"for (i\w* in \d+ unroll), (g\w* in \d+ unroll)", r"for \2, \1", None),
    (r" unroll, (v\w* in)", r", \1", "of registers depends on a loop that is not unrolled"),
    (r" : stack f32\[6, 16\]", " : registers f32[6, 16]", "of registers depends on a loop that is not unrolled"),
    (r"for (\w+ in \d+) unroll, (v\w* in \d+) vector", r"for \2 vector, \1 unroll", "vector, must be innermost"),
]


def check_loops(sanc, text, path, tally):
    """Another kind or order of loops, another place of a buffer: right, or an error at its line."""
    for old, new, message in LOOPS:
        changed, count = re.subn(old, new, text)
        with open(path, "w", encoding="utf-8") as file:
            file.write(changed)
        status, said = run(sanc, "verify", path, "-w", WEIGHTS)
        if status == NO_SUCH_PROCESSOR:
            tally.skip("verify: " + said.strip())
            continue
        place = re.match(re.escape(path) + r":\d+:\d+: error: kernel ", said)
        good = status == INPUT and place and message in said if message else status == 0
        tally.check(count and good, f"{old} {count} times: status {status}, {said}")


def main():
    sanc, tally = os.path.abspath(sys.argv[1]), common.Tally()
    with tempfile.TemporaryDirectory() as scratch:
        states = os.path.join(scratch, "states")
        common.call(sanc, "compile", os.path.join(CASE, "model.json"), "-w", WEIGHTS, "-o",
                    os.path.join(scratch, "net.o"), "--target", "x86-64-v3", "--dump-ir", states)
        dump = next(name for name in os.listdir(states) if name.endswith("-schedule.sanir"))
        with open(os.path.join(states, dump), encoding="utf-8") as file:
            lines = file.read().split("\n")
        path = os.path.join(scratch, "edited.sanir")
        check_wrong(sanc, lines, path, tally)
        for edits in RIGHT + [random_edits(lines, random.Random(seed)) for seed in range(4)]:
            check_right(sanc, lines, edits, path, tally)
        check_linear(sanc, scratch, tally)
        check_matrix(sanc, path, tally)
        dump = next(name for name in os.listdir(states) if name.endswith("-apply_schedules.sanir"))
        with open(os.path.join(states, dump), encoding="utf-8") as file:
            check_loops(sanc, file.read(), path, tally)
    return tally.end()


if __name__ == "__main__":
    sys.exit(main())
