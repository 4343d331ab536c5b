"""Every way in which training saves a network, through examples/convert/convert.py.

    containers.py SANC

A table of expressions makes checkpoints of the digits' weights: convert.py has to find the same
tensors in them, or to ask which ones where averages stand beside them, or to name in a line what a
wrong file is. Needs PyTorch; makes all of its files.
"""
import argparse
import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CONVERT = os.path.join(ROOT, 'examples', 'convert')
WEIGHTS = os.path.join(ROOT, 'examples', 'digits', 'pairwise', 'weights.safetensors')
sys.path.insert(0, os.path.join(ROOT, 'tests', 'numeric'))
import common  # noqa: E402
import torch_python  # noqa: E402

# What is saved: `net` the digits' weights, `ema` others, at(prefix, tensors); options of
# convert.py; which weights have to come out.
FOUND = [
    ('net', '', 'net'),
    ('{"state_dict": net, "epoch": 3, "optimizer": {"state": {0: {"exp_avg": one}}}}', '', 'net'),
    ('{"model": net}', '', 'net'),
    ('{"model_state_dict": net}', '', 'net'),
    ('{"net": net}', '', 'net'),
    ('{"checkpoint": {"module": net}}', '', 'net'),
    ('at("module._orig_mod.", net)', '', 'net'),
    ('{"state_dict": {**at("model.", net), "criterion.weight": one, "loss.scale": one},'
     ' "pytorch-lightning_version": "2.5", "callbacks": {}}', '', 'net'),
    ('{"state_dict": at("net.model.", net), "hyper_parameters": Namespace(lr=0.1)}', '', 'net'),
    ('{"state_dict": net, "best": numpy.float64(0.9), "last": numpy.float32(1)}', '', 'net'),
    ('{"n_averaged": torch.tensor(5), **at("module.", net)}', '', 'net'),
    ('{"model": net, "state_dict": net}', '', 'net'),
    ('{"state_dict": {**net, "layer0.0.total_ops": one, "bn0.num_batches_tracked": one}}', '',
     'net'),
    # plain and averaged
    ('{"state_dict": net, "state_dict_ema": ema}', '--weights ema', 'ema'),
    ('{"state_dict": net, "state_dict_ema": ema}', '--weights plain', 'net'),
    ('{"model": net, "model_ema": at("module.", ema)}', '--weights ema', 'ema'),
    ('{"model": net, "ema": {"decay": 0.9, "shadow": learned(ema)}}', '--weights ema',
     '{**net, **learned(ema)}'),
    ('{"state_dict": {**at("model.", net), **at("ema_model.module.", ema)}}', '--weights ema',
     'ema'),
    ('{"state_dict": {**net, **at("ema.", ema)}}', '--weights plain', 'net'),
    ('{"state_dict": net, "swa": {"n_averaged": one, **at("module.", ema)}}', '--weights ema',
     'ema'),
    ('{"state_dict": {**at("net.", net), "avg.n_averaged": one, **at("avg.module.", ema)}}',
     '--weights plain', 'net'),
    ('{"state_dict": at("model.", net), "callbacks": {"EMACallback": {"ema_weights": ema}}}',
     '--weights ema', 'ema'),
    ('{"model": net, "ema": {"shadow_params": list(ema.values())}}', '--weights plain', 'net'),
    ('{"model": module(net), "ema": module(ema)}', '--trust --weights ema', 'ema'),
    ('module(net)', '--trust', 'net'),
    # several networks
    ('{"state_dict": {**at("student.", net), **at("teacher.", ema)}}',
     '--weights state_dict/student.', 'net'),
    ('{"ema_state_dict": ema}', '', 'ema'),
]
BOTH = 'choose with --weights plain or --weights ema'
# What is saved, or a file's bytes; options; what the one line says.
REFUSED = [
    ('{"state_dict": net, "state_dict_ema": ema}', '', BOTH),
    ('{"model": net, "ema_state_dict": ema}', '', BOTH),
    ('{"model": net, "modelEma": ema}', '', BOTH),
    ('{"net": net, "ema": {"model": ema}}', '', BOTH),
    ('{"state_dict": {**at("model.", net), **at("ema_model.", ema)}}', '', BOTH),
    ('{"state_dict": {**at("model.", net), "swa_model.n_averaged": one,'
     ' **at("swa_model.module.", ema)}}', '', BOTH),
    ('{"model": net, "ema": {"shadow_params": list(ema.values())}}', '',
     'in an unknown form), which give other results: choose with --weights plain'),
    ('{"state_dict": {**at("model.", net), "model_ema.conv_inweight": net["conv_in.weight"]}}', '',
     'in an unknown form'),
    ('{"state_dict": {**net, "model_ema.conv_inweight": net["conv_in.weight"]}}', '',
     'in an unknown form'),
    ('net', '--weights ema', 'no such weights as --weights ema asks for'),
    ('{"state_dict": {**at("student.", net), **at("teacher.", ema)}}', '',
     'several networks: "state_dict/student.", "state_dict/teacher."'),
    ('{"layer1.weight": net["fc.weight"]}', '', 'neither a SAN of the published code'),
    ('torch.nn.Linear(2, 3)', '',
     'a pickle of a whole module or object, torch.nn.modules.linear.Linear'),
    ('legacy(torch.nn.Linear(2, 3))', '', 'a pickle of a whole module'),
    ('{"state_dict": net, "metric": print}', '', 'holds more than tensors ('),
    ('b"\\xff\\xd8\\xff\\xe0\\0\\x10JFIF"', '', 'is a JPEG image'),
    ('b"version https://git-lfs.github.com/spec/v1\\noid sha256:0"', '', 'a pointer of git-LFS'),
    ('b"\\n<!DOCTYPE html><html>"', '', 'is a web page (HTML)'),
    ('open(WEIGHTS, "rb").read()', '', 'is a safetensors file: rename it'),
    ('saved(net)[:20000]', '', 'is cut short'),
    ('legacy(net)[:20000]', '', 'is cut short'),
    ('saved(torch.jit.script(torch.nn.ReLU()), torch.jit.save)', '', 'a TorchScript program'),
    ('b""', '', 'is empty'),
    ('b"some words"', '', 'is no checkpoint of PyTorch'),
]


def names():
    """The names that expressions may use."""
    import numpy
    import torch
    from safetensors.torch import load_file
    net = load_file(WEIGHTS)

    def saved(what, save=torch.save, **options):
        file = io.BytesIO()
        save(what, file, **options)
        return file.getvalue()

    def module(tensors):
        whole = torch.nn.Module()
        for name, tensor in tensors.items():
            part = whole
            for word in name.split('.')[:-1]:
                if word not in part._modules:
                    part.add_module(word, torch.nn.Module())
                part = part._modules[word]
            part.register_buffer(name.rpartition('.')[2], tensor)
        return whole

    return {
        'module': module, 'net': net, 'ema': {name: 2 * tensor for name, tensor in net.items()},
        'one': torch.ones(1), 'torch': torch, 'numpy': numpy, 'Namespace': argparse.Namespace,
        'at': lambda prefix, tensors: {prefix + name: value for name, value in tensors.items()},
        'learned': lambda tensors: {name: value for name, value in tensors.items()
                                    if 'running' not in name},
        'saved': saved, 'WEIGHTS': WEIGHTS,
        'legacy': lambda what: saved(what, _use_new_zipfile_serialization=False)}


def converted(expression, scope, stem, options):
    """Status and words of convert.main for what the expression makes."""
    import convert
    import torch
    what = eval(expression, scope)
    if isinstance(what, bytes):
        with open(stem + '.pth', 'wb') as file:
            file.write(what)
    else:
        torch.save(what, stem + '.pth')
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        status = convert.main([stem + '.pth', stem, '--input', '28,28', *options.split()])
    return status, said.getvalue()


def check_found(row, scope, stem, tally):
    from safetensors.torch import load_file
    expression, options, weights = row
    what = f'{expression} {options}'
    status, said = converted(expression, scope, stem, options)
    if status:
        tally.check(False, f'{what}: status {status}, {said}')
        return
    found, expected = load_file(stem + '.safetensors'), eval(weights, scope)
    same = found.keys() == expected.keys() and all(
        (found[name] == expected[name]).all() for name in expected)
    tally.check(same, f'{what}: other tensors than {weights}; {said}')
    with open(stem + '.json', encoding='utf-8') as file:
        tally.check(json.load(file)['classes'] == 10, f'{what}: another model')


def check_refused(row, scope, stem, tally):
    expression, options, says = row
    status, said = converted(expression, scope, stem, options)
    tally.check(status == 1 and says in said and said.count('\n') == 1,
                f'{expression}: status {status}, {said}')
    left = [end for end in ('.json', '.safetensors') if os.path.exists(stem + end)]
    tally.check(not left, f'{expression}: left {left}')


def main():
    if not torch_python.imports(sys.executable, 'torch, safetensors.torch, numpy'):
        python = torch_python.find('torch, safetensors.torch, numpy')
        if not python:
            common.skip('no PyTorch; TORCH_PYTHON can name a Python with it')
        return subprocess.call([python, *sys.argv])
    sys.path.insert(0, CONVERT)
    tally, scope = common.Tally(), names()
    with tempfile.TemporaryDirectory() as folder:
        for i, row in enumerate(FOUND):
            check_found(row, scope, os.path.join(folder, f'found{i}'), tally)
        for i, row in enumerate(REFUSED):
            check_refused(row, scope, os.path.join(folder, f'refused{i}'), tally)
    return tally.end()


if __name__ == '__main__':
    sys.exit(main())
