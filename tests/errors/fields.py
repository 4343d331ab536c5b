"""Every field of a model file with every kind of wrong value, and the error that has to come of
it."""

# Gives every field a value, on a line of its own.
FULL = '''{
  "format": "san",
  "version": 1,
  "name": "net",
  "classes": 10,
  "stem_channels": 16,
  "input": {
    "channels": 3,
    "height": 32,
    "width": 32,
    "type": "u8",
    "layout": "nhwc",
    "mean": [
      0.5, 0.25, 0
    ],
    "std": [
      1, 0.5, 0.25
    ]
  },
  "attention": {
    "footprint": 3
  },
  "stages": [
    {
      "blocks": 1,
      "channels": 32,
      "attention": {
        "type": "pairwise",
        "relation": "subtraction",
        "mapping": 2,
        "position": "relative",
        "softmax": true,
        "footprint": 3,
        "dilation": 1,
        "padding": "reflect",
        "share": 8,
        "relation_channels": 2,
        "value_channels": 8,
        "transforms": "distinct"
      }
    }
  ]
}
'''
CHANNELS = 'an integer from 1 to 65536'
# What each can be, as an error says it.
ALLOWED = [
    ('format', '"san"'),
    ('version', '1'),
    ('name', 'a C identifier of at most 63 characters, no keyword of C or C++, not san or san_...'),
    ('classes', 'an integer from 1 to 1000000'),
    ('stem_channels', CHANNELS),
    ('input', 'an object'),
    ('input.channels', 'an integer from 1 to 1024'),
    ('input.height', 'an integer from 1 to 4096'),
    ('input.width', 'an integer from 1 to 4096'),
    ('input.type', '"f32" or "u8"'),
    ('input.layout', '"nchw" or "nhwc"'),
    ('input.mean', 'an array of a finite number for each channel'),
    ('input.std', 'an array of a finite number above 0 for each channel'),
    ('attention', 'an object'),
    ('attention.footprint', 'an odd integer from 1 to 15'),
    ('stages', 'an array of 1 to 16 objects'),
    ('stages[0].blocks', 'an integer from 0 to 256'),
    ('stages[0].channels', CHANNELS),
    ('stages[0].attention', 'an object'),
    ('stages[0].attention.type', '"pairwise" or "patchwise"'),
    ('stages[0].attention.relation', '"subtraction", "summation", "hadamard", "dot", '
     '"concatenation", "star" or "clique"'),
    ('stages[0].attention.mapping', 'an integer from 0 to 3'),
    ('stages[0].attention.position', '"none", "relative" or "absolute"'),
    ('stages[0].attention.softmax', 'true or false'),
    ('stages[0].attention.footprint', 'an odd integer from 1 to 15'),
    ('stages[0].attention.dilation', 'an integer from 1 to 8'),
    ('stages[0].attention.padding', '"reflect" or "zero"'),
    ('stages[0].attention.share', CHANNELS),
    ('stages[0].attention.relation_channels', CHANNELS),
    ('stages[0].attention.value_channels', CHANNELS),
    ('stages[0].attention.transforms', '"distinct", "phi=psi" or "phi=psi=beta"'),
]
# A name, the text of a value, and how an error shows it.
WRONG = [
    ('null', 'null', 'null'),
    ('true', 'true', 'true'),
    ('object', '{ "san": 1 }', 'an object'),
    ('array', '[]', 'an array'),
    ('string', '"?"', '"?"'),
    ('number_as_string', '"3"', '"3"'),
    ('negative', '-1', '-1'),
    ('fraction', '2.5', '2.5'),
    ('whole_as_fraction', '1.0', '1.0'),
    ('huge', '4294967297', '4294967297'),
]


def is_right(field, kind):
    """Whether a value of WRONG is right for the field, or wrong in another way than its type."""
    last = field.split('.')[-1]
    return ((kind == 'true' and last == 'softmax') or
            (kind == 'object' and last in ('input', 'attention')) or
            (kind == 'array' and last in ('stages', 'mean', 'std')))


def wrong_value(field, kind, text, found, allowed):
    """FULL with another value of the field, and the error that has to come of it."""
    *outer, last = field.split('.')
    at = 0
    for step in outer:
        at = FULL.index(f'"{step.split("[")[0]}": ', at)
    indent = '\n' + ' ' * (2 + 2 * len(outer) + 2 * ('[' in field))
    key = f'{indent}"{last}": '
    begin = FULL.index(key, at) + len(key)
    old = FULL[begin:]
    if old[0] in '{[':
        end = begin + old.index(indent + {'{': '}', '[': ']'}[old[0]]) + len(indent) + 1
    else:
        end = begin + old.index('\n')
        end -= FULL[end - 1] == ','
    line = FULL.count('\n', 0, begin) + 1
    column = begin - FULL.rindex('\n', 0, begin)
    return (f'every_{field}_{kind}', FULL[:begin] + text + FULL[end:],
            f':{line}:{column}: error: {field} must be {allowed}, found {found}')


CASES = [wrong_value(field, kind, text, found, allowed) for field, allowed in ALLOWED
          for kind, text, found in WRONG if not is_right(field, kind)]
