"""The JSON Schema of model files against the reader.

    run.py SANC GENERATOR

compiler/model/model.schema.json and the table of fields in compiler/model/README.md have to be what
GENERATOR prints from the reader's table, and that page's tables of tensors what the graph asks for.
The schema has to accept every valid model of the tests, and to reject nine tenths of the bad ones
that are JSON at all. Of random models, each that the reader takes has to be accepted. Needs
jsonschema (Debian: python3-jsonschema).
"""
import glob
import json
import os
import random
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SCHEMA = os.path.join(ROOT, 'compiler', 'model', 'model.schema.json')
sys.path[:0] = [os.path.join(ROOT, 'tests', name) for name in ('errors', 'numeric')]
import common  # noqa: E402
import models  # noqa: E402
import tensors  # noqa: E402
import weights  # noqa: E402

PAGE = os.path.join(ROOT, 'compiler', 'model', 'README.md')
REJECTED = 0.9  # of the bad models
RANDOM_MODELS = 400
ATTENTION = {
    'type': ['pairwise', 'patchwise'],
    'relation': ['subtraction', 'hadamard', 'dot', 'concatenation', 'star', 'clique'],
    'mapping': [0, 1, 2, 3],
    'position': ['none', 'relative', 'absolute'],
    'softmax': [False, True],
    'footprint': [1, 3, 4, 5],
    'padding': ['reflect', 'zero'],
    'share': [1, 2, 8],
    'relation_channels': [1, 2, 6],
    'value_channels': [4, 6, 16],
    'transforms': ['distinct', 'phi=psi', 'phi=psi=beta'],
}


def parse(text):
    """The value of a JSON text; ValueError for what RFC 8259 does not have, or for a key that
    stands twice."""
    def no_constant(word):
        raise ValueError(word)

    def no_key_twice(pairs):
        value = dict(pairs)
        if len(value) < len(pairs):
            raise ValueError('a key stands twice')
        return value

    if isinstance(text, bytes):
        text = text.decode()
    return json.loads(text, parse_constant=no_constant, object_pairs_hook=no_key_twice)


def valid_models():
    yield 'models.BASE', models.BASE
    yield 'weights.MODEL', weights.MODEL
    for pattern in ('tests/numeric/cases/*/model.json', 'examples/*/*.json', 'examples/*/*/*.json',
                    '../shared/cases/*/model.json', '../shared/resnet/*/*.json',
                    '../shared/resnet/cases/*/model.json'):
        for path in sorted(glob.glob(os.path.join(ROOT, pattern))):
            with open(path, encoding='utf-8') as file:
                text = file.read()
            if '"san"' in text:
                yield os.path.relpath(path, ROOT), text


def attention(rng, most):
    return {field: rng.choice(ATTENTION[field])
            for field in rng.sample(sorted(ATTENTION), rng.randint(0, most))}


def random_model(rng):
    """A model with random settings in random places, right or wrong."""
    stages = []
    for _ in range(rng.randint(1, 3)):
        stage = {'blocks': rng.choice([0, 1, 1]),
                 'channels': rng.choice([1, 3, 4, 8, 15, 16, 31, 32, 32, 64, 64])}
        if rng.random() < 0.7:
            stage['attention'] = attention(rng, 6)
        stages.append(stage)
    model = {'format': 'san', 'version': 1, 'name': 'net', 'classes': 3, 'stem_channels': 4,
             'input': {'height': rng.choice([3, 7, 8, 16]), 'width': rng.choice([8, 16])},
             'stages': stages}
    if rng.random() < 0.6:
        model['attention'] = attention(rng, 4)
    return model


def random_resnet(rng):
    """The same for a residual network, but for what a SAN may have."""
    def block(of, likely):
        return {**of, 'block': rng.choice(['basic', 'bottleneck'])} if rng.random() < likely else of

    stages = [block({'blocks': rng.choice([0, 1, 1, 1, 2]),
                     'channels': rng.choice([1, 3, 4, 8, 8, 12, 12])}, 0.5)
              for _ in range(rng.randint(1, 3))]
    if rng.random() < 0.1:
        stages[0]['attention'] = {}
    model = {'format': 'san', 'version': 1, 'name': 'net', 'classes': 3, 'stages': stages,
             'input': {'height': rng.choice([1, 2, 7]), 'width': 8}}
    if rng.random() < 0.9:
        model['family'] = 'resnet'
    return block(model, 0.5)


def reader_takes(sanc, first_pass, folder, model):
    path = os.path.join(folder, 'model.json')
    with open(path, 'w', encoding='utf-8') as file:
        json.dump(model, file)
    return sanc.run('ir', path, '--before', first_pass)[0] == 0


def check_valid(validator):
    failed = count = 0
    for name, text in valid_models():
        count += 1
        for error in validator.iter_errors(parse(text)):
            failed += 1
            print(f'FAILED {name}: {error.json_path}: {error.message}')
    if not os.path.isdir(os.path.join(ROOT, '..', 'shared', 'cases')):
        print('skipped: ../shared/cases: not there')
    print(f'{count} valid models, {failed} errors')
    return failed == 0


def check_bad(validator):
    accepted, count = [], 0
    for name, text, *_ in models.CASES:
        try:
            value = parse(text)
        except (ValueError, RecursionError):
            continue
        count += 1
        if validator.is_valid(value):
            accepted.append(name)
    print(f'{count} bad models that are JSON, {count - len(accepted)} rejected; not: '
          f'{", ".join(accepted)}')
    return len(accepted) <= (1 - REJECTED) * count


def check_random(validator, sanc):
    rng, first_pass = random.Random(4), common.call(sanc, 'ir', '--list-passes').split()[1]
    taken = failed = rejected = 0
    with tempfile.TemporaryDirectory() as folder:
        for number in range(RANDOM_MODELS):
            model = random_resnet(rng) if number % 5 == 0 else random_model(rng)
            valid = validator.is_valid(model)
            if reader_takes(sanc, first_pass, folder, model):
                taken += 1
                if not valid:
                    failed += 1
                    print(f'FAILED: the reader takes what the schema rejects: {json.dumps(model)}')
            elif not valid:
                rejected += 1
    bad = RANDOM_MODELS - taken
    print(
        f'{RANDOM_MODELS} random models: {taken} are valid, of the other {bad} the schema rejects '
        f'{rejected}')
    return failed == 0 and taken > 20 and bad > 20


def main():
    sanc, generator = common.Sanc(sys.argv[1]), sys.argv[2]
    printed = subprocess.run([generator], stdout=subprocess.PIPE, check=True).stdout
    with open(SCHEMA, 'rb') as file:
        text = file.read()
    if printed != text:
        print(f'FAILED: compiler/model/model.schema.json is not what {os.path.basename(generator)} '
              f'prints. If the format was meant to change: {generator} >{SCHEMA}')
        return 1
    with open(PAGE, encoding='utf-8') as file:
        page = file.read()
    fields = subprocess.run([generator, '--page'], capture_output=True, text=True,
                            check=True).stdout
    if fields not in page:
        print(
            f'FAILED: the table of fields in compiler/model/README.md is not what {os.path.basename(generator)} --page prints'
        )
        return 1
    if not tensors.check(sanc, common.call(sanc, 'ir', '--list-passes').split()[1], page):
        return 1
    try:
        import jsonschema
    except ImportError:
        print(
            'skipped: no jsonschema (Debian: python3-jsonschema); compiler/model/model.schema.json is '
            'what the generator prints')
        return common.SKIPPED
    schema = json.loads(text)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    good = [check_valid(validator), check_bad(validator), check_random(validator, sanc)]
    return 0 if all(good) else 1


if __name__ == '__main__':
    sys.exit(main())
