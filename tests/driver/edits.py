"""Random edits of dumps: each is refused at its place, or compiles to what the evaluator says that
it means.

    edits.py SANC [--count N] [--first N]

An edit changes a number, a name, a loop's kind or a buffer's place, or removes, doubles or
exchanges lines, in dumps after six passes. What is for processors is verified, what is for GPUs
compiled to PTX. Status 5 is for what the compiler made by itself.
"""
import argparse
import concurrent.futures
import os
import random
import re
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'numeric'))
import common  # noqa: E402

PASSES = ['expand_batch_norm', 'lower', 'fuse_pixels', 'schedule', 'apply_schedules', 'plan_memory']
TARGETS = ['x86-64-v3', 'nvptx:sm_80']
CASES = ['exact_pairwise', 'mixed', 'footprint1', 'patch_concatenation']
KINDS = ['', ' serial', ' parallel', ' unroll', ' vector', ' block', ' thread']
PLACES = ['workspace', 'stack', 'registers', 'shared']


def replace(line, match, text, group=0):
    return line[:match.start(group)] + text + line[match.end(group):]


def edit_number(rng, line):
    found = list(re.finditer(r'(?<![\w.%])\d+', line))
    if not found:
        return None
    match = rng.choice(found)
    value = int(match[0])
    return replace(
        line, match,
        str(rng.choice([value + 1,
                        max(0, value - 1), 2 * value, 0, 1, 100 * value, 20000])))


def edit_name(rng, line):
    found = list(re.finditer(r'\b[a-z]\w*\b', line))
    if len(found) < 2:
        return None
    match, other = rng.sample(found, 2)
    return replace(line, match, other[0])


def edit_kind(rng, line):
    found = list(re.finditer(r'in \d+((?: \w+)?)(?=[,{ ]|$)', line)) if 'for ' in line else []
    return replace(line, rng.choice(found), rng.choice(KINDS), 1) if found else None


def edit_place(rng, line):
    match = re.search(r': (workspace|stack|registers|shared|weights) ', line)
    return replace(line, match, rng.choice(PLACES), 1) if match else None


def edit(rng, lines):
    """The lines with one edit, and what that was."""
    lines = list(lines)
    while True:
        kind = rng.choice([edit_number] * 3 +
                          [edit_name, edit_kind, edit_place, 'removed', 'doubled', 'exchanged'])
        at, other = rng.randrange(len(lines)), rng.randrange(len(lines))
        old = lines[at]
        if kind == 'removed':
            del lines[at]
        elif kind == 'doubled':
            lines.insert(at, old)
        elif kind == 'exchanged':
            lines[at], lines[other] = lines[other], old
        else:
            new = kind(rng, old)
            if new is None or new == old:
                continue
            lines[at] = new
            return lines, f'line {at + 1}: {old.strip()} => {new.strip()}'
        return lines, f'line {at + 1} {kind}: {old.strip()}'


def check(sanc, weights, target, lines):
    """What sanc does wrong with an edited dump, or None."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'edited.sanir')
        with open(path, 'w', encoding='utf-8') as file:
            file.write('\n'.join(lines))
        words = ['verify', path, '-w', weights] if target in TARGETS[:1] else \
            ['compile', path, '--emit', 'ptx', '-o', os.path.join(folder, 'edited.ptx')]
        status, _, said = sanc.run(*words)
    if status == 0:
        return None
    place = re.match(r'\S+\.sanir:\d+:\d+: error: |\S+\.safetensors: error: tensor ', said)
    return None if status == 3 and place else f'status {status}: {said}'


class Edits:
    def __init__(self, sanc):
        self.sanc, self.dumps = sanc, {}
        for case in CASES:
            for target in TARGETS:
                for after in PASSES:
                    text = common.call(sanc, 'ir', self.path(case, 'model.json'), '--target',
                                       target, '--after', after)
                    self.dumps[case, target, after] = text.split('\n')

    @staticmethod
    def path(case, name):
        return os.path.join(common.ROOT, 'tests', 'numeric', 'cases', case, name)

    def check(self, number):
        """What is wrong with an edit, or None."""
        rng = random.Random(number)
        case, target, after = rng.choice(CASES), rng.choice(TARGETS), rng.choice(PASSES)
        lines, what = edit(rng, self.dumps[case, target, after])
        why = check(self.sanc, self.path(case, 'weights.safetensors'), target, lines)
        return why and f'FAILED {number}: {case} for {target} after {after}, {what}\n{why}'


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('sanc')
    parser.add_argument('--count', type=int, default=150)
    parser.add_argument('--first', type=int, default=0)
    args = parser.parse_args()
    edits, failed = Edits(common.Sanc(args.sanc)), 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for why in pool.map(edits.check, range(args.first, args.first + args.count)):
            if why:
                failed += 1
                print(why, flush=True)
    print(f'{args.count - failed} of {args.count} edits are as they should be')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
