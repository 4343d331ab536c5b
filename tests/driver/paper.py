"""The paper's table 2, as `sanc stats --count paper` counts: parameters and FLOPs of SAN10, SAN15 and SAN19.

    paper.py SANC

Prints the table beside the numbers that were published, which have one digit behind the point.
"""
import json
import os
import subprocess
import sys
import tempfile

BLOCKS = {'SAN10': [2, 1, 2, 4, 1], 'SAN15': [3, 2, 3, 5, 2], 'SAN19': [3, 3, 4, 6, 3]}
CHANNELS = [64, 256, 512, 1024, 2048]
# Millions of parameters, thousands of millions of operations.
PUBLISHED = {
    ('SAN10', 'pairwise'): (10.5, 2.2), ('SAN10', 'patchwise'): (11.8, 1.9),
    ('SAN15', 'pairwise'): (14.1, 3.0), ('SAN15', 'patchwise'): (16.2, 2.6),
    ('SAN19', 'pairwise'): (17.6, 3.8), ('SAN19', 'patchwise'): (20.5, 3.3),
}


def model(network, kind):
    stages = [{'blocks': blocks, 'channels': channels}
              for blocks, channels in zip(BLOCKS[network], CHANNELS)]
    stages[0]['attention'] = {'footprint': 3}
    return {'format': 'san', 'version': 1, 'name': f'{network.lower()}_{kind}', 'classes': 1000,
            'attention': {'type': kind}, 'stages': stages}


def counts(sanc, network, kind):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'model.json')
        with open(path, 'w', encoding='utf-8') as file:
            json.dump(model(network, kind), file)
        out = subprocess.run([sanc, 'stats', path, '--count', 'paper', '--json'], check=True,
                             stdout=subprocess.PIPE, timeout=300).stdout
    report = json.loads(out)
    return report['parameters'] / 1e6, report['paper_flops'] / 1e9


def main():
    failed = 0
    print('network  attention   parameters  published    FLOPs  published')
    for (network, kind), published in PUBLISHED.items():
        found = counts(sys.argv[1], network, kind)
        same = all(f'{value:.1f}' == f'{right:.1f}' for value, right in zip(found, published))
        failed += not same
        print(f'{network:8} {kind:10} {found[0]:9.2f} M {published[0]:8.1f} M {found[1]:6.2f} G '
              f'{published[1]:8.1f} G{"" if same else "  FAILED: another number"}')
    print(f'{len(PUBLISHED) - failed} passed, {failed} failed')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
