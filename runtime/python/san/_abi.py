"""san/abi.h, san/runtime.h, san/weights.h and san/cuda.h for ctypes. Names and order of fields are theirs."""
from __future__ import annotations

import ctypes
from ctypes import (CFUNCTYPE, POINTER, c_char, c_char_p, c_int, c_size_t, c_uint, c_uint8, c_uint32,
                    c_uint64, c_void_p)

ABI_VERSION = 3

STATUS_TEXT = {
    -1: "a pointer is null",
    -2: "a pointer is misaligned",
    -3: "this processor lacks instructions that every target of the model needs",
    -4: "the model is of another ABI version",
    -5: "more than one thread and no way to run them",
    -6: "the model's weights are in a file, and these are not they",
}

U8 = 1  # enum san_type
NHWC = 1  # enum san_layout

# (input, output, images, workspace, exec)
RUN_IMAGES = CFUNCTYPE(c_int, c_void_p, c_void_p, c_size_t, c_void_p, c_void_p)


class Exec(ctypes.Structure):
    """struct san_exec"""

    _fields_ = [
        ("abi_version", c_uint32),
        ("threads", c_uint32),
        ("parallel", c_void_p),
        ("context", c_void_p),
        ("profile", c_void_p),
        ("weights", c_void_p),
    ]


class ModelStruct(ctypes.Structure):
    """struct san_model"""

    _fields_ = [
        ("abi_version", c_uint32),
        ("kernel_count", c_uint32),
        ("name", c_char_p),
        ("compiler", c_char_p),
        ("targets", c_char_p),
        ("kernel_names", POINTER(c_char_p)),
        ("batch", c_uint32),
        ("channels", c_uint32),
        ("height", c_uint32),
        ("width", c_uint32),
        ("classes", c_uint32),
        ("threads", c_uint32),
        ("workspace_bytes", c_uint64),
        ("workspace_alignment", c_uint64),
        ("weights_bytes", c_uint64),
        ("weights_sha256", c_uint8 * 32),
        ("run", c_void_p),
        ("gpus", c_void_p),
        ("gpu_count", c_uint32),
        ("batch_count", c_uint32),
        ("batches", POINTER(c_uint32)),
        ("run_images", c_void_p),
        ("output_rank", c_uint32),
        ("output_channels", c_uint32),
        ("output_height", c_uint32),
        ("output_width", c_uint32),
        ("input_type", c_uint32),
        ("input_layout", c_uint32),
        ("outside", c_uint32),
        ("outside_sha256", c_uint8 * 32),
    ]


class WeightsError(ctypes.Structure):
    """struct san_weights_error"""

    _fields_ = [("status", c_int), ("text", c_char * 512)]


class CudaError(ctypes.Structure):
    """struct san_cuda_error"""

    _fields_ = [("status", c_int), ("driver", c_int), ("text", c_char * 2048)]


# Of libsanrt: what each returns, and its arguments.
FUNCTIONS = {
    "san_pool_new": (c_void_p, c_uint),
    "san_pool_free": (None, c_void_p),
    "san_pool_exec": (Exec, c_void_p),
    "san_weights_open": (c_int, c_char_p, c_void_p, POINTER(c_void_p), c_void_p),
    "san_weights_close": (None, c_void_p),
    "san_cuda_open": (c_int, c_void_p, c_int, POINTER(c_void_p), c_void_p),
    "san_cuda_run_images_host": (c_int, c_void_p, c_void_p, c_void_p, c_size_t, c_void_p),
    "san_cuda_target": (c_char_p, c_void_p),
    "san_cuda_device": (c_char_p, c_void_p),
    "san_cuda_close": (None, c_void_p),
}
