"""A Python that has PyTorch: this one, the one named by TORCH_PYTHON, or a virtual environment in build/torch."""
import os
import subprocess
import sys

import common

ENVIRONMENT = os.path.join(common.ROOT, "build", "torch")


def works(python):
    try:
        return subprocess.run([python, "-c", "import torch, safetensors.torch"],
                              stderr=subprocess.DEVNULL).returncode == 0
    except OSError:
        return False


def find():
    """The path of such a Python, or None."""
    own = os.path.join(ENVIRONMENT, "bin", "python")
    return next(filter(works, filter(None, [os.environ.get("TORCH_PYTHON"), sys.executable, own])), None)


def find_or_make():
    """The same; where there is none the virtual environment is made, which downloads some 200 MB."""
    python = find()
    if python:
        return python
    print(f"Making a virtual environment with PyTorch in {os.path.relpath(ENVIRONMENT, common.ROOT)}",
          flush=True)
    subprocess.run([sys.executable, "-m", "venv", ENVIRONMENT], check=True)
    python = os.path.join(ENVIRONMENT, "bin", "python")
    subprocess.run([python, "-m", "pip", "install", "-q", "torch", "numpy", "safetensors"], check=True)
    return python


def make_case(python, model, folder):
    """Seeded weights, images and their outputs in float64 for a network, made once."""
    if not os.path.exists(os.path.join(folder, "io.safetensors")):
        common.call(python, common.shared("reference", "make_case.py"), model, folder, timeout=3600)
    return folder
