"""What compiling costs: the largest attention, the clique-product with footprint 7, which relates 49
x 49 pairs; and a network with many weights, of which no more than two copies are in memory at once.

    limits.py SANC [NAME...]

Time and memory of `sanc compile` for both targets, from getrusage.
"""
import array
import json
import math
import os
import random
import re
import resource
import struct
import subprocess
import sys
import tempfile
import time

SECONDS, MEGABYTES = 30, 1024
# Of a network with many weights: so many times the weights, and what sanc and LLVM need themselves.
TIMES, OWN_MEGABYTES = 2.25, 150
SAN10 = [(2, 64, 3), (1, 256, 7), (2, 512, 7), (4, 1024, 7), (1, 2048, 7)]
PAIRWISE = {'type': 'pairwise'}
CLIQUE = {'type': 'patchwise', 'relation': 'clique'}
MODELS = {
    # every relation of the largest stages is 2401 wide
    'clique_small': (CLIQUE, {'height': 32, 'width': 32}, [(1, 64, 7)]),
    'clique_san10': (CLIQUE, {}, SAN10),
    'wide': (PAIRWISE, {'height': 64, 'width': 64}, [(1, 64, 3), (1, 1024, 3), (4, 3072, 3)]),
    'very_wide': (PAIRWISE, {'height': 64, 'width': 64}, [(1, 64, 3), (3, 2048, 3), (7, 4096, 3)]),
}
SKIPPED = 77


def model(name, attention, size, stages):
    return {'format': 'san', 'version': 1, 'name': name, 'classes': 1000, 'input': size,
            'attention': attention,
            'stages': [{'blocks': blocks, 'channels': channels,
                        'attention': {'footprint': footprint}}
                       for blocks, channels, footprint in stages]}


def parameters(sanc, path):
    """Names and shapes of the tensors, from the graph."""
    first = subprocess.run([sanc, 'ir', '--list-passes'], check=True, stdout=subprocess.PIPE,
                           text=True).stdout.split()[1]
    text = subprocess.run([sanc, 'ir', path, '--before', first], check=True,
                          stdout=subprocess.PIPE, text=True).stdout
    for name, shape in re.findall(r'parameter \{ name = "([^"]*)", shape = \[([^]]*)\]', text):
        yield name, [int(word) for word in shape.split(',')]


def write_weights(path, tensors):
    """Tensor by tensor: what this process has in memory is counted as the child's, too."""
    rng = random.Random(1)
    noise = array.array('f', (rng.gauss(0, 0.05) for _ in range(4099)))
    header, end = {}, 0
    for name, shape in tensors:
        bytes_ = 4 * math.prod(shape)
        header[name] = {'dtype': 'F32', 'shape': shape, 'data_offsets': [end, end + bytes_]}
        end += bytes_
    head = json.dumps(header).encode()
    with open(path, 'wb') as file:
        file.write(struct.pack('<Q', len(head)) + head)
        for number, (name, tensor) in enumerate(header.items()):
            count = math.prod(tensor['shape'])
            if name.endswith('running_var'):
                values = array.array('f', [1.0]) * count
            else:
                values = (noise * (count // len(noise) + 2))[number:number + count]
            file.write(values.tobytes())


def compile_model(sanc, folder):
    """Status, messages, wall-clock seconds, megabytes at most."""
    begin = time.monotonic()
    process = subprocess.Popen([sanc, 'compile', f'{folder}/model.json', '-w', f'{folder}/weights',
                                '-o', f'{folder}/net.o'], stderr=subprocess.PIPE)
    said = process.stderr.read().decode(errors='replace')
    _, status, usage = os.wait4(process.pid, 0)  # of this child alone
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, said, time.monotonic() - begin, usage


def check(sanc, name):
    with tempfile.TemporaryDirectory() as folder:
        with open(f'{folder}/model.json', 'w', encoding='utf-8') as file:
            json.dump(model(name, *MODELS[name]), file)
        write_weights(f'{folder}/weights', parameters(sanc, f'{folder}/model.json'))
        most = MEGABYTES
        if 'wide' in name:
            most = TIMES * os.path.getsize(f'{folder}/weights') / 1e6 + OWN_MEGABYTES
        status, said, seconds, usage = compile_model(sanc, folder)
        size = os.path.getsize(f'{folder}/net.o') / 1e6 if status == 0 else 0
    memory = usage.ru_maxrss * 1024 / 1e6
    processor = usage.ru_utime + usage.ru_stime
    good = status == 0 and processor <= SECONDS and memory <= most
    print(
        f'{"passed" if good else "FAILED"} {name}: {processor:.1f} s of processor time of at most '
        f'{SECONDS} ({seconds:.1f} s on the clock), {memory:.0f} MB of at most {most:.0f}, object '
        f'of {size:.1f} MB{"" if status == 0 else f", status {status}: {said}"}')
    return good


def main():
    sanc = os.path.abspath(sys.argv[1])
    with open(sanc, 'rb') as file:
        if b'__asan_init' in file.read():
            print('skipped: a sanitizer makes it slow and large')
            return SKIPPED
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    results = [check(sanc, name) for name in sys.argv[2:] or MODELS]
    return 0 if all(results) else 1


if __name__ == '__main__':
    sys.exit(main())
