"""Runs the driver on IR texts and compares what it prints with what it has to print.

usage: run.py SANC [--update] [NAME...]

A case is NAME.sanir here; comment lines at its top that begin with "; run: " are commands, carried
out in order in this folder, with %s for the file: "; run: sanc ir %s --after lower". NAME.expected
holds their outputs one after the other: standard output, then standard error, then "exit status N"
where N is not 0. --update writes these files anew: read the difference before you commit it.
"""
import os
import shlex
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
SKIPPED = 77


def commands(name):
    found = []
    with open(os.path.join(HERE, name + '.sanir'), encoding='utf-8', errors='replace') as file:
        for line in file:
            if not line.startswith(';'):
                break
            if line.startswith('; run: '):
                found.append(line[len('; run: '):].strip())
    return found


def output(sanc, name):
    """All that the case's commands print, and None; or None and what is wrong with the case."""
    printed = b''
    found = commands(name)
    if not found:
        return None, 'the first lines have no "; run: COMMAND"'
    for command in found:
        words = shlex.split(command.replace('%s', name + '.sanir'))
        if words[0] != 'sanc':
            return None, f'the command "{command}" must begin with sanc'
        try:
            run = subprocess.run([sanc] + words[1:], cwd=HERE, capture_output=True, timeout=60)
        except subprocess.TimeoutExpired:
            return None, f'"{command}" takes more than 60 s'
        printed += run.stdout + run.stderr
        if run.returncode:
            printed += b'exit status %d\n' % run.returncode
    return printed, None


def difference(expected, printed):
    """The first line that differs."""
    wanted, got = expected.split(b'\n'), printed.split(b'\n')
    for number, (a, b) in enumerate(zip(wanted, got), 1):
        if a != b:
            return (f'line {number} of the output\n  expected: {a.decode(errors="replace")}\n'
                    f'  found:    {b.decode(errors="replace")}')
    return f'{len(got) - 1} lines of output, expected {len(wanted) - 1}'


def check(sanc, name, update):
    """What is wrong with a case, or None."""
    printed, wrong = output(sanc, name)
    path = os.path.join(HERE, name + '.expected')
    if wrong:
        return wrong
    if update:
        with open(path, 'wb') as file:
            file.write(printed)
        return None
    if not os.path.exists(path):
        return f'{name}.expected is missing; run.py --update writes it'
    with open(path, 'rb') as file:
        expected = file.read()
    return None if expected == printed else difference(expected, printed)


def main():
    arguments = sys.argv[1:]
    update = '--update' in arguments
    arguments = [a for a in arguments if a != '--update']
    if not arguments:
        print(__doc__, file=sys.stderr)
        return 2
    sanc, names = os.path.abspath(arguments[0]), arguments[1:]
    if not os.access(sanc, os.X_OK):
        print(f'skipped: {sanc} is not there')
        return SKIPPED
    names = names or sorted(f[:-6] for f in os.listdir(HERE) if f.endswith('.sanir'))
    failed = 0
    for name in names:
        wrong = check(sanc, name, update)
        if wrong:
            print(f'{name}: {wrong}')
            failed += 1
    print(f'{len(names) - failed} passed, {failed} failed')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
