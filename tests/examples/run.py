#!/usr/bin/env python3
"""The examples that need more than sanc: each one's command, and what its README promises.

    run.py SANC openmp | cluster | server | photo | robustness | paper

Their run.sh builds in build/release, as a user's would. Python with Ray is RAY_PYTHON,
TORCH_PYTHON or python3.
"""
import os
import re
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'numeric'))
import common  # noqa: E402

EXAMPLES = os.path.join(common.ROOT, 'examples')
WORKER = rb'ray::MapWorker\(MapBatches\(Classifier\)\)\.'  # at work; an idle one has no dot
SECONDS = 300


def run(name, *words, **environment):
    """What run.sh prints."""
    done = subprocess.run([os.path.join(EXAMPLES, name, 'run.sh'), *words], env={**os.environ, **environment},
                          capture_output=True, text=True, timeout=SECONDS, check=False)
    if done.returncode:
        raise common.Failure([f'examples/{name}/run.sh'], done.returncode, done.stdout + done.stderr)
    return done.stdout


def check_openmp(tally):
    for threads in '1', '2', '3':
        text = run('openmp', OMP_NUM_THREADS=threads)
        tally.check('986 of 1000 correct, 1000 with the bits of one thread' in text, text)
        tally.check(f'on {threads} threads' in text, text)


def check_photo(tally):
    page = page_of('photo')
    text = run('photo')
    for line in re.findall(r'^    (examples/photo/\w+\.jpg: .*)', page, re.M):
        tally.check(line + '\n' in text, f'{line}: printed was {text}')
        name, best = line.split()[:2]
        tally.check(f'{name} {best}\n' in text, f'in C++: {text}')
    installed = os.path.join(common.ROOT, 'build', 'photo', 'installed')
    environment = {**os.environ, 'PATH': os.path.join(installed, 'bin') + ':' + os.environ['PATH'],
                   'PKG_CONFIG_PATH': ':'.join(folder for folder, _, names in os.walk(installed)
                                               if 'sanrt.pc' in names)}
    command = re.search(r'^    (sanc run .*\\\n.*)', page, re.M)[1]
    text = subprocess.run(['bash', '-euc', command], cwd=common.ROOT, env=environment, text=True,
                          capture_output=True, check=False)
    tally.check(text.returncode == 0 and 'seven' in text.stdout, text.stdout + text.stderr)
    make = ['make', '-f', os.path.join(EXAMPLES, 'photo', 'Makefile'), 'photo']
    folder = os.path.join(common.ROOT, 'build', 'photo', 'make')
    os.makedirs(folder, exist_ok=True)
    common.call('env', *(f'{name}={environment[name]}' for name in ('PATH', 'PKG_CONFIG_PATH')),
                *make, cwd=folder)
    photos = [os.path.join(EXAMPLES, 'photo', name) for name in ('labels.txt', 'seven.jpg')]
    text = common.call(os.path.join(folder, 'photo'), *photos)
    tally.check('seven.jpg: seven 93.0%' in text, text)


def page_of(name):
    with open(os.path.join(EXAMPLES, name, 'README.md'), encoding='utf-8') as file:
        return file.read()


def figure_of(name):
    with open(os.path.join(common.ROOT, 'build', name, name + '.svg'), encoding='utf-8') as file:
        return file.read()


def numbers_of(text, kind):
    """Those in the lines of a table that begin with a kind of network."""
    return [float(number) for line in re.findall(rf'^[| ]*{kind} (.*%.*)$', text, re.M)
            for number in re.findall(r'[-+]?\d+\.\d', line)]


def check_robustness(tally):
    """The README's numbers, but for two pictures of 500 that another processor may round over."""
    text, page = run('robustness'), page_of('robustness')
    for kind in 'pairwise', 'patchwise', 'resnet':
        found, written = numbers_of(text, kind), numbers_of(page, kind)
        tally.check(len(found) == len(written) > 10 and
                    all(abs(a - b) < 0.5 for a, b in zip(found, written)),
                    f'{kind}: the README has {written}, printed was {found}')
    tally.check(figure_of('robustness').count('<circle') == 15, 'the figure')


def check_paper(tally):
    text = run('paper', '--seconds', '0.05', '--threads', '1', '--batches', '1', '--networks',
               'resnet26', 'san10_patchwise')
    for row in r'resnet26 \| 13.7 M \| 2.4 G \| 73.6%', r'san10_patchwise \| 11.8 M \| 1.9 G \| 77.1%':
        tally.check(re.search(row + r' \| \d+\.\d ms \|', text), f'{row}: printed was {text}')
    tally.check(figure_of('paper').count('<circle') >= 2, 'the figure')


def ray_python():
    for python in os.environ.get('RAY_PYTHON'), os.environ.get('TORCH_PYTHON'), sys.executable:
        if python and subprocess.run([python, '-c', 'import ray, numpy, pandas, pyarrow, PIL'],
                                     capture_output=True, check=False).returncode == 0:
            return python
    return None


def worker_at_work():
    """The process of a worker that is at work, or None."""
    for number in filter(str.isdigit, os.listdir('/proc')):
        try:
            with open(f'/proc/{number}/cmdline', 'rb') as file:
                if re.match(WORKER, file.read()):
                    return int(number)
        except OSError:
            pass
    return None


def check_killed(tally, python):
    """A worker dies in the middle: every image once, in order, all the same."""
    out = os.path.join(common.ROOT, 'build', 'cluster')
    environment = {**os.environ, 'PYTHONPATH': os.path.join(common.ROOT, 'runtime', 'python')}
    with subprocess.Popen([
            python, os.path.join(EXAMPLES, 'cluster', 'classify_ray.py'),
            os.path.join(out, 'digits_pairwise.so'), os.path.join(out, 'pictures'),
            os.path.join(out, 'killed.csv')], env=environment, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True) as child:
        end = time.monotonic() + SECONDS
        while not (worker := worker_at_work()) and child.poll() is None and time.monotonic() < end:
            time.sleep(0.005)
        if worker:
            os.kill(worker, signal.SIGKILL)
        said = child.stderr.read()
    tally.check(worker, 'no worker was seen at work')
    tally.check(child.returncode == 0, f'with a worker killed: status {child.returncode}: {said}')
    tally.check(files_equal(out, 'killed.csv', 'mpi.csv'), 'with a worker killed: another result')


def files_equal(folder, *names):
    contents = []
    for name in names:
        with open(os.path.join(folder, name), 'rb') as file:
            contents.append(file.read())
    return contents[0] == contents[1]


def check_cluster(tally):
    if not shutil.which('mpicc') and os.getuid() != 0:
        common.skip("no mpicc (Debian: libopenmpi-dev)")
    python = ray_python()
    text = run('cluster', RAY_PYTHON=python or sys.executable)
    tally.check('2000 pictures in build/cluster/mpi.csv; right are 1972' in text, text)
    if not python:
        tally.skip("Ray Data, since no Python here has it (pip install 'ray[data]' pillow)")
        return
    tally.check('2000 images on 2 workers' in text and 'cmp build/cluster/mpi.csv' in text, text)
    check_killed(tally, python)


def check_server(tally):
    """From run.sh to the README's request and SIGTERM."""
    curl = re.search(r'curl .*/classify', page_of('server'))[0]
    with subprocess.Popen([os.path.join(EXAMPLES, 'server', 'run.sh'), '--port', '0'],
                          stdout=subprocess.PIPE, text=True) as child:
        found = next(filter(None, (re.search(r' on (http:.*)', line) for line in child.stdout)), None)
        if found:
            answer = subprocess.run(
                curl.replace('http://127.0.0.1:8080', found[1]), shell=True, cwd=common.ROOT,
                capture_output=True, text=True, check=False).stdout
            tally.check('{"class": "7", "classes": [' in answer, f'{curl}: {answer}')
            child.terminate()
    tally.check(found and child.returncode == 0, f'run.sh: {found}, status {child.returncode}')


def main():
    tally = common.Tally()
    globals()['check_' + sys.argv[2]](tally)
    return tally.end()


if __name__ == '__main__':
    sys.exit(main())
