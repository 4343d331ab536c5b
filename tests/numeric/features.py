#!/usr/bin/env python3
"""--features: the means that fc takes, and the map of each stage.

    features.py SANC

fc of the pooled features has to give the case's logits, the last map's means the pooled features,
and every map those of the evaluator; with PyTorch and ../shared, each what the reference says.
Weights that are not used may be missing, and are not in the object.
"""
import json
import os
import sys
import tempfile

import common
import torch_python

CASES = os.path.join(common.ROOT, "tests", "numeric", "cases")
MODULE = os.path.join(common.SHARED, "reference", "san_reference.py")
NAMES = ["pair_negative_norms", "patch_concatenation", "mixed", "resnet_mixed"]
TARGET = ["--target", "x86-64-v3"]
ERROR = 5e-6
# What each stage gives for the case's images, in float64: bn0, … before ReLU, layer1, … after it.
REFERENCE = """
import json, os, sys, torch
from safetensors.torch import load_file, save_file
sys.path.insert(0, sys.argv[1])
import resnet_reference, san_reference
case, out = sys.argv[2:]
torch.set_default_dtype(torch.float64)
model = json.load(open(os.path.join(case, "model.json")))
residual = model.get("family") == "resnet"
net = (resnet_reference.ResNet if residual else san_reference.San)(model).double().eval()
net.load_state_dict(load_file(os.path.join(case, "weights.safetensors")), strict=False)
maps = {}
for name, module in net.named_children():
    module.register_forward_hook(lambda m, i, o, name=name: maps.__setitem__(name, o.clone()))
with torch.no_grad():
    net(load_file(os.path.join(case, "io.safetensors"))["input"].double())
name = "layer%d" if residual else "bn%d"
save_file({f"stage{i}": maps[name % (i + residual)].contiguous()
           for i in range(len(model["stages"]))}, out)
"""


class Network:
    def __init__(self, sanc, folder, scratch, tally):
        self.sanc, self.folder, self.scratch, self.tally = sanc, folder, scratch, tally
        with open(os.path.join(folder, "model.json"), encoding="utf-8") as file:
            self.stages = len(json.load(file)["stages"])
        self.images = os.path.join(folder, "io.safetensors")
        self.weights = common.read_safetensors(os.path.join(folder, "weights.safetensors"))

    def run(self, features, *options):
        """Shape and numbers."""
        out = os.path.join(self.scratch, "out.safetensors")
        common.run_model(self.sanc, self.folder, self.images, out, "--features", features, *TARGET,
                         *options)
        return common.read_safetensors(out)["output"]

    def check(self, what, found, reference):
        error = common.relative_error(found, reference)
        self.tally.check(error <= ERROR, f"{os.path.basename(self.folder)} {what}: error {error}")

    def check_logits(self):
        (images, channels), pooled = self.run("pooled")
        (classes, _), matrix = self.weights["fc.weight"]
        bias = self.weights["fc.bias"][1]
        logits = [bias[k] + sum(pooled[i * channels + c] * matrix[k * channels + c]
                                for c in range(channels))
                  for i in range(images) for k in range(classes)]
        self.check("fc of pooled", logits, common.read_safetensors(self.images)["output"][1])
        (_, _, height, width), last = self.run(f"stage{self.stages - 1}")
        size = height * width
        means = [sum(last[at:at + size]) / size for at in range(0, len(last), size)]
        self.check("means of the last map", means, pooled)

    def check_evaluator(self):
        for stage in range(self.stages):
            shape, found = self.run(f"stage{stage}", "--batch", "2,1")
            self.tally.check(len(shape) == 4, f"stage{stage}: shape {shape}")
            self.check(f"stage{stage}", found,
                       self.run(f"stage{stage}", "--engine", "eval")[1])

    def check_reference(self, python):
        path = os.path.join(self.scratch, "maps.safetensors")
        common.call(python, "-c", REFERENCE, os.path.dirname(MODULE), self.folder, path)
        maps = common.read_safetensors(path)
        for stage in range(self.stages):
            shape, values = maps[f"stage{stage}"]
            found = self.run(f"stage{stage}")
            self.tally.check(found[0] == shape, f"stage{stage}: shape {found[0]}, must be {shape}")
            self.check(f"stage{stage} of PyTorch", found[1], [max(x, 0) for x in values])

    def object(self, weights, *options):
        path = os.path.join(self.scratch, "net.o")
        common.call(self.sanc, "compile", os.path.join(self.folder, "model.json"), "-w", weights,
                    "-o", path, *TARGET, *options)
        return os.path.getsize(path)

    def check_weights(self):
        """A file without fc: enough for features, not for logits."""
        path = os.path.join(self.scratch, "backbone.safetensors")
        common.write_tensors(path, {name: tensor for name, tensor in self.weights.items()
                                    if not name.startswith("fc.")})
        whole = self.object(os.path.join(self.folder, "weights.safetensors"))
        self.tally.check(self.object(path, "--features", "pooled") < whole, "the object holds fc")
        try:
            self.object(path)
            self.tally.check(False, "logits without fc")
        except common.Failure as failure:
            self.tally.check(failure.status == 3 and "fc.weight" in str(failure), str(failure))
        try:
            self.object(path, "--features", f"stage{self.stages}")
            self.tally.check(False, "a stage too many")
        except common.Failure as failure:
            self.tally.check(failure.status == 2 and f"to stage{self.stages - 1}" in str(failure),
                             str(failure))


def main():
    sanc, tally = common.Sanc(sys.argv[1]), common.Tally()
    python = torch_python.find()
    with tempfile.TemporaryDirectory() as scratch:
        for name in NAMES:
            network = Network(sanc, os.path.join(CASES, name), scratch, tally)
            network.check_logits()
            network.check_evaluator()
            network.check_weights()
            if python and os.path.exists(MODULE):
                network.check_reference(python)
            else:
                tally.skip(f"{name} by PyTorch")
    return tally.end()


if __name__ == "__main__":
    sys.exit(main())
