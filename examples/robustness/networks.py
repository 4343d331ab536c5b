"""The three networks in PyTorch, made from their model files, for training and for gradients.

Only what these files use: pairwise subtraction with relative positions and a softmax, patchwise
concatenation, and residual networks of bottlenecks. `sanc` reads the same files and the same names
of weights: ../../compiler/model/README.md.
"""
import json

import torch
import torch.nn.functional as F
from torch import nn


class Attention(nn.Module):
    """Every pixel attends to the k x k pixels around it, with a weight for each of `weights`
    channels, which `share` channels of the values have in common."""

    def __init__(self, channels, pairwise, footprint, share):
        super().__init__()
        relation, values, self.neighbours = channels // 16, channels // 4, footprint ** 2
        self.pairwise, self.footprint, self.share = pairwise, footprint, share
        self.weights = values // share
        self.conv1 = nn.Conv2d(channels, relation, 1)
        self.conv2 = nn.Conv2d(channels, relation, 1)
        self.conv3 = nn.Conv2d(channels, values, 1)
        if pairwise:
            self.conv_p = nn.Conv2d(2, 2, 1)
            widths = [relation + 2, relation, self.weights]
        else:
            widths = [relation * (1 + self.neighbours), self.weights, self.weights * self.neighbours]
        layers = []
        for i, last in enumerate((False, True)):
            layers += [nn.BatchNorm2d(widths[i]), nn.ReLU(),
                       nn.Conv2d(widths[i], widths[i + 1], 1, bias=last)]
        self.conv_w = nn.Sequential(*layers)

    def around(self, x):
        """(n, c, h, w) -> (n, c, neighbours, h * w); beyond the edge the map is mirrored."""
        n, c, h, w = x.shape
        x = F.pad(x, [self.footprint // 2] * 4, mode="reflect")
        return F.unfold(x, self.footprint).view(n, c, self.neighbours, h * w)

    def relation(self, x):
        n, _, h, w = x.shape
        mine, near = self.conv1(x).flatten(2).unsqueeze(2), self.around(self.conv2(x))
        if not self.pairwise:
            return torch.cat([mine, near.flatten(1, 2).unsqueeze(2)], 1)
        across = torch.linspace(-1, 1, w).expand(h, w)
        down = torch.linspace(-1, 1, h).unsqueeze(1).expand(h, w)
        place = self.conv_p(torch.stack([across, down]).unsqueeze(0).to(x))
        offset = place.flatten(2).unsqueeze(2) - self.around(place)
        return torch.cat([mine - near, offset.expand(n, -1, -1, -1)], 1)

    def forward(self, x):
        n, _, h, w = x.shape
        weight = self.conv_w(self.relation(x)).view(n, 1, self.weights, self.neighbours, h * w)
        if self.pairwise:
            weight = weight.softmax(3)
        near = self.around(self.conv3(x)).view(n, self.share, self.weights, self.neighbours, h * w)
        return (weight * near).sum(3).view(n, -1, h, w)


class AttentionBlock(nn.Module):
    def __init__(self, channels, attention):
        super().__init__()
        self.bn1, self.sam = nn.BatchNorm2d(channels), attention
        self.bn2 = nn.BatchNorm2d(channels // 4)
        self.conv = nn.Conv2d(channels // 4, channels, 1)

    def forward(self, x):
        return x + self.conv(F.relu(self.bn2(self.sam(F.relu(self.bn1(x))))))


class San(nn.Module):
    def __init__(self, model):
        super().__init__()
        width, self.stages = model["stem_channels"], len(model["stages"])
        self.conv_in = nn.Conv2d(model["input"]["channels"], width, 1, bias=False)
        self.bn_in = nn.BatchNorm2d(width)
        for i, stage in enumerate(model["stages"]):
            channels, settings = stage["channels"], model["attention"]
            blocks = [AttentionBlock(channels, Attention(channels, settings["type"] == "pairwise",
                                                         settings["footprint"], settings["share"]))
                      for _ in range(stage["blocks"])]
            setattr(self, f"conv{i}", nn.Conv2d(width, channels, 1, bias=False))
            setattr(self, f"layer{i}", nn.Sequential(*blocks))
            setattr(self, f"bn{i}", nn.BatchNorm2d(channels))
            width = channels
        self.fc = nn.Linear(width, model["classes"])

    def forward(self, x):
        x = F.relu(self.bn_in(self.conv_in(x)))
        for i in range(self.stages):
            x = getattr(self, f"layer{i}")(getattr(self, f"conv{i}")(F.max_pool2d(x, 2)))
            x = F.relu(getattr(self, f"bn{i}")(x))
        return self.fc(x.mean((2, 3)))


class Bottleneck(nn.Module):
    def __init__(self, before, channels, stride):
        super().__init__()
        width = channels // 4
        self.conv1 = nn.Conv2d(before, width, 1, bias=False)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.conv3 = nn.Conv2d(width, channels, 1, bias=False)
        self.bn1, self.bn2 = nn.BatchNorm2d(width), nn.BatchNorm2d(width)
        self.bn3 = nn.BatchNorm2d(channels)
        self.downsample = nn.Identity()
        if stride > 1 or before != channels:
            self.downsample = nn.Sequential(nn.Conv2d(before, channels, 1, stride, bias=False),
                                            nn.BatchNorm2d(channels))

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        return F.relu(self.bn3(self.conv3(y)) + self.downsample(x))


class ResNet(nn.Module):
    def __init__(self, model):
        super().__init__()
        width, self.stages = model["stem_channels"], len(model["stages"])
        self.conv1 = nn.Conv2d(model["input"]["channels"], width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        for i, stage in enumerate(model["stages"], 1):
            channels, blocks = stage["channels"], []
            for first in [True] + [False] * (stage["blocks"] - 1):
                blocks.append(Bottleneck(width, channels, 2 if first and i > 1 else 1))
                width = channels
            setattr(self, f"layer{i}", nn.Sequential(*blocks))
        self.fc = nn.Linear(width, model["classes"])

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        for i in range(1, self.stages + 1):
            x = getattr(self, f"layer{i}")(x)
        return self.fc(x.mean((2, 3)))


class Network(nn.Module):
    """Of pictures (n, 8, 8), 0 to 255: enlarged and normalised as the model file says."""

    def __init__(self, path):
        super().__init__()
        with open(path, encoding="utf-8") as file:
            self.model = json.load(file)
        self.net = (ResNet if self.model.get("family") == "resnet" else San)(self.model)

    def forward(self, pictures):
        size = self.model["input"]
        times = size["height"] // pictures.shape[1]
        x = pictures.repeat_interleave(times, 1).repeat_interleave(times, 2).unsqueeze(1) / 255
        return self.net((x - size["mean"][0]) / size["std"][0])
