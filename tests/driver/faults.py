"""The inputs of ../shared/faults, which once went wrong: each ends as its README says is right.

usage: faults.py SANC

Rows without files are elsewhere: large batches in batches.py, exp of 88.5 in
numeric/exponentials.py, offsets and `__metadata__` in errors/weights.py. A row that is still wrong
is in KNOWN, with the reason: it is shown as skipped, and fails once it is right.
"""
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '..', 'numeric'))
import common  # noqa: E402

NET = os.path.join(common.ROOT, 'examples', 'digits', 'pairwise')
MODEL, WEIGHTS = os.path.join(NET, 'model.json'), os.path.join(NET, 'weights.safetensors')
CASE = os.path.join(HERE, '..', 'numeric', 'cases', 'pair_subtraction')
CONVERT = os.path.join(common.ROOT, 'examples', 'convert', 'convert.py')
DONE, INPUT = 0, 3
SLOWER = 1.1  # subnormal weights, at most
KNOWN = {}


class Wrong(Exception):
    """What is not as it should be."""


def expect(condition, what):
    if not condition:
        raise Wrong(what)


class Place:
    """A folder to write in, and sanc."""

    def __init__(self, sanc, folder):
        self.sanc, self.folder = sanc, folder

    def __truediv__(self, name):
        return os.path.join(self.folder, name)

    def command(self, *words, status=DONE, says=''):
        """Runs a command there; what it says on both streams, which has to have `says` in it."""
        done = subprocess.run(words, cwd=self.folder, capture_output=True, text=True, timeout=120,
                              check=False)
        said, line = done.stdout + done.stderr, ' '.join(map(os.path.basename, words))
        expect(done.returncode == status,
               f'{line}: status {done.returncode}, must be {status}: {said.strip()}')
        expect(says in said, f'{line}: does not say {says!r} but {said.strip()!r}')
        return said

    def run(self, *words, **wanted):
        return self.command(self.sanc, *words, **wanted)

    def output(self, model, weights, images, *options):
        """The values of `sanc run`."""
        self.run('run', model, '-w', weights, '--input', images, '--output', 'output', *options)
        return common.read_safetensors(self / 'output')['output'][1]

    def refuses(self, command, model, weights, *options, says):
        """Status 3 with `says`, and no file."""
        before = sorted(os.listdir(self.folder))
        self.run(command, model, '-w', weights, *options, status=INPUT, says=says)
        expect(sorted(os.listdir(self.folder)) == before, 'a file is left')


def fault(*path):
    return common.shared('faults', *path)


def latency(place, weights):
    text = place.run('bench', MODEL, '-w', weights, '--target', 'x86-64-v3', '--seconds', '0.1',
                     '--json')
    return json.loads(text)['latency_ms']['best']


def subnormal(place):
    """The best of some runs in turns, since other work on the machine only ever adds."""
    normal = small = math.inf
    for _ in range(20):
        normal, small = min(normal, latency(place, WEIGHTS)), min(
            small, latency(place, fault('subnormal', 'weights.safetensors')))
        if small <= SLOWER * normal:
            return
    raise Wrong(f'{small:.4f} ms, {normal:.4f} ms with normal weights')


def nan(place):
    for engine in ('native', 'eval', 'eval32'):
        values = place.output(MODEL, WEIGHTS, fault('nan', 'one_pixel.safetensors'), '--engine',
                              engine)
        expect(all(map(math.isnan, values)), f'{engine}: {list(values)}')


def mean(place):
    reference = common.read_safetensors(fault('mean', 'ref512.st'))['output'][1]
    for engine in ('eval', 'native', 'eval32'):
        values = place.output(fault('mean', 'm512.json'), fault('mean', 'w512.st'),
                              fault('mean', 'in512.st'), '--engine', engine)
        error = common.relative_error(values, reference)
        expect(error < 1e-6, f'{engine}: error {error:.2g}, must be below 1e-6')


def overflow(place):
    """Refused where constants are folded; the evaluators, which fold nothing, are right."""
    model, weights, images = (fault('overflow', name)
                              for name in ('model.json', 'weights.safetensors', 'in.safetensors'))
    for words in (('run', '--input', images, '--output', 'o'), ('compile', '-o', 'x.o')):
        place.refuses(words[0], model, weights, *words[1:],
                      says='weights.safetensors: error: constant w')
        place.refuses(words[0], model, weights, *words[1:],
                      says='made of bn_in.running_var, bn_in.weight, conv_in.weight')
    reference = common.read_safetensors(fault('overflow', 'ref.safetensors'))['output'][1]
    for engine in ('eval', 'eval32'):
        error = common.relative_error(place.output(model, weights, images, '--engine', engine),
                                      reference)
        expect(error < 1e-6, f'{engine}: error {error:.2g}, must be below 1e-6')


def tables(place):
    weights, images = fault('tables', 'weights.safetensors'), fault('tables', 'io.safetensors')
    rows = [('tb_big', weights, images,
             '331:1: error: table w338: entry 0 is 1e+09, must be from 0 to 8'),
            ('tb_neg', weights, images,
             '331:1: error: table w338: entry 0 is -1, must be from 0 to 8'),
            ('hw', fault('tables', 'w.st'), fault('tables', 'in.st'),
             '16:1: error: table rows: entry 0 is 2e+09, must be from 0 to 63')]
    for name, with_weights, io, message in rows:
        dump, says = fault('tables', name + '.sanir'), f'{name}.sanir:{message}'
        for options in (('--output', 'o'), ('--output', 'o', '--engine', 'eval')):
            place.refuses('run', dump, with_weights, '--input', io, *options, says=says)
        place.refuses('compile', dump, with_weights, '-o', 'x.o', says=says)
        place.refuses('verify', dump, with_weights, says=says)
    with open(fault('tables', 'tb_neg.sanir'), encoding='utf-8') as file:
        text = file.read()
    with open(place / 'edited.sanir', 'w', encoding='utf-8') as file:
        file.write(text.replace('value = -1,', 'value = 9,'))
    place.refuses('run', 'edited.sanir', weights, '--input', images, '--output', 'o',
                  says='table w338: entry 0 is 9, must be from 0 to 8')


def divide(place):
    """No exception is raised in lanes that nothing uses, and none ends the program where it is
    unmasked."""
    case = common.shared('cases', 'pair_odd_channels')
    with open(os.path.join(case, 'model.json'), encoding='utf-8') as file:
        model = {**json.load(file), 'name': 'm_pair_odd_channels'}
    with open(place / 'model.json', 'w', encoding='utf-8') as file:
        json.dump(model, file)
    place.run('compile', 'model.json', '-w', os.path.join(case, 'weights.safetensors'), '-o',
              'pair_odd_channels.o')
    place.command(
        shutil.which('cc') or 'gcc', '-mavx2', '-I', '.', fault('divide', 'invalid.c'),
        'pair_odd_channels.o', '-o', 'invalid')
    place.command('./invalid', says='rc 0 flags 0')


def edits(place):
    for name, says in [
        ('stack_without_place', "365:3: error: kernel conv0_5x7x16: buffer acc1 must have a place"),
        ('redundant_loop', '479:8: error: the pass apply_schedules cannot go on from here: kernel'),
        ('vec288',
         '421:15: error: kernel layer0_0_sam_conv2_7x9x32_3: loop v: vector, of 288 lanes'),
        ('unroll20k', '421:15: error: kernel layer0_0_sam_conv2_7x9x32_3: loop q: unroll')
    ]:
        place.refuses('compile', fault('edits', name + '.sanir'),
                      fault('edits', 'weights.safetensors'), '-o', 'x.o',
                      says=f'{name}.sanir:{says}')


def prefixes(place):
    images = fault('files', 'f4_beside.safetensors')
    values = place.output(MODEL, fault('names', 'orig_mod.safetensors'), images)
    expect(values == place.output(MODEL, WEIGHTS, images), 'other results than without the prefix')


def lightning(place):
    python = os.environ.get('TORCH_PYTHON', sys.executable)
    if subprocess.run([python, '-c', 'import torch, safetensors'], capture_output=True,
                      check=False).returncode != 0:
        return 'needs PyTorch and safetensors'
    place.command(python, CONVERT, fault('names', 'lightning.ckpt'), 'lightning')
    place.run('compile', 'lightning.json', '-w', 'lightning.safetensors', '-o', 'lightning.o')
    return None


def two_names(place):
    """Models `net` and `Net` in one program."""
    for name in ('net', 'Net'):
        place.run('compile', fault('names', name + '.json'), '-o', name + '.h', '--emit', 'header')
    with open(place / 'both.c', 'w', encoding='utf-8') as file:
        file.write(
            '#include "net.h"\n#include "Net.h"\nint (*one)(const float *, float *, void *, const struct san_exec *) = net_run;\n'
            'int (*other)(const float *, float *, void *, const struct san_exec *) = Net_run;\n')
    place.command(shutil.which('cc') or 'gcc', '-Wall', '-Werror', '-c', 'both.c', '-o', 'both.o')


def files(place):
    place.refuses('compile', MODEL, fault('files', 'pointer.safetensors'), '-o', 'x.o',
                  says='found a pointer of git-LFS')
    expect(
        len(place.output(MODEL, WEIGHTS, fault('files', 'f4_beside.safetensors'))) > 0, 'no output')


def infinite(place):
    """An image with an infinity: results that are NaN or infinite in both count as equal."""
    shape, values = common.read_safetensors(os.path.join(CASE, 'io.safetensors'))['input']
    values[5] = math.inf
    common.write_tensors(place / 'in', {'input': (shape, values)})
    said = place.run('verify', os.path.join(CASE, 'model.json'), '-w',
                     os.path.join(CASE, 'weights.safetensors'), '--input', 'in', '--each-pass',
                     says='passes: error 0 in float64: ok')
    expect('OFF' not in said, said)


ROWS = [
    subnormal, nan, mean, overflow, tables, divide, edits, prefixes, lightning, two_names, files,
    infinite
]


def main():
    fault()
    sanc, tally = os.path.abspath(sys.argv[1]), common.Tally()
    for row in ROWS:
        name, reason = row.__name__, None
        with tempfile.TemporaryDirectory() as folder:
            try:
                skipped = row(Place(sanc, folder))
            except (Wrong, common.Failure) as wrong:
                skipped, reason = None, str(wrong)
        if skipped:
            tally.skip(f'{name}: {skipped}')
        elif name in KNOWN and reason:
            tally.skip(f'{name}: {KNOWN[name]}: {reason}')
        else:
            tally.check(not reason and name not in KNOWN,
                        f'{name}: {reason or "is right now: take it out of KNOWN"}')
    return tally.end()


if __name__ == '__main__':
    sys.exit(main())
