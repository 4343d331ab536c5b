#!/usr/bin/env python3
"""A compiled model as a linker and a C or C++ program see it.

    object.py SANC

Uses the networks of examples/digits, and the C compilers that are installed.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

import common

HERE = os.path.dirname(os.path.abspath(__file__))
EXAMPLE = os.path.join(common.ROOT, "examples", "digits")
NETWORKS = ["digits_pairwise", "digits_patchwise"]
LIBC = {"memcpy", "memset", "memmove", "memcmp"}
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]


def compile_networks(sanc, folder):
    for name in NETWORKS:
        source = os.path.join(EXAMPLE, name[len("digits_"):])
        common.call(sanc, "compile", os.path.join(source, "model.json"), "-w",
                    os.path.join(source, "weights.safetensors"), "--threads", 2,
                    "-o", os.path.join(folder, name + ".o"))


def check_symbols(folder, tally):
    for name in NETWORKS:
        path = os.path.join(folder, name + ".o")
        undefined = set(common.call("nm", "-u", "--format=just-symbols", path).split())
        undefined.discard("_GLOBAL_OFFSET_TABLE_")  # the linker's own
        tally.check(undefined <= LIBC, f"{name}.o: undefined {sorted(undefined - LIBC)}")
        ours = common.call("nm", "-g", "--defined-only", "--format=just-symbols", path).split()
        other = [symbol for symbol in ours if not symbol.startswith(name + "_")]
        tally.check({name + "_run", name + "_model"} <= set(ours) and not other,
                    f"{name}.o: global symbols {ours}")


def check_sections(folder, tally):
    for name in NETWORKS:
        sections = common.call("readelf", "-SW", os.path.join(folder, name + ".o"))
        rows = re.findall(r"\] (\S+) +(\S+) +\S+ \S+ (\S+) \S+ +([WAXMSILGTEl]*) ", sections)
        stack = [flags for section, _, _, flags in rows if section == ".note.GNU-stack"]
        tally.check(stack == [""], f"{name}.o: .note.GNU-stack has the flags {stack}")
        writable = [section for section, kind, size, flags in rows
                    if "W" in flags and int(size, 16) > 0
                    and not section.startswith(".data.rel.ro")
                    and (section, int(size, 16)) != (".bss", 4)]  # remembers the processor
        tally.check(rows and not writable, f"{name}.o: writable sections {writable}")


def check_headers(folder, tally):
    for name in NETWORKS:
        for compilers, standard, language in ((("gcc", "clang-19"), "c11", "c"),
                                              (("g++", "clang++-19"), "c++11", "c++")):
            for compiler in filter(shutil.which, compilers):
                tally.check(
                    succeeds(compiler, f"-std={standard}", "-x", language, *WARNINGS, "-include",
                             f"{folder}/{name}.h", "-fsyntax-only", "/dev/null"),
                    f"{name}.h with {compiler} -std={standard}")


def succeeds(*command):
    try:
        common.call(*command)
        return True
    except common.Failure as failure:
        print(failure)
        return False


def check_programs(folder, tally):
    objects = [os.path.join(folder, name + ".o") for name in NETWORKS]
    program = os.path.join(folder, "program")
    for options in (["-pie"], ["-static"], ["-no-pie"]):
        linked = succeeds("cc", "-std=c11", "-O1", *WARNINGS,
                          "-Wl,--fatal-warnings", "-Wl,-z,text", "-I", folder,
                          os.path.join(HERE, "two_models.c"), *objects, *options, "-pthread", "-lm",
                          "-o", program)
        tally.check(linked and succeeds(program), f"two models in one program, {options[0]}")


def check_other_compilation(folder, tally):
    """A header does not link with the object of another compilation, whose workspace is larger."""
    source = os.path.join(EXAMPLE, "pairwise")
    common.call(sys.argv[1], "compile", os.path.join(source, "model.json"), "-w",
                os.path.join(source, "weights.safetensors"), "--batch", 8, "-o",
                os.path.join(folder, "other.o"))
    use = os.path.join(folder, "use.c")
    with open(use, "w") as file:
        file.write(
            '#include "digits_pairwise.h"\nint main(void) { return digits_pairwise_run(NULL, NULL, NULL, NULL) == SAN_OK; }\n'
        )
    for name, links in (("digits_pairwise.o", True), ("other.o", False)):
        done = subprocess.run([
            "cc", "-I", folder, use,
            os.path.join(folder, name), "-o",
            os.path.join(folder, "use")
        ], capture_output=True, text=True)
        tally.check((done.returncode == 0) == links
                    and (links or "digits_pairwise_header_" in done.stderr),
                    f"the header with {name}: status {done.returncode}, {done.stderr}")


def main():
    tally = common.Tally()
    with tempfile.TemporaryDirectory() as folder:
        compile_networks(sys.argv[1], folder)
        check_symbols(folder, tally)
        check_sections(folder, tally)
        check_headers(folder, tally)
        check_programs(folder, tally)
        check_other_compilation(folder, tally)
    return tally.end()


if __name__ == "__main__":
    sys.exit(main())
