"""IR texts that are wrong, each in one way: (what of BASE, by what it is replaced, the error);
those of MATRIX below.

The error stands where the replacement has a <, which is not part of the text. It begins as said
here: some go on with lists that grow with the language.
"""

BASE = '''sanir 1
model "m"
input f32[1, 4, 8, 8]
classes 4
targets "x86-64-v3" "x86-64-v4"
threads 2
after schedule

graph {
  %0 = parameter { name = "w", shape = [4, 16] } : f32[4, 16]
  %1 = parameter { name = "rows", shape = [64] } : f32[64]
  %2 = transpose %0 { order = [1, 0] } : f32[16, 4] "label"
}

image  : input f32[1, 4, 8, 8]
result : output f32[1, 4]
x      : workspace f32[1, 8, 8, 16]
w      : weights f32[4, 16] = %0
rows   : weights i32[64] = %1

kernel first "layer0" {
  top : stack f32[16]
  for n in 1, y in 8, p in 8 {
    for c in 16
      top[c] = max(sum k in 4 (image[n, k, y, p] * w[k, c]) from -1.5, 0)
    for c2 in 16
      x[n, y, p, c2] = top[c2] + exp(top[(c2 + 1) mod 16])
  }
  schedule "x86-64-v3" {
    tile 4
    nest 0 rows 4 columns 16 vector 8
    nest 1 rows 1 columns 16 vector 8
  }
  schedule "x86-64-v4" {
    tile 2
    nest 0 rows 2 columns 16 vector 16
  }
}

kernel second {
  for m in 1, j in 4
    result[0, j] = sum r in 64, l in 4 (x[0, rows{64}[r] div 8, r mod 8, 4*l + j])
  schedule "x86-64-v3" {
  }
  schedule "x86-64-v4" {
  }
}
'''

# What stands between a tile, the statement that writes it, and the one that reads it.
LOOPS = '\n  for n in 1, y in 8, p in 8 {\n    for c in 16\n      '
SUM = '= max(sum k in 4 (image[n, k, y, p] * w[k, c]) from -1.5, 0)\n    for c2 in 16\n      '

CASES = [
    ('sanir 1\nmodel "m"\ninput f32[1, 4, 8, 8]\nclasses 4\n',
     '<sanir 1\nmodel "m"\ninput f32[1, 4, 8, 8]\nclasses 4\nmap 2 2 2\n',
     'classes is 4, must be that of the map, 2 x 2 x 2'),
    ('targets "x86-64-v3"', 'targets <"x86-6400-v3" "x86-64-v3"', 'no target "x86-6400-v3"'),
    ('model "m"', 'model <"for"', "the model's name must be a C identifier"),
    ('sanir 1', '<sonir 1', "found 'sonir', must be 'sanir'"),
    ('sanir 1', 'sanir <2',
     "found '2', must be the version of the language: an integer from 1 to 1"),
    ('sanir 1', 'sanir <1x',
     "found '1x', must be the version of the language: an integer from 1 to 1"),
    ('sanir 1', 'sanir 1 <1', "found '1', must be 'model'"),
    ('model "m"', '<modle "m"', "found 'modle', must be 'model'"),
    ('model "m"', 'model <m', "found 'm', must be a string in double quotes"),
    ('model "m"', 'model <"m', 'a string that does not end on its line'),
    ('model "m"', 'model <"a b"',
     'the name "a b" is no identifier: must have letters, digits and _, a letter or _ first'),
    ('model "m"', 'model <"\\q"',
     'a string with a wrong escape, must be \\\\, \\" or \\x01 to \\xff in small letters'),
    ('model "m"', 'model <"\\x00"',
     'a string with a wrong escape, must be \\\\, \\" or \\x01 to \\xff in small letters'),
    ('model "m"', 'model <""',
     'the name "" is no identifier: must have letters, digits and _, a letter or _ first'),
    ('input f32[1, 4, 8, 8]\nclasses', 'input <f64[1, 4, 8, 8]\nclasses',
     "found 'f64', must be the type f32"),
    ('input f32[1, 4, 8, 8]\nclasses', 'input <f32[4, 8, 8]\nclasses',
     'an input of 3 dimensions, must have 4: batch, channels, height, width'),
    ('input f32[1, 4, 8, 8]\nclasses', 'input f32[1, <0, 8, 8]\nclasses',
     "found '0', must be a dimension: an integer from 1 to 1099511627775"),
    ('input f32[1, 4, 8, 8]\nclasses', 'input f32[1, <-4, 8, 8]\nclasses',
     "found '-', must be a dimension: an integer from 1 to 1099511627775"),
    ('input f32[1, 4, 8, 8]\nclasses', 'input f32[1, 4, 8, <99999999999999]\nclasses',
     "found '99999999999999', must be a dimension: an integer from 1 to 1099511627775"),
    ('input f32[1, 4, 8, 8]\nclasses', 'input f32<[1, 4, 1048576, 1048576]\nclasses',
     'a shape of 2^40 elements or more'),
    ('input f32[1, 4, 8, 8]\nclasses', 'input f32[1, 4, 8 <8]\nclasses', "found '8', must be ','"),
    ('input f32[1, 4, 8, 8]\nclasses', 'input f32[1, 4, 8, 8\n<classes',
     "found 'classes', must be ','"),
    ('classes 4', 'classes <0', "found '0', must be classes: an integer from 1 to 2147483647"),
    ('classes 4', 'classes <four',
     "found 'four', must be classes: an integer from 1 to 2147483647"),
    ('classes 4', '<class 4', "found 'class', must be 'classes'"),
    ('targets "x86-64-v3"', 'targets <x86 "x86-64-v3"', "found 'x86', must be 'threads'"),
    ('threads 2', 'threads <0', "found '0', must be threads: an integer from 1 to 65536"),
    ('threads 2', 'threads <65537', "found '65537', must be threads: an integer from 1 to 65536"),
    ('threads 2', 'threads 2 turns <0', "found '0', must be turns: an integer from 1 to 65536"),
    ('threads 2', 'threads <2.0', "found '2.0', must be threads: an integer from 1 to 65536"),
    ('after schedule', 'after <4', "found '4', must be the name of the last pass done"),
    ('after schedule', 'after <"schedule"',
     'found the string "schedule", must be the name of the last pass done'),
    ('after schedule', 'after <sched',
     "found a dump after 'sched', must be after one of expand_batch_norm"),
    ('after schedule', 'after <merge_linears',
     'a dump from before the pass lower must hold a graph alone, found kernels'),
    ('after schedule', '<passes 14', "found 'passes', must be 'graph'"),
    ('after schedule', 'after schedule\nworkspace <-1',
     "found '-', must be bytes: an integer from 0 to 4398046511104"),
    ('after schedule', 'after schedule\nworkspace 0 <stack 0', "found 'stack', must be 'scratch'"),
    ('graph {', '<grph {', "found 'grph', must be 'graph'"),
    ('graph {', 'graph <(', "found '(', must be '{'"),
    ('%0 = parameter', '<0 = parameter', "found '0', must be a value as %1"),
    ('%0 = parameter', '<% = parameter', 'found %, must be a value as %1'),
    ('%0 = parameter', '<%99999999 = parameter',
     "found '99999999', must be the number of a value: an integer from 0 to 16777215"),
    ('%0 = parameter', '%0 <: parameter', "found ':', must be '='"),
    ('%0 = parameter', '%0 = <param', "found 'param', must be the name of a graph op"),
    ('%1 = parameter', '<%0 = parameter', '%0 is defined twice'),
    ('name = "w"', '<nome = "w"', "found 'nome', must be an attribute: name shape"),
    ('name = "w"', 'name <: "w"', "found ':', must be '='"),
    ('name = "w"', 'name = <w', "found 'w', must be a string in double quotes"),
    ('name = "w", shape = [4, 16]', 'name = "w", <name = "w"',
     "found 'name', must be an attribute that was not given yet"),
    ('shape = [4, 16]', 'shape = <4', "found '4', must be '['"),
    ('shape = [4, 16]', 'shape = [4, <]',
     "found ']', must be a dimension: an integer from 1 to 1099511627775"),
    ('shape = [4, 16]', 'shape = [4, <16.5]',
     "found '16.5', must be a dimension: an integer from 1 to 1099511627775"),
    ('order = [1, 0]', 'order = [1, <-1]',
     "found '-', must be a dimension: an integer from 0 to 1099511627775"),
    ('transpose %0', 'transpose <%7', '%7 is not defined above'),
    ('transpose %0', 'transpose %0, <1', "found '1', must be a value as %1"),
    ('} : f32[16, 4]', '} : <f16[16, 4]', "found 'f16', must be the type f32"),
    ('} : f32[16, 4]', '} <f32[16, 4]', "found 'f32', must be ':'"),
    ('"label"', '<label', "found 'label', must be a value as %1"),
    ('"label"', '<"la\\bel"',
     'a string with a wrong escape, must be \\\\, \\" or \\x01 to \\xff in small letters'),
    ('image  : input', 'image <= input', "found '=', must be ':'"),
    ('image  : input', 'image  : <inputs', "found 'inputs', must be a place: input"),
    ('image  : input', 'image  : <stack', "found 'stack', must be a place: input"),
    ('image  : input', '<7 : input',
     "found '7', must be a buffer, a kernel, or the end of the text"),
    ('image  : input', '<at : input', "found 'at', must be the name of a buffer, or kernel"),
    ('result : output f32', 'result : output <double', "found 'double', must be a type: f32, i32"),
    ('result : output f32[1, 4]', 'result : output f32[1, <0]',
     "found '0', must be a dimension: an integer from 1 to 1099511627775"),
    ('x      : workspace', '<image : workspace', 'a second buffer of the name image'),
    ('w      : weights f32[4, 16] = %0', 'w      : weights f32[4, 16]\n<rows_ = %0',
     "found 'rows_', must be '='"),
    ('w      : weights f32[4, 16] = %0', 'w      : weights f32[4, 16] = <%9',
     '%9 is not defined above'),
    ('w      : weights f32[4, 16] = %0', 'w      : weights f32[4, 16] = %0 at <-8',
     "found '-', must be an offset in bytes: an integer from 0 to 4398046511104"),
    ('rows   : weights i32', 'rows   : weights <i64', "found 'i64', must be a type: f32, i32"),
    ('kernel first', 'kernels <first', "found 'first', must be ':'"),
    ('kernel first', 'kernel <"first"', 'found the string "first", must be the name of a kernel'),
    ('kernel first', 'kernel <for', "found 'for', must be the name of a kernel"),
    ('"layer0" {', '"layer0" <(', "found '(', must be '{'"),
    ('"layer0" {', '"layer0" target <v3 {', "found 'v3', must be a string in double quotes"),
    ('top : stack', 'top : <heap', "found 'heap', must be a place in a kernel: stack"),
    ('top : stack', 'top : <workspace', "found 'workspace', must be a place in a kernel: stack"),
    ('top : stack', '<x : stack', 'a second buffer of the name x'),
    ('for n in 1', 'for <div in 1', "found 'div', must be the name of a loop variable"),
    ('for n in 1', 'for n <of 1', "found 'of', must be 'in'"),
    ('for n in 1', 'for n in <0',
     "found '0', must be the extent of a loop: an integer from 1 to 1099511627775"),
    ('for n in 1', 'for n in <m',
     "found 'm', must be the extent of a loop: an integer from 1 to 1099511627775"),
    ('for n in 1', 'for n in 1 <while', 'no buffer has the name while'),
    ('y in 8', '<n in 8', 'a second loop variable of the name n in this kernel'),
    ('y in 8', 'y in 8 parallel <serial', "found 'serial', must be a statement: a store, for"),
    ('top[c] = max', 'top[<d] = max', 'no loop has a variable d'),
    ('top[c] = max', '<tip[c] = max', 'no buffer has the name tip'),
    ('top[c] = max', 'top[c<, 0] = max', "found ',', must be ']': top has 1 dimensions"),
    ('top[c] = max', 'top[c] <+= max', "found '+', must be '='"),
    ('top[c] = max', 'top[c] = mux<',
     "found '(', must be '[' after the name of a buffer, or '(' after max, fma"),
    ('top[c] = max', 'top[<*c] = max',
     "found '*', must be an index: a variable, a number, a table, or '('"),
    ('top[c] = max', 'top<(c) = max', "found '(', must be '['"),
    ('sum k in 4 (', 'sum <4 (', "found '4', must be the name of a loop variable"),
    ('sum k in 4 (', 'sum k in 4 <[', "found '[', must be '('"),
    ('sum k in 4 (', 'sum <c in 4 (', 'a second loop variable of the name c in this kernel'),
    ('sum k in 4 (', 'sum k in <-4 (',
     "found '-', must be the extent of a loop: an integer from 1 to 1099511627775"),
    ('image[n, k, y, p] *', 'image[n, k, y<] *', "found ']', must be ','"),
    ('image[n, k, y, p] *', 'image[n, k, y, p] * <*',
     "found '*', must be an expression: a number, a load, a function, sum"),
    ('image[n, k, y, p] *', 'image <*',
     "found '*', must be '[' after the name of a buffer, or '(' after max, fma"),
    ('from -1.5, 0)', 'from -<x, 0)', "found 'x', must be a number"),
    ('from -1.5, 0)', 'from -1.5<)', "found ')', must be ','"),
    ('from -1.5, 0)', 'from -1.5, 0<, 1)', "found ',', must be ')'"),
    ('from -1.5, 0)', 'from -<1.5.5, 0)', "found '1.5.5', must be a decimal number"),
    ('from -1.5, 0)', 'from -<1e999, 0)',
     "found '1e999', must be a number that fits float64, or inf"),
    ('from -1.5, 0)', 'from -<nan, 0)', "found 'nan', must be a number"),
    ('from -1.5, 0)', 'from -<0x1p3, 0)', "found '0x1p3', must be a decimal number"),
    ('x[n, y, p, c2]', 'x[n, 8*<, p, c2]',
     "found ',', must be an index: a variable, a number, a table, or '('"),
    ('x[n, y, p, c2]', 'x[n, y <*y, p, c2]', "found '*', must be ','"),
    ('x[n, y, p, c2]', 'x[n, y, p, <c]', 'the loop of c ended above'),
    ('(c2 + 1) mod 16', '(c2 + 1) mod <0',
     "found '0', must be a divisor: an integer from 1 to 1099511627776"),
    ('(c2 + 1) mod 16', '(c2 + 1) mod <c2',
     "found 'c2', must be a divisor: an integer from 1 to 1099511627776"),
    ('(c2 + 1) mod 16', '<(c2 - 1) mod 16',
     'div or mod of an index that may be -1, must not be negative'),
    ('(c2 + 1) mod 16', '(c2 + 1 <mod 16', "found 'mod', must be ')'"),
    ('exp(top', '<exp[top', 'no buffer has the name exp'),
    ('exp(top', 'expo<(top',
     "found '(', must be '[' after the name of a buffer, or '(' after max, fma"),
    ('schedule "x86-64-v3" {\n    tile 4', 'schedule <v3 {\n    tile 4',
     "found 'v3', must be a string in double quotes"),
    ('schedule "x86-64-v3" {\n    tile 4', 'schedule "x86-64-v3" <[\n    tile 4',
     "found '[', must be '{'"),
    ('schedule "x86-64-v3" {\n    tile 4', 'schedule "x86-64-v3" {\n    tile <(4)',
     "found '(', must be a command of words from letters, digits and _ . - + * =, or '}'"),
    ('schedule "x86-64-v3" {\n    tile 4', 'schedule "x86-64-v3" {\n    tile <65',
     "kernel first: found '65', must be pixels of a tile: an integer from 1 to 64"),
    ('schedule "x86-64-v3" {\n    tile 4', 'schedule "x86-64-v3" {\n    tile 1 2 3 4 5 6 7 8 <9',
     'more than 8 operands'),
    ('schedule "x86-64-v3" {\n    tile 4', 'schedule "x86-64-v3" {\n    <tiles 4',
     "kernel first: found 'tiles', must be 'tile T' or"),
    ('nest 0 rows 4 columns 16 vector 8', 'nest <2 rows 4 columns 16 vector 8',
     "kernel first: found '2', must be the number of a nest of this kernel: an integer from 0 to 1"
     ),
    ('nest 0 rows 4 columns 16 vector 8', 'nest 0 rows <12 columns 16 vector 8',
     'kernel first: 12 rows of 2 vectors need 24 registers, x86-64-v3 has 16'),
    ('nest 0 rows 4 columns 16 vector 8', 'nest 0 rows 4 columns <17 vector 8',
     "kernel first: found '17', must be columns of the nest: an integer from 1 to 16"),
    ('nest 0 rows 4 columns 16 vector 8', 'nest 0 rows 4 columns 16 vector <16',
     "kernel first: found '16', must be lanes of a vector of the target: an integer from 1 to 8"),
    ('kernel second {\n', 'kernel second {\n  y : <nowhere f32[1]\n',
     "found 'nowhere', must be a place in a kernel: stack"),
    ('kernel second {\n  for', 'kernel second\n  <for', "found 'for', must be '{'"),
    ('rows{64}[r]', '<rows[r]', 'no loop has a variable rows'),
    ('rows{64}[r]', 'rows{<0}[r]',
     "found '0', must be the limit of a table's values: an integer from 1 to 2147483647"),
    ('rows{64}[r]', 'rows{<4294967296}[r]',
     "found '4294967296', must be the limit of a table's values: an integer from 1 to 2147483647"),
    ('rows{64}[r]', 'rows{64<[r]', "found '[', must be '}'"),
    ('rows{64}[r]', '<x{64}[r]', 'x is no table: must be i32 of one dimension'),
    ('rows{64}[r]', '<w{4}[r]', 'w is no table: must be i32 of one dimension'),
    ('4*l + j', '4*l + <n', 'no loop has a variable n'),
    ('4*l + j', '4*l + <1099511627777',
     "found '1099511627777', must be a number in an index: an integer from 0 to 1099511627776"),
    ('4*l + j', '<1099511627776*l + j', 'an index that may go beyond 2^40'),
    # what reads well, but makes no sense: loops of a kind, in an order, and buffers in a place that a dependence forbids
    ('n in 1, y in 8, p', 'n in 1, <y in 8 parallel, p',
     'kernel first: loop y: parallel, must be outermost'),
    ('n in 1, y in 8, p', '<y in 8 vector, n in 1, p',
     'kernel first: loop y: vector, must be innermost'),
    ('n in 1, y in 8, p', 'n in 1 block, <y in 8 thread, p',
     'kernel first: loop y: thread, but one iteration writes what another writes: an element of top'
     ),
    ('for c in 16\n', 'for <c in 16 parallel\n',
     'kernel first: loop c: parallel, must be outermost'),
    ('for m in 1, j in 4', 'for m in 1, <j in 4 parallel',
     'kernel second: loop j: parallel, must be outermost'),
    ('for m in 1, j in 4\n    result[0, j]', 'for <m in 2 parallel, j in 4\n    result[0, j]',
     'kernel second: loop m: parallel, but one iteration writes what another writes: an element of result'
     ),
    ('top : stack f32[16]', '<top : stack f32[16] at 2',
     'kernel first: buffer top: the offset 2, must be a multiple of 4 up to 2^42'),
    ('top : stack f32[16]' + LOOPS + 'top', 'top : registers f32[16]' + LOOPS + '<top',
     'kernel first: top: index 0 of registers depends on a loop that is not unrolled, or on a table'
     ),
    ('top : stack f32[16]' + LOOPS + 'top', 'top : stack f32[15]' + LOOPS + '<top',
     'kernel first: top: index 0 may be from 0 to 15, must be from 0 to 14'),
    ('c in 16\n      top[c] ' + SUM + 'x', 'c in 15\n      top[c] ' + SUM + '<x',
     'kernel first: top[15] is read before it is written'),
    ('x[n, y, p, c2]', '<x[n, y, p + 1, c2]',
     'kernel first: x: index 2 may be from 1 to 8, must be from 0 to 7'),
    ('%2 = transpose %0 { order = [1, 0] } : f32[16, 4]',
     '<%2 = transpose %0 { order = [1, 0] } : f32[4, 16]',
     '%2 = transpose: the shape is [4, 16], must be [16, 4]'),
    ('w      : weights f32[4, 16] = %0', '<w      : weights f32[4, 17] = %0',
     'buffer w: [4, 17], its value %0 is [4, 16] of another number of elements'),
]


MATRIX = '''sanir 1
model "m"
input f32[1, 1, 16, 32]
classes 256
targets "nvptx:sm_80"
threads 1
precision tf32
after apply_schedules

graph {
  %0 = parameter { name = "w", shape = [32, 16] } : f32[32, 16]
  %1 = round %0 { precision = tf32 } : f32[32, 16]
}

image  : input f32[16, 32]
result : output f32[16, 16]
w      : weights f32[32, 16] = %1

kernel product target "nvptx:sm_80" {
  tile : shared f32[16, 32]
  acc  : registers f32[2, 16, 8]
  for r in 16, t in 32 thread
    tile[r, t] = tf32(image[r, t])
  barrier
  for u in 2 warp {
    for m in 16 matrix, n in 8 matrix
      acc[u, m, n] = 0
    for k in 4, m1 in 16 matrix, n1 in 8 matrix, k1 in 8 matrix
      acc[u, m1, n1] = fma(tile[m1, 8*k + k1], w[8*k + k1, 8*u + n1], acc[u, m1, n1])
    for m2 in 16 matrix, n2 in 8 matrix
      result[m2, 8*u + n2] = acc[u, m2, n2]
  }
}
'''

PRODUCT = 'must be around one x = fma(a, b, x): x in registers, a and b from memory'

# What becomes what, the text that the error stands at, the error.
MATRIX_CASES = [
    ('precision tf32', 'precision f16', 'f16', "found 'f16', must be one of f32, tf32, bf16"),
    ('precision = tf32', 'precision = f32', '%1 =',
     '%1 = round: precision is f32, must be from tf32 to bf16'),
    ('u in 2 warp', 'u in 33 warp', 'u in',
     'kernel product: loop u: 33 warps, at most 32 are allowed'),
    ('u in 2 warp', 'o in 2 thread, u in 2 warp', 'u in',
     'kernel product: loop u: warp, must not be in a thread loop'),
    ('u in 2 warp', 'u in 2', 'acc[u, m, n] = 0',
     'kernel product: acc: index 0 of registers depends on a loop that is not unrolled, or on a table'),
    ('u in 2 warp', 'u in 2 unroll', 'k1 in',
     'kernel product: loop k1: matrix, of at most 32 terms of a tile, must be around one x = fma(a, b, x): '
     'x a whole tile of registers'),
    ('m in 16 matrix', 'm in 8 matrix', 'm in',
     'kernel product: loop m: matrix, must be 16 rows and directly in it, alone, a matrix loop of 8 columns'
     ),
    ('m in 16 matrix, n in 8 matrix', 'm in 16 matrix, n in 8', 'm in',
     'kernel product: loop m: matrix, must be 16 rows and directly in it, alone, a matrix loop of 8 columns'
     ),
    ('m in 16 matrix, n in 8 matrix', 'm in 16 matrix, n in 8 matrix, o in 2', 'm in',
     'kernel product: loop m: matrix, must be around stores, in unroll and vector loops at most, or around a product'
     ),
    ('m in 16 matrix, n in 8 matrix', 'm in 16 unroll, n in 8 unroll', 'acc[u, m, n] = 0',
     'kernel product: acc: a store in a warp loop, must be in its matrix loops'),
    ('acc[u, m, n] = 0', 'acc[u, m, (n + 1) mod 8] = 0', 'acc[u, m, (n',
     'kernel product: acc: index 2 of registers depends on a loop that is not unrolled, or on a table'
     ),
    ('k1 in 8 matrix', 'k1 in 4 matrix', 'k1 in',
     'kernel product: loop k1: matrix, products in tf32 are of 8 terms, found 4'),
    ('tile[m1, 8*k + k1], w', 'tile[n1, 8*k + k1], w', 'k1 in',
     'kernel product: loop k1: matrix, ' + PRODUCT),
    ('w[8*k + k1, 8*u + n1], ', 'w[8*k + k1, m1], ', 'k1 in',
     'kernel product: loop k1: matrix, ' + PRODUCT),
    ('acc[u, m1, n1] = fma', 'tile[m1, n1] = fma', 'k1 in',
     'kernel product: loop k1: matrix, ' + PRODUCT),
    ('f32[32, 16] = %1', 'f32[32, 16] = %0', 'k1 in',
     'kernel product: loop k1: matrix, factor 2 of its products is not rounded to tf32'),
    ('tf32(image[r, t])', 'image[r, t]', 'k1 in',
     'kernel product: loop k1: matrix, factor 1 of its products is not rounded to tf32'),
    ('tile[r, t] = tf32', 'async tile[r, t] = tf32', 'async',
     'kernel product: tile: async, must bring an element of memory to a shared buffer'),
    ('acc[u, m, n] = 0', 'async acc[u, m, n] = image[m, n]', 'async',
     'kernel product: acc: async, must bring an element of memory to a shared buffer'),
    ('t in 32 thread\n    tile[r, t] = tf32(image[r, t])',
     't in 32\n    async tile[r, t] = image[r, t]', 'async',
     'kernel product: tile: async, must be in a thread loop'),
    ('tf32(image[r, t])', 'bf16(image[r, t])', 'k1 in',
     'kernel product: loop k1: matrix, factor 1 of its products is not rounded to tf32'),
    ('result[m2, 8*u + n2]', 'result[m2, n2]', 'u in',
     'kernel product: loop u: warp, but one iteration writes what another writes: an element of result'
     ),
    ('result[m2, 8*u + n2]', 'result[m2, 8*u]', 'n2 in',
     'kernel product: loop n2: matrix, but one iteration writes what another writes: an element of result'
     ),
]


def swap(old, new, base=BASE):
    """A text with one thing changed, that stands there once."""
    assert base.count(old) == 1, old
    return base.replace(old, new)


def place(text):
    """The text without the mark, and where that stood: (line, column), from 1."""
    at = text.index('<')
    return text.replace('<', ''), (text.count('\n', 0, at) + 1, at - text.rfind('\n', 0, at))
