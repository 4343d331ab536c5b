#!/usr/bin/env python3
"""Debian's packages: what is in them, and what a system does with them.

    debian.py SANC BUILD
    debian.py --install

The first makes both packages of BUILD in a temporary folder; lintian, where it is installed, may
find no error. The second needs root and a Debian to spare, as .ci/run has: it carries out "Debian
packages" of compiler/install/README.md, builds and runs the two programs of that page, those of
examples/photo (by CMake and by make), and its network from Python, and purges the packages, after
which nothing may be left.
"""
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile

import run
from run import common

PACKAGES = {  # files that have to be there, but for the folder of libraries
    "sanc": ("/usr/bin/sanc", "/cmake/sanc/sanc-compiler.cmake", "/man1/sanc-compile.1.gz",
             "/completions/sanc.bash", "/site-functions/_sanc", "/sanc/model.schema.json",
             "/syntax/sanir.vim", "/doc/sanc/copyright", "/doc/sanc/changelog.gz"),
    "libsanrt-dev": ("/libsanrt.a", "/libsanrt.so", "/san/abi.h", "/san/cuda.h", "/san/runtime.h",
                     "/san/weights.h", "/cmake/sanc/sanc-config.cmake", "/pkgconfig/sanrt.pc",
                     "/doc/libsanrt-dev/copyright"),
}
LINTIAN = ("lintian", "--allow-root", "--fail-on", "error")


def files_of(package):
    listed = common.call("dpkg-deb", "--contents", package).splitlines()
    return {line.split()[5].lstrip(".") for line in listed if not line.startswith("d")}


def check_made(folder, tally):
    """{package: path of the file}"""
    made = {os.path.basename(path).split("_")[0]: path
            for path in glob.glob(os.path.join(folder, "*.deb"))}
    tally.check(set(made) == set(PACKAGES), f"packages {sorted(made)}")
    for package, wanted in PACKAGES.items():
        files = files_of(made[package])
        missing = [end for end in wanted if not any(name.endswith(end) for name in files)]
        tally.check(not missing, f"{package} lacks {missing}")
    depends = common.call("dpkg-deb", "--field", made["sanc"], "Depends")
    tally.check(re.search(r"\blibc6\b.*\blibcjson1\b.*\blibllvm\d", depends),
                f"sanc depends on {depends}")
    return made


def check_lintian(made, tally):
    if not shutil.which("lintian"):
        tally.skip("no lintian")
        return
    done = subprocess.run([*LINTIAN, *made.values()], capture_output=True, text=True, check=False)
    tally.check(done.returncode == 0, done.stdout + done.stderr)


# In a folder with copies of examples/photo, the weights that it names and runtime/python.
PHOTO = """
sh {root}/tests/install.sh photo >/dev/null
cmake -S photo -B out >/dev/null
cmake --build out >/dev/null
out/photo photo/labels.txt photo/seven.jpg
out/photo_cpp photo/labels.txt photo/seven.jpg
mkdir made
make -s -C made -f ../photo/Makefile photo
made/photo photo/labels.txt photo/seven.jpg
sanc compile photo/model.json -w digits/pairwise/weights.safetensors --emit shared -o net.so
PYTHONPATH=python /usr/bin/python3 -c '
import numpy, san
with san.load("net.so") as net:
    print(net.input_shape, net(numpy.zeros((3, 28, 28, 1), numpy.uint8)).shape)'
"""
PRINTED = """photo/seven.jpg: seven 93.0%, {others}
photo/seven.jpg: seven
photo/seven.jpg: seven 93.0%, {others}
(28, 28, 1) (3, 10)
"""


def check_photo(scratch, tally):
    for name, target in (("examples/photo", "photo"), ("runtime/python", "python")):
        shutil.copytree(os.path.join(common.ROOT, name), os.path.join(scratch, target))
    os.makedirs(os.path.join(scratch, "digits", "pairwise"))
    shutil.copy(os.path.join(common.ROOT, "examples", "digits", "pairwise", "weights.safetensors"),
                os.path.join(scratch, "digits", "pairwise"))
    printed = common.call("bash", "-euc", PHOTO.format(root=common.ROOT), cwd=scratch)
    wanted = re.escape(PRINTED).replace(r"\{others\}", ".*")
    tally.check(re.fullmatch(wanted, printed), f"examples/photo: {printed}")


def check_installed(made, build, tally):
    files = {name for path in made.values() for name in files_of(path)}
    tally.check(all(os.path.lexists(name) for name in files), "files are missing")
    with tempfile.TemporaryDirectory() as scratch:
        home = run.Home(scratch, build)
        sections = run.page_sections()
        makefile = sections["A program, by make"]["make"]
        makefile[0] = makefile[0].replace("$(HOME)/.local/bin/sanc", "sanc")
        run.check_programs(home, sections, tally)
    with tempfile.TemporaryDirectory() as scratch:
        check_photo(scratch, tally)
    common.call("apt-get", "purge", "-y", *made)
    left = [name for name in files if os.path.lexists(name)]
    tally.check(not left, f"left: {left}")


def install(tally):
    sections, build = run.page_sections(), os.path.join(common.ROOT, "build", "deb")
    common.call("bash", "-euc", sections["Debian packages"]["sh"][0], cwd=common.ROOT, timeout=1800)
    made = check_made(build, tally)
    check_lintian(made, tally)
    check_installed(made, build, tally)


def make(build, tally):
    for program in ("cpack", "dpkg-deb", "dpkg-shlibdeps"):
        if not shutil.which(program):
            common.skip(f"no {program}")
    with tempfile.TemporaryDirectory() as scratch:
        common.call("cpack", "-G", "DEB", "--config", os.path.join(build, "CPackConfig.cmake"),
                    "-B", scratch)
        check_lintian(check_made(scratch, tally), tally)


def main():
    tally = common.Tally()
    if sys.argv[1] == "--install":
        install(tally)
    else:
        make(os.path.abspath(sys.argv[2]), tally)
    return tally.end()


if __name__ == "__main__":
    sys.exit(main())
