"""Kernels that a pack needs besides the networks', as LLVM's text: weights from numbers, and loops
that show what the device can do.

Each takes four addresses, as a network's kernels do, so that tests/gpu runs them, too: the words of
its parameters, results, memory to work on, and memory that is only read. A block has 256 threads.
"""
THREADS = 256
SEEDS_EACH = 16            # elements that a thread of `seed` makes
SUMS, FMAS = 16, 128       # of a thread of `fma_peak`: accumulators; FMAs a round
FRAGMENTS, PRODUCTS = 8, 32  # of a warp of `mma_*`: accumulators; products a round

HEAD = """target datalayout = "e-p6:32:32-i64:64-i128:128-i256:256-v16:16-v32:32-n16:32:64"
target triple = "nvptx64-nvidia-cuda"
declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
declare i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
declare float @llvm.fma.f32(float, float, float)
"""
SUMS_OF_PRODUCT = "{ float, float, float, float }"
ARGUMENTS = ", ".join(f"ptr addrspace(1) %{name}"
                      for name in ("parameters", "result", "memory", "constant"))


def kernel(name, body):
    return f"\ndefine ptx_kernel void @{name}({ARGUMENTS}) {{\nentry:\n{body}\n}}\n"


def parameter(name, index, kind="i32"):
    return (f"  %{name}.at = getelementptr i32, ptr addrspace(1) %parameters, i32 {index}\n"
            f"  %{name} = load {kind}, ptr addrspace(1) %{name}.at, align 4\n")


def place():
    """%thread of all"""
    return ("  %tid = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()\n"
            "  %block = call i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()\n"
            f"  %first = mul i32 %block, {THREADS}\n"
            "  %thread = add i32 %first, %tid\n")


def hashed(shifts_and_factors):
    """%h5 from %h0: rounds of shift, exclusive or, product."""
    text = ""
    for i, (shift, factor) in enumerate(shifts_and_factors):
        text += (f"  %s{i} = lshr i32 %h{i}, {shift}\n  %x{i} = xor i32 %h{i}, %s{i}\n"
                 f"  %h{i + 1} = mul i32 %x{i}, {factor}\n")
    return text


def seed():
    """memory[begin + i] = a function of i, see pack/counter.py; parameters: count, key, shift, half,
    step, mean, mask, begin."""
    names = [("count", "i32"), ("key", "i32"), ("shift", "i32"), ("half", "i32"),
             ("step", "float"), ("mean", "float"), ("mask", "i32"), ("begin", "i32")]
    head = "".join(parameter(name, i, kind) for i, (name, kind) in enumerate(names)) + place()
    return kernel(
        "seed", head + f"""  %own = mul i32 %thread, {SEEDS_EACH}
  br label %loop
loop:
  %j = phi i32 [ 0, %entry ], [ %next, %done ]
  %i = add i32 %own, %j
  %inside = icmp ult i32 %i, %count
  br i1 %inside, label %make, label %done
make:
  %product = mul i32 %i, {0x9e3779b1}
  %h0 = add i32 %product, %key
{hashed([(16, 0x7feb352d), (15, 0x846ca68b), (16, 1)])}  %high = lshr i32 %h3, %shift
  %number = sub i32 %high, %half
  %float = sitofp i32 %number to float
  %value = call float @llvm.fma.f32(float %float, float %step, float %mean)
  %bits = bitcast float %value to i32
  %kept = and i32 %bits, %mask
  %element = add i32 %begin, %i
  %at = getelementptr i32, ptr addrspace(1) %memory, i32 %element
  store i32 %kept, ptr addrspace(1) %at, align 4
  br label %done
done:
  %next = add i32 %j, 1
  %again = icmp ult i32 %next, {SEEDS_EACH}
  br i1 %again, label %loop, label %end
end:
  ret void""")


def copy():
    """The first `vectors` of 16 bytes of memory go after themselves; parameters: vectors."""
    return kernel(
        "copy", parameter("vectors", 0) + place() + """  %inside = icmp ult i32 %thread, %vectors
  br i1 %inside, label %move, label %end
move:
  %from = getelementptr <4 x float>, ptr addrspace(1) %memory, i32 %thread
  %value = load <4 x float>, ptr addrspace(1) %from, align 16
  %to = getelementptr <4 x float>, ptr addrspace(1) %from, i32 %vectors
  store <4 x float> %value, ptr addrspace(1) %to, align 16
  br label %end
end:
  ret void""")


def read():
    """Each thread reads `rounds` vectors of 16 bytes, `stride` apart, of `mask` + 1; parameters:
    rounds, stride, mask."""
    return kernel(
        "read", parameter("rounds", 0) + parameter("stride", 1) + parameter("mask", 2) + place() +
        """  br label %loop
loop:
  %round = phi i32 [ 0, %entry ], [ %next, %loop ]
  %at = phi i32 [ %thread, %entry ], [ %after, %loop ]
  %sum = phi <4 x float> [ zeroinitializer, %entry ], [ %more, %loop ]
  %place = and i32 %at, %mask
  %from = getelementptr <4 x float>, ptr addrspace(1) %memory, i32 %place
  %value = load <4 x float>, ptr addrspace(1) %from, align 16
  %more = fadd <4 x float> %sum, %value
  %after = add i32 %at, %stride
  %next = add i32 %round, 1
  %again = icmp ult i32 %next, %rounds
  br i1 %again, label %loop, label %end
end:
""" + store_sum("extractelement <4 x float> %more, i32 0"))


def store_sum(value):
    """So that the compiler has to work it out."""
    return (f"  %out = {value}\n"
            "  %to = getelementptr float, ptr addrspace(1) %result, i32 %thread\n"
            "  store float %out, ptr addrspace(1) %to, align 4\n  ret void")


def fma_peak():
    """parameters: rounds, a, b"""
    body, now = "", [f"%s{i}" for i in range(SUMS)]
    for i in range(FMAS):
        body += f"  %f{i} = call float @llvm.fma.f32(float {now[i % SUMS]}, float %a, float %b)\n"
        now[i % SUMS] = f"%f{i}"
    phis = "".join(f"  %s{i} = phi float [ {i}.0, %entry ], [ {now[i]}, %loop ]\n"
                   for i in range(SUMS))
    adds, total = "", now[0]
    for i in range(1, SUMS):
        adds, total = adds + f"  %t{i} = fadd float {total}, {now[i]}\n", f"%t{i}"
    return kernel("fma_peak", loop(parameter("a", 1, "float") + parameter("b", 2, "float"), phis,
                                   body) + adds + store_sum(f"fadd float {total}, 0.0"))


def loop(head, phis, body):
    return f"""{parameter("rounds", 0)}{head}{place()}  br label %loop
loop:
  %round = phi i32 [ 0, %entry ], [ %next, %loop ]
{phis}{body}  %next = add i32 %round, 1
  %again = icmp ult i32 %next, %rounds
  br i1 %again, label %loop, label %end
end:
"""


def mma_peak(name, intrinsic):
    """parameters: rounds, and the word that all factors are."""
    now = [[f"%s{i}_{j}" for j in range(4)] for i in range(FRAGMENTS)]
    phis = "".join(f"  %s{i}_{j} = phi float [ 0.0, %entry ], [ %f{PRODUCTS - FRAGMENTS + i}_{j}, "
                   "%loop ]\n" for i in range(FRAGMENTS) for j in range(4))
    body, factors = "", ", ".join(["i32 %word"] * 6)
    for i in range(PRODUCTS):
        sums = ", ".join(f"float {word}" for word in now[i % FRAGMENTS])
        body += f"  %f{i} = call {SUMS_OF_PRODUCT} @{intrinsic}({factors}, {sums})\n"
        for j in range(4):
            body += f"  %f{i}_{j} = extractvalue {SUMS_OF_PRODUCT} %f{i}, {j}\n"
        now[i % FRAGMENTS] = [f"%f{i}_{j}" for j in range(4)]
    adds, total = "", now[0][0]
    for i in range(1, FRAGMENTS):
        adds, total = adds + f"  %t{i} = fadd float {total}, {now[i][0]}\n", f"%t{i}"
    types = ", ".join(["i32"] * 6 + ["float"] * 4)
    return (f"declare {SUMS_OF_PRODUCT} @{intrinsic}({types})\n" + kernel(
        name, loop(parameter("word", 1), phis, body) + adds +
        store_sum(f"fadd float {total}, 0.0")))


def text():
    return "".join([
        HEAD,
        seed(),
        copy(),
        read(),
        fma_peak(),
        mma_peak("mma_tf32", "llvm.nvvm.mma.m16n8k8.row.col.tf32"),
        mma_peak("mma_bf16", "llvm.nvvm.mma.m16n8k16.row.col.bf16"),
        kernel("nothing", "  ret void"),
    ])
