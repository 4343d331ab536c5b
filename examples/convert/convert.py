#!/usr/bin/env python3
"""Turns a checkpoint of the published SAN code, or of torchvision's ResNets, into the pair of files
that sanc reads.

    convert.py CHECKPOINT.pth STEM [--footprint K[,K...]] [options]

Writes STEM.json and STEM.safetensors. Stages, blocks, channels, the type of attention and the
widths within it are read off the tensors' names and shapes; what these do not say comes from
options, or is as published. Needs PyTorch and safetensors.
"""
import argparse
import collections
import itertools
import json
import os
import re
import sys

from checkpoints import Refusal, open_checkpoint

POSITION_CHANNELS = {'none': 0, 'relative': 2, 'absolute': 4}
FOOTPRINTS = range(1, 16, 2)


# ---- what the shapes say -------------------------------------------------------------------------

# linears: (inputs, outputs) of each layer of the mapping; tied: the setting `transforms`
Shapes = collections.namedtuple('Shapes', 'phi values linears tied position')


def read_shapes(shapes, block):
    """Widths within one block; `shapes` is name -> shape."""
    def outputs(name):
        if name not in shapes:
            raise Refusal(f'there is no tensor {name}')
        return shapes[name][0]

    sam = f'{block}.sam.'
    linears = []
    while f'{sam}conv_w.{3 * len(linears) + 2}.weight' in shapes:
        linears.append(shapes[f'{sam}conv_w.{3 * len(linears) + 2}.weight'][1::-1])
    tied = ('distinct' if sam + 'conv2.weight' in shapes else
            'phi=psi' if sam + 'conv3.weight' in shapes else 'phi=psi=beta')
    return Shapes(phi=outputs(sam + 'conv1.weight'), values=outputs(block + '.bn2.weight'),
                  linears=linears, tied=tied, position=sam + 'conv_p.weight' in shapes)


def relations(kind, s, footprint):
    """Width of the mapping's input for each relation of a type, without its position channels."""
    if kind == 'pairwise':
        return {'subtraction': s.phi, 'summation': s.phi, 'hadamard': s.phi, 'dot': 1,
                'concatenation': 2 * s.phi}
    pixels = footprint * footprint
    return {'concatenation': s.phi * (pixels + 1), 'star': pixels, 'clique': pixels * pixels}


def fits(s, kind, relation, position, footprint, share):
    """Whether attention of this kind has tensors of these shapes."""
    weights = s.values // share
    pixels = footprint * footprint
    width = relations(kind, s, footprint)[relation] + POSITION_CHANNELS[position]
    if not s.linears:
        return kind == 'pairwise' and width == weights
    hidden, last = (s.phi, weights) if kind == 'pairwise' else (weights, weights * pixels)
    widths = [width] + [hidden] * (len(s.linears) - 1) + [last]
    return s.linears == [(a, b) for a, b in zip(widths, widths[1:])]


def settings_that_fit(s, published_footprint):
    """Every way to read the shapes, likelier ones first."""
    shares = [n for n in range(1, s.values + 1) if s.values % n == 0]
    shares.sort(key=lambda n: n != 8)
    footprints = sorted(FOOTPRINTS, key=lambda k: (k != published_footprint, k))
    for kind in ('pairwise', 'patchwise'):
        positions = (['none'] if not s.position else
                     ['relative', 'absolute'] if kind == 'pairwise' else [])
        for relation, position, footprint, share in itertools.product(
                relations(kind, s, 1), positions, footprints, shares):
            if fits(s, kind, relation, position, footprint, share):
                yield {'type': kind, 'relation': relation, 'position': position,
                       'footprint': footprint, 'share': share}


# ---- the model -----------------------------------------------------------------------------------

def asked_for(options, stage):
    """The options that say something about a stage; with commas, each value is of a stage."""
    said = {}
    for name in ('type', 'relation', 'position', 'footprint', 'share', 'softmax', 'dilation',
                 'padding'):
        values = getattr(options, name)
        if values:
            said[name] = values[min(stage, len(values) - 1)]
    return said


def described(s):
    mapping = ', '.join(f'{a} to {b}' for a, b in s.linears) or 'none'
    return (f'conv1 with {s.phi} outputs, bn2 with {s.values}, linears of conv_w: {mapping}, '
            f'{"with" if s.position else "without"} conv_p')


def read_attention(shapes, stage, blocks, options, notes):
    """The settings of a stage's attention that are not as sanc has them by default."""
    name = f'layer{stage}'
    s = read_shapes(shapes, f'{name}.0')
    if any(read_shapes(shapes, f'{name}.{i}') != s for i in range(1, blocks)):
        raise Refusal(f'the blocks of {name} differ, which the format does not have')
    said = asked_for(options, stage)
    fitting = list(settings_that_fit(s, 3 if stage == 0 else 7))
    chosen = [a for a in fitting if all(a.get(key, value) == value for key, value in said.items())]
    if not chosen:
        raise Refusal(f'{name}: no attention of the format'
                      f'{" with what the options ask for" if fitting else ""} has tensors of these '
                      f'shapes: {described(s)}')
    for key in chosen[0]:
        others = list(dict.fromkeys(a[key] for a in chosen if a[key] != chosen[0][key]))
        if others and key not in said:
            notes.setdefault((key, chosen[0][key], tuple(others)), []).append(name)
    attention = {**chosen[0], 'mapping': len(s.linears), 'relation_channels': s.phi,
                 'value_channels': s.values, 'transforms': s.tied, **said}
    channels = shapes[f'conv{stage}.weight'][0]
    pairwise = attention['type'] == 'pairwise'
    one = s.tied == 'phi=psi=beta'
    defaults = {'relation': 'subtraction' if pairwise else 'concatenation', 'mapping': 2,
                'position': 'relative' if pairwise else 'none', 'softmax': pairwise,
                'footprint': 7, 'dilation': 1, 'padding': 'reflect', 'share': 8,
                'relation_channels': s.values if one else channels // 16,
                'value_channels': channels // 4, 'transforms': 'distinct'}
    return {key: value for key, value in attention.items() if defaults.get(key) != value}


def count_blocks(shapes, i):
    """How many blocks layer{i} has."""
    blocks = {int(found[1]) for found in map(re.compile(rf'layer{i}\.(\d+)\.').match, shapes)
              if found}
    if blocks != set(range(len(blocks))):
        raise Refusal(f'layer{i} has the blocks {sorted(blocks)}, which do not follow each other')
    return len(blocks)


def need(shapes, *names):
    for name in names:
        if name not in shapes:
            raise Refusal(f'there is no tensor {name}: this is neither a SAN of the published code '
                          "nor a ResNet of torchvision's")


def model_of(shapes, options, stem, **more):
    return {'format': 'san', 'version': 1, 'name': options.name,
            'input': {'channels': shapes[f'{stem}.weight'][1], 'height': options.input[0],
                      'width': options.input[-1]},
            'classes': shapes['fc.weight'][0], 'stem_channels': shapes[f'{stem}.weight'][0], **more}


def read_model(shapes, options, notes):
    """The description of the network that has tensors of these shapes."""
    if 'layer1.0.conv1.weight' in shapes:
        return read_resnet(shapes, options)
    need(shapes, 'conv_in.weight', 'conv0.weight', 'fc.weight')
    stages = []
    while f'conv{len(stages)}.weight' in shapes:
        i = len(stages)
        blocks = count_blocks(shapes, i)
        stage = {'blocks': blocks, 'channels': shapes[f'conv{i}.weight'][0]}
        if blocks:
            stage['attention'] = read_attention(shapes, i, blocks, options, notes)
        stages.append(stage)
    model = model_of(shapes, options, 'conv_in', attention=common_settings(stages), stages=stages)
    return {key: value for key, value in model.items() if value != {}}


def read_resnet_block(shapes, block):
    """(kind, channels); a block of another width than torchvision's resnet18 to 152 is refused."""
    sizes = []
    while f'{block}.conv{len(sizes) + 1}.weight' in shapes:
        sizes.append(shapes[f'{block}.conv{len(sizes) + 1}.weight'])
    if len(sizes) not in (2, 3):
        raise Refusal(f'{block} has {len(sizes)} convolutions, must have 2 or 3')
    kind, out = ('bottleneck' if len(sizes) == 3 else 'basic'), sizes[-1][0]
    inner = out // 4 if kind == 'bottleneck' else out
    kernels = [1, 3, 1] if kind == 'bottleneck' else [3, 3]
    widths = [sizes[0][1]] + [inner] * (len(sizes) - 1) + [out]
    for i, (found, k) in enumerate(zip(sizes, kernels)):
        wanted = (widths[i + 1], widths[i], k, k)
        if found != wanted:
            raise Refusal(f'{block}.conv{i + 1}.weight has the shape {found}, must have {wanted} '
                          'in a residual network of the format')
    return kind, out


def read_resnet(shapes, options):
    asked = [name for name in ('type', 'relation', 'position', 'footprint', 'share', 'softmax',
                               'dilation', 'padding') if getattr(options, name)]
    if asked:
        raise Refusal(f'--{asked[0]} is about attention, and this is a residual network')
    need(shapes, 'conv1.weight', 'fc.weight')
    stages = []
    while f'layer{len(stages) + 1}.0.conv1.weight' in shapes:
        name = f'layer{len(stages) + 1}'
        found = {read_resnet_block(shapes, f'{name}.{b}')
                 for b in range(count_blocks(shapes, len(stages) + 1))}
        if len(found) > 1:
            raise Refusal(f'the blocks of {name} differ, which the format does not have')
        (kind, channels), = found
        stages.append({'blocks': count_blocks(shapes, len(stages) + 1), 'channels': channels,
                       'block': kind})
    kinds = {stage['block'] for stage in stages}
    common = {'block': stages[0]['block']} if len(kinds) == 1 else {}
    for stage in stages:
        if common:
            del stage['block']
    return model_of(shapes, options, 'conv1', family='resnet', **common, stages=stages)


def common_settings(stages):
    """Takes out of the stages the settings that all of those with blocks share."""
    attentions = [stage['attention'] for stage in stages if stage['blocks']]
    if not attentions:
        return {}
    common = {key: value for key, value in attentions[0].items()
              if all(key in other and other[key] == value for other in attentions)}
    for stage in stages:
        if stage['blocks']:
            stage['attention'] = {key: value for key, value in stage['attention'].items()
                                  if key not in common}
            if not stage['attention']:
                del stage['attention']
    return common


# ---- files ---------------------------------------------------------------------------------------

def model_text(model):
    """JSON with a stage on each line."""
    lines = []
    for key, value in model.items():
        if key == 'stages':
            text = '[\n    ' + ',\n    '.join(map(json.dumps, value)) + '\n  ]'
        else:
            text = json.dumps(value)
        lines.append(f'  "{key}": {text}')
    return '{\n' + ',\n'.join(lines) + '\n}\n'


def write_tensors(path, tensors):
    from safetensors.torch import save_file
    save_file({name: tensor.detach().contiguous().clone()
               for name, tensor in tensors.items()}, path)


def convert(options):
    tensors, said = open_checkpoint(options.checkpoint, options.weights, options.trust)
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    notes = {}
    model = read_model(shapes, options, notes)
    with open(options.stem + '.json', 'w', encoding='utf-8') as file:
        file.write(model_text(model))
    write_tensors(options.stem + '.safetensors', tensors)
    for line in said:
        print(line)
    for (key, value, others), names in notes.items():
        print(
            f'{", ".join(names)}: took {key} to be {json.dumps(value)}; the tensors would also fit '
            f'{", ".join(json.dumps(other) for other in others)} (--{key})')
    if 'family' not in model and not (options.softmax and options.dilation and options.padding):
        print('took softmax, dilation and padding to be as published where no option says them')


# ---- options -------------------------------------------------------------------------------------

def words(*allowed):
    """One of some words, or several with commas."""
    def read(text):
        found = text.split(',')
        for word in found:
            if word not in allowed:
                raise argparse.ArgumentTypeError(f'{word!r} is none of {", ".join(allowed)}')
        return found
    return read


def numbers(text):
    try:
        return [int(word) for word in text.split(',')]
    except ValueError:
        raise argparse.ArgumentTypeError(
            f'{text!r} is no number, nor several with commas') from None


def flags(text):
    return [word == 'true' for word in words('true', 'false')(text)]


def main(arguments=None):
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], epilog=
        'Settings may be several with commas, one for each stage; the last counts for the stages '
        'after it too.')
    parser.add_argument('checkpoint', help='a .pth, .pt, .ckpt or .safetensors file')
    parser.add_argument('stem', help='what STEM.json and STEM.safetensors begin with')
    parser.add_argument('--name', help="the model's name, a C identifier (from STEM otherwise)")
    parser.add_argument('--input', type=numbers, default=[224, 224], metavar='H,W',
                        help='size of an image (224,224)')
    parser.add_argument('--footprint', type=numbers, metavar='K,K',
                        help='pairwise attention does not show it (3, then 7)')
    parser.add_argument('--type', type=words('pairwise', 'patchwise'))
    parser.add_argument('--relation', type=words('subtraction', 'summation', 'hadamard', 'dot',
                                                 'concatenation', 'star', 'clique'))
    parser.add_argument('--position', type=words('none', 'relative', 'absolute'))
    parser.add_argument('--softmax', type=flags, metavar='true|false')
    parser.add_argument('--share', type=numbers, metavar='N,N')
    parser.add_argument('--dilation', type=numbers, metavar='N,N')
    parser.add_argument('--padding', type=words('reflect', 'zero'))
    parser.add_argument(
        '--weights', metavar='ema|plain|PLACE',
        help='which to take of a file that holds several: averaged ones (EMA, SWA), '
        'plain ones, or those at a place that an error named')
    parser.add_argument(
        '--trust', action='store_true',
        help='reads checkpoints that hold more than tensors; this can run code that is '
        'in them')
    options = parser.parse_args(arguments)
    options.name = options.name or re.sub(r'\W|^(?=\d)', '_', os.path.basename(options.stem),
                                          flags=re.ASCII)
    try:
        convert(options)
    except (Refusal, OSError) as problem:
        print(f'{os.path.basename(sys.argv[0])}: {problem}', file=sys.stderr)
        return 1
    except ImportError as problem:
        print(f'{os.path.basename(sys.argv[0])}: {problem}: pip install torch safetensors',
              file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
