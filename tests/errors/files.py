"""Errors about files, not in them: missing files, no permission, no space.

A test gets a Place and returns what is wrong, or None.
"""
import os
import resource
import shutil
import signal
import stat
import subprocess

import weights

USAGE, INPUT, SYSTEM = 2, 3, 4
NOBODY = 65534
OLD = b'what was there before'
CASES = []


def case(test):
    CASES.append(test)
    return test


class Skip(Exception):
    pass


class Place:
    """A folder with model.json and good.safetensors in it, and the driver to try there."""

    def __init__(self, sanc, folder):
        self.sanc, self.folder = sanc, folder
        self.write('good.safetensors', weights.save(weights.good()))

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, content):
        with open(self.path(name), 'wb') as file:
            file.write(content)

    def read(self, name):
        with open(self.path(name), 'rb') as file:
            return file.read()

    def names(self):
        return sorted(os.listdir(self.folder))

    def run(self, *arguments, prefix=(), **options):
        return subprocess.run([*prefix, self.sanc, *arguments], cwd=self.folder,
                              capture_output=True, timeout=60, **options)

    def emit(self, output, **options):
        """Writes one file, the IR's text."""
        return self.run('compile', 'model.json', '-w', 'good.safetensors', '--emit', 'ir',
                        '--target', 'x86-64-v3', '-o', output, **options)

    def without_root(self):
        """A prefix for commands, without which root could write to every folder."""
        if os.geteuid() != 0:
            return ()
        if not shutil.which('setpriv'):
            raise Skip('setpriv is needed to give up root')
        return ('setpriv', f'--reuid={NOBODY}', f'--regid={NOBODY}', '--clear-groups')


def wrong(run, status, *lines):
    """lines: what standard error has to be, line by line; None: anything."""
    said = run.stderr.decode(errors='replace')
    if run.returncode == status and (lines == (None,) or said.splitlines() == list(lines)):
        return None
    return f'status {run.returncode}, expected {status}\n--- said\n{said}--- expected\n{lines}'


def kept(place, name='out', content=OLD):
    return None if place.read(name) == content else f'{name} was changed'


@case
def model_missing(place):
    return wrong(place.run('stats', 'none.json'), INPUT,
                 'none.json: error: cannot be read: No such file or directory')


@case
def model_is_folder(place):
    return wrong(place.run('stats', '.'), INPUT,
                 '.: error: must be a regular file, found a folder')


@case
def model_is_pipe(place):
    os.mkfifo(place.path('pipe.json'))
    return wrong(place.run('stats', 'pipe.json'), INPUT,
                 'pipe.json: error: must be a regular file, found a device, pipe or socket')


@case
def model_is_device(place):
    return wrong(place.run('stats', '/dev/zero'), INPUT,
                 '/dev/zero: error: must be a regular file, found a device, pipe or socket')


@case
def model_unreadable(place):
    os.chmod(place.path('model.json'), 0)
    return wrong(place.run('stats', 'model.json', prefix=place.without_root()), SYSTEM,
                 'model.json: error: cannot be read: Permission denied')


@case
def weights_missing(place):
    run = place.run('compile', 'model.json', '-w', 'none.safetensors', '-o', 'out.o')
    return wrong(run, INPUT,
                 'none.safetensors: error: cannot be read: No such file or directory')


@case
def weights_is_folder(place):
    run = place.run('compile', 'model.json', '-w', '.', '-o', 'out.o')
    return wrong(run, INPUT, '.: error: must be a regular file, found a folder')


@case
def output_full(place):
    run = place.emit('/dev/full')
    return (wrong(run, SYSTEM, '/dev/full: error: cannot be written: No space left on device') or
            (None if stat.S_ISCHR(os.stat('/dev/full').st_mode) else '/dev/full was replaced'))


@case
def output_null(place):
    run = place.emit('/dev/null')
    return (wrong(run, 0) or
            (None if stat.S_ISCHR(os.stat('/dev/null').st_mode) else '/dev/null was replaced'))


@case
def output_in_unwritable_folder(place):
    os.mkdir(place.path('locked'), 0o555)
    run = place.emit('locked/out', prefix=place.without_root())
    left = os.listdir(place.path('locked'))
    return (wrong(run, SYSTEM, 'locked/out: error: cannot be written: Permission denied') or
            (f'left behind: {left}' if left else None))


@case
def output_in_no_folder(place):
    return wrong(place.emit('none/out'), SYSTEM,
                 'none/out: error: cannot be written: No such file or directory')


@case
def output_is_folder(place):
    os.mkdir(place.path('out'))
    before = place.names()
    run = place.emit('out')
    return (wrong(run, SYSTEM, 'out: error: cannot be written: Is a directory') or
            (None if place.names() == before else f'left behind: {place.names()}'))


@case
def output_read_only(place):
    place.write('out', OLD)
    os.chmod(place.path('out'), 0o444)
    os.chmod(place.folder, 0o777)
    run = place.emit('out', prefix=place.without_root())
    return wrong(run, SYSTEM, 'out: error: cannot be written: Permission denied') or kept(place)


@case
def output_larger_than_allowed(place):
    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (16, 16))
    place.write('out', OLD)
    before = place.names()
    run = place.emit('out', preexec_fn=limit)
    return (wrong(run, SYSTEM, 'out: error: cannot be written: File too large') or kept(place) or
            (None if place.names() == before else f'left behind: {place.names()}'))


@case
def output_is_the_model(place):
    model = place.read('model.json')
    return wrong(place.emit('./model.json'), USAGE, None) or kept(place, 'model.json', model)


@case
def output_is_the_weights(place):
    good = place.read('good.safetensors')
    os.link(place.path('good.safetensors'), place.path('link'))
    return wrong(place.emit('link'), USAGE, None) or kept(place, 'link', good)


@case
def output_through_link(place):
    place.write('target', OLD)
    os.symlink('target', place.path('out'))
    run = place.emit('out')
    return (wrong(run, 0) or
            (None if os.path.islink(place.path('out')) else 'the link was replaced') or
            ('the target was not written' if place.read('target') == OLD else None))


@case
def output_permissions(place):
    place.write('old', OLD)
    os.chmod(place.path('old'), 0o640)
    runs = [place.emit('old', umask=0o027), place.emit('new', umask=0o027)]
    modes = [oct(stat.S_IMODE(os.stat(place.path(name)).st_mode)) for name in ('old', 'new')]
    return (wrong(runs[0], 0) or wrong(runs[1], 0) or
            (None if modes == ['0o640', '0o640'] else f'permissions {modes}'))


@case
def output_same_twice(place):
    runs = [place.emit('one'), place.emit('./two')]
    return (wrong(runs[0], 0) or wrong(runs[1], 0) or
            (None if place.read('one') == place.read('two') else 'two runs differ'))
