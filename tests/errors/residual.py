"""Bad models of residual networks: what only one family has, and the rules of its stages."""
import fields

# Gives every field that residual networks have alone a value, on a line of its own.
BASE = '''{
  "format": "san",
  "version": 1,
  "family": "resnet",
  "name": "net",
  "classes": 10,
  "stem_channels": 8,
  "block": "basic",
  "stages": [
    {
      "blocks": 1,
      "channels": 8
    },
    {
      "blocks": 2,
      "channels": 12,
      "block": "bottleneck"
    }
  ]
}
'''
ALLOWED = {4: ('family', '"san" or "resnet"'), 8: ('block', '"bottleneck" or "basic"'),
           17: ('stages[1].block', '"bottleneck" or "basic"')}
NO_ATTENTION = 'attention must be left out where family is "resnet", found '
NO_BLOCK = 'block must be left out where family is "san", found '
WHOLE = 'channels must be a multiple of 4 where its blocks are bottlenecks, found '
SOME = 'blocks must be an integer from 1 to 256 where family is "resnet", found '


def line(number, text):
    """BASE with another line."""
    lines = BASE.splitlines(keepends=True)
    lines[number - 1] = text + '\n' if text else ''
    return ''.join(lines)


def swap(*pairs):
    """BASE with old text replaced by new, pair by pair."""
    text = BASE
    for old, new in zip(pairs[::2], pairs[1::2]):
        assert old in text, old
        text = text.replace(old, new)
    return text


def wrong_values():
    """Every kind of wrong value of these fields."""
    for number, (field, allowed) in ALLOWED.items():
        old = BASE.splitlines()[number - 1]
        begin = old.index(':') + 2
        comma = ',' if old.endswith(',') else ''
        for kind, text, found in fields.WRONG:
            yield (f'residual_{field}_{kind}', line(number, old[:begin] + text + comma),
                   f':{number}:{begin + 1}: error: {field} must be {allowed}, found {found}')


def channels(value, number=16):
    return line(number, f'      "channels": {value}' + (',' if number == 16 else ''))


CASES = [
    *wrong_values(),
    ('family_unknown', line(4, '  "family": "ResNet",'),
     ':4:13: error: family must be "san" or "resnet", found "ResNet"'),
    ('family_misspelt', line(4, '  "famliy": "resnet",'),
     f':4:3: error: the model must have no fields but $schema, format, version, name, family, '
     'input, classes, output, stem_channels, attention, block, stages, found "famliy"; did you '
     "mean 'family'?"),
    ('block_misspelt', line(17, '      "blok": "basic"'),
     ':17:7: error: stages[1] must have no fields but blocks, channels, attention, block, found '
     '"blok"; did you mean \'block\'?'),
    ('block_unknown', line(8, '  "block": "wide",'),
     ':8:12: error: block must be "bottleneck" or "basic", found "wide"'),
    ('block_of_stage_unknown', line(17, '      "block": "Basic"'),
     ':17:16: error: stages[1].block must be "bottleneck" or "basic", found "Basic"'),
    ('attention_in_resnet', line(8, '  "attention": { "footprint": 3 },'),
     f':8:16: error: {NO_ATTENTION}an object'),
    ('attention_empty_in_resnet', line(8, '  "attention": {},'),
     f':8:16: error: {NO_ATTENTION}an object'),
    ('attention_in_stage_of_resnet', line(12, '      "channels": 8, "attention": {}'),
     f':12:35: error: stages[0].{NO_ATTENTION}an object'),
    ('attention_everywhere_in_resnet',
     swap('"block": "basic"', '"attention": {}', '"block": "bottleneck"', '"attention": {}'),
     f':8:16: error: {NO_ATTENTION}an object', f':17:20: error: stages[1].{NO_ATTENTION}an object'),
    ('attention_wrong_in_resnet', line(8, '  "attention": 3,'),
     ':8:16: error: attention must be an object, found 3'),
    ('block_in_san', line(4, '').replace('"block": "bottleneck"', '"attention": {}'),
     f':7:12: error: {NO_BLOCK}"basic"'),
    ('block_in_named_san', line(4, '  "family": "san",').replace('8', '32'),
     f':8:12: error: {NO_BLOCK}"basic"', f':17:16: error: stages[1].{NO_BLOCK}"bottleneck"'),
    ('block_in_stage_of_san', swap('  "block": "basic",\n', '', '"resnet"', '"san"'),
     f':16:16: error: stages[1].{NO_BLOCK}"bottleneck"'),
    ('blocks_0', line(11, '      "blocks": 0,'), f':11:17: error: stages[0].{SOME}0'),
    ('blocks_0_twice', swap('"blocks": 1', '"blocks": 0', '"blocks": 2', '"blocks": 0'),
     f':11:17: error: stages[0].{SOME}0', f':15:17: error: stages[1].{SOME}0'),
    ('blocks_0_and_channels', swap('"blocks": 2', '"blocks": 0', '12', '13'),
     f':15:17: error: stages[1].{SOME}0', f':16:19: error: stages[1].{WHOLE}13'),
    ('blocks_257', line(11, '      "blocks": 257,'),
     ':11:17: error: stages[0].blocks must be an integer from 0 to 256, found 257'),
    ('channels_1', channels(1), f':16:19: error: stages[1].{WHOLE}1'),
    ('channels_2', channels(2), f':16:19: error: stages[1].{WHOLE}2'),
    ('channels_13', channels(13), f':16:19: error: stages[1].{WHOLE}13'),
    ('channels_65535', channels(65535), f':16:19: error: stages[1].{WHOLE}65535'),
    ('channels_65537', channels(65537),
     ':16:19: error: stages[1].channels must be an integer from 1 to 65536, found 65537'),
    ('channels_of_model_s_bottleneck', swap('  "block": "basic",\n', '', '8\n', '9\n'),
     f':11:19: error: stages[0].{WHOLE}9'),
    ('channels_of_named_bottleneck', swap('"basic"', '"bottleneck"', '8\n', '6\n'),
     f':12:19: error: stages[0].{WHOLE}6'),
    ('channels_everywhere', swap('"basic"', '"bottleneck"', '8\n', '6\n', '12', '7'),
     f':12:19: error: stages[0].{WHOLE}6', f':16:19: error: stages[1].{WHOLE}7'),
    ('everything', swap('"block": "basic"', '"attention": {}', '12', '7', '"blocks": 1',
                        '"blocks": 0', '8\n', '10\n'),
     f':8:16: error: {NO_ATTENTION}an object', f':11:17: error: stages[0].{SOME}0',
     f':12:19: error: stages[0].{WHOLE}10', f':16:19: error: stages[1].{WHOLE}7'),
    ('twice_family', line(4, '  "family": "resnet", "family": "resnet",'),
     ':4:23: error: an object must have a key once, found "family" a second time (first in line '
     '4, column 3)'),
    ('twice_block', line(17, '      "block": "basic", "block": "basic"'),
     ':17:25: error: an object must have a key once, found "block" a second time (first in line '
     '17, column 7)'),
    ('block_in_input', line(8, '  "input": { "block": "basic" },'),
     ':8:14: error: input must have no fields but channels, height, width, type, layout, mean, '
     'std, found "block"'),
    ('family_in_stage', line(17, '      "family": "resnet"'),
     ':17:7: error: stages[1] must have no fields but blocks, channels, attention, block, found '
     '"family"'),
]
