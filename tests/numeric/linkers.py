#!/usr/bin/env python3
"""The digits' network linked by every linker and in every way that is installed.

    linkers.py SANC

The program's logits have to be those of `sanc run`, bit for bit. Names what is not installed.
"""
import array
import os
import random
import shutil
import subprocess
import sys
import tempfile

import common

HERE = os.path.dirname(os.path.abspath(__file__))
NETWORK = os.path.join(common.ROOT, "examples", "digits", "pairwise")
NAME = "digits_pairwise"
IMAGES = 8
STRICT = ["-std=c11", "-O1", "-Wall", "-Wextra", "-Werror", "-Wl,--fatal-warnings", "-Wl,-z,text"]
# What a compiler takes to use a linker, the linker's program, and Debian's package of it.
LINKERS = {"bfd": ("ld.bfd", "binutils"), "gold": ("ld.gold", "binutils or binutils-gold"),
           "lld": ("ld.lld", "lld"), "mold": ("mold", "mold")}
WAYS = {
    "PIE": ["-fPIE", "-pie"],
    "fixed address": ["-fno-pie", "-no-pie"],
    "static": ["-static"],
    "static-pie": ["-fPIE", "-static-pie"],
    "unused sections left out": ["-fPIE", "-pie", "-ffunction-sections", "-Wl,--gc-sections"],
    "LTO": ["-fPIE", "-pie", "-flto"],
}
# The first that can link in some way: lld needs clang for LTO, and one not newer than itself.
COMPILERS = list(filter(shutil.which, ("gcc", "clang-19", "clang")))


class Links:
    def __init__(self, sanc, folder, tally):
        self.folder, self.tally = folder, tally
        self.object = self.compile(sanc, NAME + ".o")
        self.unwinding = self.compile(sanc, "unwinding.o", "--unwind-tables")
        draw = random.Random(1)
        pixels = array.array("f", (draw.uniform(-1, 1) for _ in range(IMAGES * 28 * 28)))
        self.images = pixels.tobytes()
        path = os.path.join(folder, "images.safetensors")
        common.write_safetensors(path, "input", (IMAGES, 1, 28, 28), pixels)
        self.logits = common.run_model(sanc, NETWORK, path, os.path.join(folder, "out")).tobytes()

    def compile(self, sanc, name, *options):
        path = os.path.join(self.folder, name)
        common.call(sanc, "compile", os.path.join(NETWORK, "model.json"), "-w",
                    os.path.join(NETWORK, "weights.safetensors"), "--threads", 2, *options, "-o",
                    path)
        return path

    def can(self, compiler, options):
        """Whether a program of nothing links so."""
        empty = os.path.join(self.folder, "empty.c")
        with open(empty, "w") as file:
            file.write("int main(void) { return 0; }\n")
        program = os.path.join(self.folder, "empty")
        return subprocess.run([compiler, *STRICT, empty, *options, "-o", program],
                              capture_output=True).returncode == 0

    def check(self, what, compilers, options, files):
        """Links the program from files and options, by the first compiler that can, and runs it."""
        program = os.path.join(self.folder, "program")
        for compiler in compilers:
            linked = subprocess.run(
                [compiler, *STRICT, "-I", self.folder, os.path.join(HERE, "linkers.c"), *files,
                 *options, "-o", program], capture_output=True, text=True)
            if linked.returncode == 0:
                self.check_run(what, program)
                return
            if self.can(compiler, options):
                self.tally.check(False, f"{what}, {compiler}: {linked.stderr}")
                return
        self.tally.skip(f"{what}: does not link an empty program here, either")

    def check_run(self, what, program):
        done = subprocess.run([program], input=self.images, capture_output=True,
                              env={**os.environ, "LD_LIBRARY_PATH": self.folder})
        self.tally.check(done.returncode == 0 and done.stdout == self.logits,
                         f"{what}: status {done.returncode}, {len(done.stdout)} bytes of logits"
                         f"{'' if done.stdout == self.logits else ', others than sanc run'}")

    def check_linker(self, linker):
        use = "-fuse-ld=" + linker
        for way, options in WAYS.items():
            self.check(f"{linker}, {way}", COMPILERS, [*options, use], [self.object])
        self.check(f"{linker}, unwind tables", COMPILERS, [use], [self.unwinding])
        library = os.path.join(self.folder, "libnet.so")
        made = subprocess.run([COMPILERS[0], "-shared", use, "-Wl,--fatal-warnings", "-Wl,-z,text",
                               self.object, "-o", library], capture_output=True, text=True)
        self.tally.check(made.returncode == 0, f"{linker}, shared library: {made.stderr}")
        if made.returncode == 0:
            self.check(f"{linker}, shared library", COMPILERS[:1], [use], [library])

    def check_musl(self):
        for way, options in (("dynamic", []), ("static", ["-static"]),
                             ("static-pie", ["-fPIE", "-static-pie"])):
            self.check(f"musl, {way}", ["musl-gcc"], options, [self.object])


def main():
    if not COMPILERS:
        common.skip("no C compiler")
    tally = common.Tally()
    with tempfile.TemporaryDirectory() as folder:
        links = Links(sys.argv[1], folder, tally)
        for linker, (program, package) in LINKERS.items():
            if shutil.which(program):
                links.check_linker(linker)
            else:
                tally.skip(f"{linker}: {program} is not installed (Debian: {package})")
        if shutil.which("musl-gcc"):
            links.check_musl()
        else:
            tally.skip("musl: musl-gcc is not installed (Debian: musl-tools)")
    return tally.end()


if __name__ == "__main__":
    sys.exit(main())
