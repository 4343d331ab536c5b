"""Weight files that are wrong, each in one way: (name, the file, the exact lines of the error).

The lines follow the file's name. The file is bytes, or (bytes, size) for a file that goes on with
zeros up to that size. Most are the good file with one thing changed.
"""
import io
import json
import pickle
import struct
import zipfile

MODEL = '''{
  "format": "san", "version": 1, "name": "net",
  "input": { "channels": 1, "height": 2, "width": 2 }, "classes": 3, "stem_channels": 2,
  "stages": [ { "blocks": 0, "channels": 2 } ]
}
'''


def f32(*values):
    return struct.pack(f'<{len(values)}f', *values)


def f64(*values):
    return struct.pack(f'<{len(values)}d', *values)


def good():
    """The tensors that MODEL needs: name -> [dtype, shape, data]."""
    tensors = {'conv_in.weight': ['F32', [2, 1, 1, 1], f32(1, 2)]}
    for norm in 'bn_in', 'bn0':
        for part in 'weight', 'bias', 'running_mean', 'running_var':
            tensors[f'{norm}.{part}'] = ['F32', [2], f32(3, 4)]
    tensors['conv0.weight'] = ['F32', [2, 2, 1, 1], f32(1, 2, 3, 4)]
    tensors['fc.weight'] = ['F32', [3, 2], f32(1, 2, 3, 4, 5, 6)]
    tensors['fc.bias'] = ['F32', [3], f32(1, 2, 3)]
    return tensors


def layout(tensors):
    """Header entries and data, one tensor after the other."""
    entries, data = {}, b''
    for name, (dtype, shape, content) in tensors.items():
        offsets = [len(data), len(data) + len(content)]
        entries[name] = {'dtype': dtype, 'shape': shape, 'data_offsets': offsets}
        data += content
    return entries, data


def pack(header, data):
    header = header if isinstance(header, bytes) else header.encode()
    return struct.pack('<Q', len(header)) + header + data


def save(tensors):
    entries, data = layout(tensors)
    return pack(json.dumps(entries), data)


def put(name, dtype, shape, data):
    """With a tensor in place of the one of that name, or added."""
    return save({**good(), name: [dtype, shape, data]})


def without(*names):
    return save({name: tensor for name, tensor in good().items() if name not in names})


def renamed(rename):
    return save({rename(name): tensor for name, tensor in good().items()})


def entry(name='fc.bias', **fields):
    """With other fields in the header entry of a tensor; those that are None are left out."""
    entries, data = layout(good())
    entry = {**entries[name], **fields}
    entries[name] = {key: value for key, value in entry.items() if value is not None}
    return pack(json.dumps(entries), data)


def add(key, value):
    """With something else in the header."""
    entries, data = layout(good())
    return pack(json.dumps({**entries, key: value}), data)


def header(change, data=layout(good())[1]):
    """With the header's text changed."""
    return pack(change(json.dumps(layout(good())[0])), data)


CONVERT = '; examples/convert/convert.py makes a safetensors file of it'


def archive(*names):
    """A ZIP file."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, 'w') as file:
        for name in names:
            file.writestr(name, b'x' * 100)
    return data.getvalue()


# (name, the file, what it is)
OTHERS = [
    ('lfs', b'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 144000\n',
     'a pointer of git-LFS, which stands for a file that was not fetched: git lfs pull'),
    ('jpeg', b'\xff\xd8\xff\xe0\0\x10JFIF\0' + bytes(99), 'a JPEG image'),
    ('png', b'\x89PNG\r\n\x1a\n' + bytes(99), 'a PNG image'),
    ('gif', b'GIF89a' + bytes(99), 'a GIF image'),
    ('webp', b'RIFF\x20\0\0\0WEBPVP8 ' + bytes(99), 'a WebP image'),
    ('html', b'\n <!DOCTYPE html>\n<title>Sign in</title>\n',
     'a web page (HTML), perhaps of a download that asked for a login'),
    ('html_without_doctype', b'<html><body>404</body></html>',
     'a web page (HTML), perhaps of a download that asked for a login'),
    ('model', MODEL, 'JSON text'),
    ('pickle', pickle.dumps({'fc.bias': [1, 2, 3]}), 'a pickle of Python'),
    ('old_pth', pickle.dumps(0x1950a86a20f9469cfc6c, 2) + pickle.dumps(1001, 2),
     'an old PyTorch checkpoint' + CONVERT),
    ('pth', archive('best/data.pkl', 'best/data/0'), 'a PyTorch checkpoint' + CONVERT),
    ('npz', archive('fc.bias.npy'), 'an archive of NumPy (.npz)'),
    ('zip', archive('weights.safetensors'), 'a ZIP archive'),
    ('zip_cut_short', archive('weights.safetensors')[:20], 'a ZIP archive'),
    ('zip_cut_within_name', archive('weights.safetensors')[:40], 'a ZIP archive'),
    ('npy', b'\x93NUMPY\1\0' + bytes(99), 'an array of NumPy (.npy)'),
    ('hdf5', b'\x89HDF\r\n\x1a\n' + bytes(99), 'an HDF5 file'),
    ('gguf', b'GGUF\3\0\0\0' + bytes(99), 'a GGUF file'),
    ('gzip', b'\x1f\x8b\x08' + b'x' * 99, 'compressed with gzip'),
    ('zstd', b'\x28\xb5\x2f\xfd' + b'x' * 99, 'compressed with zstd'),
    ('xz', b'\xfd7zXZ\0' + b'x' * 99, 'compressed with xz'),
    ('object', b'\x7fELF\2\1\1' + bytes(99), 'an ELF file'),
]

CASES = [
    # ---- the length of the header ---------------------------------------------------------------
    ('empty', b'', 'a safetensors file must have at least 8 bytes, found 0'),
    ('seven_bytes', bytes(7), 'a safetensors file must have at least 8 bytes, found 7'),
    ('length_behind_end', struct.pack('<Q', 3) + b'{}',
     'the file is cut short: its header has 3 bytes, and 2 are there'),
    ('length_all_ones', b'\xff' * 8 + b'{}',
     'must be a safetensors file, whose first 8 bytes say how long its header is, at most '
     '100000000; found 18446744073709551615'),
    ('length_sign_bit', struct.pack('<Q', 1 << 63) + b'{}',
     'must be a safetensors file, whose first 8 bytes say how long its header is, at most '
     '100000000; found 9223372036854775808'),
    ('length_over_limit', (struct.pack('<Q', 100000001) + b'{}', 100000100),
     'must be a safetensors file, whose first 8 bytes say how long its header is, at most '
     '100000000; found 100000001'),
    ('length_0', pack('', b''), 'the header must begin with \'{\''),
    ('too_large', (save(good()), (64 << 30) + 1),
     'must have at most 68719476736 bytes, found 68719476737'),
    # ---- files of other kinds -------------------------------------------------------------------
    *[(f'is_{name}', content, f'must be a safetensors file, found {kind}')
      for name, content, kind in OTHERS],
    # ---- the header as JSON ---------------------------------------------------------------------
    ('header_no_json', pack('{tensors}', b''),
     'the header is no valid JSON: expected a key in quotes, found \'t\', at byte 1 of the '
     'header'),
    ('header_array', pack('[]', b''), 'the header must begin with \'{\''),
    ('header_space_first', header(lambda text: ' ' + text), 'the header must begin with \'{\''),
    ('header_cut_off', header(lambda text: text[:-1]),
     'the header is no valid JSON: expected \',\' or \'}\', found the end of the text, at byte '
     '912 of the header'),
    ('header_two', header(lambda text: text + '{}'),
     'the header is no valid JSON: expected the end of the text, found \'{\', at byte 913 of '
     'the header'),
    ('header_zero_padding', header(lambda text: text + '\0\0\0'),
     'the header is no valid JSON: expected the end of the text, found the byte 0x00, at '
     'byte 913 of the header'),
    ('header_trailing_comma', header(lambda text: text[:-1] + ',}'),
     'the header is no valid JSON: expected a key in quotes, found \'}\', at byte 913 of the '
     'header'),
    ('header_not_utf8',
     header(lambda text: text.replace('fc', '%').encode().replace(b'%', b'\xff')),
     'the header is no valid JSON: text must be UTF-8, found the byte 0xff, at byte 769 of '
     'the header'),
    ('header_escaped_zero', header(lambda text: text.replace('fc', r'fc\u0000')),
     'the header is no valid JSON: a string must not hold \\u0000, at byte 771 of the header'),
    ('header_too_deep', add('x', eval('[' * 64 + ']' * 64)),
     'the header is no valid JSON: values must be nested at most 64 deep, at byte 982 of '
     'the header'),
    ('header_too_many_values', add('x', [0] * 2000000),
     'the header is no valid JSON: there must be at most 2000000 values, at byte 6000641 of '
     'the header'),
    ('tensor_twice', header(lambda text: text.replace('bn0.bias', 'bn0.weight')),
     'the header is no valid JSON: an object must have a key once, found "bn0.weight" a '
     'second time (first in line 1, column 389), at byte 460 of the header'),
    ('dtype_twice', header(lambda text: text.replace('"shape"', '"dtype": "F32", "shape"', 1)),
     'the header is no valid JSON: an object must have a key once, found "dtype" a second '
     'time (first in line 1, column 21), at byte 36 of the header'),
    ('metadata_no_object', add('__metadata__', 'pt'), '__metadata__ must be an object, found "pt"'),
    ('metadata_number', add('__metadata__', {'format': 'pt', 'epoch': 7}),
     '__metadata__ must hold strings, found 7 at "epoch"'),
    ('metadata_object', add('__metadata__', {'format': {'name': 'pt'}}),
     '__metadata__ must hold strings, found an object at "format"'),
    # ---- a tensor in the header -----------------------------------------------------------------
    ('tensor_no_object', add('x', []), 'tensor "x": must be an object, found an array'),
    ('field_unknown', entry(strides=[1]),
     'tensor "fc.bias": must have no fields but dtype, shape, data_offsets, found "strides"'),
    ('dtype_missing', entry(dtype=None), 'tensor "fc.bias": must have the field dtype'),
    ('shape_missing', entry(shape=None), 'tensor "fc.bias": must have the field shape'),
    ('offsets_missing', entry(data_offsets=None),
     'tensor "fc.bias": must have the field data_offsets'),
    ('dtype_unknown', entry(dtype='F31'),
     'tensor "fc.bias" must be of dtype F64, F32, F16 or BF16, found F31'),
    ('dtype_small_letters', entry(dtype='f32'),
     'tensor "fc.bias" must be of dtype F64, F32, F16 or BF16, found f32'),
    ('dtype_number', entry(dtype=32), 'tensor "fc.bias": dtype must be a string, found 32'),
    ('dtype_array', entry(dtype=[]), 'tensor "fc.bias": dtype must be a string, found an array'),
    ('shape_number', entry(shape=3), 'tensor "fc.bias": shape must be an array, found 3'),
    ('shape_negative', entry(shape=[-3]),
     'tensor "fc.bias": shape must hold integers from 0 to 9223372036854775807, found -3'),
    ('shape_fraction', entry(shape=[3.0]),
     'tensor "fc.bias": shape must hold integers from 0 to 9223372036854775807, found 3.0'),
    ('shape_string', entry(shape=['3']),
     'tensor "fc.bias": shape must hold integers from 0 to 9223372036854775807, found "3"'),
    ('shape_nested', entry(shape=[[3]]),
     'tensor "fc.bias": shape must hold integers from 0 to 9223372036854775807, found an '
     'array'),
    ('shape_rank_9', entry(shape=[3] + [1] * 8),
     'tensor "fc.bias": shape must have 0 to 8 values, found 9'),
    ('shape_2_to_63', entry(shape=[1 << 63]),
     'tensor "fc.bias": shape must hold integers from 0 to 9223372036854775807, found '
     '9223372036854775808'),
    ('shape_product_overflows', entry(shape=[1 << 32, 1 << 32]),
     'tensor "fc.bias": shape must have a product of at most 2305843009213693951 elements, '
     'found a larger one'),
    ('shape_product_wraps_to_3', entry(shape=[3, 0x5555555555555555, 3, 0x5555555555555555]),
     'tensor "fc.bias": shape must have a product of at most 2305843009213693951 elements, '
     'found a larger one'),
    ('shape_bytes_overflow', entry(shape=[1 << 61]),
     'tensor "fc.bias": shape must have a product of at most 2305843009213693951 elements, '
     'found a larger one'),
    ('shape_overflow_times_0', entry(shape=[1 << 40, 1 << 40, 0]),
     'tensor "fc.bias": shape must have a product of at most 2305843009213693951 elements, '
     'found a larger one'),
    ('offsets_number', entry(data_offsets=12),
     'tensor "fc.bias": data_offsets must be an array, found 12'),
    ('offsets_one', entry(data_offsets=[112]),
     'tensor "fc.bias": data_offsets must have 2 values, found 1'),
    ('offsets_three', entry(data_offsets=[112, 124, 136]),
     'tensor "fc.bias": data_offsets must have 2 values, found 3'),
    ('offsets_negative', entry(data_offsets=[-12, 0]),
     'tensor "fc.bias": data_offsets must hold integers from 0 to 9223372036854775807, '
     'found -12'),
    ('offsets_2_to_64', entry(data_offsets=[112, (1 << 64) + 124]),
     'tensor "fc.bias": data_offsets must hold integers from 0 to 9223372036854775807, '
     'found 18446744073709551740'),
    ('offsets_backwards', entry(data_offsets=[124, 112]),
     'tensor "fc.bias": data_offsets must be in order, found 124 and 112'),
    ('offsets_minus_0', header(lambda text: text.replace('[0, 8]', '[-0, 8]')),
     'tensor "conv_in.weight": data_offsets must hold integers from 0 to 9223372036854775807, '
     'found -0'),
    ('shape_minus_0', entry(shape=[json.loads('-0.0'), 3]),
     'tensor "fc.bias": shape must hold integers from 0 to 9223372036854775807, found -0.0'),
    ('offsets_behind_end', entry(data_offsets=[116, 128]),
     'tensor "fc.bias": data_offsets must begin at 112, where the tensor before ends, found 116'),
    ('offsets_too_narrow', entry(data_offsets=[112, 120]),
     'tensor "fc.bias": data_offsets must span the 12 bytes of its shape and dtype, found 8'),
    ('offsets_too_wide', entry(data_offsets=[108, 124]),
     'tensor "fc.bias": data_offsets must span the 12 bytes of its shape and dtype, found 16'),
    ('name_513_bytes', put('x' * 513, 'U8', [0], b''),
     'tensor "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...: a name must '
     'have at most 512 bytes, found 513'),
    ('several_tensors',
     header(lambda text: text.replace('"F32"', '33', 2).replace('[3, 2]', '[4, 2]')),
     'tensor "conv_in.weight": dtype must be a string, found 33',
     'tensor "bn_in.weight": dtype must be a string, found 33',
     'tensor "fc.weight": data_offsets must span the 32 bytes of its shape and dtype, found '
     '24'),
    # ---- the tensors together -------------------------------------------------------------------
    ('overlap', entry(data_offsets=[108, 120]),
     'tensor "fc.bias": data_offsets must begin at 112, where the tensor before ends, found '
     '108'),
    ('hole_at_start', header(lambda text: text.replace('[0, 8]', '[8, 16]')),
     'tensor "bn_in.weight": data_offsets must begin at 0, where the tensor before ends, '
     'found 8'),
    ('hole',
     pack(
         json.dumps({
             'a': {'dtype': 'U8', 'shape': [1], 'data_offsets': [0, 1]},
             'b': {'dtype': 'U8', 'shape': [1], 'data_offsets': [2, 3]}
         }), bytes(3)),
     'tensor "b": data_offsets must begin at 1, where the tensor before ends, found 2'),
    ('same_bytes_twice',
     pack(
         json.dumps({name: {'dtype': 'U8', 'shape': [2], 'data_offsets': [0, 2]}
                     for name in 'ab'}), bytes(2)),
     'tensor "b": data_offsets must begin at 2, where the tensor before ends, found 0'),
    ('bytes_behind', save(good()) + b'\0',
     'the tensors must fill the data of 125 bytes, found 124'),
    ('bytes_missing', save(good())[:-1],
     'the file is cut short: its tensors have 124 bytes, and 123 are there'),
    ('most_bytes_missing', save(good())[:-100],
     'the file is cut short: its tensors have 124 bytes, and 24 are there'),
    ('header_is_cut_short', save(good())[:500],
     'the file is cut short: its header has 913 bytes, and 492 are there'),
    ('data_without_tensors', pack('{}',
                                  bytes(4)), 'the tensors must fill the data of 4 bytes, found 0'),
    ('too_many_tensors', save({f't{i}': ['U8', [0], b'']
                               for i in range(100001)}),
     'there must be at most 100000 tensors, found more'),
    # ---- what the model needs -------------------------------------------------------------------
    ('missing', without('fc.bias'),
     'tensor "fc.bias" of shape (3) must be there, found none of that name'),
    ('missing_all', pack('{}', b''),
     '12 tensors must be there, found none of their names; the first is "conv_in.weight" of shape '
     '(2, 1, 1, 1)'),
    ('extra', put('fc2.bias', 'F32', [3], f32(1, 2, 3)),
     'the model has no tensor "fc2.bias", and a weight file must hold no others'),
    ('extra_terminal_escape', put('\x1b[2J', 'F32', [1], f32(1)),
     'the model has no tensor "\\u001b[2J", and a weight file must hold no others'),
    ('extra_format_string', put('%s%n', 'F32', [1], f32(1)),
     'the model has no tensor "%s%n", and a weight file must hold no others'),
    # ---- names that differ by a pattern ---------------------------------------------------------
    ('other_name', renamed(lambda name: name.replace('fc', 'head')),
     '2 tensors have "head" where the model has "fc": "head.weight" must be "fc.weight"'),
    ('other_name_below_prefix', renamed(lambda name: 'net.' + name.replace('fc', 'head')),
     '2 tensors have "head" where the model has "fc": "net.head.weight" must be "fc.weight"'),
    ('other_names', renamed(lambda name: name.replace('fc', 'head.1').replace('bn', 'norm')),
     '4 tensors have "norm_in" where the model has "bn_in": "norm_in.weight" must be '
     '"bn_in.weight"',
     '4 tensors have "norm0" where the model has "bn0": "norm0.weight" must be "bn0.weight"',
     '2 tensors have "head.1" where the model has "fc": "head.1.weight" must be "fc.weight"'),
    ('misspelt', renamed(lambda name: name.replace('fc.bias', 'fc.bais')),
     'tensor "fc.bias" of shape (3) must be there, found none of that name; the nearest is '
     '"fc.bais"'),
    ('prefix_on_most', renamed(lambda name: name if 'fc' in name else 'features.' + name),
     '10 tensors have "features." before their names: "features.conv_in.weight" must be '
     '"conv_in.weight"'),
    ('component_within', renamed(lambda name: name.replace('bn0.', 'bn0.norm.')),
     '4 tensors have "bn0.norm" where the model has "bn0": "bn0.norm.weight" must be '
     '"bn0.weight"'),
    ('component_missing', renamed(lambda name: name.replace('bn0.', '')),
     '4 tensors lack "bn0." before their names: "weight" must be "bn0.weight"'),
    ('two_are_as_near',
     save({
         **{name: tensor
            for name, tensor in good().items() if name != 'fc.bias'}, 'a.bias': [
             'F32', [3], f32(1, 2, 3)
         ], 'b.bias': ['F32', [3], f32(1, 2, 3)]
     }), 'tensor "fc.bias" of shape (3) must be there, found none of that name',
     'the model has no tensor "a.bias", and a weight file must hold no others',
     'the model has no tensor "b.bias", and a weight file must hold no others'),
    ('other_shape',
     save({
         **{name: tensor
            for name, tensor in good().items() if name != 'fc.bias'}, 'head.bias': [
             'F32', [4], f32(1, 2, 3, 4)
         ]
     }), 'tensor "fc.bias" of shape (3) must be there, found none of that name',
     'the model has no tensor "head.bias", and a weight file must hold no others'),
    ('another_network', save({f'blocks.{i}.w{i}': ['F32', [5], f32(*range(5))]
                              for i in range(300)}),
     '12 tensors must be there, found none of their names; the first is "conv_in.weight" of shape '
     '(2, 1, 1, 1)',
     '300 tensors are not the model\'s, and a weight file must hold no others; the first is '
     '"blocks.0.w0"'),
    ('prefix_on_one', renamed(lambda name: name.replace('fc.bias', 'module.fc.bias')),
     'tensor "fc.bias" of shape (3) must be there, found none of that name; the nearest is '
     '"module.fc.bias"'),
    ('prefix_twice', renamed(lambda name: 'module.' + name.replace('conv', 'module.conv')),
     '2 tensors have "module." before their names: "module.module.conv_in.weight" must be '
     '"conv_in.weight"'),
    ('far_too_many_extra', save({**good(), **{f't{i}': ['U8', [0], b'']
                                              for i in range(100, 200)}}),
     '100 tensors are not the model\'s, and a weight file must hold no others; the first is '
     '"t100"'),
    ('rank_too_small', put('conv_in.weight', 'F32', [2, 1], f32(1, 2)),
     'tensor "conv_in.weight" must have the shape (2, 1, 1, 1), found (2, 1)'),
    ('rank_too_large', put('fc.bias', 'F32', [3, 1],
                           f32(1, 2, 3)), 'tensor "fc.bias" must have the shape (3), found (3, 1)'),
    ('transposed', put('fc.weight', 'F32', [2, 3],
                       f32(1, 2, 3, 4, 5,
                           6)), 'tensor "fc.weight" must have the shape (3, 2), found (2, 3)'),
    ('without_elements', put('fc.bias', 'F32', [0],
                             b''), 'tensor "fc.bias" must have the shape (3), found (0)'),
    ('integers', put('fc.bias', 'I64', [3], bytes(24)),
     'tensor "fc.bias" must be of dtype F64, F32, F16 or BF16, found I64'),
    ('booleans', put('fc.bias', 'BOOL', [3], bytes(3)),
     'tensor "fc.bias" must be of dtype F64, F32, F16 or BF16, found BOOL'),
    ('nan', put('fc.bias', 'F32', [3], f32(1, 2, float('nan'))),
     'tensor "fc.bias" must hold finite numbers, found nan at index 2 of 3'),
    ('infinite', put('fc.weight', 'F32', [3, 2], f32(1, 2, 3, float('-inf'), 5, 6)),
     'tensor "fc.weight" must hold finite numbers, found -inf at index 3 of 6'),
    ('f64_nan', put('fc.bias', 'F64', [3], f64(float('nan'), 2, 3)),
     'tensor "fc.bias" must hold finite numbers, found nan at index 0 of 3'),
    ('f16_infinite', put('fc.bias', 'F16', [3], bytes.fromhex('ff7b 007c 0000')),
     'tensor "fc.bias" must hold finite numbers, found inf at index 1 of 3'),
    ('f16_nan', put('fc.bias', 'F16', [3], bytes.fromhex('0100 ff7b 017e')),
     'tensor "fc.bias" must hold finite numbers, found nan at index 2 of 3'),
    ('bf16_infinite', put('fc.bias', 'BF16', [3], bytes.fromhex('803f 80ff 0000')),
     'tensor "fc.bias" must hold finite numbers, found -inf at index 1 of 3'),
    ('overflows_float32', put('fc.bias', 'F64', [3], f64(1, -1e39, 3)),
     'tensor "fc.bias" must hold numbers that float32 can hold, found -1e+39 at index 1 of 3'),
    ('just_overflows_float32', put('fc.bias', 'F64', [3], f64(1, 2,
                                                              float.fromhex('0x1.ffffffp127'))),
     'tensor "fc.bias" must hold numbers that float32 can hold, found 3.40282357e+38 at '
     'index 2 of 3'),
    # good numbers of which two layers make one
    ('overflows_when_folded', put('bn0.weight', 'F32', [2], f32(3, 3e38)),
     'constant w48 of conv0: element 1 is 4.49999e+38, which float32 does not hold, made of '
     'bn0.running_var, bn0.weight, conv0.weight'),
    ('negative_variance', put('bn0.running_var', 'F32', [2], f32(1, -1e-30)),
     'tensor "bn0.running_var" must hold no negative numbers, being variances, found -1e-30 '
     'at index 1 of 2'),
    ('several_needs',
     save({
         **good(), 'fc.bias': ['F32', [1], f32(0)],
         'conv0.weight': ['F32', [2, 2, 1, 1], f32(1, 2, 3, float('inf'))]
     }), 'tensor "conv0.weight" must hold finite numbers, found inf at index 3 of 4',
     'tensor "fc.bias" must have the shape (3), found (1)'),
]
