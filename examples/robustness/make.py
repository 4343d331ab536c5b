#!/usr/bin/env python3
"""Trains the three networks and attacks them; writes what run.sh judges.

    make.py [--attacks]     --attacks: of the weights that are here

Needs PyTorch, safetensors and scikit-learn, whose 1797 handwritten digits of 8 x 8 pixels are the
pictures: 1297 to train with, 500 to test with. Writes KIND/weights.safetensors, digits.safetensors
(the 500, with their labels) and attacks.safetensors. A few minutes on two processors.
"""
import os
import sys

import numpy as np
import sklearn.datasets
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

import networks

HERE = os.path.dirname(os.path.abspath(__file__))
KINDS = ["pairwise", "patchwise", "resnet"]
TESTED, EPOCHS, BATCH, RATE = 500, 40, 64, 3e-3
# of an attack: the largest change of a pixel (of 255), steps, and a step as a part of that change
CHANGES, STEPS, STEP = [8, 16, 24, 32, 48], 40, 0.1


def pictures():
    """(training pictures, labels, test pictures, labels); a pixel is 0 to 255."""
    digits = sklearn.datasets.load_digits()
    order = np.random.RandomState(1).permutation(len(digits.target))
    images = torch.from_numpy(np.rint(digits.images * 255 / 16)[order]).float()
    labels = torch.from_numpy(digits.target[order]).long()
    return images[TESTED:], labels[TESTED:], images[:TESTED], labels[:TESTED]


def shifted(images):
    """Each by up to a pixel up or down, left or right."""
    padded = F.pad(images, (1, 1, 1, 1))
    moves = torch.randint(0, 3, (len(images), 2)).tolist()
    return torch.stack([padded[i, down:down + 8, right:right + 8]
                        for i, (down, right) in enumerate(moves)])


def train(kind, images, labels):
    torch.manual_seed(1)
    network = networks.Network(os.path.join(HERE, kind, "model.json"))
    steps = EPOCHS * (len(images) // BATCH)
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps)
    for _ in range(EPOCHS):
        for some in torch.randperm(len(images)).split(BATCH)[:len(images) // BATCH]:
            loss = F.cross_entropy(network(shifted(images[some])), labels[some], label_smoothing=0.05)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return network.eval()


def weights_path(kind):
    return os.path.join(HERE, kind, "weights.safetensors")


def load(kind):
    network = networks.Network(os.path.join(HERE, kind, "model.json"))
    network.net.load_state_dict(load_file(weights_path(kind)), strict=False)
    return network.eval()


def attack(network, images, targets, change):
    """Targeted projected gradient descent: the pictures, changed by at most `change` in each pixel
    so that the network takes them for `targets`; whole numbers."""
    torch.manual_seed(1)
    moved = images + (2 * torch.rand_like(images) - 1) * change
    for _ in range(STEPS):
        moved = moved.clamp(0, 255).requires_grad_()
        (slope,) = torch.autograd.grad(F.cross_entropy(network(moved), targets), moved)
        moved = moved.detach() - STEP * change * slope.sign()
        moved = torch.minimum(torch.maximum(moved, images - change), images + change)
    return moved.clamp(0, 255).round()


def main():
    images, labels, tests, truth = pictures()
    torch.manual_seed(2)
    targets = (truth + torch.randint(1, 10, truth.shape)) % 10  # any digit but the right one
    attacks = {}
    for kind in KINDS:
        if "--attacks" not in sys.argv:
            network = train(kind, images, labels)
            save_file({name: tensor.contiguous() for name, tensor in
                       network.net.state_dict().items() if "num_batches" not in name},
                      weights_path(kind))
        network = load(kind)
        right = (network(tests).argmax(1) == truth).float().mean()
        print(f"{kind}: {100 * right:.1f}% of the test pictures", flush=True)
        for change in CHANGES:
            moved = attack(network, tests, targets, change)
            hit = (network(moved).argmax(1) == targets).float().mean()
            attacks[f"{kind}.{change}"] = moved.to(torch.uint8)
            print(f"  changed by {change}: {100 * hit:.1f}% taken for the target", flush=True)
    save_file({"image": tests.to(torch.uint8), "label": truth, "target": targets},
              os.path.join(HERE, "digits.safetensors"))
    save_file(attacks, os.path.join(HERE, "attacks.safetensors"))


if __name__ == "__main__":
    main()
