"""A compiled model, loaded into this process."""
from __future__ import annotations

import collections
import ctypes
import os
import re
import threading
import warnings
import weakref
from typing import Any, Dict, List, Optional, Tuple, Union

import numpy as np
import numpy.typing as npt

from . import _abi
from ._elf import model_names
from ._engines import Floats, Gpu, Images, Pool, Processor, Weights, Workers, finish
from ._errors import LoadError, RunError

MOST_THREADS = 1024


class Model:
    """A function of images, made by `load` or `compile`. Any threads may call it at once."""

    path: Optional[str]
    """The library; None where it was a temporary file."""
    name: str
    """As in MODEL.json, or as --name says."""
    input_shape: Tuple[int, int, int]
    """Of an image: (channels, height, width), or (height, width, channels) where `layout` is
    "nhwc"."""
    input_type: npt.DTypeLike
    """numpy.float32, or numpy.uint8 where MODEL.json says `"type": "u8"`."""
    layout: str
    """"nchw" or "nhwc"."""
    classes: int
    """Numbers of an image's result."""
    output_shape: Tuple[int, ...]
    """Of an image's result: (classes,), or (channels, height, width) of a map (--features)."""
    batch: int
    """Images of one run, the largest of `batches`. Any number may be given."""
    batches: Tuple[int, ...]
    """Sizes of --batch. Images run in these, the largest first; what is left at the end runs too."""
    threads: int
    """Threads that share the work of a call."""
    device: str
    """"cpu", or which GPU and its target."""
    targets: Tuple[str, ...]
    """What the library has code for."""
    kernels: Tuple[str, ...]
    """What runs, in order."""
    workspace_bytes: int
    """Memory of one run on a processor, besides images and logits."""
    weights_bytes: int
    weights_sha256: str
    """Of the safetensors file."""
    compiler: str
    """Which sanc, and which LLVM."""

    def __init__(self, path: str, name: Optional[str], threads: int, device: Optional[str],
                 weights: Optional[str]) -> None:
        if not 1 <= threads <= MOST_THREADS:
            raise ValueError(f"threads must be from 1 to {MOST_THREADS}, found {threads}")
        self.path, self._arguments = path, (path, name, threads, device, weights)
        symbol = _choose(path, name) + "_model"
        library = _Library(path)
        try:
            struct = library.model(symbol)
            self._describe(struct, threads)
            self._engine = _open(struct, device, path, weights)
        except BaseException:
            library.close()
            raise
        self.device = self._engine.device
        self._workers, self._pool = _threads(threads, struct, self._engine, path)
        self._idle = threading.Condition()
        self._running, self._closed = 0, False  # calls; both under _idle
        self._release = weakref.finalize(self, _release, self._workers, self._pool, self._engine,
                                         library)
        self._release.atexit = False  # other threads may still be in a run then

    def _describe(self, struct: _abi.ModelStruct, threads: int) -> None:
        """Copies what the library says, which is gone when it is closed."""
        self.name = struct.name.decode()
        self.layout = "nhwc" if struct.input_layout == _abi.NHWC else "nchw"
        self.input_type = np.uint8 if struct.input_type == _abi.U8 else np.float32
        sizes = struct.height, struct.width
        self.input_shape = ((*sizes, struct.channels) if self.layout == "nhwc" else
                            (struct.channels, *sizes))
        self.classes, self.batch, self.threads = struct.classes, struct.batch, threads
        self.output_shape = (struct.classes, ) if struct.output_rank == 1 else (
            struct.output_channels, struct.output_height, struct.output_width)
        self.batches = tuple(struct.batches[i] for i in range(struct.batch_count))
        self.targets = tuple(struct.targets.decode().split(","))
        self.kernels = tuple(struct.kernel_names[i].decode() for i in range(struct.kernel_count))
        self.workspace_bytes, self.weights_bytes = struct.workspace_bytes, struct.weights_bytes
        self.weights_sha256 = bytes(struct.weights_sha256).hex()
        self.compiler = struct.compiler.decode()

    def __call__(self, images: npt.ArrayLike) -> Floats:
        """The logits, (n, classes) float32, of `images`, (n, *input_shape); or probabilities, where
        MODEL.json says `"output": "probabilities"`; or, where it was compiled with --features,
        those, (n, *output_shape). Of a single image the n is left out.

        `images` may lie in memory in any way; what is not contiguous is copied first. Their type is
        floating-point, of any precision; or uint8, where `input_type` is that. TypeError for
        others: scale pixels as in training first. ValueError for another shape, and after `close`.
        """
        array = self._checked(images)
        single = array.ndim == 3
        if single:
            array = array[np.newaxis]
        logits = np.empty((len(array), self.classes), np.float32)
        with self._idle:
            if self._closed:
                raise ValueError(f"model {self.name} is closed")
            self._running += 1
        try:
            self._run_all(array, logits)
        finally:
            with self._idle:
                self._running -= 1
                self._idle.notify_all()
        logits = logits.reshape(len(array), *self.output_shape)
        return logits[0] if single else logits

    def _checked(self, images: npt.ArrayLike) -> Images:
        array = np.asarray(images)
        if self.input_type == np.uint8:
            if array.dtype != np.uint8:
                raise TypeError(f"model {self.name}: images must be of type uint8, found "
                                f"{array.dtype}")
        elif array.dtype.kind != "f":
            raise TypeError(f"model {self.name}: images must be of a floating-point type, found "
                            f"{array.dtype}; scale pixels as in training")
        if array.ndim not in (3, 4) or array.shape[-3:] != self.input_shape:
            shape = ", ".join(map(str, self.input_shape))
            raise ValueError(f"model {self.name}: images must be of shape (n, {shape}) or "
                             f"({shape}), found {array.shape}")
        return np.require(array, self.input_type, ["C", "A"])

    def _run_all(self, images: Images, logits: Floats) -> None:
        """Threads take batches in turns; where there is one batch, they share its tasks."""
        firsts = range(0, len(images), self.batch)
        if self._workers is None or len(firsts) == 1:
            for first in firsts:
                self._run_batch(images, logits, first, self._pool)
            return
        turns = collections.deque(firsts)

        def take_turns() -> None:
            try:
                while True:
                    self._run_batch(images, logits, turns.popleft(), None)
            except IndexError:
                pass  # all are taken
            finally:
                turns.clear()  # after an error nobody goes on

        count = min(self.threads, len(firsts)) - 1
        others = [self._workers.submit(take_turns) for _ in range(count)]
        try:
            take_turns()
        finally:
            finish(others)

    def _run_batch(self, images: Images, logits: Floats, first: int,
                   pool: Optional[Pool]) -> None:
        part, out = images[first:first + self.batch], logits[first:first + self.batch]
        try:
            self._engine.run(part, out, pool)
        except RunError as error:
            raise RunError(f"model {self.name}: {error}", error.status) from None

    @property
    def closed(self) -> bool:
        return self._closed

    def close(self) -> None:
        """Waits for runs of other threads and gives everything back. May be called twice."""
        with self._idle:
            self._closed = True
            self._idle.wait_for(lambda: self._running == 0)
            self._release()

    def __enter__(self) -> Model:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        shape = " × ".join(map(str, self.input_shape))
        state = "closed" if self._closed else f"on {self.device}"
        return f"<san.Model {self.name}: {shape} -> {self.classes}, batch {self.batch}, {state}>"

    def __reduce__(self) -> Tuple[Any, ...]:
        """Another process loads the library again."""
        if self.path is None:
            raise TypeError("a model that was compiled without `output` has no file for another "
                            "process to load")
        return load, self._arguments


def load(path: Union[str, os.PathLike[str]], name: Optional[str] = None, threads: int = 1,
         device: Optional[str] = None,
         weights: Union[str, os.PathLike[str], None] = None) -> Model:
    """A model of a shared library that `sanc compile --emit shared` made.

    name: which model, where the library has several. threads: how many share the work of a call,
    on a processor: they take batches in turns; a single batch they share where the library was
    compiled with `--threads` and libsanrt.so is there. Results are the same bits for any number.

    device: "cpu", "cuda" or "cuda:N". None is "cuda" where the library has code for GPUs and it
    runs here, else "cpu".

    weights: the file of weights that `sanc compile --weights-in` wrote with the library. It needs
    libsanrt.so; processes share what they load of it.

    OSError where the library cannot be read; LoadError where it is no such library, nothing here
    runs it, or the weights are not its own. Loading runs code: take libraries from those you trust
    with that.
    """
    outside = os.path.abspath(weights) if weights is not None else None
    return Model(os.path.abspath(path), name, threads, device, outside)


class _Library:
    """dlopen and dlclose."""

    # By path, which files of that name were loaded. dlopen takes a path that it has loaded for the
    # same file, also where another one is there now; so the second one gets the path DIR/./NAME.
    _seen: Dict[str, List[Tuple[int, int]]] = {}

    def __init__(self, path: str) -> None:
        self._path = path
        info = os.stat(path)
        seen, file = self._seen.setdefault(path, []), (info.st_dev, info.st_ino)
        if file not in seen:
            seen.append(file)
        folder, name = os.path.split(path)
        try:
            self._library = ctypes.CDLL(os.path.join(folder, "./" * seen.index(file) + name))
        except OSError as error:
            raise LoadError(str(error)) from None

    def model(self, symbol: str) -> _abi.ModelStruct:
        version = ctypes.c_uint32.in_dll(self._library, symbol).value
        if version != _abi.ABI_VERSION:
            raise LoadError(f"{self._path}: {symbol} must be of ABI version {_abi.ABI_VERSION}, as "
                            f"this package is, found {version}")
        return _abi.ModelStruct.in_dll(self._library, symbol)

    def close(self) -> None:
        close = ctypes.CDLL(None).dlclose
        close.argtypes = [ctypes.c_void_p]
        close(self._library._handle)


def _release(*parts: Union[Workers, Pool, Processor, Gpu, _Library, None]) -> None:
    for part in parts:
        if part is not None:
            part.close()


def _threads(count: int, struct: _abi.ModelStruct, engine: Union[Processor, Gpu],
             path: str) -> Tuple[Optional[Workers], Optional[Pool]]:
    if count == 1 or not isinstance(engine, Processor):
        return None, None
    if struct.threads == 1:
        return Workers(count), None
    try:
        return Workers(count), Pool(count)
    except LoadError as error:
        warnings.warn(f"{path}: threads take batches in turns, but cannot share a single one: "
                      f"{error}", RuntimeWarning, stacklevel=4)
        return Workers(count), None


def _choose(path: str, name: Optional[str]) -> str:
    names = model_names(path)
    if not names:
        raise LoadError(f"{path}: there is no model in this library; `sanc compile --emit shared` "
                        "makes one")
    if name is None and len(names) > 1:
        raise LoadError(f"{path}: name one of its models: {', '.join(names)}")
    if name is not None and name not in names:
        raise LoadError(f"{path}: must have a model {name}, found {', '.join(names)}")
    return name or names[0]


def _open(struct: _abi.ModelStruct, device: Optional[str], path: str,
          weights: Optional[str]) -> Union[Processor, Gpu]:
    if device is not None and not re.fullmatch("cpu|cuda(:[0-9]+)?", device):
        raise ValueError(f"device must be cpu, cuda or cuda:N, found {device}")
    asked = device is not None and device != "cpu"
    if struct.gpu_count and device != "cpu":
        try:
            return Gpu(struct, int((device or "").partition(":")[2] or 0))
        except LoadError as error:
            if asked or not struct.run:
                raise LoadError(f"{path}: {error}") from None
    has = struct.targets.decode()
    if asked:
        raise LoadError(f"{path}: it has no code for GPUs, but for {has}")
    if not struct.run:
        raise LoadError(f"{path}: it has no code for processors, but for {has}")
    if struct.outside and weights is None:
        raise LoadError(f"{path}: its weights are in a file of their own, which `load` takes as "
                        "`weights`")
    if weights is not None and not struct.outside:
        raise LoadError(f"{path}: it has its weights inside: load it without `weights`")
    return Processor(struct, Weights(weights, struct) if weights is not None else None)
