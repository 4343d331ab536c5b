#!/usr/bin/env python3
"""exp of every target: within 1.1 ULP where the result is a normal number, 0 below, infinity above.

    exponentials.py SANC

Processors run exponentials.c: in vectors of several lengths and in scalars, all over the range, at
every power of two, at infinities and NaN. Where the machine has no AVX-512, an emulated processor
runs it (emulated.py), and where that is missing, too, the test says so. A GPU's kernel runs on the
host (../gpu/device.py).
"""
import array
import math
import os
import subprocess
import sys
import tempfile

import common
import emulated

sys.path.insert(0, os.path.join(common.ROOT, "tests", "gpu"))
import device  # noqa: E402

COUNT = 4096
MOST_ERROR = 1.1
LANES = {"x86-64-v3": [16, 8, 4, 7], "x86-64-v4": [16, 8, 4, 7, 32]}
HEAD = """sanir 1
model "{name}"
input f32[1, 1, 1, {inputs}]
classes {outputs}
targets "{target}"
threads 1
after plan_memory
workspace 0 scratch 0
graph {{
}}
image : input f32[{inputs}]
"""
PROCESSOR = HEAD + """out : output f32[{outputs}]
kernel wide {{
  for i in {blocks}, v in {lanes} vector
    out[{lanes}*i + v] = exp(image[{lanes}*i + v])
  for r in {rest}
    out[{first} + r] = exp(image[{first} + r])
}}
kernel narrow {{
  for j in {inputs}
    out[{inputs} + j] = exp(image[j])
}}
"""
GPU = HEAD + """out : output f32[{outputs}]
kernel wide target "{target}" {{
  for b in {blocks} block {{
    for t in 32 thread {{
      for v in 4 vector
        out[128*b + 4*t + v] = exp(image[128*b + 4*t + v])
    }}
  }}
}}
"""


def write_module(folder, text, **values):
    path = os.path.join(folder, values["name"] + ".sanir")
    with open(path, "w") as file:
        file.write(text.format(**values))
    return path


def compile_processor(sanc, folder, target):
    """The models' names."""
    names = []
    for lanes in LANES[target]:
        names.append(f"lanes{lanes}")
        blocks = (COUNT - 1) // lanes  # some are left
        path = write_module(folder, PROCESSOR, name=names[-1], target=target, inputs=COUNT,
                            outputs=2 * COUNT, lanes=lanes, blocks=blocks, first=blocks * lanes,
                            rest=COUNT - blocks * lanes)
        common.call(sanc, "compile", path, "-w", os.path.join(folder, "weights.safetensors"), "-o",
                    os.path.join(folder, names[-1] + ".o"))
    return names


def check_processor(sanc, target, here, tally):
    with tempfile.TemporaryDirectory() as folder:
        common.write_tensors(os.path.join(folder, "weights.safetensors"), {})
        names = compile_processor(sanc, folder, target)
        program = emulated.link("exponentials.c", names, folder)
        try:
            done = (subprocess.run([program, "128"], stdout=subprocess.PIPE, text=True) if here
                    else emulated.run(program, [], "8"))
        except emulated.Missing as missing:
            tally.skip(f"{target}: this machine does not have its instructions, and {missing}")
            return
    print(f"{target}{'' if here else ', emulated'}: {', '.join(done.stdout.splitlines())}")
    tally.check(done.returncode == 0, f"{target}: the program ended with {done.returncode}")


def error_in_ulp(found, exact):
    return abs(found - exact) / math.ldexp(1, math.frexp(exact)[1] - 24)


def inputs_of_gpu():
    """Numbers all over the range, and around every multiple of ln 2."""
    spread = [-88 + 177 * i / 8192 for i in range(8192)]
    return spread + [(n + part * 1e-6) * math.log(2) for n in range(-127, 129)
                     for part in range(-4, 4)] + [0.0] * 128


def check_gpu(sanc, tally):
    llc, version = device.llc_of(sanc)
    if not llc:
        tally.skip(f"nvptx:sm_80: no llc of LLVM {version}")
        return
    with tempfile.TemporaryDirectory() as folder:
        common.write_tensors(os.path.join(folder, "weights.safetensors"), {})
        images = array.array("f", inputs_of_gpu())
        path = write_module(folder, GPU, name="gpu", target="nvptx:sm_80", inputs=len(images),
                            outputs=len(images), blocks=len(images) // 128)
        network = device.Network(sanc, llc, folder, folder, dump=path)
        found, worst = network.run(images), 0.0
    for x, y in zip(images, found):
        exact = math.exp(x)
        if 2.0 ** -126 <= exact < 2.0 ** 128 * (1 - 2.0 ** -25):
            worst = max(worst, error_in_ulp(y, exact))
        else:
            tally.check(y == math.inf if exact > 1 else 0 <= y <= 2.0**-126,
                        f"nvptx:sm_80: exp({x}) is {y}")
    print(f"nvptx:sm_80: {worst:.3f}")
    tally.check(worst <= MOST_ERROR, f"nvptx:sm_80: {worst:.3f} ULP")
    tally.check(found[-1] == 1, f"nvptx:sm_80: exp(0) is {found[-1]}")


def main():
    sanc, tally = sys.argv[1], common.Tally()
    check_processor(sanc, "x86-64-v3", True, tally)
    check_processor(sanc, "x86-64-v4", emulated.has_avx512(), tally)
    check_gpu(sanc, tally)
    return tally.end()


if __name__ == "__main__":
    sys.exit(main())
