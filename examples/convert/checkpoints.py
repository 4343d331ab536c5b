"""Opens what training saved, and finds the tensors of the network in it.

A network is wherever a name ends in one of FIRST: in any dictionary of the file, after any prefix. Its place is the keys and the prefix that lead there, as "state_dict/model.". Nothing but
tensors and plain values is read unless the file is trusted.
"""
import argparse
import collections
import contextlib
import os
import pickletools
import re
import zipfile


class Refusal(Exception):
    """Why a checkpoint cannot be converted."""


# A tensor that each network has once: a SAN, and a ResNet (whose conv1 is a name within blocks, too).
FIRST = ('conv_in.weight', 'layer1.0.conv1.weight')
# What batch norms and tools that count operations leave beside the weights.
IGNORED = ('num_batches_tracked', 'total_ops', 'total_params')
STATISTICS = ('running_mean', 'running_var')
AVERAGED = re.compile(r'(?:(?<![A-Za-z])(?i:ema|swa|averaged?|avg|shadow)|'
                      r'(?<=[a-z])(?:Ema|EMA|Swa|SWA))(?![a-z])')

# ---- files of other kinds ------------------------------------------------------------------------

MAGIC = [
    (b'version https://git-lfs.github.com/',
     'a pointer of git-LFS, which stands for a file that was not fetched: git lfs pull'),
    (b'\xff\xd8\xff', 'a JPEG image'),
    (b'\x89PNG', 'a PNG image'),
    (b'\x93NUMPY', 'an array of NumPy'),
    (b'\x89HDF\r\n', 'an HDF5 file'),
    (b'GGUF', 'a GGUF file'),
    (b'\x1f\x8b', 'compressed with gzip'),
    (b'\x28\xb5\x2f\xfd', 'compressed with zstd'),
]


def file_kind(path):
    """What a file is that PyTorch did not write, in words; 'safetensors'; or None."""
    with open(path, 'rb') as file:
        start = file.read(512)
    if not start:
        return 'empty'
    for magic, kind in MAGIC:
        if start.startswith(magic):
            return kind
    if start.lstrip()[:5].lower() in (b'<!doc', b'<html'):
        return 'a web page (HTML), perhaps of a download that asked for a login'
    if start[8:9] == b'{' and int.from_bytes(start[:8], 'little') < 1 << 27:
        return 'safetensors'
    if start.startswith(b'PK'):
        return zip_kind(path)
    return None


def zip_kind(path):
    if not zipfile.is_zipfile(path):
        return 'cut short: the end of its archive is missing'
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    if any('/code/' in name for name in names):
        return 'a TorchScript program: save the state_dict() of torch.jit.load(...) instead'
    if any(name.endswith('/data.pkl') for name in names):
        return None
    return 'an archive of NumPy (.npz)' if names and names[0].endswith('.npy') else 'a ZIP archive'


# What tensors and plain values are pickled by.
PLAIN = re.compile(r'collections\.OrderedDict|torch\._utils\.|torch\.\w+$|numpy\.|_codecs\.')


def pickled(path):
    """(classes and functions that a checkpoint's pickle names, whether all of it is one object).
    None of them is run."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return names_in(archive.read(next(name for name in archive.namelist()
                                              if name.endswith('/data.pkl'))))
    with open(path, 'rb') as file:  # the older form: a number, a version, sizes; then what is saved
        found = [], False
        with contextlib.suppress(ValueError):
            while not found[0] and file.read(1):
                file.seek(-1, os.SEEK_CUR)
                found = names_in(file)
        return found


def names_in(pickle):
    names, strings, inside, whole = [], [], False, False
    for op, argument, _ in pickletools.genops(pickle):
        inside = inside or op.name in ('EMPTY_DICT', 'EMPTY_LIST')
        if op.name in ('GLOBAL', 'STACK_GLOBAL'):
            whole = whole or not names and not inside
            names.append(argument.replace(' ', '.') if argument else '.'.join(strings[-2:]))
        elif isinstance(argument, str):
            strings.append(argument)
    return list(dict.fromkeys(names)), whole


# ---- reading -------------------------------------------------------------------------------------

def harmless():
    """Classes of plain values often saved beside weights: options of training, NumPy's numbers."""
    classes = [argparse.Namespace]
    try:
        import numpy
        scalar = numpy.float64(0).__reduce__()[0]
        types = [type(numpy.dtype(name)) for name in ('float64', 'float32', 'int64', 'bool')]
        classes += [numpy.dtype, *types, (scalar, 'numpy.core.multiarray.scalar'),
                    (scalar, 'numpy._core.multiarray.scalar')]
    except ImportError:
        pass
    return classes


def read(path, trust):
    """What a file holds."""
    kind = file_kind(path)
    if kind == 'safetensors':
        return read_safetensors(path)
    if kind:
        raise Refusal(f'{path} is {kind}')
    import torch
    safe = getattr(torch.serialization, 'safe_globals', lambda _: contextlib.nullcontext())
    try:
        with safe(harmless()):
            return torch.load(path, map_location='cpu', weights_only=not trust)
    except OSError:
        raise
    except Exception as problem:
        if trust and not is_cut(problem):
            raise
        raise Refusal(f'{path} {why_unread(path, problem)}') from None


def read_safetensors(path):
    if not path.endswith('.safetensors'):
        raise Refusal(f'{path} is a safetensors file: rename it to end in .safetensors')
    from safetensors import SafetensorError
    from safetensors.torch import load_file
    try:
        return load_file(path)
    except SafetensorError as problem:
        raise Refusal(f'{path} is no whole safetensors file: {problem}') from None


def is_cut(problem):
    return isinstance(problem, EOFError) or re.search(
        'truncated|unexpected EOF|Ran out of input|failed finding central directory|corrupted',
        str(problem))


def why_unread(path, problem):
    """Why PyTorch does not read tensors from a file, in a line."""
    if is_cut(problem):
        return 'is cut short'
    try:
        names, whole = pickled(path)
    except (ValueError, StopIteration, IndexError, zipfile.BadZipFile):
        names, whole = [], False
    first = str(problem).splitlines()[0]
    if not names:
        return f'is no checkpoint of PyTorch: {first}'
    others = [name for name in names if not PLAIN.match(name)]
    if whole and others[:1] == names[:1]:
        return (f'is a pickle of a whole module or object, {names[0]}, and reading it would run '
                'code: save its state_dict() instead, or use --trust where that code is installed '
                'and you trust the file')
    return (f'holds more than tensors ({", ".join(others[:3]) or first}), and reading it could run '
            'code that is in it; if you trust where it is from, use --trust')


# ---- finding networks ----------------------------------------------------------------------------

# tensors: name in the network -> tensor; place: where they are in the file
Network = collections.namedtuple('Network', 'place averaged tensors')


def dictionaries(found, keys=()):
    """(keys that lead there, dictionary) of all in what was read, but for an optimizer's."""
    if not isinstance(found, dict) and hasattr(found, 'state_dict'):
        found = found.state_dict()  # of a trusted file
    if isinstance(found, (list, tuple)):
        found = dict(enumerate(found))
    if not isinstance(found, dict) or len(keys) > 4:
        return
    yield keys, found
    for key, value in found.items():
        if 'optim' not in str(key).lower():
            yield from dictionaries(value, (*keys, str(key)))


def networks_in(keys, found, is_tensor):
    """The networks of one dictionary, and the names of its other tensors that are averaged ones."""
    tensors = {name: value for name, value in found.items()
               if is_tensor(value) and not str(name).endswith(IGNORED)}
    prefixes = [name[:-len(first)] for name in tensors for first in FIRST
                if isinstance(name, str) and (name == first or name.endswith('.' + first))]
    networks, rest = {}, dict(tensors)
    for prefix in sorted(prefixes, key=len, reverse=True):
        own = {name[len(prefix):]: rest.pop(name) for name in list(rest)
               if isinstance(name, str) and name.startswith(prefix)
               and not AVERAGED.search(name[len(prefix):])}
        place = '/'.join((*keys, prefix)).rstrip('/')
        parent = prefix.rstrip('.').rpartition('.')
        averaged = AVERAGED.search(place) or parent[0] + parent[1] + 'n_averaged' in found
        networks[prefix] = Network(place, bool(averaged), own)
    strange = ['/'.join((*keys, str(name))) for name, value in rest.items() if value.dim() > 0]
    networks = [networks[prefix] for prefix in prefixes]
    return networks, [name for name in strange if AVERAGED.search(name)]


def is_same(a, b):
    return a.keys() == b.keys() and all(
        a[name].shape == b[name].shape and bool((a[name] == b[name]).all()) for name in a)


def distinct(networks):
    """Without those whose tensors another one has, too."""
    kept = []
    for network in networks:
        if not any(network.averaged == other.averaged and is_same(network.tensors, other.tensors)
                   for other in kept):
            kept.append(network)
    return kept


def named(networks):
    return ', '.join(f'"{network.place}"' if network.place else 'the file itself'
                     for network in networks)


def choose(path, networks, strange, wanted):
    """The network that is asked for, or the only one."""
    plain, averaged = ([n for n in networks if n.averaged == kind] for kind in (False, True))
    asked = {'plain': plain, 'ema': averaged}.get(wanted)
    if asked is None:
        asked = [n for n in networks if n.place == wanted] if wanted else plain or averaged
    if wanted and not asked:
        raise Refusal(f'{path} has no such weights as --weights {wanted} asks for; it has '
                      f'{named(networks)}')
    if not wanted and plain and (averaged or strange):
        what = named(averaged) if averaged else f'"{strange[0]}" among others, in an unknown form'
        raise Refusal(f'{path} holds plain weights ({named(plain)}) and averaged ones, EMA or SWA '
                      f'({what}), which give other results: choose with --weights plain'
                      f'{" or --weights ema" if averaged else ""}')
    if len(asked) > 1:
        raise Refusal(f'{path} holds several networks: {named(asked)}; choose with --weights PLACE')
    return asked[0]


def completed(network, networks):
    """The tensors of a network, and how many are of the plain one: averages are often of learned
    weights alone, without the statistics of batch norms."""
    plain = [other for other in networks if not other.averaged]
    if not network.averaged or len(plain) != 1:
        return network.tensors, 0
    missing = {name: tensor for name, tensor in plain[0].tensors.items()
               if name not in network.tensors and name.endswith(STATISTICS)}
    return {**network.tensors, **missing}, len(missing)


def largest(found, is_tensor):
    """The most tensors that a dictionary of a file has, where nothing in it is a network."""
    every = [{name: value for name, value in held.items() if is_tensor(value)}
             for _, held in dictionaries(found)]
    return max(every, key=len, default={})


def open_checkpoint(path, weights, trust):
    """(name -> tensor, as the network calls them; what is to be said of the choice)."""
    found = read(path, trust)
    import torch
    networks, strange = [], []
    for keys, held in dictionaries(found):
        more, others = networks_in(keys, held, torch.is_tensor)
        networks += more
        strange += others
    if not networks:
        others = list(largest(found, torch.is_tensor))
        raise Refusal(f'{path} has no tensor {" or ".join(FIRST)}: this is neither a SAN of the '
                      "published code nor a ResNet of torchvision's; it has "
                      f'{", ".join(map(str, others[:3]))}, …' if others else
                      f'{path} holds no tensors with names: it is no state_dict, and has none')
    networks = distinct(networks)
    network = choose(path, networks, strange, weights)
    tensors, taken = completed(network, networks)
    said = []
    if network.place:
        said.append(f'took the {"averaged " if network.averaged else ""}weights in '
                    f'"{network.place}"')
    if taken:
        said.append(f'took {taken} means and variances of batch norms from the plain weights: the '
                    'averages have none')
    return tensors, said
