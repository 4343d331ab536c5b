"""Faults put into sanc: allocations and calls that write fail one at a time, signals come at any
moment.

    inject.py SANC LIBRARY [--all] [COMMAND...]

Whatever happens, an output is absent or whole, no other file is left, and the status is 0, 4 with a
message, or the signal. LIBRARY is inject.c. Without --all a sample: some 100 allocations, 10
signals.

What is promised where memory ends: sanc ends with status 4 and "out of memory", also where LLVM or
libstdc++ ask for it. Before main, while the libraries are loaded, nothing is promised. Nor is it
where LLVM itself reads what it did not get (LLVM_READS_NULL).
"""
import argparse
import collections
import concurrent.futures
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '..', 'numeric'))
import common  # noqa: E402

CASE = os.path.join(HERE, '..', 'numeric', 'cases', 'footprint1')
MODEL, WEIGHTS, IMAGES = (os.path.join(CASE, name)
                          for name in ('model.json', 'weights.safetensors', 'io.safetensors'))
SYSTEM = 4
V3 = ['--target', 'x86-64-v3']
COMMANDS = {  # files are written to the folder that the command runs in
    'compile': ['compile', MODEL, '-w', WEIGHTS, '-o', 'net.o'],
    'run': ['run', MODEL, '-w', WEIGHTS, '--input', IMAGES, '--output', 'out', *V3],
    'ir': ['ir', MODEL, '-o', 'net.sanir', *V3],
    'kinds': ['compile', MODEL, '-w', WEIGHTS, '--emit', 'obj,asm,llvm,ir,report', '-o', 'net', *V3],
    'gpu': ['compile', MODEL, '-w', WEIGHTS, '--target', 'nvptx:sm_80', '--emit', 'ptx,launch', '-o', 'net'],
    'evaluate': ['run', MODEL, '-w', WEIGHTS, '--input', IMAGES, '--output', 'out', '--engine', 'eval'],
    'dumps': ['compile', MODEL, '-w', WEIGHTS, '-o', 'net.o', '--dump-ir', 'dumps', *V3],
    'verify': ['verify', MODEL, '-w', WEIGHTS, '--each-pass', *V3],
    'stats': ['stats', MODEL, '--json'],
    'dump': ['compile', 'IN/net.sanir', '-w', WEIGHTS, '-o', 'net.o'],
}
WRITE = ['compile', 'run', 'ir', 'kinds', 'gpu', 'evaluate', 'dumps', 'dump']
LIMITED = ['compile', 'run', 'kinds']
SIGNALS = {'compile': 25, 'run': 25, 'ir': 60, 'evaluate': 60, 'dumps': 30}
# LLVM 19 to 22 copy inline assembly for messages, and never look whether the copy was made.
LLVM_READS_NULL = 'WritableMemoryBuffer21getNewUninitMemBuffer'
ALLOCATIONS = 560  # of each command; a third are sanc's own, where it has so many


def files_of(folder):
    """{name: content} of all files in a folder and those below."""
    found = {}
    for path, _, names in os.walk(folder):
        for name in names:
            with open(os.path.join(path, name), 'rb') as file:
                content = file.read()
                if name == 'passes.tsv':
                    content = re.sub(rb'[\d.]+', b'0', content)  # times
                found[os.path.relpath(os.path.join(path, name), folder)] = content
    return found


def judge(status, said, found, whole, signals):
    """What is wrong with how a run ended, or None. status: as of wait; found, whole: files;
    signals: that may end it."""
    ended = os.waitstatus_to_exitcode(status)
    for name, content in found.items():
        if name not in whole:
            return f'{name} is left'
        if content != whole[name]:
            return f'{name} is not whole: {len(content)} of {len(whole[name])} bytes'
    if ended == 0:  # dumps may have been written before the fault, to another folder
        missing = [name for name in whole if name not in found and not name.startswith('dumps')]
        return f'status 0 without {missing}' if missing else None
    if ended == SYSTEM:
        return None if 'error:' in said else 'status 4 without words'
    return None if -ended in signals else f'status {ended}: {said.strip()[:300]}'


class Trial:
    """A command, its folder, and what it writes undisturbed."""

    def __init__(self, sanc, library, name, scratch):
        self.sanc, self.library, self.name = sanc, library, name
        self.folder, self.faults = os.path.join(scratch, 'cwd'), os.path.join(scratch, 'faults')
        dump = os.path.join(scratch, 'in.sanir')
        self.words = [sanc, *(dump if word == 'IN/net.sanir' else word for word in COMMANDS[name])]
        if dump in self.words:
            common.call(sanc, 'ir', MODEL, '-o', dump, '--after', 'schedule', *V3)
        begin = time.monotonic()
        self.fresh()
        common.call(*self.words, cwd=self.folder)
        self.seconds, self.whole = time.monotonic() - begin, files_of(self.folder)

    def fresh(self):
        for folder in (self.folder, self.faults):
            shutil.rmtree(folder, ignore_errors=True)
            os.mkdir(folder)

    def injected(self, **settings):
        """Runs with faults: [(what failed, wait status, what it said, its files)], and the last
        line of the log."""
        self.fresh()
        preload = ' '.join(filter(None, [asan_of(self.sanc), self.library]))
        environment = {**os.environ, 'LD_PRELOAD': preload, 'INJECT_FOLDER': self.faults,
                       **{f'INJECT_{name}': str(value) for name, value in settings.items()}}
        done = subprocess.run(self.words, cwd=self.folder, env=environment, capture_output=True,
                              text=True, timeout=900, check=False)
        if done.returncode != 0:
            raise common.Failure(self.words, done.returncode, done.stderr)
        with open(os.path.join(self.faults, 'log'), encoding='utf-8') as file:
            *lines, last = file.read().splitlines()
        return list(map(self.child, lines)), list(map(int, last.split()))

    def child(self, line):
        number, rest = line.split(' ', 1)
        what, status = rest.rsplit(' ', 1)
        with open(os.path.join(self.faults, number + '.said'), encoding='utf-8',
                  errors='replace') as file:
            said = file.read()
        return what, int(status), said, files_of(os.path.join(self.faults, number))


def asan_of(program):
    """The address sanitizer's library, which has to come first; '' where there is none."""
    listed = subprocess.run(['ldd', program], capture_output=True, text=True, check=False).stdout
    return next((line.split()[2] for line in listed.splitlines() if 'libasan' in line), '')


def check_all(tally, trial, kind, ends, signals):
    """All ends of a kind as one check; what is wrong is shown once for each place."""
    wrong = collections.Counter()
    for what, status, said, found in ends:
        may = (signal.SIGSEGV,) if LLVM_READS_NULL in what else signals
        why = judge(status, said, found, trial.whole, may)
        if why:
            wrong[f'{what}: {why}'] += 1
    for text in list(wrong)[:10]:
        print(f'  {trial.name}: {text}')
    tally.check(not wrong, f'{trial.name}: {sum(wrong.values())} of {len(ends)} {kind} end wrong')
    return len(ends)


def allocations(tally, trial, wanted):
    _, (own, other) = trial.injected(EVERY_OWN=0, EVERY_OTHER=0)
    every_own = max(1, own // max(wanted // 3, wanted - other))
    every_other = max(1, other // max(1, wanted - own // every_own))
    ends, _ = trial.injected(EVERY_OWN=every_own, EVERY_OTHER=every_other)
    return check_all(tally, trial, 'allocations', ends, ())


def calls(tally, trial):
    ends, _ = trial.injected(CALLS=16 if trial.name == 'dumps' else 1000)
    for what, status, said, _ in ends:
        again = what.endswith(', Interrupted system call') and what.startswith(
            ('write', 'fsync', 'close'))
        if again or what.endswith(', short'):
            tally.check(status == 0, f'{trial.name}: {what}: status {status}: {said}')
    return check_all(tally, trial, 'calls', ends, (signal.SIGTERM, signal.SIGINT))


def signals_at_random(tally, trial, count, rng):
    ends = []
    for _ in range(count):
        trial.fresh()
        number, delay = rng.choice(
            (signal.SIGTERM, signal.SIGINT)), rng.uniform(0, 1.1 * trial.seconds)
        with subprocess.Popen(trial.words, cwd=trial.folder, stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, text=True) as child:
            time.sleep(delay)
            child.send_signal(number)
            said = child.stderr.read()
            ended = child.wait()
        status = ended << 8 if ended >= 0 else -ended
        ends.append((f'{number.name} after {delay:.3f} s', status, said, files_of(trial.folder)))
    return check_all(tally, trial, 'signals', ends, (signal.SIGTERM, signal.SIGINT))


def full_disk(tally, trial):
    """Files of at most so many bytes."""
    ends = []
    sizes = sorted({len(content) for content in trial.whole.values()})
    for size in {0, 1, *(size - 1 for size in sizes), *(size // 2 for size in sizes)}:
        def limit(most=size):
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
        trial.fresh()
        done = subprocess.run(trial.words, cwd=trial.folder, capture_output=True, text=True,
                              preexec_fn=limit, timeout=600, check=False)
        # what it says goes to a pipe, which has no limit
        ends.append((f'{size} bytes', done.returncode << 8, done.stderr, files_of(trial.folder)))
    return check_all(tally, trial, 'limits', ends, ())


def try_command(sanc, library, name, everything, tally):
    """{kind of fault: how many}."""
    counts = {}
    with tempfile.TemporaryDirectory() as scratch:
        trial = Trial(sanc, library, name, scratch)
        if not asan_of(sanc):
            counts['allocations'] = allocations(tally, trial, ALLOCATIONS if everything else 50)
        if name in WRITE:
            counts['calls'] = calls(tally, trial)
        if name in LIMITED:
            counts['limits'] = full_disk(tally, trial)
        if name in SIGNALS:
            count = SIGNALS[name] if everything else 5
            counts['signals'] = signals_at_random(tally, trial, count, random.Random(name))
    return counts


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('sanc')
    parser.add_argument('library')
    parser.add_argument('--all', action='store_true')
    parser.add_argument('commands', nargs='*')
    args = parser.parse_args()
    sanc, library, tally, counts = os.path.abspath(args.sanc), os.path.abspath(
        args.library), common.Tally(), collections.Counter()
    names = args.commands or (list(COMMANDS) if args.all else ['compile', 'run'])
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for result in pool.map(lambda name: try_command(sanc, library, name, args.all, tally),
                               names):
            counts.update(result)
    print(', '.join(f'{count} {kind}' for kind, count in counts.items()))
    return tally.end()


if __name__ == '__main__':
    sys.exit(main())
