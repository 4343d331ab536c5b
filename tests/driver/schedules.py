#!/usr/bin/env python3
"""Schedules and loops that a person edits in a dump: they work, or get an error at their line.

    schedules.py SANC
"""
import math
import os
import random
import re
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "numeric"), os.path.join(HERE, "..", "gpu")]
import common  # noqa: E402
import device  # noqa: E402

CASE = os.path.join(common.ROOT, "tests", "numeric", "cases", "pair_subtraction")
WEIGHTS = os.path.join(CASE, "weights.safetensors")
INPUT, NO_SUCH_PROCESSOR = 3, 4

# (how a kernel's name begins, how a command begins, what it becomes, the message); the error is at
# the <. COMMANDS in a message stands for all commands for the target.
WRONG = [
    ("conv0", "tile", "<tilt 6",
     "found 'tilt', must be COMMANDS\n"),
    ("conv0", "tile", "<tile", "found 0 operands, must be 'tile T'"),
    ("conv0", "tile", "<tile 6 7", "found 2 operands, must be 'tile T'"),
    ("conv0", "tile", "tile <0", "found '0', must be pixels of a tile: an integer from 1 to 256"),
    ("conv0", "tile", "tile <257",
     "found '257', must be pixels of a tile: an integer from 1 to 256"),
    ("conv0", "tile", "tile <-1", "found '-1', must be pixels of a tile: an integer from 1 to 256"),
    ("conv0", "tile", "tile <1e3",
     "found '1e3', must be pixels of a tile: an integer from 1 to 256"),
    ("conv0", "nest 0", "<tile 6", "a second 'tile'"),
    ("layer0_0_sam_conv2_18x18x12_2", "tile", "tile <2",
     "must be 1, since no loops here run over pixels"),
    ("conv0", "nest 1", "nest <3 rows 3 columns 16 vector 8",
     "found '3', must be the number of a nest of this kernel: an integer from 0 to 2"),
    ("conv0", "nest 1", "nest <0 rows 3 columns 16 vector 8", "a second 'nest 0'"),
    ("conv0", "nest 1", "<nest 1 rows 3 columns 16",
     "found 5 operands, must be 'nest I rows R columns C vector V'"),
    ("conv0", "nest 1", "nest 1 <row 3 columns 16 vector 8", "found 'row', must be 'rows'"),
    ("conv0", "nest 1", "nest 1 rows 3 <column 16 vector 8", "found 'column', must be 'columns'"),
    ("conv0", "nest 1", "nest 1 rows 3 columns 16 <lanes 8", "found 'lanes', must be 'vector'"),
    ("conv0", "nest 1", "nest 1 rows <0 columns 16 vector 8",
     "found '0', must be rows: an integer from 1 to 64"),
    ("conv0", "nest 1", "nest 1 rows 3 columns <32 vector 8",
     "found '32', must be columns of the nest: an integer from 1 to 16"),
    ("conv0", "nest 1", "nest 1 rows 3 columns <12 vector 8",
     "12 columns, must be whole vectors of 8"),
    ("conv0", "nest 1", "nest 1 rows 3 columns 16 vector <16",
     "found '16', must be lanes of a vector of the target: an integer from 1 to 8"),
    ("conv0", "nest 1", "nest 1 rows 3 columns 12 vector <6",
     "a vector of 6 lanes, must be a power of two"),
    ("conv0", "nest 1", "nest 1 rows <9 columns 16 vector 8",
     "9 rows of 2 vectors need 18 registers, x86-64-v3 has 16"),
    ("layer0_0_sam_conv2_16", "nest 0", "nest 0 rows <64 columns 32 vector 8",
     "64 rows of 4 vectors, at most 64 vectors are written out"),
    ("conv0", "nest 1", "halves <0",
     "halves is for sums of an even number of x[.., k] * w[k, column]"),
    ("conv0", "nest 1", "<together 0 1",
     "together is for nests that take the pixels of a tile one by one"),
]

RIGHT = [
    [("conv0", "tile", "tile 1")],
    [("conv0", "tile", "tile 256")],
    [("conv0", "tile", "tile 7 ; a comment")],
    [("conv0", "nest 0", "nest 0 rows 1 columns 1 vector 1")],
    [("conv0", "nest 2", "nest 2 rows 16 columns 8 vector 8"), ("conv0", "tile", "tile 5")],
    [("conv0", "nest 2", "nest 2 rows 5 columns 12 vector 4")],
    [("layer0_0_sam_16", "nest 1", "nest 1 rows 5 columns 12 vector 4"),
     ("layer0_0_sam_16", "nest 6", "nest 6 rows 2 columns 4 vector 2")],
    [("layer0_0_sam_conv2_18x18x12_2", "nest 1", "nest 1 rows 3 columns 4 vector 4")],
]


def help_rows(sanc):
    """(syntax, what it does) of each command that `sanc help schedules` lists."""
    return re.findall(r"^  (\S.*?)  +(\S.*)", common.call(sanc, "help", "schedules"), re.M)


def with_commands(sanc, message, gpu):
    """The message, with the commands for a GPU or a processor in the place of COMMANDS."""
    others = "processors: " if gpu else "GPUs: "
    commands = [f"'{syntax}'" for syntax, does in help_rows(sanc) if not does.startswith(others)]
    return message.replace("COMMANDS", " or ".join(commands))


def kernel_lines(lines, kernel):
    """(first, after the last) line of the kernel whose name begins so."""
    first = next(i for i, line in enumerate(lines) if line.startswith("kernel " + kernel))
    return first, next(i for i in range(first, len(lines)) if lines[i] == "}")


def edit(lines, kernel, old, new):
    """The line that was changed."""
    for i in range(*kernel_lines(lines, kernel)):
        if lines[i].startswith("    " + old + " "):
            lines[i] = "    " + new
            return i
    raise ValueError(f"no '{old}' in {kernel}")


def run(sanc, *words):
    status, printed, said = sanc.run(*words)
    # Without the line of the file that stands below an error, and its caret.
    return status, printed + re.sub(r"^ +(\d+ )?\|.*\n", "", said, flags=re.MULTILINE)


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
        message = with_commands(sanc, message, False)
        tally.check(
            status == INPUT and said.startswith(place) and message in said
            and said.count("\n") == 1,
            f"'{new}': status {status}, {said!r}, expected {place!r} … {message!r}")


def check_right(sanc, lines, edits, path, tally):
    """What is edited gives other loops, whose error is that of the evaluator."""
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
    before = common.call(sanc, "ir", os.path.join(os.path.dirname(path), "unedited.sanir"))
    tally.check(common.call(sanc, "ir", path) != before, f"{edits}: the same loops")


def random_edits(lines, rng):
    """Other nests, and another tile unless that has to divide lines, for every kernel that has
    pixels."""
    edits = []
    for i, line in enumerate(lines):
        if line.startswith("kernel "):
            kernel = line.split()[1]
        elif line.startswith(
                "    tile ") and line != "    tile 1" and not lines[i + 1].startswith("    lanes "):
            edits.append((kernel, "tile", f"tile {rng.randint(1, 40)}"))
        found = re.match(r"    (nest \d+) rows \d+ columns (\d+) vector (\d+)", line)
        if found:
            lanes = min(2 ** rng.randint(0, 3), int(found[3]))
            vectors = rng.randint(1, int(found[2]) // lanes)
            columns = min(vectors, 16) * lanes
            rows = rng.randint(1, 16 // (columns // lanes))
            edits.append(
                (kernel, found[1], f"{found[1]} rows {rows} columns {columns} vector {lanes}"))
    return edits


LINEAR = os.path.join(common.ROOT, "tests", "golden", "schedule_linear.sanir")
LINEAR_WRONG = [
    ("rows_of_a_tile", "split", "split <24", "split has to divide the columns"),
    ("rows_of_a_tile", "split", "split <65",
     "split is for kernels whose results have that many columns"),
    ("rows_of_a_tile", "depth", "<split 32", "a second 'split'"),
    ("rows_of_a_tile", "depth", "depth 1 <24",
     "depth has to divide the reduction, and to be whole vectors"),
    ("rows_of_a_tile", "depth", "depth 0 <16",
     "depth is for sums over one variable of rows times columns"),
    ("without_blocks", "ahead", "depth 0 <32", "depth needs columns in whole panels of 32"),
    ("without_blocks", "ahead", "ahead <1",
     "must be the number of a nest of this kernel: an integer from 0 to 0"),
]


def check_linear(sanc, scratch, tally):
    """Linears in blocks, fetching ahead and shared out, on both targets; and what of it cannot
    be."""
    weights, path = os.path.join(scratch,
                                 "linear.safetensors"), os.path.join(scratch, "linear.sanir")
    rng, shapes = random.Random(1), {
        "w1": [2, 32, 32], "w2": [2, 64, 32], "scale": [64], "w3": [3, 64, 32]
    }
    common.write_tensors(
        weights, {
            name: (shape, [rng.uniform(-1, 1) for _ in range(math.prod(shape))])
            for name, shape in shapes.items()
        })
    with open(LINEAR, encoding="utf-8") as file:
        text = file.read()
    narrow = text.replace("x86-64-v4", "x86-64-v3").replace("vector 16",
                                                            "vector 8").replace("rows 6", "rows 3")
    for one in (narrow, text):
        with open(path, "w", encoding="utf-8") as file:
            file.write(one)
        status, said = run(sanc, "verify", path, "-w", weights)
        if status == NO_SUCH_PROCESSOR:
            tally.skip("verify: " + said.strip())
        else:
            tally.check(status == 0, f"verify: status {status}, {said}")
    check_wrong(sanc, text.split("\n"), path, tally, LINEAR_WRONG)


LANES = os.path.join(common.ROOT, "tests", "golden", "schedule_lanes.sanir")
# Several commands of the kernel attention for x86-64-v3; the error stands where < is.
LANES_WRONG = [
    ([("lanes", "<lanes 0")], "found 1 operands, must be 'lanes I J'"),
    ([("lanes", "lanes <4 4")],
     "found '4', must be the number of a nest of this kernel: an integer from 0 to 3"),
    ([("lanes", "lanes 1 <0")],
     "found '0', must be the number of this or a later nest: an integer from 1 to 3"),
    ([("nest 3", "<lanes 0 2")], "a second 'lanes'"),
    ([("lanes", "<lanes 0 3")],
     "lanes is for nests that store to the stack, with neither depth, ahead nor halves"),
    ([("lanes", "<lanes 0 2"),
      ("nest 3", "ahead 1")], "lanes is for nests that store to the stack, with neither depth"),
    ([("lanes", "<lanes 0 2"),
      ("tile", "tile 12")], "lanes needs a tile that divides a line of pixels"),
    ([("lanes", "<lanes 0 1"), ("nest 2", "nest 2 rows 8 columns 2 vector 2"),
      ("nest 3", "together 0 1")], "a nest cannot be in lanes and in together"),
    ([("nest 1", "nest 1 rows 4 columns <16 vector 8")],
     "found '16', must be columns of the nest: an integer from 1 to 8"),
]
LANES_RIGHT = [
    [],
    [("lanes", "lanes 1 1"), ("nest 2", "nest 2 rows 5 columns 2 vector 2"),
     ("nest 0", "nest 0 rows 1 columns 2 vector 2")],
    [("lanes", "lanes 0 0"), ("nest 1", "nest 1 rows 5 columns 2 vector 2"),
     ("nest 2", "nest 2 rows 8 columns 1 vector 1")],
    [("tile", "tile 32"), ("nest 1", "nest 1 rows 3 columns 16 vector 8")],
    [("tile", "tile 4"), ("nest 1", "nest 1 rows 3 columns 4 vector 4"),
     ("nest 0", "nest 0 rows 3 columns 2 vector 2"),
     ("nest 2", "nest 2 rows 1 columns 4 vector 1")],
]


def check_lanes(sanc, scratch, tally):
    """Pixels as lanes, for some nests and in several tiles; and what of it cannot be."""
    weights, path = os.path.join(scratch, "lanes.safetensors"), os.path.join(scratch, "lanes.sanir")
    rng, shapes = random.Random(1), {"w": [2, 2], "table": [9, 5, 2]}
    common.write_tensors(
        weights, {
            name: (shape, [rng.uniform(-1, 1) for _ in range(math.prod(shape))])
            for name, shape in shapes.items()
        })
    with open(LANES, encoding="utf-8") as file:
        lines = file.read().split("\n")
    for edits, message in LANES_WRONG:
        changed = list(lines)
        line = [edit(changed, "attention", *one) for one in edits][0]
        column = changed[line].index("<")
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join(changed).replace("<", ""))
        status, said = run(sanc, "ir", path)
        place = f"{path}:{line + 1}:{column + 1}: error: kernel attention: "
        tally.check(status == INPUT and said.startswith(place + message),
                    f"{edits}: status {status}, {said!r}")
    for edits in LANES_RIGHT:
        changed = list(lines)
        for one in edits:
            edit(changed, "attention", *one)
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join(changed))
        status, said = run(sanc, "verify", path, "-w", weights)
        if status == NO_SUCH_PROCESSOR:
            tally.skip("verify: " + said.strip())
        else:
            tally.check(status == 0, f"{edits}: status {status}, {said}")


MATRIX = os.path.join(common.ROOT, "tests", "golden", "apply_matrix.sanir")
MATRIX_FOR = (
    "matrix is for sums of at least 8 products of a row's and a column's factor, both rounded to tf32, where there "
    "are pixels or tiles")
MATRIX_WRONG = [
    ("hidden", "matrix 1", "matrix <3 rows 16 columns 8",
     "found '3', must be the number of a nest of this kernel"),
    ("hidden", "matrix 1", "matrix <0 rows 16 columns 8", MATRIX_FOR),
    ("hidden", "matrix 2", "matrix <1 rows 16 columns 8", "a second 'matrix 1'"),
    ("hidden", "matrix 1", "matrix 1 <row 16 columns 8", "found 'row', must be 'rows'"),
    ("hidden", "matrix 1", "matrix 1 rows <8 columns 8",
     "found '8', must be rows: an integer from 16 to 1024"),
    ("hidden", "matrix 1", "matrix 1 rows <24 columns 8", "24 rows, must be a multiple of 16"),
    ("hidden", "matrix 1", "matrix 1 rows 16 columns <12", "12 columns, must be a multiple of 8"),
    ("hidden", "matrix 1", "matrix 1 rows <64 columns 40",
     "64 rows of 40 columns are 80 sums of a thread, at most 64 are allowed"),
    ("pooled", "nest 0", "matrix <0 rows 16 columns 8", MATRIX_FOR),
    ("hidden", "matrix 1", "pad <3", "found '3', must be the number of a nest of this kernel"),
    ("hidden", "matrix 1", "pad <1", "pad is for nests that have matrix"),
    ("hidden", "matrix 1", "stage <3", "found '3', must be the number of a nest of this kernel"),
    ("hidden", "matrix 1", "stage <1",
     "stage is for sums of a row's and a column's factor, where the row's is loaded from memory"),
    ("pooled", "nest 0", "stage <0",
     "stage is for sums of a row's and a column's factor, where the row's is loaded from memory"),
]


def check_matrix(sanc, path, tally):
    """What matrix units are asked for and cannot do."""
    with open(MATRIX, encoding="utf-8") as file:
        check_wrong(sanc, file.read().split("\n"), path, tally, MATRIX_WRONG)


PAIRS = os.path.join(common.ROOT, "tests", "golden", "schedule_pairs.sanir")
PAIRS_FOR = ("pairs is for sums of an even number of x[.., k] * w[k div 2, column, k mod 2], both of "
             "type bf16")
# Of the kernel mapping for a target whose unit adds two products of bf16: how a command begins, what
# it becomes; the message, or "" where it is right.
PAIRS_EDITS = [
    ("pairs 1", "pairs <2", "found '2', must be the number of a nest of this kernel"),
    ("pairs 1", "pairs <0", PAIRS_FOR),
    ("nest 1", "<pairs 1", "a second 'pairs 1'"),
    ("nest 0", "nest 0 rows 1 columns 8 vector 8\n    <lanes 0 0",
     "pairs needs vectors of at least 4 columns, an even depth, and no pixels as columns"),
    ("halves 1", "", ""),
    ("pairs 1", "", ""),
    ("nest 1", "nest 1 rows 5 columns 8 vector 8", ""),
    ("nest 0", "nest 0 rows 2 columns 16 vector 8", ""),
]


AMX = os.path.join(common.ROOT, "tests", "golden", "schedule_amx.sanir")
AMX_NEEDS = ("amx needs vectors of at least 4 columns, an even depth, neither halves nor pixels as "
             "columns")
# The same of the kernel lines for AMX, of 24 pixels and 32 columns; `;` begins a line.
AMX_EDITS = [
    ("amx 0", "amx <1", "found '1', must be the number of a nest of this kernel"),
    ("amx 0", "amx 0; <amx 0", "a second 'amx 0'"),
    ("nest 0", "nest 0 rows 8 columns 32 vector 16; <pairs 0",
     "x86-64-v4+amx has no unit that adds two products of bf16"),
    ("nest 0", "nest 0 rows 24 columns 2 vector 2; <halves 0", "halves is for sums"),
    ("nest 0", "nest 0 rows 12 columns 2 vector 2", AMX_NEEDS),
    ("nest 0", "nest 0 rows 17 columns 16 vector 16",
     "amx needs sums in at most 4 tiles, of at most 16 rows and a vector"),
    ("nest 0", "nest 0 rows 1 columns 32 vector 8", ""),
    ("nest 0", "nest 0 rows 5 columns 4 vector 4", ""),
    ("nest 0", "nest 0 rows 16 columns 16 vector 16", ""),
    ("nest 0", "nest 0 rows 24 columns 32 vector 16; depth 0 16", ""),
    ("tile", "tile 7", ""),
    ("amx 0", "ahead 0; amx 0", ""),
]


def check_unit(sanc, path, tally, text, kernel, target, edits):
    """Several products at once: what may be asked for, and what that gives."""
    lines = common.call(sanc, "ir", text, "--after", "schedule").split("\n")
    begin = next(i for i, line in enumerate(lines) if line.startswith("kernel " + kernel))
    begin += next(i for i, line in enumerate(lines[begin:]) if target in line)
    for old, new, message in edits:
        changed = list(lines)
        at = begin + next(i for i, line in enumerate(lines[begin:]) if line.strip().startswith(old))
        changed[at] = "    " + new.replace("; ", "\n    ")
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join(changed).replace("<", ""))
        status, said = run(sanc, "ir", path)
        tally.check(status == (INPUT if message else 0) and message in said,
                    f"{new!r} for {old!r}: status {status}, {said}")


# Commands at the end of a kernel's schedule that change the loops: the error stands where < is, and is said of the kernel,
# or of one that it has become (_rest).
CHANGES_WRONG = {
    "x86-64-v3": [
        ("conv0", "<kind k", "found 1 operands, must be 'kind LOOP KIND'"),
        ("conv0", "kind k <thread",
         "found 'thread', must be one of serial, parallel, unroll, vector"),
        ("fc_10", "kind <z unroll",
         "found 'z', must be one of the loops v, k, v2, v3, v4, k2, v5, v6"),
        ("fc_10", "kind <fc_64.k unroll", "found 'fc_64.k', must be of one of the kernels fc_10"),
        ("conv0", "<kind k parallel", "loop k: parallel, must be outermost"),
        ("conv0", "kind t serial; <kind b vector", "loop b: vector, must be innermost"),
        ("conv0", "kind i <vector",
         "loop i: vector, has 13 iterations, must be a power of two up to 8"),
        ("conv0", "kind k <vector",
         "loop k: vector, has 3 iterations, must be a power of two up to 8"),
        ("conv0", "<kind v serial",
         "acc0: index 1 of registers depends on a loop that is not unrolled, or on a table"),
        ("layer0_0_sam_16", "kind v4 unroll; kind p unroll; <kind k2 parallel",
         "loop k2: parallel, must be outermost"),
        # two terms of one sum
        ("layer0_0_sam_16", "order i5 k2; <kind k2 vector",
         "loop k2: vector, but one iteration writes what another reads: an element of acc1"),
        ("conv0", "<order k3", "found 1 operands, must be 'order LOOP LOOP ...'"),
        ("conv0", "order k3 <k3", "a second 'k3'"),
        ("conv0", "order k3 <z9",
         "found 'z9', must be one of the loops t, b, i, v, k, i2, v2, i3, v3, i4, v4, k2, i5, v5, "
         "i6, v6, r, i7, g, v7, i8, k3, i9, g2, v8, i10, g3, v9, b2, i11, g4, v10, k4, u, i12, g5, v11, i13, g6, v12, g7, v13, "
         "k5, g8, v14, i14, g9, v15"),
        ("conv0", "<order r b",
         "loop r must hold another one of those named here, and nothing else"),
        ("conv0", "<order b t",
         "loop t must hold another one of those named here, and nothing else"),
        ("conv0", "<order i8 i9",
         "loop i8 must hold another one of those named here, and nothing else"),
        ("conv0", "<order v8 g2", "loop v8: vector, must be innermost"),
        ("conv0", "<order conv0_16x16x32.i conv0_16x16x32_rest.v",
         "these loops are not all of one kernel"),
        ("layer0_0_sam_16", "<order p t",
         "loop t must hold another one of those named here, and nothing else"),
        ("conv0", "<place acc0", "found 1 operands, must be 'place BUFFER PLACE'"),
        ("conv0", "place acc0 <shared", "found 'shared', must be one of stack, registers"),
        ("conv0", "place <v16 stack",
         "found 'v16', must be one of the buffers v12_tile, v11_tile, acc0, acc1, acc2, acc3, acc4"
         ),
        ("conv0", "<place v12_tile registers",
         "v12_tile: index 0 of registers depends on a loop that is not unrolled, or on a table"),
        ("layer0_0_sam_conv2_16", "place v22_tile <registers",
         "buffer v22_tile: 864 elements, registers may hold 512 of one"),
        # a loop of the rest that has the same name
        ("conv0", "<kind g7 serial",
         "_rest: acc4: index 1 of registers depends on a loop that is not unrolled, or on a table"),
    ],
    "nvptx:sm_80": [
        ("fc_64", "<kend k unroll",
         "found 'kend', must be COMMANDS"),
        ("fc_10", "<blocks 3", "blocks is for kernels that have pixels or tiles"),
        ("conv0", "blocks <0", "found '0', must be blocks: an integer from 1 to 2147483647"),
        ("conv0", "blocks 3; <blocks 4", "a second 'blocks'"),
        ("conv0", "place <acc0 workspace",
         "found 'acc0', must be one of the buffers v12_tile, v11_tile"),
        ("conv0", "place v12_tile workspace; place <v12_tile shared",
         "found 'v12_tile', must be one of the buffers v11_tile, acc0, acc1, acc2"),
        ("conv0", "kind t <parallel",
         "found 'parallel', must be one of serial, unroll, vector, block, thread"),
        ("conv0", "<kind u thread", "loop u: thread, must not be in a thread loop"),
        ("conv0", "<kind t thread", "loop th: thread, must not be in a thread loop"),
        ("conv0", "<kind th block",
         "loop th: block, must be outermost, alone, and fewer than 2^31 blocks"),
        ("conv0", "kind u3 <vector",
         "loop u3: vector, has 16 iterations, must be a power of two up to 4"),
        ("conv0", "<kind th serial",
         "acc0: index 0 of registers depends on a loop that is not unrolled, or on a table"),
        ("layer1_0_conv", "kind th4 serial; <kind k thread",
         "loop k: thread, but one iteration writes what another reads: an element of acc2"),
        # the others add to what one thread alone has set
        ("conv0", "place acc0 shared; kind th serial; <kind i thread",
         "acc0: one thread writes an element that another one reads without a barrier between"),
        ("conv0", "<order v i", "loop v: vector, must be innermost"),
        ("conv0", "<order th t",
         "loop t must hold another one of those named here, and nothing else"),
        ("conv0", "place acc0 <stack",
         "found 'stack', must be one of workspace, registers, shared"),
        ("conv0", "place <v16 shared",
         "found 'v16', must be one of the buffers v12_tile, v11_tile, acc0, acc1, acc2"),
        ("conv0", "<place v12_tile registers",
         "v12_tile: index 0 of registers depends on a loop that is not unrolled, or on a table"),
        # one thread writes it, others read it
        ("layer1_0_conv", "<place v144_total_tile registers",
         "v144_total_tile: registers that threads write, which others do not see: the first index of each access must be "
         "the thread"),
        ("layer1_0_conv", "kind th4 serial; place acc2 shared; <place v144_top_tile registers",
         "acc2: one thread writes an element that another one reads without a barrier between"),
    ],
}

# And what stands in the kernel's loops then.
CHANGES_RIGHT = {
    "x86-64-v3": [
        ("conv0", "kind k unroll", "for k in 3 unroll, i2 in 13 unroll, v2 in 8 vector"),
        ("conv0", "kind conv0_16x16x32.k unroll",
         "for k in 3 unroll, i2 in 13 unroll, v2 in 8 vector"),
        ("conv0", "kind t serial", "for t in 42 {"),
        ("conv0", "kind t serial; kind t parallel; kind b unroll", "for b in 2 unroll {"),
        ("conv0", "kind v unroll; kind v3 unroll", "for i in 13 unroll, v in 8 unroll"),
        ("conv0", "order i8 k3; order i9 i8 k3",
         "for i9 in 3 unroll, i8 in 2, k3 in 2, g2 in 2 unroll, v8 in 8 vector"),
        ("conv0", "order k3 i8",
         "for k3 in 2, i8 in 2, i9 in 3 unroll, g2 in 2 unroll, v8 in 8 vector"),
        ("conv0", "place acc0 stack; kind i serial; kind i2 serial; order i2 k; kind i3 serial",
         "for i2 in 13, k in 3, v2 in"),
        ("conv0", "place acc1 stack", "acc1     : stack f32["),
        ("layer0_0_sam_16",
         "kind v4 unroll; order v4 i3; kind p unroll; kind k2 unroll; place v62_tile registers",
         "v62_tile       : registers f32[1, 9, 2]"),
        ("layer0_0_sam_16", "order j3 p2; kind p2 vector", "for j3 in 9, p2 in 8 vector"),
        ("layer0_0_sam_conv2_18x18x12_2", "kind r parallel; kind r2 parallel",
         "for r2 in 2 parallel, i2 in 8 unroll, v2 in 4 vector"),
    ],
    "nvptx:sm_80": [
        ("conv0", "kind u3 serial", "for u3 in 16, v8 in 4 vector"),
        ("conv0", "kind t serial", "for t in 64 {"),
        ("conv0", "place acc0 shared; kind th serial", "for th in 32 {"),
        ("conv0", "order i2 u; kind u serial", "for i2 in 2 unroll, u in 3, v2 in 4 vector"),
        ("layer0_0_sam_conv2_16", "order u k", "for u in 16 unroll, k in 2, v3 in 4 vector"),
        ("conv0", "place v12_tile workspace; place v11_tile workspace", "v11_tile_slices[t, "),
        ("conv0", "blocks 5", "for t in 4 block, s in 13 {"),
        ("layer0_0_sam_16", "place acc2 shared", "acc2           : shared f32[4, 1, 1]"),
        ("layer1_0_conv", "kind th5 serial; kind v11 unroll; order v11 th5; kind v11 thread",
         "for v11 in 4 thread, th5 in 12"),
        ("layer1_0_conv", "kind th4 serial; place v144_top_tile registers",
         "v144_top_tile   : registers f32[1, 1, 2]"),
        ("fc_64", "place acc0 shared; kind t serial; order th t; kind th block; kind t thread",
         "for th in 16 block, t in 1 thread"),
    ],
}


# Of a smaller GPU with larger tiles.
TOO_LARGE = [("conv0", "place acc2 shared; <place acc0 shared",
              "73728 bytes of shared memory, nvptx:sm_75 has 65536 for a block")]


def add(lines, kernel, commands):
    """Where the last one stands."""
    end = kernel_lines(lines, kernel)[1] - 1
    commands = commands.split("; ")
    lines[end:end] = ["    " + command for command in commands]
    return end + len(commands) - 1


def write(path, lines):
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(lines))


def check_changes_wrong(sanc, lines, path, tally, rows, gpu):
    for kernel, commands, message in rows:
        changed = list(lines)
        line = add(changed, kernel, commands)
        name, column = lines[kernel_lines(lines, kernel)[0]].split()[1], changed[line].index("<")
        changed[line] = changed[line].replace("<", "")
        write(path, changed)
        message = with_commands(sanc, message, gpu)
        expected = f"{path}:{line + 1}:{column + 1}: error: kernel {name}{'' if message[0] == '_' else ': '}{message}\n"
        status, said = run(sanc, "ir", path)
        tally.check(status == INPUT and said == expected,
                    f"'{commands}': status {status}, {said!r}, expected {expected!r}")


def find_llc(sanc, target):
    """What a GPU's kernels are compiled with for this machine; "" where it is missing, None for a
    processor."""
    try:
        return device.find_llc(sanc) if target.startswith("nvptx") else None
    except SystemExit:
        return ""


def check_result(sanc, llc, path, tally, what):
    """That of a dump, by running it; a GPU's kernels on this machine."""
    if llc == "":
        tally.skip(f"no llc: {what}")
        return
    if llc is None:
        status, said = run(sanc, "verify", path, "-w", WEIGHTS)
        if status == NO_SUCH_PROCESSOR:
            tally.skip("verify: " + said.strip())
        else:
            tally.check(status == 0, f"{what}: status {status}, {said}")
        return
    io = common.read_safetensors(os.path.join(CASE, "io.safetensors"))
    (shape, images), reference = io["input"], io["output"][1]
    with tempfile.TemporaryDirectory() as scratch:
        try:
            network = device.Network(sanc, llc, CASE, scratch, dump=path)
            error = common.relative_error(network.run(images[:len(images) // shape[0]]),
                                          reference[:len(reference) // shape[0]])
            tally.check(error <= 5e-6, f"{what}: error {error:.2e}")
        except (common.Failure, device.Wrong) as failure:
            tally.check(False, f"{what}: {failure}")


def check_changes_right(sanc, llc, lines, path, tally, rows):
    for kernel, commands, loops in rows:
        changed = list(lines)
        add(changed, kernel, commands)
        texts = []
        for one in (lines, changed):
            write(path, one)
            status, said = run(sanc, "ir", path, "--after", "apply_schedules")
            texts.append(
                "\n".join(said.split("\n")[slice(
                    *kernel_lines(said.split("\n"), kernel))]) if status == 0 else said)
        tally.check(loops in texts[1] and loops not in texts[0],
                    f"'{commands}': no '{loops}' in {texts[1]}")
        check_result(sanc, llc, path, tally, commands)


def random_change(loops, rng, gpu):
    """A command, by the loops of a kernel: right or wrong."""
    nests = [
        re.findall(r"(\w+) in \d+", line) for line in loops if line.lstrip().startswith("for ")
    ]
    nests, buffers = [nest for nest in nests if nest], re.findall(r"^  (\w+) *: \w+ f32",
                                                                  "\n".join(loops), re.M)
    nest, what = rng.choice(nests), rng.choice(
        ["kind", "kind", "order", "place"] if buffers else ["kind", "kind", "order"])
    if what == "kind":
        kinds = ["serial", "unroll", "vector"
                 ] + (["block", "thread", "thread"] if gpu else ["parallel"])
        return f"kind {rng.choice(nest)} {rng.choice(kinds)}"
    if what == "order":
        return "order " + " ".join(
            rng.sample(nest, rng.randint(2, len(nest))) if len(nest) > 1 else nest * 2)
    return f"place {rng.choice(buffers)} {rng.choice(['registers'] + (['shared', 'workspace'] if gpu else ['stack']))}"


def check_random_changes(sanc, llc, lines, path, tally, seed):
    """Many random commands: each is refused at its place, or the result is right."""
    rng, taken = random.Random(seed), []
    write(path, lines)
    after = common.call(sanc, "ir", path, "--after", "apply_schedules").split("\n")
    kernels = [line.split()[1] for line in lines if line.startswith("kernel ")]
    for _ in range(20):
        kernel, changed = rng.choice(kernels), list(lines)
        command = random_change(after[slice(*kernel_lines(after, kernel + " "))], rng, llc
                                is not None)
        place = f"{path}:{add(changed, kernel + ' ', command) + 1}:"
        write(path, changed)
        status, said = run(sanc, "ir", path)
        tally.check(
            status == 0
            or (status == INPUT and said.startswith(place) and ": error: kernel " in said),
            f"{taken}, {kernel}: {command}: status {status}, {said}")
        if status == 0:
            lines, taken = changed, taken + [(kernel, command)]
    write(path, lines)
    check_result(sanc, llc, path, tally, taken)


# The schedules of the loops that are changed, whatever the compiler would choose.
PINNED = {"x86-64-v3": {
    "conv0_16x16x32": """    tile 6
    nest 0 rows 13 columns 8 vector 8
    nest 1 rows 3 columns 16 vector 8
    nest 2 rows 6 columns 16 vector 8
""",
    "layer0_0_sam_16x16x8": """    tile 8
    together 0 2
    nest 0 rows 1 columns 2 vector 2
    nest 1 rows 9 columns 2 vector 2
    nest 2 rows 9 columns 1 vector 1
    nest 3 rows 8 columns 1 vector 1
    nest 4 rows 1 columns 1 vector 1
    nest 5 rows 8 columns 1 vector 1
    nest 6 rows 8 columns 8 vector 8
""",
    "layer0_0_sam_conv2_16x16x12": """    tile 27
    nest 0 rows 1 columns 8 vector 8
    nest 1 rows 14 columns 8 vector 8
"""},
    "nvptx:sm_80": {
    "conv0_16x16x32": """    threads 64
    tile 4
    nest 0 rows 2 columns 4 vector 4
    nest 1 rows 1 columns 4 vector 4
    nest 2 rows 1 columns 4 vector 4
""",
    "layer0_0_sam_conv2_16x16x12": """    threads 64
    tile 4
    nest 0 rows 1 columns 4 vector 4
    nest 1 rows 1 columns 4 vector 4
""",
    "layer0_0_sam_16x16x8": """    threads 64
    tile 4
    nest 0 rows 1 columns 2 vector 2
    nest 1 rows 2 columns 2 vector 2
    nest 2 rows 2 columns 1 vector 1
    nest 3 rows 1 columns 1 vector 1
    nest 4 rows 1 columns 1 vector 1
    nest 5 rows 1 columns 1 vector 1
    nest 6 rows 1 columns 4 vector 4
""",
    "conv1_8x8x64": """    threads 64
    tile 2
    split 32
    nest 0 rows 2 columns 4 vector 4
    nest 1 rows 1 columns 4 vector 4
    nest 2 rows 1 columns 4 vector 4
""",
    "layer1_0_sam_conv2_8x8x24": """    threads 64
    tile 1
    nest 0 rows 1 columns 4 vector 4
    nest 1 rows 1 columns 4 vector 4
""",
    "layer1_0_conv_8x8x64": """    threads 64
    tile 1
    nest 0 rows 1 columns 4 vector 4
    nest 1 rows 1 columns 4 vector 4
    nest 2 rows 1 columns 2 vector 2
    nest 3 rows 1 columns 2 vector 2
    nest 4 rows 1 columns 4 vector 4
    nest 5 rows 1 columns 2 vector 2
    nest 6 rows 1 columns 4 vector 4
    nest 7 rows 1 columns 4 vector 4
"""}}


def check_changes(sanc, target, scratch, tally):
    """Kinds and order of loops, places of buffers, for a processor and for a GPU."""
    llc = find_llc(sanc, target)
    path = os.path.join(scratch, "changed.sanir")
    text = common.call(sanc, "ir", os.path.join(CASE, "model.json"), "--target", target, "--after",
                       "schedule")
    for kernel, schedule in PINNED.get(target, {}).items():
        text, count = re.subn(rf"(?s)(\nkernel {kernel} .*?\n  schedule [^\n]*\n).*?(  }}\n)",
                              rf"\1{schedule}\2", text, count=1)
        tally.check(count == 1, f"no schedule of {kernel}")
    lines = text.split("\n")
    gpu = target.startswith("nvptx")
    check_changes_wrong(sanc, lines, path, tally, CHANGES_WRONG[target], gpu)
    check_changes_right(sanc, llc, lines, path, tally, CHANGES_RIGHT[target])
    if gpu:
        large = text.replace("sm_80", "sm_75").split("\n")
        edit(large, "conv0", "threads", "threads 1024")
        edit(large, "conv0", "tile", "tile 128")
        check_changes_wrong(sanc, large, path, tally, TOO_LARGE, gpu)
    for seed in range(4):
        check_random_changes(sanc, llc, lines, path, tally, seed)


# Edits of loops in the dump after apply_schedules: a pattern, what replaces it in every line that
# has it, and the message at a line, or None.
LOOPS = [
    (r"( in \d+) parallel {", r"\1 {", None),
    (r"for (i\w* in \d+ unroll), (g\w* in \d+ unroll)", r"for \2, \1", None),
    (r" unroll, (v\w* in)", r", \1", "of registers depends on a loop that is not unrolled"),
    (r" : stack f32\[(\d), 16\]", r" : registers f32[\1, 16]",
     "of registers depends on a loop that is not unrolled"),
    (r"for (\w+ in \d+) unroll, (v\w* in \d+) vector", r"for \2 vector, \1 unroll",
     "vector, must be innermost"),
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


def check_help(sanc, tally):
    """The tables of compiler/README.md explain each command that `sanc help schedules` lists, and
    no others."""
    with open(os.path.join(common.ROOT, "compiler", "README.md"), encoding="utf-8") as file:
        section = file.read().split("### Schedules\n")[1].split("\n### ")[0]
    explained = re.findall(r"^\| `(\w+ [^`]*[A-Z][^`]*)` \|", section.replace("…", "..."), re.M)
    listed = [syntax for syntax, _ in help_rows(sanc)]
    missing, unknown = sorted(set(listed) - set(explained)), sorted(set(explained) - set(listed))
    tally.check(
        len(listed) > 15 and not missing and not unknown,
        f"compiler/README.md must explain {missing}, and not {unknown}, which are no commands")


def main():
    sanc, tally = common.Sanc(sys.argv[1]), common.Tally()
    with tempfile.TemporaryDirectory() as scratch:
        states = os.path.join(scratch, "states")
        common.call(sanc, "ir", os.path.join(CASE, "model.json"), "-o", os.devnull, "--target",
                    "x86-64-v3", "--dump-ir", states)
        dump = next(name for name in os.listdir(states) if name.endswith("-schedule.sanir"))
        with open(os.path.join(states, dump), encoding="utf-8") as file:
            lines = file.read().split("\n")
        path = os.path.join(scratch, "edited.sanir")
        write(os.path.join(scratch, "unedited.sanir"), lines)
        check_help(sanc, tally)
        check_wrong(sanc, lines, path, tally)
        for edits in RIGHT + [random_edits(lines, random.Random(seed)) for seed in range(4)]:
            check_right(sanc, lines, edits, path, tally)
        check_linear(sanc, scratch, tally)
        check_lanes(sanc, scratch, tally)
        check_matrix(sanc, path, tally)
        check_unit(sanc, path, tally, PAIRS, "mapping", "+bf16", PAIRS_EDITS)
        check_unit(sanc, path, tally, AMX, "lines", "+amx", AMX_EDITS)
        for target in CHANGES_WRONG:
            check_changes(sanc, target, scratch, tally)
        dump = next(name for name in os.listdir(states) if name.endswith("-apply_schedules.sanir"))
        with open(os.path.join(states, dump), encoding="utf-8") as file:
            check_loops(sanc, file.read(), path, tally)
    return tally.end()


if __name__ == "__main__":
    sys.exit(main())
