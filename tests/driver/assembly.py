#!/usr/bin/env python3
"""Reads the assembly of every kernel of SAN10, pairwise and patchwise, for both targets: in the
innermost loops that multiply and add (those of exp() aside), nothing goes to the stack or comes
from it, vectors are as wide as the loop form says, no scalar is left over and nothing is gathered;
and of all multiply-adds at least MOST are of the target's full width.

    assembly.py SANC [--list]

--list prints the loops: kernel, registers' width, multiply-adds, other instructions.
"""
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "numeric"))
import common  # noqa: E402

TARGETS = {"x86-64-v3": (8, "ymm"), "x86-64-v4": (16, "zmm")}
WIDTH = {1: "scalar", 2: "xmm", 4: "xmm", 8: "ymm", 16: "zmm"}
MOST = 0.95
EXPONENTIAL = r"vcvtt?ps2dq|vroundps|vrndscaleps|vpslld"  # what exp() is made of besides multiply-adds


def functions(text):
    """{name: lines} of an assembly text."""
    found, lines = {}, None
    for line in text.split("\n"):
        label = re.match(r"([A-Za-z_]\w*):", line)
        if label:
            lines = found.setdefault(label[1], [])
        elif lines is not None:
            lines.append(line.strip())
    return found


def innermost_loops(lines):
    """The lines from a label to the last jump back to it, of loops that hold no other loop."""
    label, loops = {}, {}
    for i, line in enumerate(lines):
        if re.match(r"\.L\w+:", line):
            label[line.split(":")[0]] = i
        jump = re.match(r"j\w+\s+(\.L\w+)", line)
        if jump and jump[1] in label:
            loops[label[jump[1]]] = i
    return [lines[first:last + 1] for first, last in loops.items()
            if not any(first < other < last for other in loops)]


def widths_of_ir(text):
    """{kernel: {lanes: how many multiply-adds run on as many}} of a module in loop form."""
    found = {}
    for kernel in re.split(r"^kernel ", text, flags=re.M)[1:]:
        lanes, loops = {}, []  # loops: (indent, iterations, lanes)
        for line in kernel.split("\n")[1:]:
            indent = len(line) - len(line.lstrip())
            while line.strip() and loops and loops[-1][0] >= indent:
                loops.pop()
            iterations, wide = loops[-1][1:] if loops else (1, 1)
            if line.strip().startswith("for "):
                for extent, kind in re.findall(r" in (\d+)( \w+)?", line):
                    iterations, wide = iterations * int(extent), int(
                        extent) if kind == " vector" else wide
                loops.append((indent, iterations, wide))
            elif "fma(" in line:
                lanes[wide] = lanes.get(wide, 0) + iterations * line.count("fma(")
        found[kernel.split()[0]] = lanes
    return found


def check_loop(loop, widths):
    """What is wrong with a loop, and how many multiply-adds it has."""
    sums = [line for line in loop if re.match(r"vfn?m(add|sub)", line)]
    if any(re.match(EXPONENTIAL, line) for line in loop):
        return [], 0
    wrong = []
    for line in sums:
        width = "scalar" if re.match(r"\w+[sd]s\b|\w+sd\b", line) else re.search(
            r"%([xyz]mm)", line)[1]
        if width not in widths:
            wrong.append(f"'{line}' is {width}, must be {' or '.join(sorted(widths))}")
    if sums:
        wrong += [f"'{line}' is the stack" for line in loop if "(%rsp" in line and "mm" in line]
    return wrong, len(sums)


def check_kernel(name, lines, lanes, tally, listing):
    widths = {WIDTH[wide] for wide in lanes}
    loops = 0
    for loop in innermost_loops(lines):
        wrong, sums = check_loop(loop, widths)
        loops += sums > 0
        tally.check(not wrong, f"{name}: {'; '.join(wrong[:3])}")
        if listing and sums:
            print(f"{name:64} {' '.join(sorted(widths)):8} {sums:3} {len(loop) - sums:3}")
    tally.check(loops or not lanes,
                f"{name}: no loop multiplies and adds, though the loop form says so")
    tally.check(not any("gather" in line for line in lines), f"{name}: gathers")


def check_network(sanc, kind, target, scratch, tally, listing):
    model = os.path.join(common.NETWORKS, f"san10_{kind}.json")
    stem = os.path.join(scratch, "net")
    common.call(sanc, "compile", model, "--emit", "asm,ir", "--target", target, "-o", stem)
    with open(stem + ".s", encoding="utf-8") as assembly, open(stem + ".sanir",
                                                               encoding="utf-8") as ir:
        code, widths = functions(assembly.read()), widths_of_ir(ir.read())
    total = {}
    for kernel, lanes in widths.items():
        name = next(name for name in code if re.fullmatch(f"san10_{kind}_{kernel}__\\w+", name))
        check_kernel(name, code[name], lanes, tally, listing)
        for wide, count in lanes.items():
            total[wide] = total.get(wide, 0) + count
    share = total.get(TARGETS[target][0], 0) / sum(total.values())
    tally.check(share >= MOST,
                f"SAN10 {kind}, {target}: {share:.1%} of the multiply-adds are of full width")
    print(
        f"SAN10 {kind}, {target}: {len(widths)} kernels, {share:.1%} of the multiply-adds in {TARGETS[target][1]}"
    )


def main():
    sanc, tally = os.path.abspath(sys.argv[1]), common.Tally()
    with tempfile.TemporaryDirectory() as scratch:
        for kind in ("pairwise", "patchwise"):
            for target in TARGETS:
                check_network(sanc, kind, target, scratch, tally, "--list" in sys.argv)
    return tally.end()


if __name__ == "__main__":
    sys.exit(main())
