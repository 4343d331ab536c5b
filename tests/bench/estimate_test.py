#!/usr/bin/env python3
"""The rule of gpu_estimate.py, then an estimate of a small network: estimate_test.py SANC

The estimate needs the tool in ../shared, ptxas, nvdisasm and NumPy, and is skipped without them.
"""
import importlib.util
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "numeric")]
import common
import gpu_estimate

CASE = os.path.join(common.ROOT, "tests", "numeric", "cases", "mixed")
# The address of lane n, bytes a lane, whether it is a load: wavefronts.
RULES = [
    (lambda n: 4 * n, 4, True, 1),
    (lambda n: 128 * n, 4, True, 32),
    (lambda n: 16 * n, 16, True, 4),
    (lambda n: 8 * n, 8, True, 2),
    (lambda n: 16 * (n // 2), 16, True, 2),
    (lambda n: 16 * (n // 2), 16, False, 4),
    (lambda n: 16 * (n // 4 * 2 + n % 2), 16, True, 2),
    (lambda n: 16 * (n % 4 + n // 8 * 4), 16, True, 4),
]


def main():
    tally = common.Tally()
    for address, width, load, expected in RULES:
        addresses = [address(n) for n in range(gpu_estimate.LANES)]
        found = gpu_estimate.wavefronts(addresses, [True] * gpu_estimate.LANES, width, load)
        tally.check(found == expected, f"{addresses[:8]}.., {width} bytes, load {load}: {found}")
    programs = [os.environ.get(name.upper()) or shutil.which(name) for name in ("ptxas", "nvdisasm")]
    if not (os.path.exists(gpu_estimate.TOOL) and all(programs) and
            importlib.util.find_spec("numpy")):
        tally.skip("the estimate: it needs ../shared, ptxas, nvdisasm and NumPy")
        return tally.end()
    done = subprocess.run([sys.executable, os.path.join(HERE, "gpu_estimate.py"), sys.argv[1],
                           os.path.join(CASE, "model.json"),
                           os.path.join(CASE, "weights.safetensors"), "--batch", "1"],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    good = done.returncode == 0 and " 0 kernels not simulated" in done.stdout
    tally.check(good, f"the estimate of {CASE}: {done.stdout[-500:]}")
    return tally.end()


if __name__ == "__main__":
    sys.exit(main())
