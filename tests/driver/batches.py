"""Networks of any batch and size compile: what the verifier looks at does not grow with them.

    batches.py SANC                                  small models, in batches of up to 256
    batches.py SANC --networks                       the largest of examples/models
    batches.py SANC --random RANDOM_MODELS [COUNT]   models over the whole format, which RANDOM_MODELS draws
"""
import concurrent.futures
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'numeric'))
import common

SECONDS = 20  # of processor time for one model, sanitizers included
BATCHES = [1, 2, 7, 64, 256]
SETTINGS = [['x86-64-v3,x86-64-v4'], ['nvptx:sm_70,nvptx:sm_80'],
            ['nvptx:sm_80', '--precision', 'tf32'], ['nvptx:sm_90', '--precision', 'bf16']]


def model(name, size, stages, **attention):
    return {
        'format': 'san', 'version': 1, 'name': name, 'classes': 10, 'stem_channels': stages[0][1],
        'input': {'height': size, 'width': size}, 'attention': attention,
        'stages': [{'blocks': blocks, 'channels': channels} for blocks, channels in stages]
    }


MODELS = [
    # maps of 112 x 112 and 56 x 56, whose borders are kernels of their own
    model('borders', 224, [(1, 16), (1, 32)], footprint=3, share=4),
    model('patches', 112, [(1, 16), (1, 32)], footprint=3, share=4, type='patchwise'),
    # a kernel that keeps a tile of 256 channels beside the blocks of its last linear
    {
        'format': 'san', 'version': 1, 'name': 'residual', 'family': 'resnet', 'classes': 10,
        'stages': [{'blocks': 1, 'channels': 256}]
    },
]
# more elements than may be looked at one by one
LARGE = model('large', 4096, [(26, 4)], footprint=3, share=1, relation_channels=2, value_channels=2)


def run(sanc, arguments):
    """The status, what is said, seconds of processor time."""
    status, out, said = sanc.run(*arguments)
    return status, out + said, sanc.seconds()


def check(sanc, path, batch, setting, seconds=SECONDS):
    status, text, took = run(
        sanc, ['ir', path, '--batch',
               str(batch), '--target', *setting, '-o', os.devnull])
    good = status == 0 and took <= seconds * (1 + setting[0].count(','))
    if not good:
        print(
            f'FAILED {os.path.basename(path)}, batch {batch}, {" ".join(setting)}: status {status}, {took:.1f} s of at '
            f'most {seconds}\n{text}')
    return good


def check_kernels(sanc, path, folder, seconds):
    """From the model to kernels for a GPU."""
    status, text, took = run(sanc, [
        'compile', path, '--batch', '64', '--target', 'nvptx:sm_80', '--emit', 'ptx', '-o',
        os.path.join(folder, 'kernels.ptx')
    ])
    good = status == 0 and took <= seconds
    print(
        f'{"passed" if good else "FAILED"} {os.path.basename(path)}, kernels at batch 64: status {status}, '
        f'{took:.1f} s of at most {seconds}\n{text}', end='')
    return good


def small(sanc, folder):
    good = []
    for entry in [*MODELS, LARGE]:
        path = os.path.join(folder, entry['name'] + '.json')
        with open(path, 'w', encoding='utf-8') as file:
            json.dump(entry, file)
        batches = [1] if entry is LARGE else BATCHES
        good += [check(sanc, path, batch, setting) for batch in batches for setting in SETTINGS]
    return good


def networks(sanc, folder):
    paths = [os.path.join(common.NETWORKS, name + '.json') for name in common.LARGEST]
    good = [
        check(sanc, path, batch, setting, 5) for path in paths for batch in BATCHES
        for setting in SETTINGS
    ]
    return good + [check_kernels(sanc, path, folder, 15) for path in paths if 'san19' in path]


def random(sanc, folder, program, count='300'):
    subprocess.run([program, '--write', folder, '--count', count], check=True,
                   stdout=subprocess.DEVNULL)
    jobs = [(os.path.join(folder, name, 'model.json'), batch, setting)
            for name in sorted(os.listdir(folder)) for batch in BATCHES for setting in SETTINGS]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(lambda job: check(sanc, *job), jobs))


def main():
    sanc = common.Sanc(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        if sys.argv[2:3] == ['--networks']:
            good = networks(sanc, folder)
        elif sys.argv[2:3] == ['--random']:
            good = random(sanc, folder, *sys.argv[3:])
        else:
            good = small(sanc, folder)
    print(f'{sum(good)} of {len(good)} compile')
    return 0 if all(good) else 1


if __name__ == '__main__':
    sys.exit(main())
