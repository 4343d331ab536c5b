"""Makes checkpoints as the published code saves them and gives them to convert.py. Runs with
PyTorch.

    checkpoint.py REFERENCE CONVERT <JOBS

REFERENCE and CONVERT are the folders of san_reference.py, resnet_reference.py and convert.py; JOBS is a list of objects:
`source` (weights, or with --seeded a model description, or with --expression what Python saves),
`way` to save it, `checkpoint` to be written, and the `arguments` that convert.py has besides.
Prints a list of convert.py's status and words for each.
"""
import contextlib
import io
import json
import sys

import torch
from safetensors.torch import load_file


def state_dict(source, way):
    if way == '--seeded':
        import resnet_reference
        import san_reference
        with open(source, encoding='utf-8') as file:
            model = json.load(file)
        torch.manual_seed(1)
        residual = model.get('family') == 'resnet'
        return (resnet_reference.ResNet if residual else san_reference.San)(model).state_dict()
    state = load_file(source)
    for name in list(state):
        if name.endswith('running_var'):
            state[name.replace('running_var', 'num_batches_tracked')] = torch.tensor(7)
    return state


def checkpoint(source, way):
    """The network of a state_dict alone, as DataParallel has it, or within what training saves."""
    if way == '--expression':
        return eval(source, {'z': lambda *shape: torch.zeros(shape)})
    state = state_dict(source, way)
    if way in ('--prefix', '--training'):
        state = {'module.' + name: tensor for name, tensor in state.items()}
    if way == '--training':
        state = {'epoch': 100, 'state_dict': state, 'optimizer': {'state': {}, 'param_groups': []}}
    return state


def main():
    sys.path += sys.argv[1:3]
    import convert
    results = []
    for job in json.load(sys.stdin):
        torch.save(checkpoint(job['source'], job['way']), job['checkpoint'])
        said = io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            status = convert.main([job['checkpoint'], *job['arguments']])
        results.append((status, said.getvalue()))
    json.dump(results, sys.stdout)


if __name__ == '__main__':
    main()
