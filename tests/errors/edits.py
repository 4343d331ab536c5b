"""Edits of dumps that no pass or backend can carry out: each is refused at its line, with status
3."""
SCHEDULED = '''sanir 1
model "m"
input f32[1, 1, 2, 2]
classes 8
targets "x86-64-v3"
threads 2
after schedule

graph {
}

image  : input f32[4]
result : output f32[8]
middle : workspace f32[1, 2, 2, 8]

kernel first "a" {
  for n in 1, y in 2, x in 2, c in 8
    middle[0, y, x, c] = image[2*y + x]
  schedule "x86-64-v3" {
    tile 2
    nest 0 rows 1 columns 8 vector 8
  }
}

kernel second "b" {
  for c in 8
    result[c] = middle[0, 0, 1, c]
  schedule "x86-64-v3" {
    tile 1
    nest 0 rows 1 columns 8 vector 8
  }
}
'''
PLANNED = '''sanir 1
model "m"
input f32[1, 1, 2, 2]
classes 128
targets "x86-64-v3"
threads 1
after plan_memory
workspace 512 scratch 576

graph {
  %0 = fill { value = 1, shape = [4] } : f32[4]
}

image  : input f32[4]
result : output f32[128]
middle : workspace f32[128] at 0
rows   : weights i32[4] = %0

kernel first target "x86-64-v3" {
  tile  : stack f32[128] at 0
  pairs : stack bf16[16] at 512
  acc   : registers f32[4]
  for c in 16, v in 8 vector
    tile[8*c + v] = image[v div 2]
  for d in 128
    middle[d] = tile[d]
  for e in 128
    result[e] = middle[e]
}
'''
TILES = '''sanir 1
model "m"
input f32[1, 1, 2, 2]
classes 16
targets "x86-64-v4+amx"
threads 1
precision bf16
after plan_memory
workspace 512 scratch 576

graph {
  %0 = fill { value = 1, shape = [8, 4, 2] } : f32[8, 4, 2]
  %1 = round %0 { precision = bf16 } : f32[8, 4, 2]
}

image  : input f32[4]
result : output f32[16]
w      : weights bf16[8, 4, 2] = %1

kernel first target "x86-64-v4+amx" {
  rows : stack bf16[4, 16] at 0
  acc  : registers f32[4, 4, 4]
  more : registers f32[1, 4, 4]
  for r in 4, k in 16
    rows[r, k] = bf16(image[r])
  for i in 4 unroll, m in 4 matrix, n in 4 matrix
    acc[i, m, n] = 0
  for i1 in 4 unroll, m1 in 4 matrix, n1 in 4 matrix, d in 16 matrix
    acc[i1, m1, n1] = fma(rows[m1, d], w[d div 2, n1, d mod 2], acc[i1, m1, n1])
  for i2 in 4 unroll, m2 in 4 matrix, n2 in 4 matrix
    result[4*m2 + n2] = acc[i2, m2, n2]
}
'''
BLAMED = ('first target', '<first target')
# the text, what is replaced, by what, where `<` marks the place; the message
CASES = [
    (SCHEDULED, SCHEDULED[SCHEDULED.index('after schedule'):SCHEDULED.index('first "a"')],
     SCHEDULED[SCHEDULED.index('graph {'):SCHEDULED.index('first "a"')] + '<',
     'a dump from before the pass lower must hold a graph alone, found kernels'),
    (PLANNED, 'tile  : stack f32[128] at 0', '<tile  : stack f32[128]',
     "kernel first: buffer tile must have a place ('at' and its bytes)"),
    (PLANNED, 'middle : workspace f32[128] at 0', '<middle : workspace f32[128]',
     "kernel first: buffer middle must have a place ('at' and its bytes)"),
    (PLANNED, 'tile  : stack', '<tile  : shared',
     'kernel first: buffer tile is in shared, which x86-64-v3 does not have'),
    (PLANNED, 'c in 16, v in 8 vector\n    tile[8*c + v] = image[v div 2]',
     '<v in 128 vector\n    tile[v] = image[v div 32]',
     'kernel first: loop v: vector, of 128 lanes, must be of at most 64'),
    (PLANNED, 'd in 128\n    middle', '<q in 20000 unroll, d in 128\n    middle',
     'kernel first: loop q: unroll would write out more than 16384 statements'),
    (PLANNED, 'e in 128', '<e in 128 thread',
     'kernel first: loop e: thread, which x86-64-v3 does not have'),
    (PLANNED, 'for e in 128\n    result[e] = middle[e]',
     'for e in 128\n    <result[e] = sum k in 2 (middle[e])',
     'kernel first: a sum or maximum that no pass has turned into loops'),
    (PLANNED, 'for e in 128', 'for e0 in 4 vector\n    acc[e0] = 0\n  for d0 in 16\n    pairs[d0] = 0\n  for <t in 2 '
     'matrix, e1 in 4 vector\n    acc[e1] = fma(pairs[t], pairs[2*e1 + t], acc[e1])\n  for e in 128',
     'kernel first: loop t: matrix, which x86-64-v3 does not have'),
    (PLANNED, 'for d in 128', '<barrier\n  for d in 128',
     'kernel first: a barrier, which processors do not have'),
    (TILES.replace('v4+amx', 'v4+bf16'), 'unroll, m in', 'unroll, <m in',
     'kernel first: loop m: matrix, which x86-64-v4+bf16 does not have'),
    (TILES.replace('f32[4, 4, 4]', 'f32[7, 4, 4]').replace('4 unroll', '7 unroll'), *BLAMED,
     'kernel first: acc: more tiles than there are registers for these and for factors'),
    (TILES.replace('  for i2', '  for m3 in 4 matrix, n3 in 4 matrix\n    more[0, m3, n3] = 0\n  for i2'),
     *BLAMED, "kernel first: acc: a tile's sums, in use while those of another buffer are"),
    (TILES.replace('acc[i2, m2, n2]\n', 'acc[i2, m2, n2]\n  result[0] = acc[0, 0, 0]\n'), *BLAMED,
     "kernel first: acc: a tile's sums, which only matrix loops may touch"),
    # every worker computes all of it
    (SCHEDULED, 'kernel first "a" {\n  for n in 1,', 'kernel <first "a" {\n  for n in 3,',
     'the pass apply_schedules cannot go on from here: kernel first: loop t: parallel, but one iteration writes what '
     'another writes: an element of middle'),
]
