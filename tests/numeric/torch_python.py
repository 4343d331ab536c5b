"""A Python that has PyTorch: this one, the one named by TORCH_PYTHON, or a virtual environment in
build/peers."""
import os
import subprocess
import sys

import common

ENVIRONMENT = os.path.join(common.ROOT, "build", "peers")


def imports(python, modules):
    try:
        return subprocess.run([python, "-c", f"import {modules}"],
                              stderr=subprocess.DEVNULL).returncode == 0
    except OSError:
        return False


def find(modules="torch, safetensors.torch"):
    """The path of a Python that imports these, or None."""
    own = os.path.join(ENVIRONMENT, "bin", "python")
    candidates = filter(None, [os.environ.get("TORCH_PYTHON"), sys.executable, own])
    return next((python for python in candidates if imports(python, modules)), None)


def find_or_make(modules, packages):
    """The same; where there is none the virtual environment is made, which downloads the
    packages."""
    python = find(modules)
    if python:
        return python
    print(f"Making a virtual environment in {os.path.relpath(ENVIRONMENT, common.ROOT)} with "
          f"{', '.join(packages)}", flush=True)
    subprocess.run([sys.executable, "-m", "venv", ENVIRONMENT], check=True)
    python = os.path.join(ENVIRONMENT, "bin", "python")
    subprocess.run([python, "-m", "pip", "install", "-q", *packages], check=True)
    return python


def make_case(python, model, folder, batch=2):
    """Seeded weights, at least as many images, and their outputs in float64, for a network; made
    once."""
    io = os.path.join(folder, "io.safetensors")
    if not os.path.exists(io) or common.read_safetensors(io)["input"][0][0] < batch:
        common.call(python, common.shared("reference", "make_case.py"), model, folder, "--batch",
                    batch, timeout=3600)
    return folder
