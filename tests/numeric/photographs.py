#!/usr/bin/env python3
"""Photographs through an ImageNet-sized network of bytes, against PyTorch.

    photographs.py SANC [--count N]

Random pictures, PNG and JPEG of many sizes, go through `sanc run` as files; PIL prepares them for
the reference network in float64 as the published evaluation does: shorter side 256, bilinear, the
centre 224 x 224, mean and deviation of ImageNet. The reference lies in ../shared, which is not part
of the project. Needs PyTorch, NumPy and PIL (see torch_python.py).

Late versions of PIL resize the height first where it is more than twice the width, which moves
some bytes by one level: no picture is so narrow. JPEG decoders differ by a few levels. So PIL's pixels of those, as an .npy file, are what has to
give the reference's logits, and the file itself the same class.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile

import common
import torch_python

MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
ERROR = 1e-5
NAME = "san10_pairwise"

# Runs in the Python that has PyTorch: makes the pictures, and the logits of each.
REFERENCE = '''
import json, sys
import numpy, torch
from PIL import Image
folder, shared, model, weights, count, norm = sys.argv[1:7]
sys.path.insert(0, shared)
import san_reference
from safetensors.torch import load_file

def picture(rng):
    """Waves of every length, noise and a box: smooth parts and edges."""
    height, width = (int(n) for n in rng.integers(90, 700, 2))
    height = min(height, 2 * width)
    y, x = numpy.mgrid[:height, :width] / 200
    image = numpy.zeros((height, width, 3))
    for channel in range(3):
        for _ in range(6):
            a, b, phase, size = rng.normal(size=4)
            image[..., channel] += size * numpy.sin(9 * (a * x + b * y) + 6 * phase)
    image = 128 + 40 * image + rng.normal(size=image.shape) * rng.uniform(0, 40)
    top, left = rng.integers(height // 2), rng.integers(width // 2)
    image[top:top + height // 3, left:left + width // 3] = rng.uniform(0, 255, 3)
    return Image.fromarray(image.clip(0, 255).astype(numpy.uint8))

def prepared(path):
    """As torchvision's Resize(256) and CenterCrop(224) do."""
    image = Image.open(path).convert("RGB")
    width, height = image.size
    short, long = min(width, height), max(width, height)
    size = (256, int(256 * long / short)) if width <= height else (int(256 * long / short), 256)
    image = image.resize(size, Image.BILINEAR)
    left, top = (int(round((n - 224) / 2.0)) for n in image.size)
    return numpy.asarray(image.crop((left, top, left + 224, top + 224)))

rng = numpy.random.default_rng(1)
paths = []
for i in range(int(count)):
    paths.append(f"{folder}/{i:02}." + ("png" if i % 2 == 0 else "jpg"))
    picture(rng).save(paths[-1], **({} if i % 2 == 0 else {"quality": int(rng.integers(60, 98))}))
images = numpy.stack([prepared(path) for path in paths])
numpy.save(f"{folder}/prepared.npy", images)
net = san_reference.San(json.load(open(model))).double().eval()
net.load_state_dict({k: v.double() for k, v in load_file(weights).items()})
mean, std = (torch.tensor(v, dtype=torch.float64).view(3, 1, 1) for v in json.loads(norm))
with torch.no_grad():
    logits = [net(((torch.tensor(image.transpose(2, 0, 1)).double() / 255 - mean) / std)[None])[0]
              for image in images]
numpy.save(f"{folder}/reference.npy", torch.stack(logits).numpy())
'''
COMPARE = '''
import sys
import numpy
folder = sys.argv[1]
reference, pixels, files = (numpy.load(f"{folder}/{name}.npy")
                            for name in ("reference", "pixels", "files"))
def error(a, b):
    return numpy.linalg.norm(a - b) / numpy.linalg.norm(b)
classes = reference.argmax(1)
print(max(error(a, b) for a, b in zip(pixels, reference)),
      max(error(a, b) for a, b in zip(files[::2], reference[::2])),
      (pixels.argmax(1) != classes).sum(), (files[::2].argmax(1) != classes[::2]).sum(),
      (files[1::2].argmax(1) != classes[1::2]).sum(),
      max(error(a, b) for a, b in zip(files[1::2], reference[1::2])), len(set(classes)))
'''


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sanc")
    parser.add_argument("--count", type=int, default=50)
    args = parser.parse_args()
    python = torch_python.find("torch, safetensors.torch, numpy, PIL") or common.skip(
        "no PyTorch with NumPy and PIL; TORCH_PYTHON can name a Python with them")
    shared, tally = common.shared("reference"), common.Tally()
    network = os.path.join(common.NETWORKS, NAME + ".json")
    case = torch_python.make_case(python, network,
                                  os.path.join(common.ROOT, "build", "models", NAME))
    weights = os.path.join(case, "weights.safetensors")
    with open(network, encoding="utf-8") as file:
        model = json.load(file)
    model["input"] = {"channels": 3, "height": 224, "width": 224, "type": "u8", "layout": "nhwc",
                      "mean": MEAN, "std": STD}
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(model, file)
        subprocess.run([python, "-c", REFERENCE, folder, shared, network, weights,
                        str(args.count), json.dumps([MEAN, STD])], check=True)
        pictures = sorted(os.path.join(folder, name) for name in os.listdir(folder)
                          if name.endswith((".png", ".jpg")))
        run = [args.sanc, "run", path, "-w", weights, "--target", "native", "--input"]
        common.call(*run, os.path.join(folder, "prepared.npy"), "-o",
                    os.path.join(folder, "pixels.npy"))
        common.call(*run, *pictures, "-o", os.path.join(folder, "files.npy"))
        found = common.call(python, "-c", COMPARE, folder).split()
    pixels, png, jpeg = float(found[0]), float(found[1]), float(found[5])
    print(f"{args.count} pictures of {found[6]} classes: error of PIL's pixels {pixels:.1e}, of PNG "
          f"files {png:.1e}, of JPEG files {jpeg:.1e}")
    tally.check(pixels <= ERROR, f"PIL's pixels: error {pixels:.2e} over {ERROR}")
    tally.check(png <= ERROR, f"PNG files: error {png:.2e} over {ERROR}")
    for what, count in zip(("PIL's pixels", "PNG files", "JPEG files"), found[2:5]):
        tally.check(count == "0", f"{what}: {count} of another class")
    return tally.end()


if __name__ == "__main__":
    sys.exit(main())
