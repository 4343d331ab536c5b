"""What runs images: a processor or a GPU.

An engine's `run` takes any number of images and room for their logits, both contiguous. Any threads
may call it.
"""
from __future__ import annotations

import concurrent.futures
import ctypes
import os
from ctypes import byref, c_void_p
from typing import Any, Callable, List, Optional, Sequence, Tuple

import numpy as np
import numpy.typing as npt

from . import _abi
from ._errors import LoadError, RunError

Floats = npt.NDArray[np.float32]
Images = npt.NDArray[Any]  # float32 or uint8


def finish(futures: Sequence[concurrent.futures.Future[None]]) -> None:
    """Waits for all, also where the user interrupts: what they work on must last as long as they
    do. Raises the interruption, or the first error."""
    interruption: Optional[BaseException] = None
    while True:
        try:
            concurrent.futures.wait(futures)
            break
        except BaseException as error:
            interruption = error
    if interruption is not None:
        raise interruption
    for future in futures:
        future.result()


class Workers:
    """Threads that take batches in turns. After a fork, the child has new ones."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._start()

    def _start(self) -> None:
        self._executor = concurrent.futures.ThreadPoolExecutor(self._count, "san")
        self._process = os.getpid()

    def submit(self, function: Callable[[], None]) -> concurrent.futures.Future[None]:
        if self._process != os.getpid():
            self._start()
        return self._executor.submit(function)

    def close(self) -> None:
        if self._process == os.getpid():
            self._executor.shutdown(wait=False)  # they are idle; one of them may be the caller


class Pool:
    """libsanrt's threads, which share the work of one run. After a fork, the child has new ones."""

    def __init__(self, count: int) -> None:
        self._count, self._library = count, _runtime_library()
        self._start()

    def _start(self) -> None:
        self._pool = c_void_p(self._library.san_pool_new(self._count))
        if not self._pool:
            error = ctypes.get_errno()
            raise OSError(error, f"cannot start {self._count} threads: {os.strerror(error)}")
        self._exec: _abi.Exec = self._library.san_pool_exec(self._pool)
        self._process = os.getpid()

    def exec(self) -> _abi.Exec:
        if self._process != os.getpid():
            self._start()
        return self._exec

    def close(self) -> None:
        if self._process == os.getpid():
            self._library.san_pool_free(self._pool)


class Weights:
    """A file of weights, mapped by libsanrt."""

    def __init__(self, path: str, struct: _abi.ModelStruct) -> None:
        self._library = _runtime_library()
        self.address = c_void_p()
        error = _abi.WeightsError()
        if self._library.san_weights_open(os.fsencode(path), byref(struct), byref(self.address),
                                          byref(error)):
            raise LoadError(error.text.decode(errors="replace"))

    def close(self) -> None:
        self._library.san_weights_close(self.address)
        self.address = c_void_p()


class Processor:
    device = "cpu"

    def __init__(self, struct: _abi.ModelStruct, weights: Optional[Weights]) -> None:
        self._function, self._weights = _abi.RUN_IMAGES(struct.run_images), weights
        self._bytes, self._alignment = struct.workspace_bytes, struct.workspace_alignment
        self._free: List[npt.NDArray[np.uint8]] = []  # workspaces that no run has now

    def run(self, images: Images, logits: Floats, pool: Optional[Pool]) -> None:
        try:
            workspace = self._free.pop()
        except IndexError:
            workspace = np.empty(self._bytes + self._alignment, np.uint8)
        address = workspace.ctypes.data + -workspace.ctypes.data % self._alignment
        how = self._exec(pool)
        status = self._function(images.ctypes.data, logits.ctypes.data, len(images), address,
                                byref(how) if how else None)
        self._free.append(workspace)
        if status:
            text = _abi.STATUS_TEXT.get(status, "an unknown error")
            raise RunError(f"{text} (status {status})", status)

    def _exec(self, pool: Optional[Pool]) -> Optional[_abi.Exec]:
        if not self._weights:
            return pool.exec() if pool else None
        how = _abi.Exec.from_buffer_copy(pool.exec()) if pool else _abi.Exec(_abi.ABI_VERSION, 1)
        how.weights = self._weights.address
        return how

    def close(self) -> None:
        self._free.clear()
        if self._weights:
            self._weights.close()


class Gpu:
    """A model in the memory of an NVIDIA GPU, by libsanrt. Runs follow each other."""

    def __init__(self, struct: _abi.ModelStruct, number: int) -> None:
        self._library = _runtime_library()
        self._handle = c_void_p()
        error = _abi.CudaError()
        if self._library.san_cuda_open(byref(struct), number, byref(self._handle), byref(error)):
            raise LoadError(error.text.decode(errors="replace"))
        target, device = (call(self._handle).decode(errors="replace") for call in (
            self._library.san_cuda_target, self._library.san_cuda_device))
        self.device = f"cuda:{number} ({target} on {device})"

    def run(self, images: Images, logits: Floats, pool: Optional[Pool]) -> None:
        error = _abi.CudaError()
        status = self._library.san_cuda_run_images_host(
            self._handle, images.ctypes.data, logits.ctypes.data, len(images), byref(error))
        if status:
            raise RunError(error.text.decode(errors="replace"), status)

    def close(self) -> None:
        self._library.san_cuda_close(self._handle)
        self._handle = c_void_p()


def _runtime_library() -> ctypes.CDLL:
    """libsanrt as a shared library. Only GPUs, a run on several threads and weights in a file of
    their own need it."""
    given = os.environ.get("SAN_RUNTIME")
    names: Tuple[str, ...] = (given,) if given else (
        f"libsanrt.so.{_abi.ABI_VERSION}", "libsanrt.so")
    said = []
    for name in names:
        try:
            library = ctypes.CDLL(name, use_errno=True)
            for function, (result, *arguments) in _abi.FUNCTIONS.items():
                call = getattr(library, function)
                call.restype, call.argtypes = result, arguments
            return library
        except (OSError, AttributeError) as error:
            said.append(str(error))
    raise LoadError("sanc's runtime library is missing: install it, or name it in the environment "
                    f"variable SAN_RUNTIME ({'; '.join(said)})")
