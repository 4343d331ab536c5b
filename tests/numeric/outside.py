#!/usr/bin/env python3
"""Weights in a file of their own: `sanc compile --weights-in` and san/weights.h.

    outside.py SANC LIBSANRT.a

A C program runs the digits with the weights inside and outside of the object: the same bits. Then
every kind of wrong file has to get its error, and every wrong command line, which writes nothing.
"""
import array
import os
import random
import struct
import subprocess
import sys
import tempfile

import common

HERE = os.path.dirname(os.path.abspath(__file__))
DIGITS = os.path.join(common.ROOT, "examples", "digits")
HEAD = 4096
FILE, FORMAT, VERSION, SIZE, MODEL, HASH = -203, -205, -206, -207, -208, -209
USAGE, SYSTEM = 2, 4


def compile_digits(sanc, kind, *options):
    folder = os.path.join(DIGITS, kind)
    common.call(sanc, "compile", os.path.join(folder, "model.json"), "-w",
                os.path.join(folder, "weights.safetensors"), "--threads", 2, *options)


def build(sanc, runtime, scratch):
    """The program, and what it reads."""
    os.chdir(scratch)
    compile_digits(sanc, "pairwise", "--name", "inside", "--batch", 2, "-o", "inside.o")
    compile_digits(sanc, "pairwise", "--name", "outside", "--batch", 2, "-o", "outside.o",
                   "--weights-in", "net.weights")
    compile_digits(sanc, "patchwise", "--name", "outside", "--batch", 2, "-o", "patchwise.o",
                   "--weights-in", "patchwise.weights")
    compile_digits(sanc, "pairwise", "--name", "another", "--batch", 2, "-o", "another.o",
                   "--weights-in", "another.weights")
    common.call("cc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-I.", "-I",
                os.path.join(common.ROOT, "runtime"), os.path.join(HERE, "outside.c"), "inside.o",
                "outside.o", runtime, "-pthread", "-o", "program")
    draw = random.Random(1)
    with open("images", "wb") as file:
        array.array("f", (draw.uniform(-1, 1) for _ in range(6 * 28 * 28))).tofile(file)


def open_weights(path):
    """(exit status, status of san_weights_open, its text)"""
    with open("images", "rb") as images:
        done = subprocess.run(["./program", path], stdin=images, capture_output=True, text=True)
    status, _, text = done.stdout.partition(" ")
    return done.returncode, int(status or 1), text.strip()


def flip(data, at):
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1:]


def check_files(tally):
    with open("net.weights", "rb") as file:
        good = file.read()
    tally.check(open_weights("net.weights") == (0, 0, ""), "the file that sanc wrote")
    tally.check(len(good) % 64 == 0 and os.path.getsize("outside.o") < os.path.getsize("inside.o"),
                "sizes")
    older = good[:8] + struct.pack("<I", 0) + good[12:]
    wrong = {
        "cut off by a byte": (good[:-1], SIZE),
        "with a byte more": (good + b"\0", SIZE),
        "of the head alone": (good[:HEAD], SIZE),
        "cut off in its head": (good[:HEAD - 1], FORMAT),
        "empty": (b"", FORMAT),
        "of zeros": (bytes(len(good)), FORMAT),
        "of an older version": (older, VERSION),
        "for another ABI": (flip(good, 12), VERSION),
        "whose size has changed": (flip(good, 16), SIZE),
        "whose other size has changed": (flip(good, 24), SIZE),
        "whose hash has changed": (flip(good, 63), MODEL),
        "whose name has changed": (flip(good, 64), MODEL),
        "whose head has changed at its end": (flip(good, HEAD - 1), HASH),
        "whose first byte has changed": (flip(good, HEAD), HASH),
        "whose last byte has changed": (flip(good, len(good) - 1), HASH),
    }
    for what, (data, expected) in wrong.items():
        with open("wrong", "wb") as file:
            file.write(data)
        found = open_weights("wrong")
        tally.check(found[:2] == (0, expected) and found[2].startswith("wrong: "),
                    f"a file {what}: expected {expected}, found {found}")
    os.mkdir("folder")
    for path, expected in (("patchwise.weights", MODEL), ("another.weights", MODEL),
                           ("missing", FILE), ("folder", FILE), ("/dev/null", FILE)):
        found = open_weights(path)
        tally.check(found[:2] == (0, expected), f"{path}: expected {expected}, found {found}")


def check_command_lines(sanc, tally):
    """Each is refused, or fails, and leaves nothing."""
    model, weights = (os.path.join(DIGITS, "pairwise", name)
                      for name in ("model.json", "weights.safetensors"))
    wrong = [
        (USAGE, "is another output, too", "-o", "o.o", "--weights-in", "o.h"),
        (USAGE, "is another output, too", "-o", "o", "--weights-in", "o"),
        (USAGE, "is another output, too", "-o", "o", "--weights-in", "./o"),
        (USAGE, "is one of the inputs", "-o", "o.o", "--weights-in", weights),
        (USAGE, "promises another format", "-o", "o.o", "--weights-in", "other.o"),
        (USAGE, "must be a file", "-o", "o.o", "--weights-in", "-"),
        (USAGE, "is for an object or a library", "--emit", "asm,header", "-o", "o",
         "--weights-in", "w"),
        (USAGE, "is for processors", "--target", "x86-64-v3,nvptx:sm_80", "-o", "o.o",
         "--weights-in", "w"),
        (SYSTEM, "cannot be written", "-o", "o.o", "--weights-in", "/dev/full"),
        (SYSTEM, "cannot be written", "-o", "o.o", "--weights-in", "missing/w"),
        (SYSTEM, "cannot be written", "-o", "missing/o.o", "--weights-in", "w"),
    ]
    os.mkdir("empty")
    for expected, words, *options in wrong:
        done = subprocess.run([sanc, "compile", model, "-w", weights, *options],
                              capture_output=True, text=True, cwd="empty")
        tally.check(done.returncode == expected and words in done.stderr,
                    f"{options}: expected status {expected}, {words!r}; found {done.returncode}: "
                    f"{done.stderr}")
        tally.check(not os.listdir("empty"), f"{options}: left {os.listdir('empty')}")


def main():
    sanc, runtime = (os.path.abspath(path) for path in sys.argv[1:])
    tally = common.Tally()
    with tempfile.TemporaryDirectory() as scratch:
        build(sanc, runtime, scratch)
        check_files(tally)
        check_command_lines(sanc, tally)
        os.chdir(common.ROOT)
    return tally.end()


if __name__ == "__main__":
    sys.exit(main())
