"""The CUDA driver by ctypes: what a pack needs of it. A Session frees what was made in it."""
import ctypes
import os

CAPABILITY_MAJOR, CAPABILITY_MINOR = 75, 76
ATTRIBUTES = {"multiprocessors": 16, "clock_khz": 13, "memory_clock_khz": 36, "bus_bits": 37,
              "l2_bytes": 38, "shared_bytes_of_multiprocessor": 81, "registers": 82,
              "shared_bytes_of_block": 97}
MOST_DYNAMIC_SHARED, CARVEOUT, ALL_SHARED = 8, 9, 100
REGISTERS, LOCAL_BYTES = 4, 3  # of cuFuncGetAttribute
USUAL_SHARED_BYTES = 48 << 10
LOG_BYTES = 8192
RELAXED = 2


class CudaError(Exception):
    def __init__(self, text, status):
        super().__init__(text)
        self.status = status


class Session:
    """A context of device 0 and all that is made in it."""

    def __init__(self):
        self.driver = ctypes.CDLL(os.environ.get("LIBCUDA", "libcuda.so.1"))
        self.undo = []  # the last is undone first
        self.call("cuInit", ctypes.c_uint(0))
        self.device = ctypes.c_int()
        self.call("cuDeviceGet", ctypes.byref(self.device), 0)
        context = ctypes.c_void_p()
        self.call("cuDevicePrimaryCtxRetain", ctypes.byref(context), self.device)
        self.later("cuDevicePrimaryCtxRelease_v2", self.device)
        self.call("cuCtxSetCurrent", context)
        self.stream = self.make("cuStreamCreate", "cuStreamDestroy_v2", ctypes.c_uint(1))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        while self.undo:
            name, handle = self.undo.pop()
            getattr(self.driver, name)(handle)

    def has(self, name):
        return hasattr(self.driver, name)

    def call(self, name, *arguments):
        status = getattr(self.driver, name)(*arguments)
        if status:
            text = ctypes.c_char_p()
            self.driver.cuGetErrorName(status, ctypes.byref(text))
            raise CudaError(f"{name}: {(text.value or b'?').decode()} ({status})", status)

    def later(self, name, handle):
        self.undo.append((name, handle))

    def make(self, name, destroy, *arguments):
        """A handle that `name` makes from arguments."""
        handle = ctypes.c_void_p()
        self.call(name, ctypes.byref(handle), *arguments)
        self.later(destroy, handle)
        return handle

    def attribute(self, number):
        value = ctypes.c_int()
        self.call("cuDeviceGetAttribute", ctypes.byref(value), number, self.device)
        return value.value

    def capability(self):
        return 10 * self.attribute(CAPABILITY_MAJOR) + self.attribute(CAPABILITY_MINOR)

    def describe(self):
        name, version = ctypes.create_string_buffer(256), ctypes.c_int()
        self.call("cuDeviceGetName", name, 256, self.device)
        found = {"name": name.value.decode(), "capability": self.capability()}
        if self.has("cuDriverGetVersion"):
            self.call("cuDriverGetVersion", ctypes.byref(version))
            found["driver"] = version.value
        for what, number in ATTRIBUTES.items():
            try:
                found[what] = self.attribute(number)
            except CudaError as error:
                found[what] = str(error)
        return found

    # ---- memory

    def allocate(self, count):
        memory = ctypes.c_uint64()
        self.call("cuMemAlloc_v2", ctypes.byref(memory), ctypes.c_size_t(max(count, 4)))
        self.later("cuMemFree_v2", memory)
        return memory

    def upload(self, memory, data, offset=0):
        """A copy of NumPy's array."""
        self.call("cuMemcpyHtoDAsync_v2", ctypes.c_uint64(memory.value + offset),
                  ctypes.c_void_p(data.ctypes.data), ctypes.c_size_t(data.nbytes), self.stream)
        self.wait()

    def download(self, memory, out):
        self.call("cuMemcpyDtoHAsync_v2", ctypes.c_void_p(out.ctypes.data), memory,
                  ctypes.c_size_t(out.nbytes), self.stream)
        self.wait()
        return out

    def wait(self):
        self.call("cuStreamSynchronize", self.stream)

    # ---- code

    def load(self, image):
        """A module of a cubin or of PTX."""
        log = ctypes.create_string_buffer(LOG_BYTES)
        options = (ctypes.c_int * 2)(5, 6)  # the compiler's log, and its size
        values = (ctypes.c_void_p * 2)(ctypes.addressof(log), LOG_BYTES)
        try:
            return self.make("cuModuleLoadDataEx", "cuModuleUnload", image + b"\0", 2, options,
                             values)
        except CudaError as error:
            text = log.value.decode(errors="replace").strip()
            raise CudaError(f"{error} {text}".strip(), error.status) from None

    def function(self, module, name, shared_bytes=0):
        function = ctypes.c_void_p()
        self.call("cuModuleGetFunction", ctypes.byref(function), module, name.encode())
        if shared_bytes > USUAL_SHARED_BYTES:
            self.call("cuFuncSetAttribute", function, MOST_DYNAMIC_SHARED, shared_bytes)
        return function

    def registers(self, function):
        """(registers of a thread, bytes of local memory); None where the driver does not say."""
        if not self.has("cuFuncGetAttribute"):
            return None
        found = []
        for number in (REGISTERS, LOCAL_BYTES):
            value = ctypes.c_int()
            self.call("cuFuncGetAttribute", ctypes.byref(value), number, function)
            found.append(value.value)
        return tuple(found)

    def launch(self, function, grid, block, shared_bytes, arguments):
        """arguments: addresses in device memory."""
        pointers = (ctypes.c_void_p * len(arguments))(*map(ctypes.addressof, arguments))
        self.call("cuLaunchKernel", function, grid, 1, 1, block, 1, 1, shared_bytes, self.stream,
                  pointers, None)

    def capture(self, enqueue):
        """What enqueue() puts on the stream, as a graph that can be launched."""
        graph, error = ctypes.c_void_p(), None
        self.call("cuStreamBeginCapture_v2", self.stream, RELAXED)
        try:
            enqueue()
        except CudaError as failure:
            error = failure
        self.call("cuStreamEndCapture", self.stream, ctypes.byref(graph))
        self.later("cuGraphDestroy", graph)
        if error:
            raise error
        executable = self.make("cuGraphInstantiateWithFlags", "cuGraphExecDestroy", graph,
                               ctypes.c_ulonglong(0))
        if self.has("cuGraphUpload"):
            self.call("cuGraphUpload", executable, self.stream)
        return lambda: self.call("cuGraphLaunch", executable, self.stream)

    # ---- time

    def timer(self):
        """A function: milliseconds of the device's time for what another enqueues."""
        begin, end = (self.make("cuEventCreate", "cuEventDestroy_v2", ctypes.c_uint(0))
                      for _ in range(2))

        def measure(enqueue, times=1):
            elapsed = ctypes.c_float()
            self.call("cuEventRecord", begin, self.stream)
            for _ in range(times):
                enqueue()
            self.call("cuEventRecord", end, self.stream)
            self.call("cuEventSynchronize", end)
            self.call("cuEventElapsedTime", ctypes.byref(elapsed), begin, end)
            return elapsed.value / times

        return measure
