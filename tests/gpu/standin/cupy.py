"""What examples/gpu/launch.py uses of CuPy, on the CUDA driver API alone: for machines that have a
stand-in for the driver and no CuPy. Arrays are flat and hold float32."""
import array
import ctypes

_driver = ctypes.CDLL("libcuda.so.1")
_address, _size = ctypes.c_uint64, ctypes.c_size_t
_SHARED_BYTES = 8  # CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES


def _call(name, *arguments):
    status = getattr(_driver, name)(*arguments)
    if status:
        raise RuntimeError(f"{name}: {status}")


def _begin():
    device, context = ctypes.c_int(), ctypes.c_void_p()
    _call("cuInit", 0)
    _call("cuDeviceGet", ctypes.byref(device), 0)
    _call("cuDevicePrimaryCtxRetain", ctypes.byref(context), device)
    _call("cuCtxPushCurrent_v2", context)


class ndarray:
    def __init__(self, count):
        self.count, self.at = count, _address()
        _call("cuMemAlloc_v2", ctypes.byref(self.at), _size(4 * count))

    def __getitem__(self, where):
        """What begins there, of the same memory."""
        assert where.stop is None and where.step is None
        part = ndarray.__new__(ndarray)
        part.count, part.whole = self.count - where.start, self
        part.at = _address(self.at.value + 4 * where.start)
        return part

    def __setitem__(self, where, other):
        assert where is Ellipsis and other.count == self.count
        _call("cuMemcpyDtoDAsync_v2", self.at, other.at, _size(4 * self.count), None)

    def __del__(self):
        if hasattr(self, "whole"):
            return
        _call("cuStreamSynchronize", None)
        _call("cuMemFree_v2", self.at)

    def get(self):
        data = ctypes.create_string_buffer(4 * self.count)
        _call("cuMemcpyDtoHAsync_v2", data, self.at, _size(4 * self.count), None)
        _call("cuStreamSynchronize", None)
        return array.array("f", data.raw)


def empty(count, dtype):
    assert dtype == "float32"
    return ndarray(count)


def frombuffer(data, dtype):
    out = empty(len(data) // 4, dtype)
    _call("cuMemcpyHtoDAsync_v2", out.at, data, _size(len(data)), None)
    _call("cuStreamSynchronize", None)
    return out


class RawKernel:
    def __init__(self, function):
        self.function = function

    def __setattr__(self, name, value):
        if name == "max_dynamic_shared_size_bytes":
            _call("cuFuncSetAttribute", self.function, _SHARED_BYTES, value)
        super().__setattr__(name, value)

    def __call__(self, grid, block, arguments, shared_mem=0):
        values = [_address(argument.at.value) for argument in arguments]
        pointers = (ctypes.c_void_p * len(values))(*(ctypes.addressof(value) for value in values))
        _call("cuLaunchKernel", self.function, *grid, *block, shared_mem, None, pointers, None)


class RawModule:
    def __init__(self, path):
        self.module = ctypes.c_void_p()
        with open(path, "rb") as file:
            image = file.read() + b"\0"
        _call("cuModuleLoadDataEx", ctypes.byref(self.module), image, 0, None, None)

    def get_function(self, name):
        function = ctypes.c_void_p()
        _call("cuModuleGetFunction", ctypes.byref(function), self.module, name.encode())
        return RawKernel(function)


_begin()
