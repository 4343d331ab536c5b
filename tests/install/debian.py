#!/usr/bin/env python3
"""Debian's packages: what is in them, and what a system does with them.

    debian.py SANC BUILD
    debian.py --install

The first makes both packages of BUILD in a temporary folder; lintian, where it is installed, may
find no error. The second needs root and a Debian to spare, as .ci/run has: it carries out "Debian
packages" of compiler/install/README.md, builds and runs the two programs of that page, and purges
the packages, after which nothing may be left.
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


def check_installed(made, build, tally):
    files = {name for path in made.values() for name in files_of(path)}
    tally.check(all(os.path.lexists(name) for name in files), "files are missing")
    with tempfile.TemporaryDirectory() as scratch:
        home = run.Home(scratch, build)
        sections = run.page_sections()
        makefile = sections["A program, by make"]["make"]
        makefile[0] = makefile[0].replace("$(HOME)/.local/bin/sanc", "sanc")
        run.check_programs(home, sections, tally)
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
