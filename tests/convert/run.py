"""Checkpoints through examples/convert/convert.py and sanc, against what the reference computes.

    run.py SANC [NAME...]

Each of ../shared/cases and ../shared/resnet/cases becomes a checkpoint in one of the three ways the published code saves it,
and comes back by way of convert.py with the options that shapes do not show. The paper's networks
have to come back without any. Needs PyTorch.
"""
import json
import os
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, 'tests', 'numeric'))
import common  # noqa: E402
import torch_python  # noqa: E402

CONVERT = os.path.join(ROOT, 'examples', 'convert', 'convert.py')
CHECKPOINT = os.path.join(ROOT, 'tests', 'convert', 'checkpoint.py')
WAYS = ['--plain', '--prefix', '--training']
ERROR = 5e-6
PUBLISHED = ['san10_pairwise', 'san10_patchwise', 'san15_pairwise', 'san19_patchwise', 'resnet18',
             'resnet50']
CONVS = ('"conv_in.weight": z(4, 3, 1, 1), "conv0.weight": z(8, 4, 1, 1), '
         '"fc.weight": z(5, 8)')
RESNET = '"conv1.weight": z(8, 3, 7, 7), "fc.weight": z(5, 8), "layer1.0.conv1.weight": '
BLOCK = f'{CONVS}, "layer0.0.bn2.weight": z(8), "layer0.0.sam.conv1.weight": z(2, 8, 1, 1)'
# What is saved, z making tensors, and what convert.py has to say: files of other kinds are refused
# in words.
REFUSED = [
    ('{"epoch": 3}', 'no state_dict'),
    ('[]', 'no state_dict'),
    ('{"a": z(3)}', 'no tensor conv_in.weight'),
    (f'{{{CONVS}, "layer0.1.bn1.weight": z(8)}}', 'layer0 has the blocks [1]'),
    (f'{{{CONVS}, "layer0.0.bn2.weight": z(8)}}', 'there is no tensor layer0.0.sam.conv1.weight'),
    (f'{{{BLOCK}, "layer0.0.sam.conv_w.2.weight": z(3, 5, 1, 1)}}',
     'layer0: no attention of the format has tensors of these shapes: conv1 with 2 outputs'),
    ('{"state_dict": {"conv_in.weight": z(1)}, "function": print}', '--trust'),
    (f'{{{RESNET}z(4, 8, 1, 1), "layer1.0.conv2.weight": z(4, 2, 3, 3), "layer1.0.conv3.weight": '
     'z(8, 4, 1, 1)}', 'layer1.0.conv1.weight has the shape (4, 8, 1, 1), must have (2, 8, 1, 1)'),
    (f'{{{RESNET}z(8, 8, 3, 3)}}', 'layer1.0 has 1 convolutions, must have 2 or 3'),
    (f'{{{RESNET}z(8, 8, 3, 3), "layer1.0.conv2.weight": z(8, 8, 5, 5)}}',
     'layer1.0.conv2.weight has the shape (8, 8, 5, 5), must have (8, 8, 3, 3)'),
    ('{"layer1.0.conv1.weight": z(8, 8, 3, 3)}', 'no tensor conv1.weight'),
]
DEFAULTS = {'pairwise': {'relation': 'subtraction', 'position': 'relative', 'softmax': True},
            'patchwise': {'relation': 'concatenation', 'position': 'none', 'softmax': False}}


def options(model):
    """What the shapes of a model's tensors may leave open, stage by stage."""
    stages = []
    size = model.get('input', {})
    yield from ('--input', f'{size.get("height", 224)},{size.get("width", 224)}')
    if 'family' in model:
        return
    for stage in model['stages']:
        settings = {'type': 'pairwise', **model.get('attention', {}), **stage.get('attention', {})}
        stages.append({'footprint': 7, 'dilation': 1, 'padding': 'reflect',
                       **DEFAULTS[settings['type']], **settings})
    for name in ('footprint', 'dilation', 'padding', 'relation', 'softmax'):
        values = (stage[name] for stage in stages)
        yield from ('--' + name, ','.join(str(value).lower() if value in (True, False) and
                                          name == 'softmax' else str(value) for value in values))


def published_job(name, folder):
    """Without options, in the file's own name."""
    return {'way': '--seeded', 'source': os.path.join(common.NETWORKS, name + '.json'),
            'checkpoint': os.path.join(folder, name + '.pth'),
            'arguments': [os.path.join(folder, name)]}


def case_job(name, case, way, folder):
    with open(os.path.join(case, 'model.json'), encoding='utf-8') as file:
        model = json.load(file)
    return {'way': way, 'source': os.path.join(case, 'weights.safetensors'),
            'checkpoint': os.path.join(folder, name + '.pth'),
            'arguments': [os.path.join(folder, name), *options(model)]}


def refusal_job(index, folder):
    name = os.path.join(folder, f'refused{index}')
    return {'way': '--expression', 'source': REFUSED[index][0], 'checkpoint': name + '.pth',
            'arguments': [name]}


def make_and_convert(python, jobs):
    """Status and words of convert.py for each job."""
    command = [python, CHECKPOINT, common.shared('reference'), os.path.dirname(CONVERT)]
    done = subprocess.run(command, input=json.dumps(jobs), stdout=subprocess.PIPE, text=True,
                          check=True, timeout=1800)
    return json.loads(done.stdout)


def check_case(sanc, name, case, folder, tally):
    stem, out = os.path.join(folder, name), os.path.join(folder, 'out')
    io = os.path.join(case, 'io.safetensors')
    try:
        common.call(sanc, 'run', stem + '.json', '-w', stem + '.safetensors', '--input', io,
                    '--output', out)
    except common.Failure as failure:
        tally.check(False, f'{name}: {failure}')
        return
    error = common.relative_error(common.read_safetensors(out)['output'][1],
                                  common.read_safetensors(io)['output'][1])
    print(f'{name:24} error {error:.1e}', flush=True)
    tally.check(error <= ERROR, f'{name}: error {error:.2e} over {ERROR}')


def check_published(sanc, name, folder, said, tally):
    """The network is the same to sanc, graph for graph, and takes the weights."""
    stem = os.path.join(folder, name)
    first = common.call(sanc, 'ir', '--list-passes').split()[1]
    graphs = [common.call(sanc, 'ir', path, '--before', first)
              for path in (os.path.join(common.NETWORKS, name + '.json'), stem + '.json')]
    same = graphs[0] == graphs[1]
    print(f'{name}: {"the same" if same else "another"} graph; convert.py said\n  ' +
          said.strip().replace('\n', '\n  '))
    tally.check(same, f'{name}: another graph')
    common.call(sanc, 'compile', stem + '.json', '-w', stem + '.safetensors', '-o', stem + '.o')


def check_refusal(index, status, said, folder, tally):
    source, says = REFUSED[index]
    tally.check(status == 1 and says in said, f'{source}: status {status}, {said}')
    left = [name for name in os.listdir(folder) if name.startswith(f'refused{index}.')]
    tally.check(left == [f'refused{index}.pth'], f'{source}: left {left}')


def main():
    sanc, *names = sys.argv[1:]
    cases = common.case_folders()
    python = torch_python.find() or common.skip(
        'no PyTorch; TORCH_PYTHON can name a Python with it')
    tally = common.Tally()
    whole = not names
    names = names or list(cases)
    with tempfile.TemporaryDirectory() as folder:
        jobs = [case_job(name, cases[name], WAYS[i % len(WAYS)], folder) for i, name in enumerate(names)]
        if whole:
            jobs += [published_job(name, folder) for name in PUBLISHED]
            jobs += [refusal_job(i, folder) for i in range(len(REFUSED))]
        results = iter(make_and_convert(python, jobs))
        for name in names:
            status, said = next(results)
            if status == 0:
                check_case(sanc, name, cases[name], folder, tally)
            else:
                tally.check(False, f'{name}: {said}')
        for name in PUBLISHED if whole else []:
            check_published(sanc, name, folder, next(results)[1], tally)
        for i in range(len(REFUSED) if whole else 0):
            check_refusal(i, *next(results), folder, tally)
    return tally.end()


if __name__ == '__main__':
    sys.exit(main())
