#!/usr/bin/env python3
"""The Python package in runtime/python, with every version of Python here that has NumPy.

    run.py SANC LIBSANRT.a FOLDER_OF_LIBCUDA

Pythons are this one, Debian's, $TORCH_PYTHON, and those that $NUMPY_PYTHONS names with colons
between. checks.py runs in each; the commands of the package's README and a GPU, on the driver that
stands in for CUDA's, in the first.
"""
import array
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "gpu"))
import device  # noqa: E402
from device import common  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
DIGITS = os.path.join(common.ROOT, "examples", "digits")
PACKAGE = os.path.join(common.ROOT, "runtime", "python")
CASE = os.path.join(common.ROOT, "tests", "numeric", "cases", "pair_subtraction")
IMAGES = 20
VERSIONS = "import sys, numpy; print(*sys.version_info[:2], numpy.__version__)"


def find_pythons():
    """[(its version and NumPy's, path)], one for each version of Python."""
    paths = [sys.executable, "/usr/bin/python3", os.environ.get("TORCH_PYTHON")]
    found = {}
    for path in filter(None, paths + os.environ.get("NUMPY_PYTHONS", "").split(":")):
        if not shutil.which(path):
            continue
        done = subprocess.run([path, "-c", VERSIONS], capture_output=True, text=True)
        if done.returncode == 0:
            major, minor, numpy = done.stdout.split()
            if (int(major), int(minor)) >= (3, 9):
                found.setdefault(f"Python {major}.{minor}", (f"NumPy {numpy}", path))
    return [(f"{version}, {numpy}", path) for version, (numpy, path) in found.items()]


def compile_library(sanc, folder, output, *options):
    common.call(sanc, "compile", os.path.join(folder, "model.json"), "-w",
                os.path.join(folder, "weights.safetensors"), *options, "-o", output)


def make_bytewise(of, folder):
    """A network whose images are bytes, pixel by pixel."""
    os.mkdir(folder)
    os.symlink(os.path.join(of, "weights.safetensors"), os.path.join(folder, "weights.safetensors"))
    with open(os.path.join(of, "model.json"), encoding="utf-8") as file:
        model = json.load(file)
    model["input"] |= {"type": "u8", "layout": "nhwc", "mean": [0.3], "std": [0.5]}
    with open(os.path.join(folder, "model.json"), "w", encoding="utf-8") as file:
        json.dump(model, file)
    return folder


def prepare(sanc, runtime, scratch):
    """Libraries for checks.py, and images with the logits of `sanc run`."""
    pairwise, patchwise = (os.path.join(DIGITS, kind) for kind in ("pairwise", "patchwise"))

    def path(name):
        return os.path.join(scratch, name)

    shared = ("--emit", "shared")
    compile_library(sanc, pairwise, path("net.so"), *shared)
    compile_library(sanc, pairwise, path("batch7.so"), *shared, "--batch", 7, "--threads", 2)
    compile_library(sanc, pairwise, path("outside.so"), *shared, "--threads", 2, "--weights-in",
                    path("outside.weights"))
    compile_library(sanc, pairwise, path("pairwise.o"))
    compile_library(sanc, patchwise, path("patchwise.o"), "--name", "other")
    compile_library(sanc, patchwise, path("patchwise.so"), *shared, "--name", "digits_pairwise")
    common.call("cc", "-shared", "-Wl,-Bsymbolic", path("pairwise.o"), path("patchwise.o"), "-o",
                path("two.so"))
    common.call("cc", "-shared", "-Wl,--whole-archive", runtime, "-Wl,--no-whole-archive",
                "-pthread", "-o", path("libsanrt.so"))
    sources = {"none.so": "int none;", "old.so": "const unsigned old_model[36] = {1};"}
    for name, text in sources.items():
        with open(path(name + ".c"), "w") as file:
            file.write(text + "\n")
        common.call("cc", "-shared", "-fPIC", path(name + ".c"), "-o", path(name))
    draw = random.Random(1)
    images = array.array("f", (draw.uniform(-1, 1) for _ in range(IMAGES * 28 * 28)))
    common.write_safetensors(path("in.safetensors"), "input", (IMAGES, 1, 28, 28), images)
    pixels = bytes(draw.randrange(256) for _ in range(IMAGES * 28 * 28))
    common.write_bytes(path("in.u8"), "input", (IMAGES, 28, 28, 1), pixels)
    bytewise = make_bytewise(pairwise, path("bytewise"))
    compile_library(sanc, bytewise, path("bytes.so"), *shared, "--batch", 3)
    with open(path("pixels.u8"), "wb") as file:
        file.write(pixels)
    logits = {"bytes": common.run_model(sanc, bytewise, path("in.u8"), path("out")),
              "net": common.run_model(sanc, pairwise, path("in.safetensors"), path("out")),
              "other": common.run_model(sanc, patchwise, path("in.safetensors"), path("out"))}
    for name, values in {"images": images, **logits}.items():
        with open(path(name + ".f32"), "wb") as file:
            file.write(values.tobytes())


def environment(sanc, scratch, **more):
    return {**os.environ, "PYTHONPATH": PACKAGE, "PYTHONDONTWRITEBYTECODE": "1", "SANC": sanc,
            "SAN_RUNTIME": os.path.join(scratch, "libsanrt.so"), "SCRATCH": scratch, **more}


def check_readme(sanc, scratch, python, tally):
    """The README's commands, and what its Python prints."""
    with open(os.path.join(PACKAGE, "README.md"), encoding="utf-8") as file:
        text = file.read()
    shell, code = (re.search(rf"```{kind}\n(.*?)```", text, re.S)[1] for kind in ("sh", "python"))
    programs = os.path.join(scratch, "programs")
    os.makedirs(programs)
    os.symlink(python, os.path.join(programs, "python3"))
    os.symlink(sanc, os.path.join(programs, "sanc"))
    for folder in ("examples", "runtime"):
        os.symlink(os.path.join(common.ROOT, folder), os.path.join(scratch, folder))
    path = programs + os.pathsep + os.environ["PATH"]
    done = subprocess.run(["bash", "-euc", shell], cwd=scratch, capture_output=True, text=True,
                          env={**environment(sanc, scratch), "PATH": path}, timeout=300)
    says = re.search(r"`(digits_pairwise: .*? correct)", text)[1]
    tally.check(done.returncode == 0 and done.stdout.startswith(says),
                f"README, commands: status {done.returncode}: {done.stdout}{done.stderr}")
    done = subprocess.run([python, "-c", code], cwd=scratch, capture_output=True, text=True,
                          env=environment(sanc, scratch, PYTHONIOENCODING="utf-8"), timeout=300)
    prints = re.search(r"print\(model\) *# (.*)", code)[1]
    tally.check(done.returncode == 0 and done.stdout.strip() == prints,
                f"README, Python: status {done.returncode}: {done.stdout}{done.stderr}")


GPU_CHECK = """
import sys, numpy as np, san
library, images, logits, count = sys.argv[1:]
images = np.fromfile(images, np.float32).reshape(int(count), 3, 32, 32)
reference = np.fromfile(logits, np.float32).reshape(int(count), -1)
for device in (None, "cuda", "cuda:0", "cpu"):
    model = san.load(library, device=device)
    assert model.device.startswith("cpu" if device == "cpu" else "cuda:0 (nvptx:sm_80 on Mock GPU")
    error = np.linalg.norm(model(images) - reference) / np.linalg.norm(reference)
    assert error <= 5e-6, error
    model.close()
for device, says in ("cuda:7", "device"), ("cuda", "SAN_RUNTIME"):
    try:
        san.load(library, device=device)
        raise SystemExit("no error")
    except san.LoadError as error:
        assert says in str(error), error
    import os
    os.environ["SAN_RUNTIME"] = "/none.so"
assert san.load(library).device == "cpu"
"""


def check_gpu(sanc, mock, scratch, python, tally):
    llc, version = device.llc_of(sanc)
    if not llc:
        tally.skip(f"a GPU: no llc of LLVM {version}")
        return
    folder = os.path.join(scratch, "gpu")
    os.makedirs(folder)
    kernels = device.Network(sanc, llc, CASE, folder, "nvptx:sm_80", 2).library
    library = os.path.join(folder, "net.so")
    compile_library(sanc, CASE, library, "--batch", 2, "--target", "x86-64-v3,nvptx:sm_80",
                    "--emit", "shared")
    io = common.read_safetensors(os.path.join(CASE, "io.safetensors"))
    for name in ("input", "output"):
        with open(os.path.join(folder, name), "wb") as file:
            file.write(array.array("f", io[name][1]).tobytes())
    done = subprocess.run(
        [python, "-c", GPU_CHECK, library, os.path.join(folder, "input"),
         os.path.join(folder, "output"), str(io["input"][0][0])], capture_output=True, text=True,
        env=environment(sanc, scratch, LD_LIBRARY_PATH=mock, MOCK_KERNELS=kernels), timeout=300)
    tally.check(done.returncode == 0, f"a GPU: status {done.returncode}: {done.stderr}")


def check_installed(sanc, scratch, pythons, tally):
    """pip install, into a folder, without the network."""
    able = "import pip, wheel, setuptools; assert int(setuptools.__version__.split('.')[0]) >= 61"
    python = next((python for _, python in pythons if subprocess.run(
        [python, "-c", able], capture_output=True).returncode == 0), None)
    if not python:
        tally.skip("pip install: no Python with NumPy, pip, setuptools from 61 on and wheel (Debian: "
                   "python3-pip, python3-wheel)")
        return
    source, target = (os.path.join(scratch, name) for name in ("source", "site"))
    shutil.copytree(PACKAGE, source, ignore=shutil.ignore_patterns("__pycache__"))
    done = subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps",
                           "--no-build-isolation", "--target", target, source],
                          capture_output=True, text=True, cwd=scratch)
    good = done.returncode == 0 and os.path.exists(os.path.join(target, "san", "py.typed"))
    tally.check(good, f"pip install: status {done.returncode}: {done.stderr}")
    done = subprocess.run([python, "-c", "import san; print(san.load('net.so').name)"],
                          cwd=scratch, capture_output=True, text=True,
                          env=environment(sanc, scratch, PYTHONPATH=target))
    tally.check(done.stdout == "digits_pairwise\n", f"installed: {done.stdout}{done.stderr}")


def main():
    sanc, runtime, mock = (os.path.abspath(word) for word in sys.argv[1:])
    pythons = find_pythons()
    if not pythons:
        common.skip("no Python with NumPy (Debian: python3-numpy)")
    if not shutil.which("cc"):
        common.skip("no C compiler")
    tally = common.Tally()
    with tempfile.TemporaryDirectory() as scratch:
        prepare(sanc, runtime, scratch)
        for version, python in pythons:
            done = subprocess.run([python, "-W", "error", os.path.join(HERE, "checks.py")],
                                  env=environment(sanc, scratch), stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True, timeout=600)
            result = done.stdout.strip().split("\n")[-1]
            print(f"{version}: {result}")
            tally.check(done.returncode == 0, f"{version}: status {done.returncode}: {done.stdout}")
        check_readme(sanc, scratch, pythons[0][1], tally)
        check_gpu(sanc, mock, scratch, pythons[0][1], tally)
        check_installed(sanc, scratch, pythons, tally)
    return tally.end()


if __name__ == "__main__":
    sys.exit(main())
