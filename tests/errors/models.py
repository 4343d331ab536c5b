"""Model files that are wrong, each in one way: (name, the file, the exact lines of the error).

The lines follow the file's name. The file is text or bytes; most are BASE with one thing changed.
"""
import fields
import residual

BASE = '''{
  "format": "san", "version": 1,
  "name": "net",
  "input": { "channels": 3, "height": 32, "width": 32 },
  "classes": 10,
  "stem_channels": 16,
  "attention": { "footprint": 3 },
  "stages": [
    { "blocks": 1, "channels": 32 },
    { "blocks": 1, "channels": 64, "attention": { "share": 4 } }
  ]
}
'''
FIRST = '"channels": 32 }'
SECOND = '"attention": { "share": 4 }'

FIELDS = (
    'the model must have no fields but $schema, format, version, name, family, input, classes, '
    'output, stem_channels, attention, block, stages, found ')
NAME = 'name must be a C identifier of at most 63 characters, no keyword of C or C++, not san or san_..., found '
ESCAPE = 'expected four hexadecimal digits after \\u, whole surrogate pairs'


def swap(*pairs):
    """BASE with old text replaced by new, pair by pair; each old text stands there once."""
    text = BASE
    for old, new in zip(pairs[::2], pairs[1::2]):
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


def classes(value):
    return swap('"classes": 10', '"classes": ' + value)


def name(value):
    return swap('"net"', value)


def first(settings):
    """With an attention object in the first stage."""
    return swap(FIRST, '"channels": 32, "attention": { ' + settings + ' } }')


CASES = [
    # ---- no JSON --------------------------------------------------------------------------------
    ('empty', '', ':1:1: error: expected a value, found the end of the text'),
    ('only_space', ' \n\t\r ', ':2:4: error: expected a value, found the end of the text'),
    ('cut_off', BASE[:40], ':3:3: error: a string has no closing quote'),
    ('two_values', BASE + '{}', ":13:1: error: expected the end of the text, found '{'"),
    ('trailing_letter', BASE + 'x', ":13:1: error: expected the end of the text, found 'x'"),
    ('zero_byte_behind', BASE + '\0',
     ':13:1: error: expected the end of the text, found the byte 0x00'),
    ('byte_order_mark', '\ufeff' + BASE,
     ':1:1: error: the text must not begin with a byte order mark'),
    ('trailing_comma', swap('10,', '10,,'), ":5:17: error: expected a key in quotes, found ','"),
    ('comma_before_brace', swap('"footprint": 3', '"footprint": 3,'),
     ":7:34: error: expected a key in quotes, found '}'"),
    ('comma_before_bracket', swap('}\n  ]',
                                  '},\n  ]'), ":11:3: error: expected a value, found ']'"),
    ('missing_comma', swap('10,', '10'), ':6:3: error: expected \',\' or \'}\', found \'"\''),
    ('missing_colon', swap('"classes":',
                           '"classes"'), ":5:13: error: expected ':' after a key, found '1'"),
    ('key_without_quotes', swap('"classes"',
                                'classes'), ":5:3: error: expected a key in quotes, found 'c'"),
    ('key_in_single_quotes', swap('"classes"',
                                  "'classes'"), ":5:3: error: expected a key in quotes, found '''"),
    ('comment', swap('"classes"',
                     '/* ten */ "classes"'), ":5:3: error: expected a key in quotes, found '/'"),
    ('bracket_closed_by_brace', swap(']', '}'), ":11:3: error: expected ',' or ']', found '}'"),
    ('brace_closed_by_bracket', swap('"footprint": 3 }', '"footprint": 3 ]'),
     ":7:33: error: expected ',' or '}', found ']'"),
    ('no_number', classes('-'), ":5:15: error: expected a digit, found ','"),
    ('leading_zero', classes('010'), ':5:14: error: a number must not begin with a needless zero'),
    ('leading_plus', classes('+10'), ":5:14: error: expected a value, found '+'"),
    ('leading_point', classes('.5'), ":5:14: error: expected a value, found '.'"),
    ('trailing_point', classes('10.'), ":5:17: error: expected a digit, found ','"),
    ('empty_exponent', classes('1e'), ":5:16: error: expected a digit, found ','"),
    ('hexadecimal', classes('0x10'), ":5:15: error: expected ',' or '}', found 'x'"),
    ('nan', classes('NaN'), ":5:14: error: expected a value, found 'N'"),
    ('minus_infinity', classes('-Infinity'), ":5:15: error: expected a digit, found 'I'"),
    ('long_number', classes('1' * 64), ':5:14: error: a number must have at most 63 characters'),
    ('word_in_capitals', classes('True'), ":5:14: error: expected a value, found 'T'"),
    ('word_cut_off', classes('nul'), ":5:14: error: expected a value, found 'n'"),
    ('string_without_end', BASE[:BASE.index('net') + 1],
     ':3:11: error: a string has no closing quote'),
    ('line_break_in_string', name('"ne\nt"'),
     ':3:14: error: a string must not hold the control character 0x0a'),
    ('zero_byte_in_string', name('"ne\0t"'),
     ':3:14: error: a string must not hold the control character 0x00'),
    ('unknown_escape', name(r'"n\et"'),
     ':3:13: error: expected one of \\" \\\\ \\/ \\b \\f \\n \\r \\t \\u after a backslash'),
    ('escape_not_hexadecimal', name(r'"\u00g0"'), f':3:12: error: {ESCAPE}'),
    ('escape_cut_off', name(r'"\u00"'), f':3:12: error: {ESCAPE}'),
    ('escaped_zero', name(r'"net\u0000"'), ':3:15: error: a string must not hold \\u0000'),
    ('surrogate_alone', name(r'"\ud83d"'), f':3:12: error: {ESCAPE}'),
    ('surrogate_second_only', name(r'"\udc00\ud800"'), f':3:12: error: {ESCAPE}'),
    ('surrogate_badly_paired', name(r'"\ud83d\u0041"'), f':3:12: error: {ESCAPE}'),
    ('latin1', name('"n\xe9t"').encode('latin-1'),
     ':3:13: error: text must be UTF-8, found the byte 0xe9'),
    ('utf8_too_long', name('"n%t"').encode().replace(b'%', b'\xc0\xaf'),
     ':3:13: error: text must be UTF-8, found the byte 0xc0'),
    ('utf8_surrogate', name('"n%t"').encode().replace(b'%', b'\xed\xa0\x80'),
     ':3:13: error: text must be UTF-8, found the byte 0xed'),
    ('utf8_too_large', name('"n%t"').encode().replace(b'%', b'\xf4\x90\x80\x80'),
     ':3:13: error: text must be UTF-8, found the byte 0xf4'),
    ('utf8_cut_off', name('"n%t"').encode().replace(b'%', b'\xe2\x82'),
     ':3:13: error: text must be UTF-8, found the byte 0xe2'),
    ('utf16', BASE.encode('utf-16-le'),
     ':1:2: error: expected a key in quotes, found the byte 0x00'),
    ('key_twice', swap('"classes"', '"name": "other", "classes"'),
     ':5:3: error: an object must have a key once, found "name" a second time (first in line '
     '3, column 3)'),
    ('key_twice_by_escape', swap('"share": 4', '"share": 4, "\\u0073hare": 2'),
     ':10:63: error: an object must have a key once, found "\\u0073hare" a second time (first '
     'in line 10, column 51)'),
    # ---- beyond the limits ----------------------------------------------------------------------
    ('too_deep', '[' * 65 + ']' * 65, ':1:65: error: values must be nested at most 64 deep'),
    ('far_too_deep', '[' * 1000000, ':1:65: error: values must be nested at most 64 deep'),
    ('too_many_values', swap('"classes"', '"x": [' + '0,' * 100000 + '0], "classes"'),
     ':5:199991: error: there must be at most 100000 values'),
    ('long_string', name('"' + 'x' * 4097 + '"'),
     ':3:11: error: a string must have at most 4096 bytes'),
    ('long_key', swap('"classes"', '"' + 'x' * 4097 + '"'),
     ':5:3: error: a string must have at most 4096 bytes'),
    ('too_large', ' ' * (1 << 24) + BASE,
     ': error: must have at most 16777216 bytes, found 16777522'),
    # ---- fields ---------------------------------------------------------------------------------
    ('no_object', '[]', ':1:1: error: the model must be an object, found an array'),
    ('null', 'null', ':1:1: error: the model must be an object, found null'),
    ('all_missing', '{}', ':1:1: error: format must be "san", found nothing',
     ':1:1: error: version must be 1, found nothing', f':1:1: error: {NAME}nothing',
     ':1:1: error: classes must be an integer from 1 to 1000000, found nothing',
     ':1:1: error: stages must be an array of 1 to 16 objects, found nothing'),
    ('format_missing', swap('"format": "san", ',
                            ''), ':1:1: error: format must be "san", found nothing'),
    ('format_other', swap('"san"', '"onnx"'), ':2:13: error: format must be "san", found "onnx"'),
    ('format_capitals', swap('"san"', '"SAN"'), ':2:13: error: format must be "san", found "SAN"'),
    ('format_key_capitals', swap('"format"', '"Format"'),
     f":2:3: error: {FIELDS}\"Format\"; did you mean 'format'?"),
    ('version_missing', swap(', "version": 1',
                             ''), ':1:1: error: version must be 1, found nothing'),
    ('version_2', swap('"version": 1', '"version": 2'), ':2:31: error: version must be 1, found 2'),
    ('version_string', swap('"version": 1',
                            '"version": "1"'), ':2:31: error: version must be 1, found "1"'),
    ('name_missing', swap('  "name": "net",\n', ''), f':1:1: error: {NAME}nothing'),
    ('name_empty', name('""'), f':3:11: error: {NAME}""'),
    ('name_digit_first', name('"1net"'), f':3:11: error: {NAME}"1net"'),
    ('name_dash', name('"my-net"'), f':3:11: error: {NAME}"my-net"'),
    ('name_letter', name('"n\u00e9t"'), f':3:11: error: {NAME}"nét"'),
    ('name_path', name('"../net"'), f':3:11: error: {NAME}"../net"'),
    ('name_long', name('"' + 'n' * 64 + '"'),
     f':3:11: error: {NAME}"nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn...'),
    ('schema_is_no_string', swap('"format"', '"$schema": 3, "format"'),
     ':2:14: error: $schema must be a string, found 3'),
    ('schema_is_null', swap('"format"', '"$schema": null, "format"'),
     ':2:14: error: $schema must be a string, found null'),
    ('schema_in_a_stage', swap(FIRST, '"$schema": "x", ' + FIRST),
     ':9:20: error: stages[0] must have no fields but blocks, channels, attention, block, found "$schema"'
     ),
    ('name_of_the_abi', name('"san_cuda"'), f':3:11: error: {NAME}"san_cuda"'),
    ('name_san', name('"san"'), f':3:11: error: {NAME}"san"'),
    ('name_c_keyword', name('"int"'), f':3:11: error: {NAME}"int"'),
    ('name_c23_keyword', name('"constexpr"'), f':3:11: error: {NAME}"constexpr"'),
    ('name_cpp_keyword', name('"namespace"'), f':3:11: error: {NAME}"namespace"'),
    ('name_cpp_operator', name('"xor"'), f':3:11: error: {NAME}"xor"'),
    ('name_number', name('7'), f':3:11: error: {NAME}7'),
    ('input_no_object', swap('{ "channels": 3, "height": 32, "width": 32 }', '[3, 32, 32]'),
     ':4:12: error: input must be an object, found an array'),
    ('input_unknown', swap('"width"', '"depth"'),
     ':4:43: error: input must have no fields but channels, height, width, type, layout, mean, std, '
     'found "depth"'),
    ('input_channels_0', swap('"channels": 3,', '"channels": 0,'),
     ':4:26: error: input.channels must be an integer from 1 to 1024, found 0'),
    ('input_channels_1025', swap('"channels": 3,', '"channels": 1025,'),
     ':4:26: error: input.channels must be an integer from 1 to 1024, found 1025'),
    ('height_4097', swap('"height": 32', '"height": 4097'),
     ':4:39: error: input.height must be an integer from 1 to 4096, found 4097'),
    ('width_0', swap('"width": 32', '"width": 0'),
     ':4:52: error: input.width must be an integer from 1 to 4096, found 0'),
    ('input_mean_2', swap('"width": 32', '"width": 32, "mean": [1, 2]'),
     ':4:64: error: input.mean must have a number for each of the 3 channels, found 2 values'),
    ('input_mean_4', swap('"width": 32', '"width": 32, "mean": [1, 2, 3, 4]'),
     ':4:64: error: input.mean must have a number for each of the 3 channels, found 4 values'),
    ('input_mean_many', swap('"width": 32', f'"width": 32, "mean": {[0] * 1025}'),
     ':4:64: error: input.mean must be an array of a finite number for each channel, found 1025 '
     'values'),
    ('input_mean_infinite', swap('"width": 32', '"width": 32, "mean": [1, 2, 1e400]'),
     ':4:71: error: input.mean[2] must be a finite number, found 1e400'),
    ('input_mean_word', swap('"width": 32', '"width": 32, "mean": [1, "2", 3]'),
     ':4:68: error: input.mean[1] must be a finite number, found "2"'),
    ('input_std_0', swap('"width": 32', '"width": 32, "std": [1, 0, 1]'),
     ':4:67: error: input.std[1] must be a finite number above 0, found 0'),
    ('input_std_negative', swap('"width": 32', '"width": 32, "std": [1, 1, -1]'),
     ':4:70: error: input.std[2] must be a finite number above 0, found -1'),
    ('input_std_nested', swap('"width": 32', '"width": 32, "std": [[1], 1, 1]'),
     ':4:64: error: input.std[0] must be a finite number above 0, found an array'),
    ('classes_missing', swap('  "classes": 10,\n', ''),
     ':1:1: error: classes must be an integer from 1 to 1000000, found nothing'),
    ('classes_null', classes('null'),
     ':5:14: error: classes must be an integer from 1 to 1000000, found null'),
    ('classes_0', classes('0'),
     ':5:14: error: classes must be an integer from 1 to 1000000, found 0'),
    ('classes_1000001', classes('1000001'),
     ':5:14: error: classes must be an integer from 1 to 1000000, found 1000001'),
    ('classes_fraction', classes('10.5'),
     ':5:14: error: classes must be an integer from 1 to 1000000, found 10.5'),
    ('classes_exponent', classes('1e1'),
     ':5:14: error: classes must be an integer from 1 to 1000000, found 1e1'),
    ('classes_infinite', classes('1e400'),
     ':5:14: error: classes must be an integer from 1 to 1000000, found 1e400'),
    ('classes_huge', classes('18446744073709551626'),
     ':5:14: error: classes must be an integer from 1 to 1000000, found 18446744073709551626'),
    ('classes_object', classes('{}'),
     ':5:14: error: classes must be an integer from 1 to 1000000, found an object'),
    ('stem_65537', swap('"stem_channels": 16', '"stem_channels": 65537'),
     ':6:20: error: stem_channels must be an integer from 1 to 65536, found 65537'),
    ('unknown_field', swap('"classes"',
                           '"dropout": 0.1, "classes"'), f':5:3: error: {FIELDS}"dropout"'),
    ('unknown_long_field', swap('"classes"', '"' + 'a' * 50 + '\u00e9' * 20 + '": 0, "classes"'),
     f':5:3: error: {FIELDS}"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaéééé...'),
    ('unknown_terminal_escape', swap('"classes"', '"\x7f\x9b": 0, "classes"'),
     f':5:3: error: {FIELDS}"\\u007f\\u009b"'),
    ('stages_missing', BASE[:BASE.index(',\n  "stages"')] + '}',
     ':1:1: error: stages must be an array of 1 to 16 objects, found nothing'),
    ('stages_object', BASE[:BASE.index('[')] + '{}}',
     ':8:13: error: stages must be an array of 1 to 16 objects, found an object'),
    ('stages_0', BASE[:BASE.index('[')] + '[]}',
     ':8:13: error: stages must be an array of 1 to 16 objects, found 0 values'),
    ('stages_17', BASE[:BASE.index('[')] + '[' + ','.join(['{}'] * 17) + ']}',
     ':8:13: error: stages must be an array of 1 to 16 objects, found 17 values'),
    ('stage_no_object', swap('{ "blocks": 1, "channels": 32 }',
                             '32'), ':9:5: error: stages[0] must be an object, found 32'),
    ('stage_empty', swap('{ "blocks": 1, "channels": 32 }', '{}'),
     ':9:5: error: stages[0].blocks must be an integer from 0 to 256, found nothing',
     ':9:5: error: stages[0].channels must be an integer from 1 to 65536, found nothing'),
    ('stage_unknown', swap(FIRST, '"channels": 32, "stride": 2 }'),
     ':9:36: error: stages[0] must have no fields but blocks, channels, attention, block, found "stride"'),
    ('blocks_negative', swap('1, "channels": 32', '-1, "channels": 32'),
     ':9:17: error: stages[0].blocks must be an integer from 0 to 256, found -1'),
    ('blocks_257', swap('1, "channels": 32', '257, "channels": 32'),
     ':9:17: error: stages[0].blocks must be an integer from 0 to 256, found 257'),
    ('blocks_true', swap('1, "channels": 32', 'true, "channels": 32'),
     ':9:17: error: stages[0].blocks must be an integer from 0 to 256, found true'),
    ('channels_0', swap(FIRST, '"channels": 0 }'),
     ':9:32: error: stages[0].channels must be an integer from 1 to 65536, found 0'),
    ('channels_65537', swap(FIRST, '"channels": 65537 }'),
     ':9:32: error: stages[0].channels must be an integer from 1 to 65536, found 65537'),
    ('attention_no_object', swap('{ "footprint": 3 }', '"pairwise"'),
     ':7:16: error: attention must be an object, found "pairwise"'),
    ('stage_attention_no_object', swap(SECOND, '"attention": 4'),
     ':10:49: error: stages[1].attention must be an object, found 4'),
    ('attention_unknown', swap('"footprint": 3', '"heads": 3'),
     ':7:18: error: attention must have no fields but type, relation, mapping, position, '
     'softmax, footprint, dilation, padding, share, relation_channels, value_channels, '
     'transforms, found "heads"'),
    ('type_unknown', first('"type": "global"'),
     ':9:59: error: stages[0].attention.type must be "pairwise" or "patchwise", found "global"'),
    ('relation_unknown', first('"relation": "quotient"'),
     ':9:63: error: stages[0].attention.relation must be "subtraction", "summation", '
     '"hadamard", "dot", "concatenation", "star" or "clique", found "quotient"'),
    ('mapping_4', first('"mapping": 4'),
     ':9:62: error: stages[0].attention.mapping must be an integer from 0 to 3, found 4'),
    ('position_unknown', first('"position": "rotary"'),
     ':9:63: error: stages[0].attention.position must be "none", "relative" or "absolute", '
     'found "rotary"'),
    ('softmax_1', first('"softmax": 1'),
     ':9:62: error: stages[0].attention.softmax must be true or false, found 1'),
    ('footprint_even', first('"footprint": 4'),
     ':9:64: error: stages[0].attention.footprint must be an odd integer from 1 to 15, found 4'),
    ('footprint_17', first('"footprint": 17'),
     ':9:64: error: stages[0].attention.footprint must be an odd integer from 1 to 15, found 17'),
    ('footprint_negative', first('"footprint": -3'),
     ':9:64: error: stages[0].attention.footprint must be an odd integer from 1 to 15, found -3'),
    ('dilation_0', first('"dilation": 0'),
     ':9:63: error: stages[0].attention.dilation must be an integer from 1 to 8, found 0'),
    ('dilation_9', first('"dilation": 9'),
     ':9:63: error: stages[0].attention.dilation must be an integer from 1 to 8, found 9'),
    ('padding_unknown', first('"padding": "edge"'),
     ':9:62: error: stages[0].attention.padding must be "reflect" or "zero", found "edge"'),
    ('share_0', first('"share": 0'),
     ':9:60: error: stages[0].attention.share must be an integer from 1 to 65536, found 0'),
    ('relation_channels_0', first('"relation_channels": 0'),
     ':9:72: error: stages[0].attention.relation_channels must be an integer from 1 to 65536, '
     'found 0'),
    ('value_channels_65537', first('"value_channels": 65537'),
     ':9:69: error: stages[0].attention.value_channels must be an integer from 1 to 65536, '
     'found 65537'),
    ('transforms_unknown', first('"transforms": "phi=beta"'),
     ':9:65: error: stages[0].attention.transforms must be "distinct", "phi=psi" or '
     '"phi=psi=beta", found "phi=beta"'),
    ('range_without_blocks',
     swap('1, "channels": 32 }', '0, "channels": 32, "attention": { "footprint": 2 } }'),
     ':9:64: error: stages[0].attention.footprint must be an odd integer from 1 to 15, found 2'),
    ('several', swap('10', '0', '16', '0', '"san"',
                     '"sam"'), ':2:13: error: format must be "san", found "sam"',
     ':5:14: error: classes must be an integer from 1 to 1000000, found 0',
     ':6:20: error: stem_channels must be an integer from 1 to 65536, found 0'),
    ('far_too_many', '{' + ','.join(f'"x{i}": 0' for i in range(100, 200)) + '}',
     *[f':1:{2 + 10 * i}: error: {FIELDS}"x{100 + i}"'
       for i in range(20)], ': error: more errors than 20, the rest is not shown'),
    # ---- a stage as a whole ---------------------------------------------------------------------
    ('relation_of_patchwise', first('"relation": "star"'),
     ':9:63: error: stages[0].attention.relation must be "subtraction", "summation", '
     '"hadamard", "dot" or "concatenation" where type is "pairwise", found "star"'),
    ('relation_of_pairwise', first('"type": "patchwise", "relation": "dot"'),
     ':9:84: error: stages[0].attention.relation must be "concatenation", "star" or "clique" '
     'where type is "patchwise", found "dot"'),
    ('relation_inherited',
     swap('"footprint": 3', '"relation": "hadamard"', SECOND,
          '"attention": { "type": "patchwise" }'),
     ':7:30: error: stages[1].attention.relation must be "concatenation", "star" or "clique" '
     'where type is "patchwise", found "hadamard" from attention.relation'),
    ('type_inherited',
     swap('"footprint": 3', '"type": "patchwise"', SECOND,
          '"attention": { "relation": "summation" }'),
     ':10:63: error: stages[1].attention.relation must be "concatenation", "star" or "clique" '
     'where type is "patchwise", found "summation"'),
    ('position_of_pairwise', first('"type": "patchwise", "position": "relative"'),
     ':9:84: error: stages[0].attention.position must be "none" where type is "patchwise", '
     'found "relative"'),
    ('position_inherited',
     swap('"footprint": 3', '"position": "absolute"', SECOND,
          '"attention": { "type": "patchwise" }'),
     ':7:30: error: stages[1].attention.position must be "none" where type is "patchwise", '
     'found "absolute" from attention.position'),
    ('mapping_0_patchwise', first('"type": "patchwise", "mapping": 0'),
     ':9:83: error: stages[0].attention.mapping must be an integer from 1 to 3 where type is '
     '"patchwise", found 0'),
    ('mapping_0_width', first('"mapping": 0, "share": 4, "relation_channels": 2'),
     ":9:62: error: stages[0].attention.mapping must be an integer from 1 to 3 where the "
     "relation's width with its position (4) is not that of the weights (value_channels / "
     "share = 2), found 0"),
    ('mapping_0_dot', first('"mapping": 0, "relation": "dot", "position": "absolute", "share": 2'),
     ":9:62: error: stages[0].attention.mapping must be an integer from 1 to 3 where the "
     "relation's width with its position (5) is not that of the weights (value_channels / "
     "share = 4), found 0"),
    ('mapping_0_concatenation',
     first('"mapping": 0, "relation": "concatenation", "position": "none", "share": 4'),
     ":9:62: error: stages[0].attention.mapping must be an integer from 1 to 3 where the "
     "relation's width with its position (4) is not that of the weights (value_channels / "
     "share = 2), found 0"),
    ('share_no_divisor', first('"share": 3'),
     ':9:60: error: stages[0].attention.share must divide value_channels (8), found 3'),
    ('share_default', swap(FIRST, '"channels": 16 }'),
     ':9:5: error: stages[0].attention.share must divide value_channels (4), found 8 by default'),
    ('relation_channels_default_0',
     swap(FIRST, '"channels": 15, "attention": { "value_channels": 8 } }'),
     ':9:5: error: stages[0].attention.relation_channels must be an integer from 1 to 65536, '
     'found 0 by default (channels / 16, or value_channels where transforms is "phi=psi=beta")'),
    ('value_channels_default_0',
     swap(FIRST, '"channels": 3, "attention": { "relation_channels": 1 } }'),
     ':9:5: error: stages[0].attention.value_channels must be an integer from 1 to 65536, '
     'found 0 by default (channels / 4)'),
    ('tied_unequal', first('"transforms": "phi=psi=beta", "relation_channels": 4'),
     ':9:102: error: stages[0].attention.relation_channels must equal value_channels (8) '
     'where transforms is "phi=psi=beta", found 4'),
    ('reflection_too_far', first('"footprint": 15, "dilation": 8'),
     ':9:5: error: stages[0].attention.padding must be "zero" where dilation * (footprint - '
     '1) / 2 (56) is not below the map\'s height and width (16 x 16), found "reflect" by '
     'default'),
    ('reflection_by_default',
     swap('"footprint": 3', '"footprint": 15', '"height": 32', '"height": 14'),
     ':9:5: error: stages[0].attention.padding must be "zero" where dilation * (footprint - '
     '1) / 2 (7) is not below the map\'s height and width (7 x 16), found "reflect" by default',
     ':10:5: error: stages[1].attention.padding must be "zero" where dilation * (footprint - '
     '1) / 2 (7) is not below the map\'s height and width (3 x 8), found "reflect" by default'),
    ('reflection_of_second_stage',
     swap(SECOND,
          '"attention": { "share": 4, "footprint": 9, "dilation": 2, "padding": "reflect" }'),
     ':10:105: error: stages[1].attention.padding must be "zero" where dilation * (footprint - '
     '1) / 2 (8) is not below the map\'s height and width (8 x 8), found "reflect"'),
    ('reflection_inherited',
     swap('"footprint": 3', '"footprint": 3, "padding": "reflect", "dilation": 8'),
     ':7:45: error: stages[1].attention.padding must be "zero" where dilation * (footprint - '
     '1) / 2 (8) is not below the map\'s height and width (8 x 8), found "reflect" from '
     'attention.padding'),
    ('share_inherited', swap('"footprint": 3', '"share": 16'),
     ':7:27: error: stages[0].attention.share must divide value_channels (8), found 16 from '
     'attention.share'),
    ('share_larger', first('"share": 16'),
     ':9:60: error: stages[0].attention.share must divide value_channels (8), found 16'),
    ('mapping_0_inherited', swap('"footprint": 3', '"mapping": 0'),
     ":7:29: error: stages[0].attention.mapping must be an integer from 1 to 3 where the "
     "relation's width with its position (4) is not that of the weights (value_channels / "
     "share = 1), found 0 from attention.mapping",
     ":7:29: error: stages[1].attention.mapping must be an integer from 1 to 3 where the "
     "relation's width with its position (6) is not that of the weights (value_channels / "
     "share = 4), found 0 from attention.mapping"),
    ('mapping_0_inherited_patchwise',
     swap('"footprint": 3', '"mapping": 0, "position": "none", "share": 4', SECOND,
          '"attention": { "type": "patchwise" }'),
     ':7:29: error: stages[1].attention.mapping must be an integer from 1 to 3 where type is '
     '"patchwise", found 0 from attention.mapping'),
    ('tied_inherited', swap('"footprint": 3',
                            '"transforms": "phi=psi=beta", "relation_channels": 8'),
     ':7:69: error: stages[1].attention.relation_channels must equal value_channels (16) '
     'where transforms is "phi=psi=beta", found 8 from attention.relation_channels'),
    ('tied_default_0', swap(FIRST,
                            '"channels": 2, "attention": { "transforms": "phi=psi=beta" } }'),
     ':9:5: error: stages[0].attention.relation_channels must be an integer from 1 to 65536, '
     'found 0 by default (channels / 16, or value_channels where transforms is "phi=psi=beta")',
     ':9:5: error: stages[0].attention.value_channels must be an integer from 1 to 65536, '
     'found 0 by default (channels / 4)'),
    ('position_inherited_relative',
     swap('"footprint": 3', '"type": "patchwise"', SECOND,
          '"attention": { "position": "relative" }'),
     ':10:63: error: stages[1].attention.position must be "none" where type is "patchwise", '
     'found "relative"'),
    ('relation_by_type_of_model', swap('"footprint": 3', '"type": "patchwise", "relation": "dot"'),
     ':7:51: error: stages[0].attention.relation must be "concatenation", "star" or "clique" '
     'where type is "patchwise", found "dot" from attention.relation',
     ':7:51: error: stages[1].attention.relation must be "concatenation", "star" or "clique" '
     'where type is "patchwise", found "dot" from attention.relation'),
    ('thirteen_stages', BASE[:BASE.index('[')].replace('32', '4096') + '[' +
     ','.join(['{"blocks":0,"channels":8}'] * 13) + ']}',
     ":8:326: error: stages[12] must have a map of at least 2 x 2 pixels to pool, found 1 x 1 "
     "(height x width, of the input's 4096 x 4096)"),
    ('no_pixel_left', swap('"height": 32', '"height": 3'),
     ':9:5: error: stages[0].attention.padding must be "zero" where dilation * (footprint - '
     '1) / 2 (1) is not below the map\'s height and width (1 x 16), found "reflect" by default',
     ":10:5: error: stages[1] must have a map of at least 2 x 2 pixels to pool, found 1 x 16 "
     "(height x width, of the input's 3 x 32)"),
    ('no_pixel_without_blocks',
     swap('"width": 32', '"width": 1', '1, "channels": 32', '0, "channels": 32'),
     ":9:5: error: stages[0] must have a map of at least 2 x 2 pixels to pool, found 32 x 1 "
     "(height x width, of the input's 32 x 1)"),
]

CASES += fields.CASES + residual.CASES
