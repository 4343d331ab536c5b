"""Random mutants of models, weight files, dumps and files of schedules: each is refused at its
place, or the compiled model says what the evaluator says.

    mutants.py SANC [--count N] [--first N]

A mutant has one to three changes: bits, bytes, pieces removed, doubled, exchanged or taken from
another place, numbers and words replaced, the end cut off. Where a weight has become so large that
float32 has no right answer, the compiled model may be ten times as far off as the evaluation in
float32. A model that has become too large to be tried is compiled no further than to its IR.
"""
import argparse
import collections
import concurrent.futures
import json
import os
import random
import re
import struct
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'numeric'))
import common  # noqa: E402

CASES = ['exact_pairwise', 'mixed', 'footprint1', 'patch_concatenation']
TARGET = 'x86-64-v3'
PASSES = ['expand_batch_norm', 'lower', 'schedule', 'plan_memory']
WORDS = [b'0', b'-1', b'1', b'3', b'1e400', b'4294967296', b'9223372036854775808', b'0.5', b'null',
         b'true', b'[]', b'{}', b'""', b'"x"', b'\xff', b'\\u0000', b'"patchwise"', b'"F16"', b'"I32"']
TOKEN = re.compile(rb'"[^"]*"|[A-Za-z_][\w.]*|-?\d[\d.e+-]*')
LARGEST = 2_000_000  # multiply-adds of a model that is tried
REFUSED = 3
FACTOR = 10


def other_bits(rng, data):
    at = rng.randrange(len(data))
    return data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[at + 1:]


def other_byte(rng, data):
    at = rng.randrange(len(data))
    return data[:at] + bytes([rng.randrange(256)]) + data[at + 1:]


def piece(rng, data):
    begin = rng.randrange(len(data))
    return begin, min(len(data), begin + rng.choice([1, 2, 8, 40]))


def removed(rng, data):
    begin, end = piece(rng, data)
    return data[:begin] + data[end:]


def doubled(rng, data):
    begin, end = piece(rng, data)
    return data[:end] + data[begin:end] + data[end:]


def moved(rng, data):
    begin, end = piece(rng, data)
    at = rng.randrange(len(data))
    return data[:at] + data[begin:end] + data[at:]


def cut(rng, data):
    return data[:rng.randrange(len(data))]


def token(rng, data):
    """Another number or word in the place of one."""
    found = list(TOKEN.finditer(data))
    if not found:
        return other_byte(rng, data)
    match = rng.choice(found)
    new = rng.choice([rng.choice(WORDS), rng.choice(found)[0]])
    return data[:match.start()] + new + data[match.end():]


CHANGES = [other_bits, other_byte, removed, doubled, moved, cut] + 6 * [token]


def mutate(rng, data):
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        data = rng.choice(CHANGES)(rng, data) if data else data
    return data


def mutate_weights(rng, data):
    """The header's length, the header (with the length that it then has, or not), or the rest."""
    (size,) = struct.unpack_from('<Q', data)
    header, rest = data[8:8 + size], data[8 + size:]
    where = rng.choice(['length', 'header', 'header', 'longer', 'rest', 'rest'])
    if where == 'length':
        return mutate(rng, data[:8]) + data[8:]
    if where == 'header':
        header = mutate(rng, header)
        return struct.pack('<Q', len(header)) + header + rest
    if where == 'longer':
        return data[:8] + mutate(rng, header) + rest
    return data[:8 + size] + mutate(rng, rest)


class Mutants:
    def __init__(self, sanc):
        self.sanc, self.dumps, self.schedules = sanc, {}, {}
        for case in CASES:
            text = common.call(sanc, 'compile', self.path(case, 'model.json'), '--target', TARGET,
                               '--emit', 'schedules', '-o', '-')
            self.schedules[case] = text.encode()
            for after in PASSES:
                text = common.call(sanc, 'ir', self.path(case, 'model.json'), '--target', TARGET,
                                   '--after', after)
                self.dumps[case, after] = text.encode()

    @staticmethod
    def path(case, name):
        return os.path.join(common.ROOT, 'tests', 'numeric', 'cases', case, name)

    def make(self, number, folder):
        """(what it is a mutant of, the paths of the model, the weights and perhaps schedules)."""
        rng = random.Random(number)
        case, kind = rng.choice(CASES), rng.choice(['model', 'weights', 'dump', 'schedules'])
        model, weights = self.path(case, 'model.json'), self.path(case, 'weights.safetensors')
        with open(weights if kind == 'weights' else model, 'rb') as file:
            data = file.read()
        if kind == 'dump':
            data = mutate(rng, self.dumps[case, rng.choice(PASSES)])
        elif kind == 'schedules':
            data = mutate(rng, self.schedules[case])
        else:
            data = (mutate_weights if kind == 'weights' else mutate)(rng, data)
        path = os.path.join(folder, {'model': 'm.json', 'weights': 'm.safetensors',
                                     'dump': 'm.sanir', 'schedules': 'm.sched'}[kind])
        with open(path, 'wb') as file:
            file.write(data)
        if kind == 'schedules':
            return kind, model, weights, '--schedules', path
        return (kind, model, path) if kind == 'weights' else (kind, path, weights)

    def too_large(self, model):
        status, out, _ = self.sanc.run('stats', model, '--json')
        return status == 0 and json.loads(out)['macs'] > LARGEST

    def off_in_float32(self, model, weights, error):
        """Whether float32 itself is that far off on the case's images, or has no finite answer."""
        outputs = []
        for engine in ('eval', 'eval32'):
            out = os.path.join(os.path.dirname(weights), engine + '.safetensors')
            images = os.path.join(os.path.dirname(model), 'io.safetensors')
            if self.sanc.run('run', model, '-w', weights, '--input', images, '--output', out,
                             '--engine', engine, '--target', TARGET)[0] != 0:
                return False
            outputs.append(list(common.read_safetensors(out)['output'][1]))
        return error <= FACTOR * common.relative_error(outputs[1], outputs[0])

    def check(self, number):
        """(kind, how it ended, what is wrong or None)."""
        with tempfile.TemporaryDirectory() as folder:
            kind, model, weights, *options = self.make(number, folder)
            if kind == 'model' and self.too_large(model):
                status, _, said = self.sanc.run('ir', model, '-o', os.devnull)
            else:
                status, out, said = self.sanc.run('verify', model, '-w', weights, '--json', *options,
                                                  *([] if kind == 'dump' else ['--target', TARGET]))
            if status == 0:
                return kind, 'right', None
            if status == 1 and kind == 'weights':
                errors = re.findall(r'"error": ([\d.e+-]+|null)', out)
                worst = max(float(error) if error != 'null' else float('inf') for error in errors)
                if self.off_in_float32(model, weights, worst):
                    return kind, 'no right answer in float32', None
            place = re.match(r'\S*m\.(json|sanir|sched):\d+:\d+: error: |\S*m\.\w+: error: '
                             r'|\S*\.safetensors: error: ', said)
            if status == REFUSED and place:
                return kind, 'refused', None
            return kind, 'wrong', f'status {status}: {said}'


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('sanc')
    parser.add_argument('--count', type=int, default=200)
    parser.add_argument('--first', type=int, default=0)
    args = parser.parse_args()
    mutants = Mutants(common.Sanc(args.sanc))
    ends = collections.Counter()
    numbers = range(args.first, args.first + args.count)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for number, (kind, end, why) in zip(numbers, pool.map(mutants.check, numbers)):
            ends[f'{kind} {end}'] += 1
            if why:
                print(f'FAILED {number}, {kind}: {why}', flush=True)
    print(', '.join(f'{count} {end}' for end, count in sorted(ends.items())))
    return 1 if any(end.endswith('wrong') for end in ends) else 0


if __name__ == '__main__':
    sys.exit(main())
