"""Tests of `sanc bench` and of what dumps say of costs, as run.py has them.

usage: bench.py SANC [NAME...]
"""
import json
import os
import re
import sys

from run import USAGE, V3, WEIGHTS, expect, main

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BENCH = ['bench', 'model.json', *WEIGHTS, *V3, '--seconds', '0.02']


def test_bench(folder):
    for words in ([], ['--batch', '3'], ['--threads', '2']):
        printed = folder.run(
            *BENCH, *words,
            prints=['latency ', 'throughput ', 'measured FMA peak', 'predicted ', ' GHz, '])
        expect(
            re.search(
                r'^latency +(0\.[1-9]\d\d|[1-9]\d*\.\d+) ms median|^latency +\d+\.\d µs median',
                printed, re.M), printed)
    lines = folder.run(*BENCH, '--kernels', prints=' GFLOP/s').splitlines()
    head = next(i for i, line in enumerate(lines) if line.startswith('kernel '))
    lost = [float(line.split()[2]) for line in lines[head + 1:]]
    expect(lost and lost == sorted(lost, reverse=True), f'not sorted by time lost: {lost}')
    folder.run('bench', 'model.json', status=USAGE, says='needs --weights')
    folder.run('bench', 'model.json', *WEIGHTS, '--seconds', '0', status=USAGE,
               says='0.001 to 3600')


def test_bench_json(folder):
    found = json.loads(folder.run(*BENCH, '--kernels', '--json'))
    latency = found['latency_ms']
    expect(0 < latency['best'] <= latency['low'] <= latency['median'] <= latency['high'],
           str(latency))
    expect(
        abs(found['images_per_second'] * latency['median'] - 1000) < 1,
        'latency and throughput differ')
    expect(0 < found['fraction_of_peak'] < 1 and found['runs'] >= 5, str(found['fraction_of_peak']))
    expect(found['flops'] == sum(kernel['flops'] for kernel in found['kernels']), 'flops')
    stats = json.loads(folder.run('stats', 'model.json', '--json', *V3))
    names = [kernel['name'] for kernel in stats['kernels']]
    expect(
        sorted(names) == sorted(kernel['name'] for kernel in found['kernels']), 'kernels of stats')
    for kernel in found['kernels']:
        expect(kernel['cycles'] >= 1 and kernel['bound'] in kernel['cycles_by'], str(kernel))
        expect(0 <= kernel['ms']['best'] <= kernel['ms']['median'], str(kernel))
    expect('kernels' not in json.loads(folder.run(*BENCH, '--json')), 'kernels nobody asked for')


def test_core_is_measured(folder):
    """The clock, the FMAs of a cycle and the peak are of one core, whatever its name is."""
    found = json.loads(folder.run(*BENCH, '--json'))
    expect(0.5 < found['ghz'] < 7, f'a clock of {found["ghz"]} GHz')
    lanes = 8
    share = found['peak_gflops'] / (2 * lanes * found['ghz'] * found['fma_per_cycle'])
    expect(
        0.6 < share < 1.3,
        f'{found["fma_per_cycle"]} FMAs a cycle at {found["ghz"]} GHz are not {found["peak_gflops"]} GFLOP/s'
    )


def keys_of(value):
    if isinstance(value, list):
        return set().union(*map(keys_of, value))
    return set(value).union(*map(keys_of, value.values())) if isinstance(value, dict) else set()


def test_keys_are_documented(folder):
    """A key means the same in all commands: what the table of compiler/README.md says."""
    with open(os.path.join(ROOT, 'compiler', 'README.md'), encoding='utf-8') as file:
        section = file.read().split('### JSON\n')[1].split('\n### ')[0]
    rows = [line.split('|') for line in section.splitlines() if line.startswith('| `')]
    documented, explained = (set(re.findall(r'`(\w+)`', ' '.join(row[column] for row in rows)))
                             for column in (1, 2))
    printed = set()
    for words in ([*BENCH, '--kernels', '--json'], ['stats', 'model.json', '--json'],
                  ['stats', 'model.json', '--json', '--count', 'paper']):
        printed |= keys_of(json.loads(folder.run(*words)))
    expect(printed <= documented | explained, f'not documented: {printed - documented - explained}')
    expect(documented <= printed, f'not printed: {documented - printed}')


def test_bench_takes_dumps(folder):
    folder.run('ir', 'model.json', *V3, '-o', 'net.sanir')
    folder.run('bench', 'net.sanir', *WEIGHTS, '--seconds', '0.02', prints='x86-64-v3')


def test_edited_kernels_cost_what_they_do(folder):
    """Numbers of a text are counted anew, so that none of another kernel survive an edit."""
    folder.run('ir', 'model.json', *V3, '-o', 'net.sanir')
    text = folder.read('net.sanir').decode()
    expect('  cost { flops = ' in text and 'bound = ' in text, 'no costs')
    head, tail = text.split('flops = ', 1)
    folder.write('edited.sanir', f'{head}flops = 7{tail[len(tail.split(",")[0]):]}'.encode())
    folder.run('ir', 'edited.sanir', '-o', 'again.sanir')
    expect(folder.read('again.sanir').decode() == text, 'a wrong number was kept')


if __name__ == '__main__':
    sys.exit(main(globals()))
