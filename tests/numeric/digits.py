#!/usr/bin/env python3
"""The trained networks of examples/digits see every one of the 1000 images as PyTorch did in
float64.

    digits.py SANC

digits_expected.txt has a line per network: its name and 1000 digits. Where ../shared/digits exists,
the logits are compared too.
"""
import array
import os
import sys
import tempfile

import common

EXAMPLE = os.path.join(common.ROOT, "examples", "digits")
NETWORKS = ["pairwise", "patchwise"]
LOGITS_ERROR = 5e-6


def expected():
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)),
                           "digits_expected.txt")) as file:
        return {name: [int(digit) for digit in digits] for name, digits in map(str.split, file)}


def write_input(path):
    """The images as the networks take them: (n, 1, 28, 28)."""
    shape, pixels = common.read_safetensors(os.path.join(EXAMPLE, "images.safetensors"))["image"]
    table = [(byte / 255 - 0.1307) / 0.3081 for byte in range(256)]
    common.write_safetensors(path, "input", [shape[0], 1] + shape[1:],
                             array.array("f", map(table.__getitem__, pixels)))


def check_logits(sanc, kind, tally, out):
    io = os.path.join(common.SHARED, "digits", kind, "io.safetensors")
    if not os.path.exists(io):
        tally.skip(f"{kind}: logits, since there is no ../shared/digits")
        return
    reference = common.read_safetensors(io)["output"][1]
    error = common.relative_error(common.run_model(sanc, os.path.join(EXAMPLE, kind), io, out),
                                  reference)
    print(f"{kind}: error of the logits {error:.1e}")
    tally.check(error <= LOGITS_ERROR, f"{kind}: logits, error {error:.2e} over {LOGITS_ERROR}")


def main():
    sanc, tally, right = sys.argv[1], common.Tally(), expected()
    labels = common.read_safetensors(os.path.join(EXAMPLE, "images.safetensors"))["label"][1]
    with tempfile.TemporaryDirectory() as scratch:
        images, out = (os.path.join(scratch, name)
                       for name in ("in.safetensors", "out.safetensors"))
        write_input(images)
        for kind in NETWORKS:
            # 1000 is no multiple of 7: the last batch is filled up.
            for options in ([], ["--batch", "7", "--threads", "2"]):
                try:
                    seen = common.predictions(common.run_model(
                        sanc, os.path.join(EXAMPLE, kind), images, out, *options))
                except common.Failure as failure:
                    tally.check(False, f"{kind}: {failure}")
                    continue
                wrong = [
                    i for i, digits in enumerate(zip(seen, right[kind])) if len(set(digits)) > 1
                ]
                tally.check(
                    len(seen) == 1000 and not wrong,
                    f"{kind} {' '.join(options)}: {len(wrong)} other predictions: {wrong[:10]}")
                print(
                    f"{kind} {' '.join(options)}: {sum(map(int.__eq__, seen, labels))} of 1000 correct"
                )
            check_logits(sanc, kind, tally, out)
    return tally.end()


if __name__ == "__main__":
    sys.exit(main())
