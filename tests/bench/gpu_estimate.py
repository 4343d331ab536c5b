#!/usr/bin/env python3
"""What a network's kernels would take on an H100: gpu_estimate.py [--tool DIR] SANC MODEL.json WEIGHTS ...

Runs ../shared/tools/gpu-estimate, whose arguments follow, with another rule for loads from shared
memory. A wavefront delivers a word of each of the 32 banks. The tool takes a warp's load of 64 or
128 bits as two or four wavefronts at least. From compute capability 7.0 on it needs half of them
where all lanes n and n ^ 1, or all lanes n and n ^ 2, have one address, says NVIDIA; kernels that
read the factors of a register tile do that. Stores always need all. Needs NumPy.
"""
import collections
import os
import runpy
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TOOL = os.path.join(HERE, "..", "..", "..", "shared", "tools", "gpu-estimate")
LANES = 32


def in_pairs(addresses, active, apart):
    """Whether each active lane has the address of the one `apart` from it."""
    return all(active[n ^ apart] and addresses[n] == addresses[n ^ apart]
               for n in range(LANES) if active[n])


def wavefronts(addresses, active, width, load=True):
    """Of a warp's access to shared memory, `width` bytes a lane, at these byte addresses."""
    together = LANES * 4 // width
    if load and width > 4 and any(in_pairs(addresses, active, apart) for apart in (1, 2)):
        together *= 2
    count = 0
    for first in range(0, LANES, together):
        words = {int(addresses[n]) // 4 + i for n in range(first, min(first + together, LANES))
                 if active[n] for i in range(width // 4)}
        count += max(collections.Counter(word % 32 for word in words).values(), default=0)
    return count


def model(tool, arguments):
    """The tool's model of a multiprocessor, with this rule."""
    sys.path.insert(0, tool)
    import sass_run
    carry_out = sass_run.step

    def step(warp, name, base, *rest):
        sass_run.shared_wavefronts = lambda *access: wavefronts(*access, load=base == "LDS")
        return carry_out(warp, name, base, *rest)

    sass_run.step = step
    import sm_model
    sys.argv = [sm_model.__file__, *arguments]
    sm_model.main()


def main():
    arguments, tool = sys.argv[1:], TOOL
    if arguments[:1] == ["--model"]:
        return model(arguments[1], arguments[2:])
    if arguments[:1] == ["--tool"]:
        tool, arguments = arguments[1], arguments[2:]
    program = os.path.join(tool, "gpu-estimate")
    if not os.path.exists(program):
        sys.exit(f"gpu_estimate.py: no {program}; --tool DIR names its folder")
    run = subprocess.run

    def run_here(command, **options):
        if os.path.basename(command[1]) == "sm_model.py":
            command = [command[0], os.path.abspath(__file__), "--model", tool, *command[2:]]
        return run(command, **options)

    subprocess.run = run_here
    sys.argv = [program, *arguments]
    runpy.run_path(program, run_name="__main__")


if __name__ == "__main__":
    main()
