#!/usr/bin/env python3
"""How far long work is: shown on a terminal, in one line that is gone at the end; nowhere else.

    progress.py SANC RANDOM_MODELS

Commands run with a pseudo-terminal as standard error, then with a pipe.
"""
import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import tempfile
import termios

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, 'tests', 'numeric'))
import common  # noqa: E402

NETWORK = os.path.join(ROOT, 'examples', 'digits', 'pairwise')
MODEL = [os.path.join(NETWORK, 'model.json'), '-w', os.path.join(NETWORK, 'weights.safetensors'),
         '--target', 'x86-64-v3']
COLUMNS = 60
CLEAR = '\r\x1b[K'


def on_terminal(command, until=None, columns=COLUMNS, **environment):
    """(status, standard output, what a terminal gets as standard error). Stopped once `until`, a
    pattern, is there."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack('HHHH', 24, columns, 0, 0))
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen(command, stdout=out, stderr=theirs, stdin=subprocess.DEVNULL,
                                   env={**os.environ, 'TERM': 'xterm', **environment})
        os.close(theirs)
        shown = b''
        while True:
            try:
                data = os.read(ours, 65536)
            except OSError:  # the last writer is gone
                break
            if not data:
                break
            shown += data
            if until and re.search(until, shown.decode()):
                process.send_signal(signal.SIGTERM)
                until = None
        os.close(ours)
        status = process.wait(timeout=120)
        out.seek(0)
        return status, out.read().decode(), shown.decode()


def on_pipe(command):
    done = subprocess.run(command, capture_output=True, text=True,
                          env={**os.environ, 'TERM': 'xterm'})
    return done.returncode, done.stdout, done.stderr


def check_line(what, shown, patterns, tally):
    """Checks that all patterns are there in this order, each in a line that replaces the one
    before, and that no line is left."""
    lines = shown.split(CLEAR)
    at = 0
    for pattern in patterns:
        while at < len(lines) and not re.fullmatch(pattern, lines[at]):
            at += 1
        tally.check(at < len(lines), f'{what}: no line "{pattern}" in its place: {lines[:20]}')
    tally.check(lines[0] == '' and lines[-1] == '' and '\n' not in shown,
                f'{what}: the line is left behind, or there are others: {lines[-3:]}')
    tally.check(all(len(line) < COLUMNS for line in lines), f'{what}: over {COLUMNS} columns')


def check_command(what, command, patterns, tally, same=True):
    status, out, shown = on_terminal(command)
    tally.check(status == 0, f'{what}: status {status}')
    said, _, rest = shown.partition(CLEAR)  # random_models says which targets it does not run
    check_line(what, CLEAR + rest, patterns, tally)
    piped = on_pipe(command)
    tally.check(piped[0] == 0 and piped[2] == said.replace('\r\n', '\n'),
                f'{what}: a pipe gets {piped}')
    if same:
        tally.check(piped[1] == out, f'{what}: standard output differs')


def check_nothing(sanc, tally):
    for options, environment in ((['--json'], {}), ([], {'TERM': 'dumb'})):
        _, _, shown = on_terminal([sanc, 'verify', *MODEL, '--each-pass', *options], **environment)
        tally.check(shown == '', f'{options} {environment}: {shown!r} on a terminal')
    _, _, shown = on_terminal([sanc, 'verify', *MODEL, '--each-pass', '--time-passes'])
    tally.check(CLEAR not in shown and 'in all' in shown, f'--time-passes: {shown!r}')


def check_failing(sanc, folder, tally):
    """A tolerance that no model meets: messages start on lines of their own."""
    command = [sanc, 'verify', *MODEL, '--tolerance', '1e-15']
    status, _, shown = on_terminal(command, columns=200)
    tally.check(status == 1, f'verify: status {status}')
    last = shown.replace('\r\n', '\n').split(CLEAR)[-1]
    tally.check('looking for the kernel' in shown and last == on_pipe(command)[2],
                f'verify: {shown!r}')
    _, _, shown = on_terminal([*command, '--reduce', os.path.join(folder, 'small')],
                              until=r'reducing: \d+ of at most 60 s, \d+ models tried', columns=200)
    tally.check('models tried' in shown, f'--reduce: {shown!r}')
    _, _, shown = on_terminal([sanc, 'verify', *MODEL[:3], '--target', 'x86-64-v3', '--input',
                               '/nowhere'], columns=200)
    tally.check(shown.startswith('/nowhere: ') and CLEAR not in shown, f'an error: {shown!r}')


def main():
    sanc, random_models = sys.argv[1:]
    if not common.has_terminals():
        common.skip('this system has no pseudo-terminals')
    tally = common.Tally()
    check_command('verify --each-pass', [sanc, 'verify', *MODEL, '--each-pass'],
                  ['evaluating the network', r'evaluating after pass 1 of \d+, \w+',
                   r'evaluating after pass (\d+) of \1, \w+',
                   'compiling and running for x86-64-v3'], tally)
    check_command('bench', [sanc, 'bench', *MODEL, '--kernels', '--seconds', '0.5'],
                  ['measuring what this core can do', 'compiling for x86-64-v3',
                   r'measuring: 0\.\d of 0\.5 s, \d+ runs',
                   r'measuring each kernel: 0\.\d of 0\.5 s, \d+ runs'], tally, same=False)
    check_command('random_models', [random_models, '--count', '3'],
                  ['1 of 3 models, 0 failed', '3 of 3 models, 0 failed'], tally)
    check_nothing(sanc, tally)
    with tempfile.TemporaryDirectory() as folder:
        check_failing(sanc, folder, tally)
    return tally.end()


if __name__ == '__main__':
    sys.exit(main())
