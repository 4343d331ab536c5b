#!/usr/bin/env python3
"""The commands of examples/guides/*.md, and what they print.

    guides.py SANC [PAGE...]

A page's blocks of `sh` run one after another in one shell, in a folder that has `examples` and
`runtime` as the project's has. A block of `text` is what the one before prints; … stands for
anything.
"""
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'numeric'))
import common  # noqa: E402
import digits  # noqa: E402

GUIDES = os.path.join(common.ROOT, 'examples', 'guides')
END = '--- end of a block ---'
SYSTEM = 4


def find_python():
    """A Python with NumPy; ends the test as skipped where there is none."""
    for python in sys.executable, '/usr/bin/python3', os.environ.get('TORCH_PYTHON'):
        if python and os.path.exists(python) and subprocess.run(
                [python, '-c', 'import numpy'], capture_output=True, check=False).returncode == 0:
            return python
    return common.skip('no Python with NumPy (Debian: python3-numpy)')


def blocks(page):
    """[(commands, what they print or None)]"""
    with open(os.path.join(GUIDES, page), encoding='utf-8') as file:
        found = re.findall(r'^```(sh|text)\n(.*?)^```', file.read(), re.S | re.M)
    pairs = []
    for language, text in found:
        if language == 'sh':
            pairs.append([text, None])
        else:
            pairs[-1][1] = text
    return pairs


def check(sanc, python, page, tally):
    with tempfile.TemporaryDirectory() as scratch:
        for name in ('examples', 'runtime'):
            os.symlink(os.path.join(common.ROOT, name), os.path.join(scratch, name))
        os.mkdir(os.path.join(scratch, 'bin'))
        os.symlink(sanc, os.path.join(scratch, 'bin', 'sanc'))
        with open(os.path.join(scratch, 'bin', 'python3'), 'w', encoding='utf-8') as file:
            file.write(f'#!/bin/sh\nexec {python} "$@"\n')
        os.chmod(file.name, 0o755)
        digits.write_input(os.path.join(scratch, 'images.safetensors'))
        pairs = blocks(page)
        script = ''.join(f'{text}echo "{END}"\n' for text, _ in pairs)
        path = os.path.join(scratch, 'bin') + os.pathsep + os.environ['PATH']
        done = subprocess.run(['bash', '-euc', script], cwd=scratch, capture_output=True, text=True,
                              env={**os.environ, 'PATH': path}, timeout=300, check=False)
    if done.returncode == SYSTEM:
        tally.skip(f'{page}: {done.stderr.strip()}')
        return
    tally.check(done.returncode == 0, f'{page}: status {done.returncode}: {done.stderr}')
    for (text, wanted), printed in zip(pairs, done.stdout.split(END + '\n')):
        if wanted is not None:
            pattern = '.*'.join(map(re.escape, wanted.split('…')))
            tally.check(re.fullmatch(pattern, printed, re.S),
                        f'{page}: {text}printed\n{printed}, the page says\n{wanted}')


def main():
    tally, python = common.Tally(), find_python()
    for page in sys.argv[2:] or sorted(os.listdir(GUIDES)):
        if page != 'README.md':
            check(os.path.abspath(sys.argv[1]), python, page, tally)
    return tally.end()


if __name__ == '__main__':
    sys.exit(main())
