"""Constants that no object may hold: entries of tables beyond their limit, infinities.

What they are depends on a weight file, or on recipes that somebody edited, so each command that
evaluates them refuses them, with the same words.
"""
TABLE = '''sanir 1
model "m"
input f32[1, 1, 2, 2]
classes 4
targets "x86-64-v3"
threads 1
after plan_memory
workspace 0 scratch 0

graph {
  %0 = parameter { name = "fc.bias", shape = [3] } : f32[3]
  %1 = fill { value = VALUE, shape = [3] } : f32[3]
  %2 = mul %0, %1 : f32[3]
}

image  : input f32[4]
result : output f32[4]
rows   : weights TYPE[3] = %2

kernel k target "x86-64-v3" {
  for i in 4
    result[i] = USE
}
'''
LOOKUP = 'image[rows{4}[i div 2]] + image[rows{3}[0]]'
LOAD = 'image[i] + rows[i div 2]'
# of fc.bias, which is 1, 2, 3
CASES = [
    ('i32', '-1', LOOKUP, 'table rows: entry 0 is -1, must be from 0 to 2'),
    ('i32', '1', LOOKUP, 'table rows: entry 2 is 3, must be from 0 to 2'),
    ('i32', '1.3', LOOKUP, 'table rows: entry 1 is 3, must be from 0 to 2'),
    ('i32', '1e+30', LOOKUP, 'table rows: entry 0 is 1e+30, must be from 0 to 2'),
    ('f32', '1.5e+38', LOAD,
     'constant rows: element 2 is 4.5e+38, which float32 does not hold, made of fc.bias'),
]
COMMANDS = [
    ['compile', 'table.sanir', '-w', 'good.safetensors', '-o', 'table.o'],
    [
        'run', 'table.sanir', '-w', 'good.safetensors', '--input', 'image.safetensors', '--output',
        'out.safetensors'
    ],
    [
        'run', 'table.sanir', '-w', 'good.safetensors', '--input', 'image.safetensors', '--output',
        'out.safetensors', '--engine', 'eval'
    ],
    ['verify', 'table.sanir', '-w', 'good.safetensors'],
]


def table(kind, value, use):
    return TABLE.replace('VALUE', value).replace('TYPE', kind).replace('USE', use)
