"""Predicted times of kernels against measured ones: the 20 largest of SAN10 within a factor of 1.5.

    predict.py SANC [MODEL.json...]

Measured on this machine, where its processor is one of those described; the best of several runs,
in several turns, since other work on the machine only ever adds. What is predicted is for the
machine's core and the target's instructions.
"""
import array
import json
import math
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
MODELS = os.path.join(HERE, '..', '..', 'examples', 'models')
TARGETS = ['x86-64-v3', 'x86-64-v4']
LARGEST, FACTOR, TURNS = 20, 1.5, 6
SKIPPED = 77


def write_weights(sanc, model, path):
    """Weights that vary, and variances of 1: times do not depend on them."""
    first = subprocess.run([sanc, 'ir', '--list-passes', model], capture_output=True, text=True,
                           check=True)
    graph = subprocess.run([sanc, 'ir', model, '--before', first.stdout.split()[1]],
                           capture_output=True, text=True, check=True).stdout
    header, data = {}, array.array('f')
    for name, dims in re.findall(r'parameter \{ name = "([^"]+)", shape = \[([0-9, ]*)\]', graph):
        shape = [int(dim) for dim in dims.split(',')]
        count, begin = math.prod(shape), 4 * len(data)
        some = [1.0] if name.endswith('.running_var') else [(i * 37 % 101 - 50) / 1000
                                                            for i in range(101)]
        data.extend((some * (count // len(some) + 1))[:count])
        header[name] = {'dtype': 'F32', 'shape': shape, 'data_offsets': [begin, 4 * len(data)]}
    text = json.dumps(header).encode()
    with open(path, 'wb') as file:
        file.write(len(text).to_bytes(8, 'little') + text)
        data.tofile(file)


def bench(sanc, model, weights, target):
    done = subprocess.run([
        sanc, 'bench', model, '-w', weights, '--target', target, '--kernels', '--json', '--seconds',
        '1'
    ], capture_output=True, text=True, timeout=600)
    if done.returncode == 4:
        return None, done.stderr.strip()
    if done.returncode:
        raise SystemExit(f'status {done.returncode}: {done.stderr}')
    return json.loads(done.stdout), None


def off(best, ghz):
    """(ratio, name, predicted, measured) of the largest kernels, the worst last."""
    largest = sorted(best.values(), key=lambda kernel: -kernel['cycles'])[:LARGEST]
    rows = [(kernel['cycles'] / ghz / 1e6 / kernel['best'], kernel) for kernel in largest]
    return sorted(rows, key=lambda row: abs(math.log(row[0])))


def check(sanc, model, weights, target):
    best, ghz, rows = {}, 0, []
    for _ in range(TURNS):
        result, why = bench(sanc, model, weights, target)
        if result is None:
            print(f'skipped {target}: {why}')
            return None
        if result['core'] == 'any':
            print(f'skipped {target}: this processor is not among those described')
            return None
        ghz = max(ghz, result['ghz'])
        for kernel in result['kernels']:
            known = best.setdefault(kernel['name'], {**kernel, 'best': kernel['ms']['best']})
            known['best'] = min(known['best'], kernel['ms']['best'])
        rows = off(best, ghz)
        if 1 / FACTOR <= rows[-1][0] <= FACTOR:
            break
    good = 1 / FACTOR <= rows[-1][0] <= FACTOR
    print(
        f'{"passed" if good else "FAILED"} {os.path.basename(model)} on {target}: {len(rows)} kernels, predicted / measured '
        f'from {min(rows, key=lambda row: row[0])[0]:.2f} to {max(rows, key=lambda row: row[0])[0]:.2f}'
    )
    for ratio, kernel in rows[-5:] if good else rows:
        print(
            f'    {ratio:5.2f}  {kernel["name"]:44} {kernel["bound"]:8} best {kernel["best"]:.4f} ms'
        )
    return good


def main():
    sanc = os.path.abspath(sys.argv[1])
    models = sys.argv[2:] or [os.path.join(MODELS, 'san10_pairwise.json')]
    if not all(map(os.path.exists, models)):
        print(f'skipped: no {models[0]}')
        return SKIPPED
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for model in models:
            weights = os.path.join(folder, 'weights.safetensors')
            write_weights(sanc, model, weights)
            results += [check(sanc, model, weights, target) for target in TARGETS]
    if False in results:
        return 1
    return 0 if True in results else SKIPPED


if __name__ == '__main__':
    sys.exit(main())
