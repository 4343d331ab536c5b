#!/usr/bin/env python3
"""x86-64-v4 objects on an emulated processor, for machines without AVX-512.

    emulated.py SANC [--always] [NAME...]

Compiles cases for x86-64-v4, links them into one static program, runs it with
../shared/tools/avx512-run (not part of the project) and compares with the references. Skips where
the machine has AVX-512, unless told --always: cases.py covers that. Debian packages: bochs
bochs-term cpio lz4 gcc binutils; the emulator's kernel is downloaded into build/avx512.
"""
import argparse
import ctypes
import glob
import os
import shutil
import subprocess
import sys
import tempfile

import cases
import common

HERE = os.path.dirname(os.path.abspath(__file__))
FEATURES = {"avx512f", "avx512cd", "avx512bw", "avx512dq", "avx512vl"}
SECONDS = 900


def processor(field):
    """The words of a field of /proc/cpuinfo."""
    with open("/proc/cpuinfo") as file:
        return next((line.split()[2:] for line in file if line.startswith(field)), [])


def has_avx512():
    return FEATURES <= set(processor("flags"))


def has_pairs():
    """Whether x86-64-v4+bf16 is for this processor."""
    return (has_avx512() and "avx512_bf16" in processor("flags")
            and processor("vendor_id") == ["AuthenticAMD"])


def has_amx():
    """Whether the processor has AMX, and the system lets processes use it."""
    arch_prctl, request, tiles = 158, 0x1023, 18
    return (has_avx512() and {"amx_tile", "amx_bf16", "avx512_bf16"} <= set(processor("flags"))
            and ctypes.CDLL(None).syscall(arch_prctl, request, tiles) == 0)


class Missing(Exception):
    """What the emulator needs and is not here."""


def find_kernel():
    """Debian's kernel: one that is installed, or a package downloaded once."""
    if glob.glob("/boot/vmlinuz-*-amd64"):
        return []
    folder = os.path.join(common.ROOT, "build", "avx512")
    if not glob.glob(os.path.join(folder, "*.deb")):
        os.makedirs(folder, exist_ok=True)
        try:
            rows = common.call("apt-cache", "depends", "linux-image-cloud-amd64").splitlines()
            package = next(row.split(":")[1].strip() for row in rows if "Depends:" in row)
            common.call("apt-get", "download", package, cwd=folder)
        except (OSError, StopIteration, common.Failure) as error:
            raise Missing(f"no kernel for the emulator: {error}") from error
    return ["--kernel", glob.glob(os.path.join(folder, "*.deb"))[0]]


def run(program, files, *words):
    """A static program run on the emulated processor, its files beside it, with arguments; Missing
    where there is no emulator."""
    runner = os.path.join(common.SHARED, "tools", "avx512-run")
    if not os.path.exists(runner):
        raise Missing(f"no {os.path.relpath(runner, common.ROOT)}")
    for tool in ("bochs-bin", "cpio", "lz4"):
        if not shutil.which(tool):
            raise Missing(
                f"no {tool}: apt-get install --no-install-recommends bochs bochs-term cpio lz4")
    return subprocess.run(
        [runner, "--timeout",
         str(SECONDS), *find_kernel(), program, *files, "--", *words], stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True)


def prepare(sanc, name, source, folder):
    """The object of a case and its numbers as plain files; returns the files that the run needs."""
    common.call(sanc, "compile", os.path.join(source, "model.json"), "-w",
                os.path.join(source, "weights.safetensors"), "--target", "x86-64-v4",
                "-o", os.path.join(folder, name + ".o"))
    io = common.read_safetensors(os.path.join(source, "io.safetensors"))
    paths = []
    for kind in ("input", "output"):
        paths.append(os.path.join(folder, f"{name}.{kind}"))
        with open(paths[-1], "wb") as file:
            io[kind][1].tofile(file)
    return paths


def link(source, names, folder, *more):
    """A static program of a C file and compiled models, NAME.o and NAME.h in the folder, which it
    finds in model_table.h. more: files and options."""
    with open(os.path.join(folder, "model_table.h"), "w") as file:
        for name in names:
            file.write(f'#include "{name}.h"\n')
        rows = ", ".join(f"&{name}_model" for name in names)
        file.write(f"static const struct san_model *const model_table[] = {{{rows}}};\n")
    program = os.path.join(folder, "program")
    common.call("gcc", "-std=c11", "-O1", "-static", "-I", folder, os.path.join(HERE, source),
                *more, *[os.path.join(folder, name + ".o") for name in names], "-lm", "-o", program)
    return program


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sanc")
    parser.add_argument("--always", action="store_true")
    parser.add_argument("name", nargs="*")
    args = parser.parse_intermixed_args()
    if has_avx512() and not args.always:
        common.skip("this processor has AVX-512")
    folders = common.case_folders()
    names = args.name or list(folders)
    tally = common.Tally()
    with tempfile.TemporaryDirectory() as scratch:
        files = []
        for name in names:
            files += prepare(args.sanc, name, folders[name], scratch)
        try:
            done = run(link("emulated.c", names, scratch), files)
        except Missing as missing:
            common.skip(missing)
    print(done.stdout)
    lines = [line.split() for line in done.stdout.splitlines()]
    errors = {line[0]: float(line[1]) for line in lines if len(line) == 2}
    for name in names:
        error = errors.get(name, -1.0)
        tally.check(0 <= error <= cases.bound(name, cases.COMPILED_ERROR), f"{name}: error {error}")
    tally.check(done.returncode == 0, f"the program ended with {done.returncode}")
    return tally.end()


if __name__ == "__main__":
    sys.exit(main())
