"""A GPU on the host: the LLVM text of kernels, made to run on this machine, and launch plans that
start them.

The kernels are the same that become PTX. Only what is specific to a GPU is replaced: the numbers of
threads and blocks, barriers, shared memory; and every load and store is announced to host.c, which
checks it.
"""
import _ctypes
import array
import ctypes
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "numeric"))
import common  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
STORE, INVARIANT = 1, 2
BARRIER = re.compile(r"call void @llvm\.nvvm\.barrier[\w.]*\(.*?\)")
LINE_BYTES = 128  # of a GPU's memory
WORD_BYTES, UNIT = 32, 2  # see host.c
# What host.c has in the place of LLVM's intrinsics.
MEANINGS = {
    "llvm.nvvm.read.ptx.sreg.tid.x": "host_tid",
    "llvm.nvvm.read.ptx.sreg.ctaid.x": "host_ctaid",
    "llvm.nvvm.cp.async.ca.shared.global.4": "host_copy_4",
    "llvm.nvvm.cp.async.ca.shared.global.8": "host_copy_8",
    "llvm.nvvm.cp.async.cg.shared.global.16": "host_copy_16",
    "llvm.nvvm.cp.async.wait.all": "host_wait",
    "llvm.nvvm.f2tf32.rna": "host_tf32",
    "llvm.nvvm.ff2bf16x2.rn": "host_halves",
    "llvm.nvvm.mma.m16n8k8.row.col.tf32": "host_product_8",
    "llvm.nvvm.mma.m16n8k16.row.col.bf16": "host_product_16",
}
# A product gives host.c its operands in memory, and takes the sums from there.
PRODUCT = """
define internal {{ float, float, float, float }} @host_product_{terms}(i32 %a0, i32 %a1, i32 %a2, i32 %a3, i32 %b0, i32 %b1, float %c0, float %c1, float %c2, float %c3) {{
  %at = alloca [10 x i32]
{stores}
  call void @host_product(ptr %at, i32 {terms})
  %sums = load {{ float, float, float, float }}, ptr %at
  ret {{ float, float, float, float }} %sums
}}
"""
# Its result is a vector or an i32, by LLVM's version.
HALVES = """
define internal {type} @host_halves(float %high, float %low) {{
  %both = call i32 @host_bf16x2(float %high, float %low)
  %halves = bitcast i32 %both to {type}
  ret {type} %halves
}}
"""
OPERANDS = [f"i32 %a{i}"
            for i in range(4)] + [f"i32 %b{i}"
                                  for i in range(2)] + [f"float %c{i}" for i in range(4)]
ACCESS = re.compile(
    r"^(\s+)(?:%\S+ = load (?P<loaded>[^,]+), |store (?P<stored><[^>]+>|\w+) .*?, )"
    r"ptr addrspace\((?P<space>[13])\) (?P<at>.+?), align (?P<align>\d+)(?P<rest>.*)$")


class Wrong(Exception):
    """What a kernel did that it must not do."""


def llc_of(sanc):
    """LLVM's llc of the version that sanc is built with, or None, and that version."""
    version = re.search(r"LLVM (\d+)", common.call(sanc, "--version"))[1]
    names = [f"/usr/lib/llvm-{version}/bin/llc", f"llc-{version}"]
    return next(filter(shutil.which, names), None), version


def find_llc(sanc):
    """LLVM's llc; ends the test as skipped without it."""
    llc, version = llc_of(sanc)
    return llc or common.skip(f"no llc of LLVM {version}")


def type_bytes(text):
    vector = re.fullmatch(r"<(\d+) x (\w+)>", text)
    count, element = (int(vector[1]), vector[2]) if vector else (1, text)
    return count * {"i8": 1, "i16": 2, "bfloat": 2, "float": 4, "i32": 4, "i64": 8, "double": 8}[element]


def announce(line):
    """The call that goes before a load or a store of memory."""
    access = ACCESS.match(line)
    if not access:
        touches = re.search(r"\b(load|store|llvm\.mem\w+)\b.*addrspace\([13]\)", line)
        if touches and "getelementptr" not in line.split("=")[-1][:20]:
            raise Wrong(f"an access that host.c is not told of: {line.strip()}")
        return []
    flags = 0 if access["loaded"] else STORE
    if "!invariant.load" in access["rest"]:
        flags |= INVARIANT
    space = access["space"]
    return [
        f"{access[1]}call void @host_{'global' if space == '1' else 'shared'}(ptr addrspace({space}) {access['at']}, "
        f"i32 {type_bytes(access['loaded'] or access['stored'])}, i32 {access['align']}, i32 {flags})"
    ]


def to_host(text, checked=True):
    """The kernels' LLVM text for this machine. Barriers are numbered in the order of the text.
    checked: accesses of memory are announced."""
    barriers = itertools.count()
    text = BARRIER.sub(lambda _: f"call void @host_barrier(i32 {next(barriers)})", text)
    out = [
        "declare void @host_global(ptr addrspace(1), i32, i32, i32)",
        "declare void @host_barrier(i32)",
        "declare void @host_shared(ptr addrspace(3), i32, i32, i32)",
        "declare void @host_product(ptr, i32)",
        "declare i32 @host_bf16x2(float, float)"
    ]
    stores = "\n".join(
        f"  %p{i} = getelementptr i32, ptr %at, i32 {i}\n  store {operand}, ptr %p{i}"
        for i, operand in enumerate(OPERANDS))
    out += [PRODUCT.format(terms=terms, stores=stores) for terms in (8, 16)]
    for line in text.splitlines():
        if line.startswith(("source_filename", "target ", "!nvvm.annotations")):
            continue
        line = line.replace("ptx_kernel ", "")
        for name, meaning in MEANINGS.items():
            if f"@{name}(" in line:
                line = re.sub(r"\) #\d+$", ")", line.replace(f"@{name}(", f"@{meaning}("))
        if line.startswith("declare ") and "@host_halves(" in line:
            out.append(HALVES.format(type=line.split("@")[0].removeprefix("declare ").strip()))
            continue
        if re.match(r"declare .*@(host_product_|llvm\.nvvm\.barrier)", line):
            continue
        if "@llvm.nvvm." in line:
            raise Wrong(f"an intrinsic without a meaning here: {line.strip()}")
        out += (announce(line) if checked else []) + [line]
    return "\n".join(out) + "\n"


HOST_LOCK, HOST_FOLDER = threading.Lock(), tempfile.TemporaryDirectory()


def host_object():
    """host.c, compiled once."""
    path = os.path.join(HOST_FOLDER.name, "host.o")
    with HOST_LOCK:
        if not os.path.exists(path):
            common.call("cc", "-O2", "-U_FORTIFY_SOURCE", "-fPIC", "-c",
                        os.path.join(HERE, "host.c"), "-o", path)
    return path


def compile_host(llc, text, folder, checked=True):
    """A shared object of the kernels and host.c. What is checked runs once: making it fast takes
    longer. The C library is there already, and reading its symbols takes most of the linking."""
    source, code, library = (os.path.join(folder, name)
                             for name in ("host.ll", "host.o", "host.so"))
    with open(source, "w") as file:
        file.write(to_host(text, checked))
    common.call(llc, "-O0" if checked else "-O2", "-relocation-model=pic", "-filetype=obj",
                "-mtriple=x86_64-unknown-linux-gnu", source, "-o", code)
    common.call("cc", "-shared", "-nostdlib", "-o", library, host_object(), code, "-lm", "-lgcc")
    return library


def load_host(library):
    host = ctypes.CDLL(library)
    pointer, integer = ctypes.c_void_p, ctypes.c_int64
    host.host_error.restype = ctypes.c_char_p
    host.host_buffer.argtypes = [
        ctypes.c_char_p, pointer, integer, pointer, ctypes.c_int, ctypes.c_int
    ]
    host.host_written.argtypes = [pointer, integer]
    host.host_launch.argtypes = [pointer, pointer, ctypes.c_int32, ctypes.c_int32, integer]
    return host


class Memory:
    """Device memory with a word of notes for each unit."""

    def __init__(self, size, noted, contents=None, alignment=256):
        self.room = ctypes.create_string_buffer(b"\xff" * (size + alignment),
                                                size + alignment)  # NaN
        self.at = -(-ctypes.addressof(self.room) // alignment) * alignment
        self.notes = ctypes.create_string_buffer(max(size // UNIT, 1) * WORD_BYTES) if noted else None
        if contents is not None:
            ctypes.memmove(self.at, contents, len(contents))

    def note(self, offset):
        return ctypes.addressof(self.notes) + offset // UNIT * WORD_BYTES if self.notes else None


def elements(shape):
    count = 1
    for extent in shape:
        count *= extent
    return count


def run_plan(plan, library, weights, image, no_barrier=-1):
    """The output floats of one batch of images; Wrong where a kernel does what it must not. Follows
    the plan alone. no_barrier: the number of one that is left out."""
    host = load_host(library)
    ctypes.c_int32.in_dll(host, "host_no_barrier").value = no_barrier
    try:
        return run_kernels(plan, host, weights, image)
    finally:
        _ctypes.dlclose(host._handle)


def run_kernels(plan, host, weights, image):
    sizes = {
        "output": 4 * elements(plan["output"]["shape"]), "workspace": plan["workspace"]["bytes"]
    }
    memory = {"input": Memory(len(image), False, image, 4),
              "weights": Memory(len(weights), False, weights, plan["weights"]["alignment"])}
    for place, size in sizes.items():
        memory[place] = Memory(size, True, None,
                               plan["workspace"]["alignment"] if place == "workspace" else 4)
    buffers = {buffer["name"]: buffer for buffer in plan["buffers"]}
    text = {name: name.encode() for name in buffers}  # host.c keeps pointers to it
    for kernel in plan["kernels"]:
        host.host_clear()
        for name in sorted({*kernel["reads"], *kernel["writes"]}):
            buffer = buffers[name]
            place, offset = memory[buffer["place"]], buffer["offset"]
            if buffer["place"] == "weights" and offset % LINE_BYTES:
                raise Wrong(f"{name}: weights that begin within a line, at {offset}")
            host.host_buffer(text[name], place.at + offset, buffer["bytes"], place.note(offset),
                             name in kernel["reads"], name in kernel["writes"])
        blocks, threads = elements(kernel["grid"]), elements(kernel["block"])
        arguments = (ctypes.c_void_p * 4)(*(
            memory[name].at + offset
            for name, offset in zip(plan["arguments"], kernel["offsets"])))
        function = ctypes.cast(getattr(host, kernel["function"]), ctypes.c_void_p)
        if not host.host_launch(function, arguments, blocks, threads, kernel["shared_bytes"]):
            raise Wrong(f"{kernel['name']}: {host.host_error().decode()}")
    out = array.array("f")
    out.frombytes(ctypes.string_at(memory["output"].at, sizes["output"]))
    return out


class Network:
    """A model, or a dump of one in another file, compiled for a GPU: its plan, and its kernels on
    the host."""

    def __init__(self, sanc, llc, folder, scratch, target="nvptx:sm_80", batch=1, precision="f32",
                 dump=None):
        stem = os.path.join(scratch, "net")
        common.call(sanc, "compile", dump or os.path.join(folder, "model.json"), "-w",
                    os.path.join(folder, "weights.safetensors"), "--target", target, "--batch",
                    batch, "--precision", precision, "--emit", "llvm,ptx,launch", "-o", stem)
        with open(stem + ".launch.json") as file:
            self.plan = json.load(file)
        with open(os.path.join(scratch, self.plan["weights"]["file"]), "rb") as file:
            self.weights = file.read()
        with open(stem + ".ll") as file:
            self.text = file.read()
        self.ptx, self.llc, self.scratch = stem + ".ptx", llc, scratch
        self.library = compile_host(llc, self.text, scratch)

    def ptx_text(self):
        with open(self.ptx, encoding="ascii") as file:
            return file.read()

    def run(self, images):
        """All images, in whole batches."""
        plan, out = self.plan["input"], array.array("f")
        typecode = {"f32": "f", "u8": "B"}[plan["type"]]
        data = array.array(typecode, images).tobytes()
        size = elements(plan["shape"]) * array.array(typecode).itemsize
        for at in range(0, len(data), size):
            out += run_plan(self.plan, self.library, self.weights, data[at:at + size])
        return out
