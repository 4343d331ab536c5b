"""The paper's table 2, as `sanc stats --count paper` counts: parameters and FLOPs of SAN10, SAN15
and SAN19, and of the residual networks that they are compared with.

    paper.py SANC

Prints the table beside the numbers that were published, which have one digit after the point.
"""
import json
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "numeric"))
import common  # noqa: E402

# Millions of parameters, thousands of millions of operations.
PUBLISHED = {
    'san10_pairwise': (10.5, 2.2), 'san10_patchwise': (11.8, 1.9),
    'san15_pairwise': (14.1, 3.0), 'san15_patchwise': (16.2, 2.6),
    'san19_pairwise': (17.6, 3.8), 'san19_patchwise': (20.5, 3.3),
    'resnet26': (13.7, 2.4), 'resnet38': (19.6, 3.2), 'resnet50': (25.6, 4.1),
}


def counts(sanc, network):
    path = os.path.join(common.NETWORKS, network + '.json')
    report = json.loads(common.call(sanc, 'stats', path, '--count', 'paper', '--json'))
    return report['parameters'] / 1e6, report['paper_flops'] / 1e9


def check_page(sanc):
    """The table of examples/models/README.md has these numbers, and its command works."""
    with open(os.path.join(common.NETWORKS, 'README.md'), encoding='utf-8') as file:
        page = file.read()
    rows = dict(re.findall(r'^\| `(\w+)` \| (.*) \|$', page, re.M))
    good = len(rows) == len(PUBLISHED)
    for network, (parameters, flops) in PUBLISHED.items():
        good = good and f'{parameters} M | {flops} G' in rows[network]
    command = re.search(r'^    build/release/sanc (stats .*)$', page, re.M)[1].split()
    return good and 'total' in common.call(sanc, *command, cwd=common.ROOT)


def main():
    failed = 0
    print('network          parameters  published    FLOPs  published')
    for network, published in PUBLISHED.items():
        found = counts(sys.argv[1], network)
        same = all(f'{value:.1f}' == f'{right:.1f}' for value, right in zip(found, published))
        failed += not same
        print(f'{network:16} {found[0]:9.2f} M {published[0]:8.1f} M {found[1]:6.2f} G '
              f'{published[1]:8.1f} G{"" if same else "  FAILED: another number"}')
    if not check_page(os.path.abspath(sys.argv[1])):
        print('FAILED: examples/models/README.md')
        failed += 1
    print(f'{len(PUBLISHED) + 1 - failed} passed, {failed} failed')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
