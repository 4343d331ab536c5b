"""A model and its weights to a compiled model, by the program `sanc`."""
from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from typing import Iterable, List, Optional, Union

from ._errors import CompileError
from ._model import Model, load

Path = Union[str, "os.PathLike[str]"]


def compile(model: Path, weights: Path, output: Optional[Path] = None, *, batch: Union[int, Iterable[int]] = 1,
            threads: int = 1, targets: Union[str, Iterable[str], None] = None,
            precision: Optional[str] = None, name: Optional[str] = None,
            device: Optional[str] = None, options: Iterable[str] = ()) -> Model:
    """Compiles MODEL.json (or a .sanir dump) with a safetensors file and loads the result.

    output: the library to write, NAME.so; None for a temporary one. batch, threads, targets,
    precision and name are the options of `sanc compile` (targets: --target; batch: one size or
    several), `options` are further ones, as they stand on a command line. threads and device are those of `load`, too.

    The program is that of the environment variable SANC, or the `sanc` of the PATH. It needs a C
    compiler or a linker. CompileError with all that it says where it fails.
    """
    command = [_find_sanc(), "compile", f"--weights={os.fspath(weights)}", "--emit=shared",
               "--batch=" + (",".join(map(str, batch)) if isinstance(batch, Iterable) else str(batch)),
               f"--threads={threads}"]
    if targets is not None:
        command.append("--target=" + (targets if isinstance(targets, str) else ",".join(targets)))
    for option, value in (("precision", precision), ("name", name)):
        if value is not None:
            command.append(f"--{option}={value}")
    command += options
    if output is not None:
        _run([*command, f"--output={os.fspath(output)}", "--", os.fspath(model)])
        return load(output, threads=threads, device=device)
    with tempfile.TemporaryDirectory(prefix="san-") as folder:
        library = os.path.join(folder, "model.so")
        _run([*command, f"--output={library}", "--", os.fspath(model)])
        made = load(library, threads=threads, device=device)
    made.path = None
    return made


def _find_sanc() -> str:
    given = os.environ.get("SANC")
    found = shutil.which(given or "sanc")
    if found:
        return found
    if given:
        raise CompileError("the environment variable SANC must name the program sanc, found "
                           f"{given}")
    raise CompileError("there is no program sanc on the PATH: install it, or name it in the "
                       "environment variable SANC")


def _run(command: List[str]) -> None:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    if done.returncode:
        said = done.stdout.decode(errors="replace").strip()
        raise CompileError(said or f"{command[0]} ended with status {done.returncode}",
                           done.returncode)
