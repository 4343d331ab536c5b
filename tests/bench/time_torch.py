"""The reference in PyTorch eager on one thread: answers lines of standard input as time_model.c does.

time_torch.py FOLDER_OF_THE_REFERENCE CASE
"""
import json
import sys
import time

import torch
from safetensors.torch import load_file

sys.path.insert(0, sys.argv[1])
import san_reference as reference

torch.set_num_threads(1)
torch.set_grad_enabled(False)
with open(sys.argv[2] + "/model.json") as file:
    net = reference.San(json.load(file))
net.load_state_dict(load_file(sys.argv[2] + "/weights.safetensors"), strict=False)
net.eval()
images = load_file(sys.argv[2] + "/io.safetensors")["input"][:1].float()
for line in sys.stdin:
    times = []
    for _ in range(int(line)):
        start = time.perf_counter()
        net(images)
        times.append((time.perf_counter() - start) * 1e3)
    print(*("%.4f" % t for t in times), flush=True)
