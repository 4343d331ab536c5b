#!/usr/bin/env python3
"""Tools that watch a program work with compiled models: stack unwinders, MemorySanitizer.

    unwind.py SANC
"""
import os
import shutil
import subprocess
import sys
import tempfile

import common

HERE = os.path.dirname(os.path.abspath(__file__))
NETWORK = os.path.join(common.ROOT, "examples", "digits", "pairwise")
NAME = "digits_pairwise"
WARNINGS = ["-Wall", "-Wextra", "-Werror"]


def compile_network(sanc, folder, *options):
    """The object, in a folder of its own with its header."""
    path = os.path.join(folder, NAME + ".o")
    os.makedirs(folder, exist_ok=True)
    common.call(sanc, "compile", os.path.join(NETWORK, "model.json"), "-w",
                os.path.join(NETWORK, "weights.safetensors"), "--threads", 2, *options, "-o", path)
    return path


def section(path, name):
    """The bytes of a section of an object, None where it has no such section."""
    copy = path + ".section"
    subprocess.run(["objcopy", "-O", "binary", "--only-section", name, path, copy], check=True)
    with open(copy, "rb") as file:
        return file.read() or None


def check_sections(plain, unwinding, tally):
    tables = section(unwinding, ".eh_frame")
    tally.check(section(plain, ".eh_frame") is None, "an object has .eh_frame without the option")
    tally.check(tables is not None, "--unwind-tables makes no .eh_frame")
    for name in (".text", ".rodata"):
        tally.check(section(plain, name) == section(unwinding, name),
                    f"--unwind-tables changes {name}")
    print(f"{len(tables or b'')} bytes of .eh_frame to {len(section(plain, '.text'))} of .text")


def check_unwinding(plain, unwinding, tally):
    compilers = list(filter(shutil.which, ("g++", "clang++-19")))
    for compiler in compilers:
        for path in (unwinding, plain):
            program = path + ".program"
            common.call(compiler, "-std=c++11", "-O1", *WARNINGS, "-I", os.path.dirname(path),
                        os.path.join(HERE, "unwind.cc"), path, "-o", program)
            done = subprocess.run([program], capture_output=True, text=True, timeout=60)
            if path == unwinding:
                tally.check(done.returncode == 0, f"{compiler}: {done.returncode} {done.stdout}")
            else:
                tally.check(done.returncode != 0, f"{compiler}: unwinds without tables")
    if not compilers:
        tally.skip("no C++ compiler: nothing is unwound")


def check_memory_sanitizer(path, folder, tally):
    clang = next(filter(shutil.which, ("clang-19", "clang")), None)
    if not clang:
        tally.skip("MemorySanitizer: no clang")
        return
    for language, standard in (("c", "c11"), ("c++", "c++11")):
        program = os.path.join(folder, "marked")
        command = [clang, "-fsanitize=memory", "-O1", f"-std={standard}", *WARNINGS, "-I",
                   os.path.dirname(path), "-x", language, os.path.join(HERE, "marked.c"), "-x",
                   "none", path, "-o", program]
        linked = subprocess.run(command, capture_output=True, text=True)
        if "msan" in linked.stderr and "cannot find" in linked.stderr:
            tally.skip("MemorySanitizer: clang comes without its library")
            return
        tally.check(linked.returncode == 0, f"{' '.join(command)}\n{linked.stderr}")
        if linked.returncode:
            continue
        marked = subprocess.run([program], capture_output=True, text=True)
        tally.check(marked.returncode == 0, f"{language}: {marked.stdout}{marked.stderr}")
        unmarked = subprocess.run([program, "unmarked"], capture_output=True, text=True)
        tally.check("use-of-uninitialized-value" in unmarked.stderr,
                    f"{language}: the sanitizer finds nothing where nothing is marked")


def main():
    tally = common.Tally()
    with tempfile.TemporaryDirectory() as folder:
        plain = compile_network(sys.argv[1], os.path.join(folder, "plain"))
        unwinding = compile_network(sys.argv[1], os.path.join(folder, "unwinding"),
                                    "--unwind-tables")
        check_sections(plain, unwinding, tally)
        check_unwinding(plain, unwinding, tally)
        check_memory_sanitizer(plain, folder, tally)
    return tally.end()


if __name__ == "__main__":
    sys.exit(main())
