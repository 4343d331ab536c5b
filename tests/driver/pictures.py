"""Images as people have them: bytes, pixel by pixel, photographs, arrays of NumPy. Standard library
alone.

    pictures.py SANC
"""
import array
import base64
import json
import os
import random
import struct
import sys
import tempfile
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))),
                                'numeric'))
import common  # noqa: E402
from run import INPUT, USAGE, Failure, Folder, expect  # noqa: E402

SIZE, CHANNELS, CLASSES = 32, 3, 10
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
WEIGHTS = ['-w', 'weights.safetensors']
RUN = ['--target', 'native', '--output']
# 8 x 8 pixels, the upper half blue and the lower red.
JPEG = base64.b64decode('''
/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAIBAQEBAQIBAQECAgICAgQDAgICAgUEBAMEBgUGBgYFBgYGBwkIBgcJBwYGCAsI
CQoKCgoKBggLDAsKDAkKCgr/2wBDAQICAgICAgUDAwUKBwYHCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoK
CgoKCgoKCgoKCgoKCgr/wAARCAAIAAgDAREAAhEBAxEB/8QAHwAAAQUBAQEBAQEAAAAAAAAAAAECAwQFBgcICQoL/8QAtRAA
AgEDAwIEAwUFBAQAAAF9AQIDAAQRBRIhMUEGE1FhByJxFDKBkaEII0KxwRVS0fAkM2JyggkKFhcYGRolJicoKSo0NTY3ODk6
Q0RFRkdISUpTVFVWV1hZWmNkZWZnaGlqc3R1dnd4eXqDhIWGh4iJipKTlJWWl5iZmqKjpKWmp6ipqrKztLW2t7i5usLDxMXG
x8jJytLT1NXW19jZ2uHi4+Tl5ufo6erx8vP09fb3+Pn6/8QAHwEAAwEBAQEBAQEBAQAAAAAAAAECAwQFBgcICQoL/8QAtREA
AgECBAQDBAcFBAQAAQJ3AAECAxEEBSExBhJBUQdhcRMiMoEIFEKRobHBCSMzUvAVYnLRChYkNOEl8RcYGRomJygpKjU2Nzg5
OkNERUZHSElKU1RVVldYWVpjZGVmZ2hpanN0dXZ3eHl6goOEhYaHiImKkpOUlZaXmJmaoqOkpaanqKmqsrO0tba3uLm6wsPE
xcbHyMnK0tPU1dbX2Nna4uPk5ebn6Onq8vP09fb3+Pn6/9oADAMBAAIRAxEAPwDzv/hff/Uqf+T3/wBrr9k/4jF/1A/+Vf8A
7mdn/FPb/qpf/LP/AO+z/9k=''')


def png(rows, colour_type=2, size=None, interlaced=0):
    """A PNG of rows of bytes."""
    def chunk(kind, data):
        return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
    channels = {0: 1, 2: 3, 6: 4}[colour_type]
    width, height = size or (len(rows[0]) // channels, len(rows))
    return (b'\x89PNG\r\n\x1a\n' +
            chunk(b'IHDR', struct.pack('>IIBBBBB', width, height, 8, colour_type, 0, 0, interlaced)) +
            chunk(b'IDAT', zlib.compress(b''.join(b'\0' + bytes(row) for row in rows))) +
            chunk(b'IEND', b''))


def npy(shape, data, descr='|u1', order=False, version=1):
    header = repr({'descr': descr, 'fortran_order': order, 'shape': tuple(shape)}).encode()
    fields = {1: '<H', 2: '<I', 3: '<I'}.get(version, '<H')
    header += b' ' * (-(8 + struct.calcsize(fields) + len(header) + 1) % 64) + b'\n'
    return b'\x93NUMPY' + bytes([version, 0]) + struct.pack(fields, len(header)) + header + data


def safetensors(shape, data, dtype='U8'):
    header = json.dumps({'input': {'dtype': dtype, 'shape': shape,
                                   'data_offsets': [0, len(data)]}}).encode()
    header += b' ' * (-len(header) % 8)
    return struct.pack('<Q', len(header)) + header + data


def write_model(folder, name, **fields):
    model = json.loads(folder.read('model.json'))
    model['input'] = {'channels': CHANNELS, 'height': SIZE, 'width': SIZE, **fields}
    folder.write(name, json.dumps(model).encode())


def logits(folder, model, images, *options):
    folder.run('run', model, *WEIGHTS, '--input', images, *RUN, 'out', *options)
    return common.read_safetensors(folder / 'out')['output'][1]


def planes(pixels):
    """The bytes of one image, channel by channel."""
    return bytes(pixels[i] for c in range(CHANNELS) for i in range(c, len(pixels), CHANNELS))


def check_bytes(folder):
    """Bytes, pixel by pixel or in planes, are floats that somebody else normalised."""
    rng = random.Random(1)
    pixels = [bytes(rng.randrange(256) for _ in range(SIZE * SIZE * CHANNELS)) for _ in range(3)]
    whole, turned = b''.join(pixels), b''.join(map(planes, pixels))
    each = SIZE * SIZE
    floats = array.array('f', (((byte / 255) - MEAN[i // each % CHANNELS]) /
                               STD[i // each % CHANNELS] for i, byte in enumerate(turned)))
    shape = [3, SIZE, SIZE, CHANNELS]
    folder.write('pixels.st', safetensors(shape, whole))
    folder.write('planes.st', safetensors([3, CHANNELS, SIZE, SIZE], turned))
    common.write_safetensors(folder / 'floats.st', 'input', [3, CHANNELS, SIZE, SIZE], floats)
    want = logits(folder, 'model.json', 'floats.st')
    found = logits(folder, 'pixels.json', 'pixels.st')
    expect(common.relative_error(found, want) < 2e-6, 'bytes give other numbers than floats')
    expect(found == logits(folder, 'planes.json', 'planes.st'), 'planes give other numbers')
    for batch in '2', '3', '4':
        expect(found == logits(folder, 'pixels.json', 'pixels.st', '--batch', batch),
               f'other numbers in batches of {batch}')
    for engine in 'eval', 'eval32':
        error = common.relative_error(
            logits(folder, 'pixels.json', 'pixels.st', '--engine', engine), want)
        expect(error < 2e-6, f'--engine {engine}: error {error}')
    folder.run('verify', 'pixels.json', *WEIGHTS, '--each-pass', '--input', 'pixels.st')
    folder.run('verify', 'planes.json', *WEIGHTS, '--each-pass')
    for version in 1, 2, 3:
        folder.write('pixels.npy', npy(shape, whole, version=version))
        expect(found == logits(folder, 'pixels.json', 'pixels.npy'), f'.npy of version {version}')
    folder.write('floats.npy', npy([3, CHANNELS, SIZE, SIZE], floats.tobytes(), '<f4'))
    expect(want == logits(folder, 'model.json', 'floats.npy'), '.npy of floats')
    folder.write('one.npy', npy(shape[1:], pixels[0]))
    expect(found[:CLASSES] == logits(folder, 'pixels.json', 'one.npy'), '.npy of one image')
    return pixels, found


def check_dumps(folder, found):
    """A dump reads back to the same bytes, and computes the same."""
    folder.run('ir', 'pixels.json', '-o', 'pixels.sanir', '--target', 'native')
    folder.run('ir', 'pixels.sanir', '-o', 'again.sanir')
    expect(folder.read('pixels.sanir') == folder.read('again.sanir'), 'a dump changes when read')
    expect(found == logits(folder, 'pixels.sanir', 'pixels.st'), 'a dump computes something else')
    expect(b'image' in folder.read('pixels.sanir') and b'input u8[' in folder.read('pixels.sanir'),
           'the input is not u8')


def check_pictures(folder, pixels, found):
    rows = [pixels[0][i:i + SIZE * CHANNELS] for i in range(0, len(pixels[0]), SIZE * CHANNELS)]
    same = ['--resize', str(SIZE)]
    folder.write('a.png', png(rows))
    expect(found[:CLASSES] == logits(folder, 'pixels.json', 'a.png', *same), 'a PNG')
    expect(found[:CLASSES] == logits(folder, 'planes.json', 'a.png', *same), 'a PNG in planes')
    clear = [b''.join(row[i:i + 3] + b'\x07' for i in range(0, len(row), 3)) for row in rows]
    folder.write('clear.png', png(clear, 6))
    expect(found[:CLASSES] == logits(folder, 'pixels.json', 'clear.png', *same), 'transparency')
    folder.run('run', 'pixels.json', *WEIGHTS, '--input', 'pixels.st', '--input', 'a.png',
               'one.npy', *same, *RUN, 'out.npy')
    out = folder.read('out.npy')
    expect(out[:6] == b'\x93NUMPY' and b"'shape': (5, 10)" in out[:128] and
           b"'descr': '<f4'" in out[:128], 'the head of an .npy file')
    values = array.array('f', out[-4 * 5 * CLASSES:])
    expect(values == found + found[:CLASSES] + found[:CLASSES], 'several files')
    folder.write('a.JPG', JPEG)
    folder.write('halves.png', png([bytes([30, 160, 220]) * 8] * 4 + [bytes([201, 41, 89]) * 8] * 4))
    error = common.relative_error(logits(folder, 'pixels.json', 'a.JPG'),
                                  logits(folder, 'pixels.json', 'halves.png'))
    expect(error < 0.05, f'a JPEG differs from a PNG by {error}')


def check_top(folder, found):
    names = [f'class {i}, of ten' for i in range(CLASSES)]
    folder.write('labels.txt', '\n'.join(names).encode() + b'\n')
    options = ['--input', 'a.png', '--resize', str(SIZE), '--top', '3', '--labels', 'labels.txt']
    lines = folder.run('run', 'pixels.json', *WEIGHTS, *options).splitlines()
    best = sorted(range(CLASSES), key=lambda i: -found[i])[:3]
    expect(lines[0] == 'a.png' and len(lines) == 4, f'--top 3 prints {lines}')
    for i, line in zip(best, lines[1:]):
        expect(line.split('%')[1].split(None, 1) == [str(i), names[i]], f'{line!r} is not {i}')
    total = sum(float(line.split('%')[0]) for line in folder.run(
        'run', 'pixels.json', *WEIGHTS, *options[:4], '--top', '10').splitlines()[1:])
    expect(abs(total - 100) < 0.1, f'probabilities add up to {total}')
    several = folder.run('run', 'pixels.json', *WEIGHTS, '--input', 'pixels.st', '--top', '1')
    expect(several.splitlines()[4] == 'pixels.st[2]', f'several images are {several}')
    folder.write('labels.txt', b'one\n')
    folder.run('run', 'pixels.json', *WEIGHTS, *options, status=INPUT,
               says="labels.txt: error: must have a line for each of the model's 10 classes, found 1")


def check_refusals(folder, pixels):
    def refused(name, content, says, model='pixels.json', status=INPUT, options=()):
        folder.write(name, content)
        folder.run('run', model, *WEIGHTS, '--input', name, *RUN, 'out', *options, status=status,
                   says=says)
    good = png([bytes(24)] * 8)
    refused('a.png', good[:-20], 'a.png: error: is cut off')
    refused('a.png', good[:-5], 'is cut off')
    refused('a.png', good[:45] + bytes([good[45] ^ 1]) + good[46:], 'the checksum of a chunk is wrong')
    refused('a.png', png([bytes(24)], size=(9000, 9000)), 'must have at most 64000000 pixels, found '
            '9000 x 9000')
    refused('a.png', png([bytes(24)] * 7, size=(8, 8)), 'a.png: error: cannot be decoded')
    refused('a.png', b'GIF89a', 'is neither a PNG nor a JPEG image: a GIF image')
    refused('a.png', b'', 'is neither a PNG nor a JPEG image')
    refused('a.jpg', JPEG[:-2], 'a.jpg: error: is cut off')
    refused('a.jpg', JPEG[:300], 'is cut off')
    refused('a.jpg', JPEG[:2] + b'\xff\xe0\0\1' + JPEG[2:], 'a segment has no length')
    refused('a.png', png([bytes(3)] * 3000), 'is too narrow: 1 x 3000 pixels, more than 64 million',
            options=['--resize', '1000'])
    refused('a.png', good, '--resize must be at least 32', status=USAGE, options=['--resize', '31'])
    refused('a.png', good, 'an image file needs a model that says how images come',
            model='model.json')
    shape = [1, SIZE, SIZE, CHANNELS]
    refused('a.npy', npy(shape, pixels[0], order=True), "in C order")
    refused('a.npy', npy(shape, pixels[0], '<i8'), "must be of type '|u1', '<f2', '<f4' or '<f8'")
    refused('a.npy', npy(shape, pixels[0] * 4, '<f4'), "must be of type u1, as the model's input")
    refused('a.npy', npy(shape, pixels[0]), 'must be of type f2, f4 or f8', model='model.json')
    refused('a.npy', npy(shape, pixels[0][1:]), 'must have 3072 bytes of elements')
    refused('a.npy', npy([1, 3, 32, 32], pixels[0]), 'must be of shape (n, 32, 32, 3), found (1, 3, '
            '32, 32)')
    refused('a.npy', npy(shape, pixels[0], version=4), 'of version 1, 2 or 3')
    refused('a.npy', npy(shape, pixels[0])[:20], 'of version 1, 2 or 3')
    refused('a.st', safetensors(shape, pixels[0]), 'must be of shape (n, 3, 32, 32)', 'model.json')
    refused('a.st', safetensors(shape, pixels[0] * 4, 'F32'), 'must be of type U8')
    for words, says in ((['--top', '1', '--output', '-'], 'both write to standard output'),
                        (['--labels', 'l', '--output', 'o'], '--labels is for --top'),
                        ([], "'sanc run' needs --output FILE or --top N")):
        folder.run('run', 'pixels.json', *WEIGHTS, '--input', 'a.st', *words, status=USAGE, says=says)


def check_all(sanc, path):
    folder = Folder(sanc, path)
    write_model(folder, 'pixels.json', type='u8', layout='nhwc', mean=MEAN, std=STD)
    write_model(folder, 'planes.json', type='u8', mean=MEAN, std=STD)
    pixels, found = check_bytes(folder)
    check_dumps(folder, found)
    check_pictures(folder, pixels, found)
    check_top(folder, found)
    check_refusals(folder, pixels)


def main():
    with tempfile.TemporaryDirectory() as path:
        try:
            check_all(os.path.abspath(sys.argv[1]), path)
        except Failure as failure:
            print(f'FAILED {failure}')
            return 1
    print('1 passed, 0 failed')
    return 0


if __name__ == '__main__':
    sys.exit(main())
