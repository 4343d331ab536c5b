#!/usr/bin/env python3
"""How networks scale to many threads, on paper: by the schedules chosen for as many threads, and the
cost model.

    threads.py SANC MODEL.json... [--target x86-64-v3] [--threads 2,4,8] [--cores 8]

A kernel's iterations are shared out whole: with E of them, T threads take E/T, rounded up, times the
cycles of one. Its distinct bytes come no faster than --cores cores can take them from memory. Each
kernel of more than one iteration adds START cycles, until all threads have begun and ended. Prints a
table for all networks, then for each number of threads the kernels that scale to less than half of
it, those that take longest first.
"""
import argparse
import math
import os
import re
import subprocess
import sys

KERNEL = re.compile(r'^kernel (\w+)[^\n]*\{\n(.*?)^\}\n', re.M | re.S)
NUMBER = re.compile(r'\b(bytes|cycles) = (\d+)')
START = 2000  # as schedule/choose/choose_linear.c has it, measured on a Zen 3
MEMORY = 6    # bytes a cycle of one core, of the core "any" in backend/targets.def
SHOWN, LEAST = 8, 0.005  # kernels at most; of the time at least


class Kernel:
    def __init__(self, name, text):
        numbers = {key: int(value) for key, value in NUMBER.findall(text.split('\n')[0])}
        parallel = re.search(r'^  for \w+ in (\d+) parallel', text, re.M)
        self.name = re.sub('_rest$', '', name)
        self.cycles, self.bytes = numbers.get('cycles', 0), numbers.get('bytes', 0)
        self.iterations = int(parallel[1]) if parallel else 1

    def on(self, threads, cores):
        """Cycles, and what keeps them from being fewer."""
        shared = self.cycles * math.ceil(self.iterations / threads) / self.iterations
        memory = self.bytes / MEMORY / min(threads, cores)
        start = START if threads > 1 and self.iterations > 1 else 0
        if start > max(shared, memory):
            why = 'beginning and end'
        elif memory > shared:
            why = 'memory'
        elif self.iterations < 2 * threads:
            why = f'{self.iterations} iterations'
        else:
            why = 'remainder'
        return max(shared, memory) + start, why


def kernels(args, model, threads):
    text = subprocess.run([args.sanc, 'ir', model, '--target', args.target, '--threads', str(threads)],
                          check=True, capture_output=True, text=True).stdout
    return [Kernel(*found) for found in KERNEL.findall(text)]


def by_name(found, threads, cores):
    """{kernel: (cycles, why)}; a kernel and its rest are one."""
    cycles = {}
    for kernel in found:
        more, why = kernel.on(threads, cores)
        before, first = cycles.get(kernel.name, (0, why))
        cycles[kernel.name] = before + more, why if more > before else first
    return cycles


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('sanc')
    parser.add_argument('models', nargs='+')
    parser.add_argument('--target', default='x86-64-v3')
    parser.add_argument('--threads', default='2,4,8,16,32,64')
    parser.add_argument('--cores', type=int, default=8)
    args = parser.parse_args()
    counts = [int(word) for word in args.threads.split(',')]
    print('| network | ' + ' | '.join(f'{count} threads' for count in counts) + ' |')
    print('|---' * (len(counts) + 1) + '|')
    slow = []
    for model in args.models:
        one = by_name(kernels(args, model, 1), 1, args.cores)
        whole, name = sum(cycles for cycles, _ in one.values()), os.path.basename(model)[:-5]
        row = []
        for count in counts:
            many = by_name(kernels(args, model, count), count, args.cores)
            total = sum(cycles for cycles, _ in many.values())
            row.append(f'{whole / total:.1f}')
            slow += [(cycles / total, count, name, kernel, one[kernel][0] / cycles, why)
                     for kernel, (cycles, why) in many.items()
                     if kernel in one and one[kernel][0] < cycles * count / 2]
        print(f'| {name} | ' + ' | '.join(row) + ' |')
    for count in counts:
        lines = sorted((line for line in slow if line[1] == count and line[0] > LEAST), reverse=True)
        if lines:
            print(f'\n{count} threads: kernels that scale to less than {count / 2:g}\n')
            print('| network, kernel | of the time | scales to | by |\n|---|---|---|---|')
        for share, _, name, kernel, times, why in lines[:SHOWN]:
            print(f'| {name} {kernel} | {100 * share:.1f}% | {times:.1f} | {why} |')
    return 0


if __name__ == '__main__':
    sys.exit(main())
