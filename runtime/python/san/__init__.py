"""Compiled SAN networks on NumPy arrays.

    import san

    model = san.load("net.so")      # made by: sanc compile --emit shared
    logits = model(images)          # (n, channels, height, width) -> (n, classes)

`load` needs no compiler. `compile` makes such a library first, with the program `sanc`.
"""
from ._compile import compile
from ._errors import CompileError, Error, LoadError, RunError
from ._model import Model, load

__all__ = ["CompileError", "Error", "LoadError", "Model", "RunError", "compile", "load"]
