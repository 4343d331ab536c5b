"""Deep models go through all passes in a time that grows with their blocks, not with the square of
them.

    deep.py SANC

Passes that search the whole network for each of its parts took minutes here.
"""
import json
import os
import resource
import subprocess
import sys
import tempfile

SECONDS = 20  # of processor time, sanitizers included
BLOCKS = 256  # the most that a stage may have
STAGES = {
    'neighbours': {'channels': 32, 'attention': {'footprint': 3}},
    # every value is of its own pixel, so that all could be one kernel
    'pixels': {'channels': 16, 'attention': {'footprint': 1, 'share': 1, 'value_channels': 1,
                                             'relation_channels': 1}},
}


def check(sanc, name, folder):
    path = os.path.join(folder, f'{name}.json')
    with open(path, 'w', encoding='utf-8') as file:
        json.dump({'format': 'san', 'version': 1, 'name': name, 'classes': 10, 'stem_channels': 16,
                   'input': {'height': 32, 'width': 32},
                   'stages': [{'blocks': BLOCKS, **STAGES[name]}]}, file)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    process = subprocess.run([sanc, 'ir', path, '-o', os.devnull, '--time-passes'],
                             stderr=subprocess.PIPE, text=True, timeout=600)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime - before.ru_utime
    good = process.returncode == 0 and seconds <= SECONDS
    print(
        f'{"passed" if good else "FAILED"} {name}: {BLOCKS} blocks take {seconds:.1f} s of at most '
        f'{SECONDS}, status {process.returncode}')
    if not good:
        print(process.stderr)
    return good


def main():
    sanc = os.path.abspath(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        results = [check(sanc, name, folder) for name in STAGES]
    return 0 if all(results) else 1


if __name__ == '__main__':
    sys.exit(main())
