#!/usr/bin/env python3
"""What is installed, and what compiler/install/README.md says of it.

    run.py SANC BUILD

Installs from the folder BUILD into a temporary home, then carries out the page: its blocks of files
are written, its commands run, and what they print is compared. After its last command nothing may be
left.
"""
import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "numeric"))
import common  # noqa: E402

PAGE = os.path.join(common.ROOT, "compiler", "install", "README.md")
MANIFEST = "install_manifest.txt"
DIGIT = "status 0, digit 1\n"


def page_sections():
    """{title: {language: [block]}}; what stands before the first title is ''."""
    with open(PAGE, encoding="utf-8") as file:
        parts = re.split(r"^## (.*)\n", "## \n" + file.read(), flags=re.M)[1:]
    blocks = {}
    for title, text in zip(parts[::2], parts[1::2]):
        found = blocks[title] = {}
        for language, block in re.findall(r"^```(\w+)\n(.*?)^```", text, re.S | re.M):
            found.setdefault(language, []).append(block)
    return blocks


@contextlib.contextmanager
def kept(path):
    """A file, or none, is afterwards what it was: the list of what the user has installed."""
    before = None
    if os.path.exists(path):
        with open(path, "rb") as file:
            before = file.read()
    yield
    if before is not None:
        with open(path, "wb") as file:
            file.write(before)
    elif os.path.exists(path):
        os.unlink(path)


class Home:
    """A temporary home, with a folder `work` where the page's commands run."""

    def __init__(self, scratch, build):
        self.build, self.prefix = build, os.path.join(scratch, ".local")
        self.work = os.path.join(scratch, "work")
        os.makedirs(os.path.join(self.work, "build"))
        os.symlink(build, os.path.join(self.work, "build", "release"))
        os.symlink(os.path.join(common.ROOT, "examples"), os.path.join(self.work, "examples"))
        self.environment = {name: value for name, value in os.environ.items()
                            if name not in ("DESTDIR", "MAKEFLAGS", "MAKELEVEL")}
        self.environment["HOME"] = scratch

    def run(self, script):
        """Standard output of commands; common.Failure where one fails."""
        done = subprocess.run(["bash", "-euc", script], cwd=self.work, env=self.environment,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=300)
        if done.returncode:
            raise common.Failure([script], done.returncode, done.stdout)
        return done.stdout

    def write(self, name, text):
        with open(os.path.join(self.work, name), "w", encoding="utf-8") as file:
            file.write(text)

    def installed(self):
        """Files and links below the prefix."""
        return {os.path.relpath(os.path.join(folder, name), self.prefix)
                for folder, _, names in os.walk(self.prefix) for name in names}


def check_install(home, section, tally):
    _, install = section["sh"][0].split("\n", 1)  # the build is there
    printed = home.run(install)
    version = subprocess.run([os.path.join(home.build, "sanc"), "--version"], text=True,
                             capture_output=True, check=True).stdout
    tally.check(printed.endswith(version), f"{install} printed {printed}")
    return home.installed()


def check_shared(home, files, tally):
    """libsanrt.so has a name with a version, and shows what the headers declare."""
    names = sorted(name for name in files if "libsanrt.so" in name)
    with open(os.path.join(common.ROOT, "runtime", "san", "abi.h"), encoding="utf-8") as file:
        version = re.search(r"SAN_ABI_VERSION (\d+)", file.read())[1]
    library = os.path.join(home.prefix, names[0])
    soname = f"libsanrt.so.{version}"
    tally.check(f"[{soname}]" in common.call("readelf", "-d", library), f"no name {soname}")
    tally.check(os.path.dirname(names[0]) + "/" + soname in names, f"{names} without {soname}")
    shown = {line.split()[-1] for line in
             common.call("nm", "-D", "--defined-only", library).splitlines()}
    declared = set()
    for header in ("runtime.h", "cuda.h", "weights.h"):
        with open(os.path.join(common.ROOT, "runtime", "san", header), encoding="utf-8") as file:
            text = re.sub(r"/\*.*?\*/", "", file.read(), flags=re.S)
        declared.update(re.findall(r"(\bsan_\w+)\([^()]*\)\s*;", text))
    tally.check(shown == declared, f"libsanrt.so shows {sorted(shown ^ declared)} wrongly")


def check_programs(home, sections, tally):
    section = sections["A program, by CMake"]
    home.write("program.c", section["c"][0])
    home.write("CMakeLists.txt", section["cmake"][0])
    printed = home.run(section["sh"][0])
    tally.check(printed.endswith(DIGIT), f"by CMake: {printed}")
    # A newer model is compiled again.
    printed = home.run("touch model.json\ncmake --build out\n")
    tally.check("Compiling the model digits" in printed, f"a newer model: {printed}")
    for right, wrong, message in (
            ("THREADS 2", "TREADS 2", "'TREADS;2' is not known"),
            (" WEIGHTS weights.safetensors", "", "digits needs WEIGHTS and a file"),
            ("sanc REQUIRED", "sanc REQUIRED COMPONENTS gpu", "'gpu' is not installed")):
        home.write("CMakeLists.txt", section["cmake"][0].replace(right, wrong))
        try:
            printed = home.run(section["sh"][0])
        except common.Failure as failure:
            printed = str(failure)
        tally.check(message in printed, f"{wrong}: {printed}")
    section = sections["A program, by make"]
    home.write("Makefile", section["make"][0])
    printed = home.run(section["sh"][0])
    tally.check(printed.endswith(DIGIT), f"by make: {printed}")


def check_subproject(home, section, tally):
    """Configures alone: to build all of sanc once more takes minutes."""
    folder = os.path.join(home.work, "whole")
    os.mkdir(folder)
    os.symlink(common.ROOT, os.path.join(folder, "sanc"))
    for name in ("program.c", "model.json", "weights.safetensors"):
        shutil.copy(os.path.join(home.work, name), folder)
    home.write("whole/CMakeLists.txt", section["cmake"][0])
    home.run("cmake -S whole -B whole/out -DCMAKE_EXPORT_COMPILE_COMMANDS=ON "
             "-DCMAKE_C_FLAGS=-Wcast-align")
    with open(os.path.join(folder, "out", "compile_commands.json"), encoding="utf-8") as file:
        commands = file.read()
    tally.check(set(re.findall(r" -W[\w=-]+", commands)) == {" -Wcast-align"},
                f"flags {set(re.findall(r' -W[^ ]+', commands))}")
    tally.check("/tests/" not in commands.replace(home.work, ""), "tests in a subproject")
    install = os.path.join(folder, "out", "sanc", "cmake_install.cmake")
    with open(install, encoding="utf-8") as file:
        tally.check("libsanrt" not in file.read(), "a subproject is installed")
    targets = home.run("cmake --build whole/out --target help")
    named = set(re.findall(r"^\.\.\. ([\w-]+)$", targets, re.M))
    other = {name for name in named if not name.startswith(("san", "digits", "program"))
             and name not in ("all", "clean", "depend", "edit_cache", "rebuild_cache", "test")}
    tally.check(named and not other, f"targets without a prefix: {other}")


def check_editors(home, section, tally):
    if shutil.which("man"):
        printed = home.run(section["sh"][0])
        tally.check("SANC-COMPILE(1)" in printed, f"man: {printed}")
    else:
        tally.skip("no man")
    home.run(section["sh"][1])
    extension = os.path.join(os.path.dirname(home.prefix), ".vscode", "extensions", "sanir")
    with open(os.path.join(extension, "package.json"), encoding="utf-8") as file:
        grammar = json.load(file)["contributes"]["grammars"][0]
    with open(os.path.join(extension, grammar["path"]), encoding="utf-8") as file:
        tally.check(json.load(file)["scopeName"] == grammar["scopeName"], "another grammar")
    schema = json.loads(section["json"][0])["json.schemas"][0]["url"].split("/usr/")[1]
    tally.check(os.path.exists(os.path.join(home.prefix, schema)), f"no {schema}")


def check_remove(home, section, tally):
    home.run(section["sh"][0])
    tally.check(not home.installed(), f"left: {home.installed()}")


def main():
    build, tally, sections = os.path.abspath(sys.argv[2]), common.Tally(), page_sections()
    for program in ("cmake", "make", "pkg-config"):
        if not shutil.which(program):
            common.skip(f"no {program}")
    with tempfile.TemporaryDirectory() as scratch, kept(os.path.join(build, MANIFEST)):
        home = Home(scratch, build)
        files = check_install(home, sections[""], tally)
        check_shared(home, files, tally)
        check_programs(home, sections, tally)
        check_subproject(home, sections["As part of another project"], tally)
        check_editors(home, sections["Manual, completion, editors"], tally)
        check_remove(home, sections["Removed"], tally)
    return tally.end()


if __name__ == "__main__":
    sys.exit(main())
