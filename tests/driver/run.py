"""Tests of the driver: its commands and options, what it writes, and how it ends.

usage: run.py SANC [NAME...]

Each function that begins with test_ gets a folder of its own, with a small model in it.
"""
import ctypes
import inspect
import json
import os
import re
import resource
import shutil
import signal
import stat
import struct
import subprocess
import sys
import tempfile
import time
import traceback

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'numeric'))
import common  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
CASE = os.path.join(HERE, '..', 'numeric', 'cases', 'pair_subtraction')
DONE, CHECK_FAILED, USAGE, INPUT, SYSTEM = 0, 1, 2, 3, 4
WEIGHTS = ['-w', 'weights.safetensors']
V3 = ['--target', 'x86-64-v3']
SKIPPED = 77


class Failure(Exception):
    pass


class Folder:
    """A folder with model.json, weights.safetensors and io.safetensors, and sanc to run in it."""

    def __init__(self, sanc, path):
        self.sanc, self.path = sanc, path
        for name in os.listdir(CASE):
            shutil.copy(os.path.join(CASE, name), path)

    def __truediv__(self, name):
        return os.path.join(self.path, name)

    def files(self):
        return sorted(os.listdir(self.path))

    def read(self, name):
        with open(self / name, 'rb') as file:
            return file.read()

    def write(self, name, content):
        with open(self / name, 'wb') as file:
            file.write(content)

    def run(self, *words, status=DONE, says=(), prints=(), environment=None):
        """Runs sanc; what it says is on standard error, what it prints on standard output."""
        command = [self.sanc, *words]
        done = subprocess.run(command, cwd=self.path, capture_output=True, timeout=600,
                              env=environment)
        said, printed = done.stderr.decode(), done.stdout.decode()
        line = ' '.join(words)
        if done.returncode != status:
            raise Failure(f'{line}: status {done.returncode}, expected {status}\n{said}')
        for text in [says] if isinstance(says, str) else says:
            expect(text in said, f'{line}: does not say {text!r} but {said!r}')
        for text in [prints] if isinstance(prints, str) else prints:
            expect(text in printed, f'{line}: does not print {text!r} but {printed!r}')
        if status == DONE and not says:
            expect(said == '', f'{line}: says {said!r}')
        return said if says else printed


def expect(condition, message):
    if not condition:
        raise Failure(message)


def only_new(folder, before, *names):
    new = sorted(set(folder.files()) - set(before))
    expect(new == sorted(names), f'files {new}, expected {sorted(names)}')


def passes(folder):
    return [line.split()[1] for line in folder.run('ir', '--list-passes').splitlines()]


# ---- help, versions, command line ----------------------------------------------------------------

def test_help(folder):
    listed = folder.run('help', prints='usage: sanc COMMAND')
    for command in ('compile', 'run', 'verify', 'stats', 'ir', 'bench', 'tune', 'help'):
        expect(f'\n  {command} ' in listed, f'{command} is not listed')
        folder.run('help', command, prints=f'usage: sanc {command} ')
        folder.run(command, '--help', prints=f'usage: sanc {command} ')
    expect(listed == folder.run('--help') == folder.run('-h'), 'help differs from --help')
    folder.run('help', 'nothing', status=USAGE, says="no command 'nothing'")


def test_help_names_every_option(folder):
    for command, options in {'compile': '-w -o --emit --target --batch --threads --precision '
                                        '--name --dump-ir --print-after --print-before --stop-after '
                                        '--time-passes --profile -v',
                             'run': '-w --input --output --engine --target --batch --threads',
                             'verify': '-w --input --tolerance --each-pass --reduce --json',
                             'bench': '-w --kernels --seconds --json --target --batch --threads',
                             'tune': '-w -o --seconds --schedules --target --batch --threads',
                             'stats': '--json --name --target --batch --threads',
                             'ir': '--after --before --list-passes'}.items():
        text = folder.run('help', command)
        for option in options.split():
            expect(f'{option} ' in text or f'{option},' in text, f'{command}: {option}')


def test_version(folder):
    lines = folder.run('--version').splitlines()
    names = [line.split()[0] for line in lines]
    expect(names == ['sanc', 'LLVM', 'IR', 'ABI'], str(lines))


def test_wrong_command_lines(folder):
    before = folder.files()
    make = ['compile', 'model.json', *WEIGHTS, '-o', 'net.o']
    for words, says in [
        ([], 'use compile, run, verify, stats, ir, bench, tune or help'),
        (['explode'], "unknown command 'explode'"),
        (['compile'], 'needs a model'),
        (['compile', 'model.json', *WEIGHTS], 'needs --output'),
        (['compile', 'model.json', '-o', 'net.o'], '--weights'),
        (['run', 'model.json', *WEIGHTS, '--output', 'o'], 'needs --input'),
        (['verify', 'model.json'], 'needs --weights'),
        ([*make, '--emmit', 'obj'], 'unknown option --emmit'),
        ([*make, '--input', 'io.safetensors'], 'takes no option --input'),
        ([*make, '--emit',
          'exe'], 'obj, header, shared, asm, llvm, ir, schedules, report, ptx, cubin, launch or weights'),
        ([*make, '--emit', 'obj,ptx'], 'ptx is for GPUs'),
        ([*make, '--emit', 'cubin'], 'for GPUs'),
        ([*make, '--emit', 'launch'], 'for GPUs'),
        (['compile', 'model.json', '-o', 'x', '--target', 'nvptx:sm_80', '--emit',
          'launch'], '--weights'),
        ([*make, '--target', 'nvptx:sm_80', '--emit', 'asm'], 'asm is for processors'),
        ([*make, '--target', 'pdp-11'], 'x86-64-v3'),
        ([*make, '--target', 'x86-64-v3,pdp-11'], 'pdp-11'),
        ([*make, '--target', 'nvptx:sm_35'], 'nvptx:sm_35'),
        ([*make, '--target', 'x86-64-v2'], 'x86-64-v2'),
        ([*make, '--batch', '0'], '1 to 65536'),
        ([*make, '--threads', 'many'], '1 to 1024'),
        ([*make, '--precision', 'f16'], 'f32, tf32 or bf16'),
        ([*make, '--precision', 'tf32'], 'nvptx:sm_80 on, found the target x86-64-v3'),
        ([*make, '--precision', 'bf16', '--target', 'x86-64-v3,nvptx:sm_70'],
         '--precision bf16 is for processors and GPUs from nvptx:sm_80 on, found the target nvptx:sm_70'),
        ([*make, '--stop-after', 'coffee'], passes(folder)[0]),
        ([*make, '--stop-after', passes(folder)[0]], 'ir'),
        ([*make, 'second.json'], 'second.json'),
        ([*make, '-o', 'x'], 'given twice'),
        (['ir', 'model.json', '--after', 'lower', '--before', 'lower'], 'not both'),
    ]:
        folder.run(*words, status=USAGE, says=says)
    only_new(folder, before)


def test_says_several_errors_at_once(folder):
    said = folder.run('compile', 'model.json', '--batch', '0', '--emit', 'exe', '--foo',
                      status=USAGE, says='--batch')
    expect(said.count('error:') == 3, said)


def test_help_fits_a_terminal(folder):
    for command in ('', 'compile', 'run', 'verify', 'stats', 'ir', 'bench', 'tune', 'help'):
        text = folder.run('help', *([command] if command else []))
        long = [line for line in text.splitlines() if len(line) > 80]
        expect(not long, f'{command}: {long}')
    expect('required: file to write' in folder.run('help', 'compile'),
           'required options are not marked')


def test_misspelt_words(folder):
    """One error, with what was meant."""
    make = ['compile', 'model.json', *WEIGHTS, '-o', 'net.o']
    for words, says in [(['comple', 'model.json'], "did you mean 'compile'?"),
                        (['help', 'bnch'], "did you mean 'bench'?"),
                        ([*make, '--emmit', 'obj'], 'unknown option --emmit; did you mean --emit?'),
                        ([*make, '--emit', 'onj'], "found 'onj'; did you mean 'obj'?"),
                        ([*make, '--stop-after', 'fuse'], "did you mean 'fuse_pixels'?"),
                        ([*make, '--target', 'x86-64-v33'], "did you mean 'x86-64-v3'?"),
                        ([*make, '--target', 'znver33'], "did you mean 'znver3'?"),
                        ([*make, '--target', 'nvptx:sm_81'], 'did you mean')]:
        said = folder.run(*words, status=USAGE, says=says)
        expect(said.count('error:') == 1, said)
    folder.write('wrong.json', folder.read('model.json').replace(b'"classes"', b'"clases"'))
    said = folder.run('stats', 'wrong.json', status=INPUT, says="did you mean 'classes'?")
    expect(said.count('error:') == 1, said)


def test_names_promise_formats(folder):
    before = folder.files()
    make = ['compile', 'model.json', *WEIGHTS]
    io = ['--input', 'io.safetensors']
    for words in ([*make, '-o', 'x.npy'], [*make, '-o', 'lib.so'], [*make, '-o', 'x.s'],
                  [*make, '-o', 'x.h'], [*make, '-o', 'x.o', '--emit', 'asm', *V3],
                  [*make, '-o', 'x.o', '--emit', 'obj,asm'],
                  ['run', 'model.json', *WEIGHTS, *io, '-o', 'x.png'],
                  ['ir', 'model.json', '-o', 'x.json']):
        folder.run(*words, status=USAGE, says='--output ' + words[words.index('-o') + 1])
    only_new(folder, before)


def test_standard_input_and_output(folder):
    def piped(content, *words, status=DONE):
        done = subprocess.run([folder.sanc, *words], cwd=folder.path, input=content,
                              capture_output=True, timeout=600)
        expect(done.returncode == status,
               f'{words}: status {done.returncode}: {done.stderr.decode()}')
        return done
    before, model = folder.files(), folder.read('model.json')
    expect(piped(model, 'stats', '-').stdout == folder.run('stats', 'model.json').encode(), 'stats')
    dump = piped(model, 'ir', '-', '-o', '-', '--after', 'lower').stdout
    expect(dump == folder.run('ir', 'model.json', '--after', 'lower').encode(), 'ir')
    whole = piped(dump, 'compile', '-', *WEIGHTS, '-o', '-').stdout
    only_new(folder, before)
    folder.run('compile', 'model.json', *WEIGHTS, '-o', 'net.o')
    expect(whole == folder.read('net.o'), 'another object through pipes')
    folder.run('run', 'model.json', *WEIGHTS, '--input', 'io.safetensors', '-o', 'out')
    through = piped(model, 'run', '-', *WEIGHTS, '--input', 'io.safetensors', '-o', '-').stdout
    expect(through == folder.read('out'), 'another output through pipes')
    said = piped(model.replace(b'"classes": ', b'"classes": -'), 'stats', '-', status=INPUT).stderr
    expect(said.startswith(b'<stdin>:'), said)
    expect(
        b'standard input' in piped(model, 'compile', '-', '-w', '-', '-o', 'x.o',
                                   status=USAGE).stderr, 'twice -')
    expect(
        b'--output -' in piped(model, 'compile', '-', *WEIGHTS, '-o', '-', '--emit', 'obj,ir',
                               status=USAGE).stderr, '-o -')
    expect(
        b'--output -' in piped(model, 'compile', '-', '-o', '-', '--emit', 'asm',
                               status=USAGE).stderr, '-o -')


def test_shows_the_line(folder):
    folder.write('wrong.json', b'{\n\t"classes": 0\n}\n')
    said = folder.run('stats', 'wrong.json', status=INPUT,
                      says='wrong.json:2:13: error: classes must be')
    expect('\n    2 |  "classes": 0\n      |             ^\n' in said, said)
    folder.write('long.json', b'{ "x": "' + b'\xc3\xa4' * 400 + b'", "name": 5' + b' ' * 400 + b'}')
    said = folder.run('stats', 'long.json', status=INPUT, says='long.json:1:')
    lines = said.splitlines()
    at = next(i for i, line in enumerate(lines) if 'error: name must' in line)
    expect(len(lines[at + 1]) < 100 and lines[at + 1][lines[at + 2].index('^')] == '5', said)


def test_colour(folder):
    """Colour on a terminal alone, and not where NO_COLOR is set."""
    expect('\x1b' not in folder.run('explode', status=USAGE, says='explode'), 'colour in a pipe')
    if not common.has_terminals():
        return 'this system has no pseudo-terminals'
    for environment, coloured in (({'TERM': 'xterm'}, True), ({'TERM': 'dumb'}, False),
                                  ({'TERM': 'xterm', 'NO_COLOR': '1'}, False)):
        leader, follower = os.openpty()
        subprocess.run([folder.sanc, 'explode'], stderr=follower, timeout=60, env=environment)
        os.close(follower)
        said = os.read(leader, 4096)
        os.close(leader)
        expect((b'\x1b[1;31merror:\x1b[0m' in said) == coloured, str(said))
    return None


def test_ptxas_too_new(folder):
    """A ptxas that no longer knows the GPU: our message, with its version and what it said."""
    path = folder / 'ptxas'
    with open(path, 'w') as file:
        file.write(
            '#!/bin/sh\nif [ "$1" = --version ]; then echo "Cuda compilation tools, release 13.0, V13.0.88"; exit 0; fi\n'
            'echo "ptxas fatal   : Value \'sm_70\' is not defined for option \'gpu-name\'" >&2; exit 255\n'
        )
    os.chmod(path, 0o755)
    environment = {**os.environ, 'PATH': folder.path + ':' + os.environ['PATH']}
    said = folder.run('compile', 'model.json', '--emit', 'cubin', '--target', 'nvptx:sm_70', '-o',
                      'x.cubin', status=SYSTEM, environment=environment,
                      says='ptxas 13.0 does not assemble for nvptx:sm_70')
    expect('is not defined for option' in said and said.count('error:') == 1, said)


def test_signal_leaves_no_file(folder):
    """A signal while a file is written: the file is whole or not there, and no temporary one is
    left."""
    folder.write('ptxas', b'#!/bin/sh\ntouch started\nexec sleep 60\n')
    os.chmod(folder / 'ptxas', 0o755)
    os.mkdir(folder / 'tmp')
    environment = {
        **os.environ, 'PATH': folder.path + ':' + os.environ['PATH'], 'TMPDIR': folder / 'tmp'
    }
    child = subprocess.Popen([
        folder.sanc, 'compile', 'model.json', '--emit', 'cubin', '--target', 'nvptx:sm_70', '-o',
        'x.cubin'
    ], cwd=folder.path, env=environment, stderr=subprocess.PIPE, start_new_session=True)
    while not os.path.exists(folder / 'started'):
        time.sleep(0.05)
    expect(os.listdir(folder / 'tmp') != [], 'no folder of its own')
    os.killpg(child.pid, signal.SIGTERM)
    expect(child.wait(60) == -signal.SIGTERM, f'status {child.returncode}')
    child.stderr.close()
    expect(
        os.listdir(folder / 'tmp') == [] and not os.path.exists(folder / 'x.cubin'),
        'files are left')


def test_out_of_memory(folder):
    """Where memory ends, one message and status 4."""
    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
    before = folder.files()
    done = subprocess.run([
        folder.sanc, 'run', 'model.json', *WEIGHTS, '--input', 'io.safetensors', '--output', 'out',
        '--engine', 'eval', '--batch', '65536', '--target', 'nvptx:sm_80'
    ], cwd=folder.path, capture_output=True, timeout=600, preexec_fn=limit)
    if b'AddressSanitizer' in done.stderr:
        return 'the address sanitizer needs more memory for itself'
    expect((done.returncode, done.stderr) == (SYSTEM, b'sanc: error: out of memory\n'), str(done))
    only_new(folder, before)
    return None


# ---- compile -------------------------------------------------------------------------------------

def test_object_and_header(folder):
    before = folder.files()
    folder.run('compile', 'model.json', *WEIGHTS, '-o', 'net.o')
    only_new(folder, before, 'net.o', 'net.h')
    expect(folder.read('net.o')[:4] == b'\x7fELF', 'no object')
    expect(b'pair_subtraction_run' in folder.read('net.h'), 'no prototype')
    folder.run('compile', 'model.json', *WEIGHTS, '-o', 'other', *V3)
    only_new(folder, before, 'net.o', 'net.h', 'other', 'other.h')


def test_each_kind(folder):
    before = folder.files()
    for kind, name in [('header', 'a.h'), ('asm', 'a.s'), ('llvm', 'a.ll'), ('ir', 'a.sanir')]:
        folder.run('compile', 'model.json', '--emit', kind, '-o', name, *V3)
    only_new(folder, before, 'a.h', 'a.s', 'a.ll', 'a.sanir')
    expect(b'vfmadd' in folder.read('a.s'), 'no FMA in the assembly')
    expect(b'define ' in folder.read('a.ll'), 'no LLVM')
    expect(folder.read('a.sanir').startswith(b'sanir 1\n'), 'no IR')


def test_several_kinds_and_targets(folder):
    before = folder.files()
    folder.run('compile', 'model.json', *WEIGHTS, '-o', 'all', '--emit', 'obj,asm,llvm,ir')
    only_new(folder, before, 'all.o', 'all.h',
             *(f'all.x86-64-{level}.{end}' for level in ('v3', 'v4')
               for end in ('s', 'll', 'sanir')))
    folder.run('compile', 'model.json', *WEIGHTS, '-o', 'one', '--emit', 'header,asm', *V3)
    folder.run('compile', 'model.json', '-o', 'two.s', '--emit', 'asm')
    for name in ('one.h', 'one.s', 'two.x86-64-v3.s', 'two.x86-64-v4.s'):
        expect(name in folder.files(), f'no {name}')


def test_gpu(folder):
    before = folder.files()
    folder.run('compile', 'model.json', '-o', 'a.ptx', '--emit', 'ptx', '--target', 'nvptx:sm_80')
    expect(b'.target sm_80' in folder.read('a.ptx') and b'.version 7.0' in folder.read('a.ptx'),
           'other PTX')
    folder.run('compile', 'model.json', *WEIGHTS, '-o', 'b.launch.json', '--emit', 'launch',
               '--target', 'nvptx:sm_90')
    plan = json.loads(folder.read('b.launch.json'))
    expect(plan['weights']['file'] == 'b.weights.bin', str(plan['weights']))
    expect(len(folder.read('b.weights.bin')) == plan['weights']['bytes'], 'weights of another size')
    folder.run('compile', 'model.json', *WEIGHTS, '-o', 'all', '--emit', 'asm,llvm,ir,ptx,launch',
               '--target', 'x86-64-v3,nvptx:sm_80,nvptx:sm_90')
    only_new(
        folder, before, 'a.ptx', 'b.launch.json', 'b.weights.bin', 'all.weights.bin',
        'all.x86-64-v3.s',
        *(f'all.{target}.{end}' for target in ('x86-64-v3', 'sm_80', 'sm_90')
          for end in ('ll', 'sanir')),
        *(f'all.sm_{sm}.{end}' for sm in (80, 90) for end in ('ptx', 'launch.json')))
    expect(b'.local' not in folder.read('a.ptx'), 'local memory')
    kernels = [kernel['name'] for kernel in plan['kernels']]
    entries = re.findall(rb'\.entry (\w+)', folder.read('all.sm_90.ptx'))
    expect([name.decode() for name in entries] == kernels,
           'the plan has other kernels than the PTX')
    folder.run('run', 'model.json', *WEIGHTS, '--input', 'io.safetensors', '--output', 'out',
               '--target', 'nvptx:sm_80', status=SYSTEM, says='nvptx:sm_80')


def test_gpu_object(folder):
    """Kernels, weights and plan in the object, beside code for processors or alone."""
    before, runs = folder.files(), {'nvptx:sm_80': False, 'nvptx:sm_80,x86-64-v3': True}
    for targets, on_processor in runs.items():
        folder.run('compile', 'model.json', *WEIGHTS, '-o', 'net.o', '--target', targets)
        only_new(folder, before, 'net.o', 'net.h')
        expect((b'_run(const float' in folder.read('net.h')) == on_processor,
               'NAME_run in the header')
        expect(b'.target sm_80' in folder.read('net.o'), 'no PTX in the object')


def test_cubin(folder):
    if not shutil.which('ptxas') and not os.path.exists('/usr/local/cuda/bin/ptxas'):
        folder.run('compile', 'model.json', '-o', 'a.cubin', '--emit', 'cubin', '--target',
                   'nvptx:sm_80', status=SYSTEM, says='needs ptxas')
        return
    folder.run('compile', 'model.json', '-o', 'a.cubin', '--emit', 'cubin', '--target',
               'nvptx:sm_80')
    expect(folder.read('a.cubin')[:4] == b'\x7fELF', 'no cubin')
    with open(folder / 'ptxas', 'w') as file:
        file.write('#!/bin/sh\nexit 9\n')
    os.chmod(folder / 'ptxas', 0o755)
    before = folder.files()
    folder.run('compile', 'model.json', '-o', 'b.cubin', '--emit', 'cubin', '--target',
               'nvptx:sm_80', status=SYSTEM, says=['ptxas of an unknown version', 'nvptx:sm_80'],
               environment={'PATH': os.path.dirname(folder / 'ptxas')})
    only_new(folder, before)


def tools(folder, **scripts):
    """A PATH of programs of the system and of scripts."""
    path = tempfile.mkdtemp(dir=folder.path)
    for name, script in scripts.items():
        if script is None:
            os.symlink(shutil.which(name), os.path.join(path, name))
            continue
        with open(os.path.join(path, name), 'w') as file:
            file.write(script)
        os.chmod(os.path.join(path, name), 0o755)
    return {**os.environ, 'PATH': path}


def test_shared(folder):
    """A library alone, beside other kinds, by a linker without a compiler: it loads and runs."""
    shared = ['compile', 'model.json', *WEIGHTS, *V3, '--emit']
    if not shutil.which('cc'):
        print('skipped test_shared: no cc')
        return
    before = folder.files()
    folder.run(*shared, 'shared', '-o', 'lib.so')
    only_new(folder, before, 'lib.so')
    folder.run(*shared, 'obj,shared', '-o', 'net', environment={**os.environ, 'TMPDIR': '/var/tmp'})
    only_new(folder, before, 'lib.so', 'net.o', 'net.h', 'net.so')
    expect(folder.read('lib.so') == folder.read('net.so'), 'another folder, other bytes')
    for linker in filter(shutil.which, ('ld', 'ld.lld')):
        folder.run(*shared, 'shared', '-o', linker + '.so',
                   environment=tools(folder, **{linker: None}))
        ctypes.CDLL(folder / linker + '.so').pair_subtraction_run
    library = ctypes.CDLL(folder / 'lib.so', mode=os.RTLD_NOW)
    library.pair_subtraction_run.argtypes = [ctypes.c_void_p] * 4
    expect(library.pair_subtraction_run(None, None, None, None) == -1, 'null pointers are run')
    said = subprocess.run(['nm', '-D', folder / 'lib.so'], capture_output=True, text=True).stdout
    symbols = [line.split()[-2:] for line in said.splitlines()]
    expect(all(kind != 'U' and name.startswith('pair_subtraction_') for kind, name in symbols), said)


def test_shared_refused(folder):
    """What does not link says why, and leaves nothing."""
    make = ['compile', 'model.json', *V3, '--emit', 'shared', '-o', 'lib.so']
    fails = '#!/bin/sh\necho cannot find -lc >&2\nexit 1\n'
    environments = [tools(folder), tools(folder, cc=fails), tools(folder, gcc='#!/none/such\n')]
    before = folder.files()
    folder.run(*make, status=USAGE, says='--weights')
    folder.run(*make[:-1], 'lib.o', *WEIGHTS, status=USAGE, says='--output lib.o')
    for environment, says in zip(environments, (
            'needs a C compiler or a linker', 'cc does not link the shared library: cannot find -lc',
            'needs a C compiler or a linker')):
        said = folder.run(*make, *WEIGHTS, status=SYSTEM, says=says, environment=environment)
        expect(said.count('error:') == 1, said)
    only_new(folder, before)


def test_name(folder):
    """--name is as another name in the model; of a dump, too."""
    folder.write('other.json', folder.read('model.json').replace(b'"pair_subtraction"', b'"Other"'))
    folder.run('compile', 'other.json', *WEIGHTS, '-o', 'a.o', *V3)
    folder.run('compile', 'model.json', *WEIGHTS, '--name', 'Other', '-o', 'b.o', *V3)
    folder.run('ir', 'model.json', '-o', 'dump.sanir', *V3)
    folder.run('compile', 'dump.sanir', *WEIGHTS, '--name=Other', '-o', 'c.o')
    for name in ('b', 'c'):
        for extension in ('.o', '.h'):
            expect(folder.read('a' + extension) == folder.read(name + extension), name + extension)
    folder.run('verify', 'model.json', *WEIGHTS, '--name', 'Other', *V3, prints='ok')
    for wrong in ('', 'for', 'san', 'san_net', '1net', 'a-b', 'n' * 64):
        folder.run('stats', 'model.json', '--name', wrong, status=USAGE,
                   says=f"--name must be a C identifier of at most 63 characters, no keyword of C "
                   f"or C++, not san or san_..., found '{wrong}'")
    folder.run('ir', 'model.json', '--name', 'n' * 63, prints='n' * 63)


def test_same_bytes(folder):
    """Another day, place, locale and file name give the same object."""
    other = folder / 'some where'
    os.mkdir(other)
    for name in ('model.json', 'weights.safetensors'):
        shutil.copy(folder / name, other)
    kinds = ['--emit', 'obj,asm,llvm,ir']
    folder.run('compile', 'model.json', *WEIGHTS, '-o', 'a', *kinds)
    folder.run('compile', 'some where/model.json', '-w', other + '/weights.safetensors', '-o',
               'some where/b', *kinds,
               environment={'LC_ALL': 'de_DE.UTF-8', 'TZ': 'Asia/Tokyo', 'HOME': '/'})
    names = [name for name in folder.files() if name.startswith('a.')]
    expect(len(names) == 8, str(names))
    for name in names:
        expect(folder.read(name) == folder.read('some where/b' + name[1:]), f'{name} differs')


def test_output_is_never_an_input(folder):
    os.link(folder / 'weights.safetensors', folder / 'link.o')
    os.symlink('model.json', folder / 'net.h')
    before = {name: folder.read(name) for name in folder.files()}
    make = ['compile', 'model.json', *WEIGHTS]
    for words in [[*make, '-o', 'model.json'],
                  [*make, '-o', 'weights.safetensors'],
                  [*make, '-o', './/model.json'],
                  [*make, '-o', 'link.o'],
                  [*make, '-o', 'net.o'],  # its header is net.h
                  [*make, '-o', 'net', '--emit', 'header,ir'],
                  ['ir', 'model.json', '-o', 'model.json'],
                  ['run', 'model.json', *WEIGHTS, '--input', 'io.safetensors', '--output',
                   'io.safetensors']]:
        folder.run(*words, status=USAGE, says='one of the inputs')
    after = {name: folder.read(name) for name in folder.files()}
    expect(before == after, 'a file has changed')


def test_no_partial_files(folder):
    make = ['compile', 'model.json', *WEIGHTS, *V3]
    os.mkdir(folder / 'net.h')  # the header cannot be written
    before = folder.files()
    folder.run(*make, '-o', 'net.o', status=SYSTEM, says='net.h')
    only_new(folder, before)
    folder.run(*make, '-o', 'missing/net.o', status=SYSTEM, says='missing/net.o')
    folder.run(*make, '-o', '/dev/full', status=SYSTEM, says='/dev/full')
    expect(stat.S_ISCHR(os.stat('/dev/full').st_mode), '/dev/full was replaced')
    folder.run('ir', 'model.json', '-o', '/dev/full', status=SYSTEM, says='/dev/full')
    only_new(folder, before)


def test_old_files_stay_where_it_fails(folder):
    folder.write('net.o', b'old')
    folder.write('wrong.safetensors', folder.read('weights.safetensors')[:-4])
    folder.run('compile', 'model.json', '-w', 'wrong.safetensors', '-o', 'net.o', status=INPUT,
               says='wrong.safetensors')
    expect(folder.read('net.o') == b'old', 'an old file is gone')
    folder.run('compile', 'model.json', *WEIGHTS, '-o', 'net.o')
    expect(folder.read('net.o')[:4] == b'\x7fELF', 'the old file was not replaced')


def test_standard_output_full(folder):
    with open('/dev/full', 'wb') as full:
        done = subprocess.run([folder.sanc, 'ir', 'model.json'], cwd=folder.path, stdout=full,
                              stderr=subprocess.PIPE)
    expect(done.returncode == SYSTEM, f'status {done.returncode}')


def test_wrong_inputs(folder):
    folder.write('bad.json', b'{ "format": "san", }')
    folder.write('bad.sanir', b'sanir 1\nfrob\n')
    folder.run('stats', 'bad.json', status=INPUT, says='bad.json:1:')
    folder.run('ir', 'bad.sanir', status=INPUT, says='bad.sanir:2:1: error: ')
    folder.run('compile', 'bad.sanir', *WEIGHTS, '-o', 'net.o', status=INPUT, says='bad.sanir:2:1')
    folder.run('stats', 'missing.json', status=INPUT, says='missing.json')
    folder.run('stats', 'missing.sanir', status=INPUT, says='missing.sanir')
    folder.run('verify', 'model.json', '-w', 'missing', status=INPUT, says='missing')


# ---- dumps and passes ----------------------------------------------------------------------------

def dumps_in(folder):
    return sorted(name for name in os.listdir(folder / 'dumps') if name.endswith('.sanir'))


def table_of_passes(folder):
    lines = folder.read('dumps/passes.tsv').decode().splitlines()
    expect(lines[0].split('\t') == ['number', 'pass', 'changes', 'milliseconds'], lines[0])
    return [line.split('\t') for line in lines[1:]]


def test_dumps_with_a_table(folder):
    """The table has the passes that ran, with the changes that --time-passes says."""
    names = passes(folder)
    said = folder.run('stats', 'model.json', '--dump-ir', 'dumps', '--time-passes', says=' ms ')
    table = table_of_passes(folder)
    expect([row[:2] for row in table] == [[str(i + 1), name] for i, name in enumerate(names)],
           str(table))
    for _, name, changes, milliseconds in table:
        expect(f'{milliseconds} ms {changes:>6} changes  {name}\n' in said, f'{name}: {said}')
    total = sum(int(row[2]) for row in table)
    expect(total > 0 and f' ms {total:>6} changes  in all\n' in said, f'{total} changes: {said}')
    middle = len(names) // 2
    folder.run('ir', f'dumps/{middle:02}-{names[middle - 1]}.sanir', '-o', 'm.sanir', '--after',
               names[middle + 1], '--dump-ir', 'dumps')
    expect([row[1] for row in table_of_passes(folder)] == names[middle:middle + 2],
           'not the passes that ran')


def test_stops_and_dumps(folder):
    """What is stopped dumps what was done, and a dump that is there already adds nothing."""
    names = passes(folder)
    folder.run('compile', 'model.json', '--emit', 'ir', '--stop-after', names[2], '-o', 'm.sanir',
               '--dump-ir', 'dumps', *V3)
    expect(len(dumps_in(folder)) == 4 and dumps_in(folder)[3] == f'03-{names[2]}.sanir',
           str(dumps_in(folder)))
    expect(folder.read('m.sanir') == folder.read(f'dumps/03-{names[2]}.sanir'), 'another text')
    shutil.rmtree(folder / 'dumps')
    folder.run('ir', 'm.sanir', '--after', names[2], '-o', 'same.sanir', '--dump-ir', 'dumps')
    expect(dumps_in(folder) == [] and table_of_passes(folder) == [], 'a dump of its input')
    expect(folder.read('m.sanir') == folder.read('same.sanir'), 'another text')
    folder.run('compile', 'm.sanir', '--emit', 'ir', '--stop-after', names[0], '-o', 'x.sanir',
               status=USAGE, says='too late')


def test_dumps_resume(folder):
    """The dump after each pass compiles to the same header; every third, and the last, to the same
    object."""
    folder.run('compile', 'model.json', *WEIGHTS, '-o', 'net.o', '--dump-ir', 'dumps')
    names = passes(folder)
    dumps = dumps_in(folder)
    expect(dumps == ['00-graph.sanir'] + [f'{i + 1:02}-{name}.sanir'
                                          for i, name in enumerate(names)], str(dumps))
    for number, dump in enumerate(dumps):
        if number % 3 == 0 or dump == dumps[-1]:
            folder.run('compile', f'dumps/{dump}', *WEIGHTS, '-o', 'again.o')
            expect(folder.read('again.o') == folder.read('net.o'), f'{dump} gives another object')
        else:
            folder.run('compile', f'dumps/{dump}', '--emit', 'header', '-o', 'again.h')
        expect(folder.read('again.h') == folder.read('net.h'), f'{dump} gives another header')


def test_dumps_print_the_same(folder):
    names = passes(folder)
    folder.run('compile', 'model.json', *WEIGHTS, '-o', 'net.o', '--dump-ir', 'dumps')
    for i, name in enumerate(names):
        text = folder.run('ir', 'model.json', '--after', name)
        dump = f'dumps/{i + 1:02}-{name}.sanir'
        expect(text.encode() == folder.read(dump), f'ir --after {name} is not {dump}')
        expect(text == folder.run('ir', dump, '--after', name), f'{dump} prints another text')
        if i + 1 < len(names):
            expect(text == folder.run('ir', 'model.json', '--before', names[i + 1]),
                   f'--after {name} is not --before {names[i + 1]}')
    expect(folder.run('ir', 'model.json') == text, 'ir ends before the last pass')
    folder.run('ir', f'dumps/{len(names):02}-{names[-1]}.sanir', '--after', names[0], status=USAGE,
               says='too late')


def test_dump_of_one_target(folder):
    folder.run('compile', 'model.json', '-o', 'net', '--emit', 'ir')
    folder.run('compile', 'net.x86-64-v3.sanir', *WEIGHTS, '-o', 'a.o')
    folder.run('compile', 'model.json', *WEIGHTS, '-o', 'b.o', *V3)
    expect(folder.read('a.o') == folder.read('b.o'), 'another object')


def test_stopped_dump(folder):
    names = passes(folder)
    middle = names[len(names) // 2]
    folder.run('compile', 'model.json', '-o', 'half.sanir', '--emit', 'ir', '--stop-after', middle,
               *V3)
    expect(folder.read('half.sanir').decode() == folder.run('ir', 'model.json', '--after', middle,
                                                            *V3), 'another text')
    folder.run('compile', 'half.sanir', *WEIGHTS, '-o', 'a.o')
    folder.run('compile', 'model.json', *WEIGHTS, '-o', 'b.o', *V3)
    expect(folder.read('a.o') == folder.read('b.o'), 'another object')


def test_dump_says_batch_and_targets(folder):
    folder.run('ir', 'model.json', '-o', 'm.sanir', '--batch', '2', '--threads', '2', *V3)
    for words, says in [(['--batch', '3'], 'says 2'), (['--threads', '1'], 'says 2'),
                        (['--target', 'x86-64-v4'], 'has x86-64-v3')]:
        folder.run('stats', 'm.sanir', *words, status=USAGE, says=says)
    folder.run('stats', 'm.sanir', '--batch', '2', '--threads', '2', *V3)


def test_precision(folder):
    """A dump says its precision; the evaluator rounds what the compiled model rounds."""
    sm_80 = ['--target', 'nvptx:sm_80']
    folder.run('ir', 'model.json', '-o', 'm.sanir', '--precision', 'tf32', '--after', 'schedule',
               *sm_80)
    expect(b'\nprecision tf32\n' in folder.read('m.sanir'), 'the dump does not say its precision')
    expect('\nprecision' not in folder.run('ir', 'model.json', *sm_80),
           'a dump of f32 says its precision')
    for precision in ('f32', 'bf16'):
        folder.run('compile', 'm.sanir', '-o', 'a.ptx', '--emit', 'ptx', '--precision', precision,
                   status=USAGE,
                   says=f'--precision {precision} does not fit the dump, which says tf32')
    folder.run('compile', 'm.sanir', '-o', 'a.ptx', '--emit', 'ptx', '--precision', 'tf32')
    folder.run('compile', 'model.json', '-o', 'b.ptx', '--emit', 'ptx', '--precision', 'tf32',
               *sm_80)
    expect(folder.read('a.ptx') == folder.read('b.ptx'), 'other PTX from the dump')
    folder.run('compile', 'model.json', '-o', 'c.ptx', '--emit', 'ptx', '--precision', 'bf16',
               '--target', 'nvptx:sm_75', status=USAGE, says='found the target nvptx:sm_75')
    out = {}
    for name, words in {'f32': [], 'tf32': ['--precision', 'tf32', *sm_80], 'dump': []}.items():
        folder.run('run', 'm.sanir' if name == 'dump' else 'model.json', *WEIGHTS, '--input',
                   'io.safetensors', '--output', name, '--engine', 'eval', *words)
        out[name] = folder.read(name)
    expect(out['f32'] != out['tf32'], 'nothing is rounded to tf32')


def test_dumps_that_do_not_fit(folder):
    """What reads back and still cannot be carried on is a wrong input, not a defect."""
    folder.run('ir', 'model.json', '--before', passes(folder)[0], '-o', 'graph.sanir')
    folder.run('ir', 'model.json', '-o', 'loops.sanir')
    for name, line, says in [
        ('graph', 'threads 1\nafter later', "bad.sanir:7:7: error: found a dump after 'later', "
         'must be after one of ' + ', '.join(passes(folder))),
        ('graph', 'threads 1\nafter lower', 'bad.sanir:7:7: error: a dump after lower must hold '
         'kernels'),
        ('loops', 'after pad_borders', 'bad.sanir:7:7: error: a dump from before the pass lower '
         'must hold a graph alone'), ('graph', 'targets', 'target'),
        ('graph', 'targets "pdp-11"', 'pdp-11'),
        ('graph', 'targets "x86-64-v3" "x86-64-v3"', 'x86-64-v3'),
        ('graph', 'model "for"', 'C identifier')
    ]:
        lines = folder.read(f'{name}.sanir').decode().split('\n')
        word = line.split()[0]
        expect(sum(one.split()[:1] == [word] for one in lines) == 1, f'no line {word}')
        lines = [line if one.split()[:1] == [word] else one for one in lines]
        folder.write('bad.sanir', '\n'.join(lines).encode())
        folder.run('compile', 'bad.sanir', *WEIGHTS, '-o', 'bad.o', status=INPUT,
                   says=['bad.sanir', says])
    expect('bad.o' not in folder.files(), 'an object in spite of an error')


def test_dump_over_its_input(folder):
    folder.run('stats', 'model.json', '--dump-ir', '.')
    first = next(name for name in folder.files() if name.startswith('01-'))
    second = next(name for name in folder.files() if name.startswith('02-'))
    os.unlink(folder / second)
    os.symlink(first, folder / second)
    folder.run('stats', first, '--dump-ir', '.', status=USAGE, says='would write over its input')


def test_prints_and_times_passes(folder):
    names = passes(folder)
    said = folder.run('ir', 'model.json', '-o', 'm.sanir', '--print-after',
                      f'{names[1]},{names[2]}', '--print-before', names[1], says='sanir 1')
    expect(said.count('sanir 1\n') == 3, 'not three modules')
    order = [line for line in said.splitlines()
             if line in (f'; before {names[1]}', f'; after {names[1]}', f'; after {names[2]}')]
    expect(order == [f'; before {names[1]}', f'; after {names[1]}', f'; after {names[2]}'],
           str(order))
    said = folder.run('ir', 'model.json', '-o', 'm.sanir', '--time-passes', says='in all')
    for name in names:
        expect(f'changes  {name}\n' in said, f'no time of {name}')


# ---- numbers -------------------------------------------------------------------------------------

def tensor(data, name):
    size, = struct.unpack('<Q', data[:8])
    header = json.loads(data[8:8 + size])
    begin, end = header[name]['data_offsets']
    kind = {'F32': 'f', 'F64': 'd'}[header[name]['dtype']]
    body = data[8 + size:]
    values = struct.unpack(f'<{(end - begin) // struct.calcsize(kind)}{kind}', body[begin:end])
    return header[name]['shape'], values


def error(found, reference):
    norm = sum(x * x for x in reference)
    return (sum((x - y) ** 2 for x, y in zip(found, reference)) / norm) ** 0.5


def run_model(folder, *words, model='model.json'):
    """The error of `run` against the right answers, and its output."""
    folder.run('run', model, *WEIGHTS, '--input', 'io.safetensors', '--output', 'out', *words)
    shape, found = tensor(folder.read('out'), 'output')
    right, reference = tensor(folder.read('io.safetensors'), 'output')
    expect(shape == right, f'shape {shape}')
    return error(found, reference), found


def runs_v3(folder):
    done = subprocess.run([folder.sanc, 'run', 'model.json', *WEIGHTS, *V3, '--input',
                           'io.safetensors', '--output', 'out'], cwd=folder.path,
                          capture_output=True)
    return done.returncode != SYSTEM


def test_run(folder):
    for words, bound in [(['--engine', 'eval'], 1e-6), (['--engine', 'eval32'], 5e-6)]:
        found, _ = run_model(folder, *words)
        expect(found < bound, f'{words}: error {found}')
    if not runs_v3(folder):
        return 'this machine has no AVX2'
    for batch in ('1', '2', '3'):
        for threads in ('1', '2'):
            found, _ = run_model(folder, '--batch', batch, '--threads', threads, *V3)
            expect(found < 5e-6, f'batch {batch}, threads {threads}: error {found}')
    return None


def test_several_batches(folder):
    """An object for several sizes; of kinds for one size, a file each."""
    before = folder.files()
    folder.run('compile', 'model.json', *WEIGHTS, '-o', 'm', '--emit', 'obj,ir', '--batch', '1,3',
               *V3)
    only_new(folder, before, 'm.o', 'm.h', 'm.b1.sanir', 'm.b3.sanir')
    for batch in ('1', '3'):
        folder.run('compile', 'model.json', '-o', 'one.sanir', '--emit', 'ir', '--batch', batch,
                   *V3)
        expect(folder.read(f'm.b{batch}.sanir') == folder.read('one.sanir'), f'dump for {batch}')
    expect(b'batches of 3 and 1,' in folder.read('m.h'), 'the header does not say its batches')
    before = folder.files()
    folder.run('compile', 'model.json', *WEIGHTS, '-o', 'g', '--emit', 'launch', '--batch', '2,4',
               '--target', 'nvptx:sm_80,nvptx:sm_90')
    only_new(folder, before, 'g.b2.weights.bin', 'g.b4.weights.bin',
             *(f'g.b{n}.sm_{m}.launch.json' for n in (2, 4) for m in (80, 90)))
    expect(b'"file": "g.b2.weights.bin"' in folder.read('g.b2.sm_80.launch.json'), 'weights of 2')
    for words, says in [(['bench', 'model.json', *WEIGHTS], '--batch takes one size here'),
                        (['stats', 'model.json'], '--batch takes one size here'),
                        (['ir', 'model.json'], '--batch takes one size here'),
                        (['compile', 'model.json', '--emit', 'ir', '-o', '-', *V3],
                         'choose one --target and one --batch'),
                        (['compile', 'one.sanir', *WEIGHTS, '-o', 'x.o'], 'a dump is for one size')]:
        folder.run(*words, '--batch', '3,1', status=USAGE, says=says)
    if not runs_v3(folder):
        return 'this machine has no AVX2'
    _, found = run_model(folder, '--batch', '1', *V3)
    for batches in ('2,1', '2', '4,2'):
        expect(run_model(folder, '--batch', batches, *V3)[1] == found, f'--batch {batches}: others')
    folder.run('verify', 'model.json', *WEIGHTS, *V3, '--batch', '5,2')
    return None


def test_features(folder):
    """A dump says what it returns."""
    folder.run('ir', 'model.json', '-o', 'f.sanir', '--features', 'stage0', *V3)
    text = folder.read('f.sanir')
    height = re.search(rb'\nclasses \d+\nmap \d+ (\d+) \d+\n', text)[1]
    folder.run('compile', 'f.sanir', *WEIGHTS, '-o', 'a.o')
    folder.run('compile', 'model.json', *WEIGHTS, '-o', 'b.o', '--features', 'stage0', *V3)
    expect(folder.read('a.o') == folder.read('b.o'), 'another object')
    expect(b'_OUTPUT_HEIGHT %s\n' % height in folder.read('b.h'), 'the header does not say the map')
    folder.write('wrong.sanir', re.sub(rb'\nmap \d+', b'\nmap 997', text))
    folder.run('stats', 'wrong.sanir', status=INPUT, says='must be that of the map')
    folder.run('stats', 'f.sanir', '--features', 'pooled', status=USAGE, says='needs a model')
    folder.run('verify', 'model.json', *WEIGHTS, '--features', 'pooled', '--reduce', 'r',
               status=USAGE, says='--reduce looks for a smaller model')


def test_turns(folder):
    """A batch in turns: the same results, from a workspace of one turn; large maps take turns
    unasked."""
    folder.run('ir', 'model.json', '-o', 'one.sanir', *V3)
    text = folder.read('one.sanir').decode()
    folder.write('three.sanir', text.replace('\nthreads 1\n', '\nthreads 1\nturns 3\n').encode())
    folder.run('stats', 'three.sanir', '--batch', '1', status=USAGE, says='which says 3')
    folder.run('verify', 'three.sanir', *WEIGHTS, '--input', 'io.safetensors')
    if runs_v3(folder):
        for threads in ('', '2'):
            model = 'three.sanir'
            if threads:
                model = 'threads.sanir'
                folder.write(model, folder.read('three.sanir').replace(b'threads 1', b'threads 2'))
            _, found = run_model(folder, model=model)
            expect(found == run_model(folder, *V3)[1], f'{model}: other results in turns')
    folder.run('ir', 'model.json', '-o', 'gpu.sanir', '--target', 'nvptx:sm_80')
    gpu = folder.read('gpu.sanir').replace(b'threads 1\n', b'threads 1\nturns 2\n')
    folder.write('gpu.sanir', gpu)
    folder.run('stats', 'gpu.sanir', status=INPUT,
               says='turns must be 1 where a target is a GPU, found 2')
    model = json.loads(folder.read('model.json'))
    model['input'].update(height=224, width=224)
    folder.write('large.json', json.dumps(model).encode())
    sizes = []
    for batch in ('1', '6'):
        head = folder.run('ir', 'large.json', '--batch', batch, *V3).splitlines()[:10]
        sizes.append((head[2], 'turns 6'
                      in head, next(line for line in head if line.startswith('workspace'))))
    expect(
        sizes[0][0] == sizes[1][0] and not sizes[0][1] and sizes[1][1]
        and sizes[0][2] == sizes[1][2], str(sizes))
    head = folder.run('ir', 'large.json', '--batch', '6', '--target', 'nvptx:sm_80,x86-64-v3',
                      '--before',
                      passes(folder)[0]).splitlines()[:10]
    expect(
        head[2].startswith('input f32[6,') and not any(line.startswith('turns') for line in head),
        f'turns beside a GPU: {head}')


def test_run_of_a_dump(folder):
    if not runs_v3(folder):
        return 'this machine has no AVX2'
    _, reference = run_model(folder, *V3)
    folder.run('stats', 'model.json', '--dump-ir', 'dumps', *V3)
    for dump in dumps_in(folder)[::-4]:
        _, found = run_model(folder, model=f'dumps/{dump}')
        expect(found == reference, f'{dump}: another output')
    off, _ = run_model(folder, '--engine', 'eval', model=f'dumps/{dumps_in(folder)[-1]}')
    expect(off < 1e-6, f'the loop form evaluates with an error of {off}')
    return None


def test_run_checks_its_input(folder):
    run = ['run', 'model.json', *WEIGHTS, '--output', 'out', '--engine', 'eval']
    folder.run(*run, '--input', 'weights.safetensors', status=INPUT, says="no tensor 'input'")
    header = json.dumps({'input': {'dtype': 'F32', 'shape': [1, 3, 2, 2],
                                   'data_offsets': [0, 48]}}).encode()
    folder.write('small', struct.pack('<Q', len(header)) + header + bytes(48))
    folder.run(*run, '--input', 'small', status=INPUT, says=['(n, 3, 32, 32)', '(1, 3, 2, 2)'])
    expect('out' not in folder.files(), 'an output in spite of an error')


def test_verify(folder):
    if not runs_v3(folder):
        return 'this machine has no AVX2'
    folder.run('verify', 'model.json', *WEIGHTS, *V3, prints='x86-64-v3: error')
    folder.run('verify', 'model.json', *WEIGHTS, *V3, '--each-pass', prints='passes: error')
    folder.run('verify', 'model.json', *WEIGHTS, *V3, '--input', 'io.safetensors', '--batch', '3')
    report = json.loads(folder.run('verify', 'model.json', *WEIGHTS, '--json'))
    target = report['targets'][0]
    expect(target['ok'] and 0 < target['error'] < 1e-5, str(report))
    folder.run('verify', 'model.json', *WEIGHTS, *V3, '--tolerance', '1e-12', status=CHECK_FAILED,
               says='kernel', prints='OFF')
    return None


def test_reduce(folder):
    if not runs_v3(folder):
        return 'this machine has no AVX2'
    off = [*V3, '--tolerance', '1e-15', '--reduce', 'small']
    before = folder.files()
    folder.run('verify', 'model.json', *WEIGHTS, *V3, '--reduce', 'small', prints='ok')
    folder.run('ir', 'model.json', '-o', 'dump.sanir')
    folder.run('verify', 'dump.sanir', *WEIGHTS, '--reduce', 'small', status=USAGE,
               says='--reduce takes a model')
    folder.run('verify', 'model.json', *WEIGHTS, *V3, '--reduce', 'model', status=USAGE,
               says='would write over model.json')
    expect(folder.files() == sorted([*before, 'dump.sanir']), folder.files())
    folder.run('verify', 'model.json', *WEIGHTS, *off, status=CHECK_FAILED,
               says='small.json with small.safetensors (x86-64-v3')
    small = json.loads(folder.read('small.json'))
    expect(
        len(small['stages']) == 1 and small['stages'][0]['channels'] == 1 and small['classes'] == 1,
        small)
    folder.run('verify', 'small.json', '-w', 'small.safetensors', *V3, '--tolerance', '1e-15',
               status=CHECK_FAILED, prints='OFF')
    return None


def test_stats(folder):
    report = json.loads(folder.run('stats', 'model.json', '--json'))
    for key in ('parameters', 'macs'):
        expect(report[key] == sum(layer[key] for layer in report['layers']), key)
    size, = struct.unpack('<Q', folder.read('weights.safetensors')[:8])
    header = json.loads(folder.read('weights.safetensors')[8:8 + size])
    elements = sum((t['data_offsets'][1] - t['data_offsets'][0]) // 4
                   for name, t in header.items()
                   if name != '__metadata__' and not name.endswith(('_mean', '_var')))
    expect(report['parameters'] == elements, f'{report["parameters"]} parameters, not {elements}')
    for key in ('weights_bytes', 'workspace_bytes', 'stack_bytes'):
        expect(report[key] > 0, key)
    text = folder.run('stats', 'model.json', prints='layer0.0.sam.conv1')
    expect(str(report['macs']) in text, 'another total')
    paper = json.loads(folder.run('stats', 'model.json', '--json', '--count', 'paper'))
    expect(paper['paper_flops'] > report['macs'], 'the paper counts more')


def test_missing_processor(folder):
    """Where no target runs, status 4 and what is missing."""
    done = subprocess.run([folder.sanc, 'run', 'model.json', *WEIGHTS, '--input', 'io.safetensors',
                           '--output', 'out', '--target', 'x86-64-v4'], cwd=folder.path,
                          capture_output=True)
    if done.returncode == DONE:
        return 'this machine has AVX-512'
    expect(done.returncode == SYSTEM and b'avx512' in done.stderr.lower(), done.stderr.decode())
    return None


# --------------------------------------------------------------------------------------------------


def main(functions):
    sanc, names = os.path.abspath(sys.argv[1]), sys.argv[2:]
    if not os.path.isdir(CASE):
        print(f'SKIPPED: {CASE} is missing')
        return SKIPPED
    passed = failed = 0
    tests = [(name, value) for name, value in functions.items()
             if name.startswith('test_') and inspect.isfunction(value)]
    for name, test in tests:
        if names and name not in names:
            continue
        with tempfile.TemporaryDirectory() as path:
            try:
                skipped = test(Folder(sanc, path))
                passed += 1
                if skipped:
                    print(f'{name}: in part SKIPPED: {skipped}')
            except (Failure, OSError, subprocess.TimeoutExpired, ValueError, KeyError,
                    UnboundLocalError) as problem:
                failed += 1
                print(f'{name} FAILED: {problem}')
                if not isinstance(problem, Failure):
                    traceback.print_exc(file=sys.stdout)
    print(f'{passed} passed, {failed} failed')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main(globals()))
