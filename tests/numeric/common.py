"""What the numeric tests share: safetensors files, errors, running sanc, counting. Standard library
alone."""
import array
import atexit
import json
import math
import os
import struct
import subprocess
import sys
import tempfile
import threading

SKIPPED = 77  # exit status that ctest shows as skipped
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SHARED = os.path.join(os.path.dirname(ROOT), "shared")  # not part of the project: may be missing
NETWORKS = os.path.join(ROOT, "examples", "models")  # the paper's
# Of those with the same blocks, which others only repeat more or less often.
SMALLEST = ["resnet18", "resnet26", "san10_pairwise", "san10_patchwise"]
LARGEST = ["resnet18", "resnet50", "san19_pairwise", "san19_patchwise"]
TYPECODES = {"F32": "f", "F64": "d", "U8": "B", "I64": "q"}
assert sys.byteorder == "little" and array.array("f").itemsize == 4


def shared(*path):
    """A path in the folder beside the project; ends the test as skipped where there is none."""
    path = os.path.join(SHARED, *path)
    if not os.path.exists(path):
        skip(f"no {os.path.relpath(path, ROOT)}")
    return path


def case_folders(folder=None):
    """{name: folder} of the cases in a folder; None: of those beside the project, residual networks'
    named resnet_NAME."""
    if folder:
        return {name: os.path.join(folder, name) for name in sorted(os.listdir(folder))}
    residual = case_folders(shared("resnet", "cases"))
    return {**case_folders(shared("cases")),
            **{f"resnet_{name}": path for name, path in residual.items()}}


def skip(why):
    print(f"skipped: {why}")
    sys.exit(SKIPPED)


def has_terminals():
    """Whether this system has pseudo-terminals; a container or a chroot may not."""
    try:
        for end in os.openpty():
            os.close(end)
    except OSError:
        return False
    return True


def read_safetensors(path):
    """{name: (shape, array)}; tensors of other types than TYPECODES are left out."""
    with open(path, "rb") as file:
        data = file.read()
    (size,) = struct.unpack_from("<Q", data)
    tensors = {}
    for name, entry in json.loads(data[8:8 + size]).items():
        if name != "__metadata__" and entry["dtype"] in TYPECODES:
            begin, end = entry["data_offsets"]
            values = array.array(TYPECODES[entry["dtype"]])
            values.frombytes(data[8 + size + begin:8 + size + end])
            tensors[name] = entry["shape"], values
    return tensors


def write_safetensors(path, name, shape, values):
    """One float32 tensor."""
    write_tensors(path, {name: (shape, values)})


def write_bytes(path, name, shape, values):
    """One tensor of bytes."""
    header = json.dumps({name: {"dtype": "U8", "shape": shape, "data_offsets": [0, len(values)]}})
    header += " " * (-len(header) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(header)) + header.encode() + bytes(values))


def write_tensors(path, tensors):
    """Float32 tensors, {name: (shape, values)}."""
    data, header = b"", {}
    for name, (shape, values) in tensors.items():
        begin, data = len(data), data + array.array("f", values).tobytes()
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [begin, len(data)]}
    header = json.dumps(header).encode()
    header += b" " * (-len(header) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(header)) + header + data)


def relative_error(out, reference):
    """||out - reference|| / ||reference||; infinite where lengths differ or out has a NaN."""
    if len(out) != len(reference):
        return math.inf
    difference = math.fsum((a - b) ** 2 for a, b in zip(out, reference))
    norm = math.fsum(b * b for b in reference)
    return math.sqrt(difference / norm) if difference == difference and norm > 0 else math.inf


def predictions(logits, classes=10):
    rows = [logits[i:i + classes] for i in range(0, len(logits), classes)]
    return [max(range(classes), key=row.__getitem__) for row in rows]


class Failure(Exception):
    """A command that ended with a status that it should not have."""

    def __init__(self, command, status, output):
        text = f"status {status}: {' '.join(map(str, command))}\n{output.strip()}"
        super().__init__(text.strip())
        self.status = status


class Sanc:
    """sanc for tests that start it hundreds of times: each thread has a process of its own, sanc_many
    (many.c), which carries out one command line after the other."""

    def __init__(self, path):
        self.path, self.local = os.path.abspath(path), threading.local()

    def __str__(self):
        return self.path

    def beside(self, program):
        """A program of the tests, which the build puts where sanc is."""
        return os.path.join(os.path.dirname(self.path), program)

    def run(self, *words, cwd=None):
        """(status, standard output, standard error) of `sanc WORD...`; a signal is a status below
        0."""
        if not hasattr(self.local, "many"):
            self.local.many = Many(self.beside("sanc_many"))
        return self.local.many.run(words, cwd or os.getcwd())

    def seconds(self):
        """Processor time, without the system's, of this thread's last command line."""
        return self.local.many.seconds


class Many:
    """A process of sanc_many, another one after each MOST_COMMANDS and after a crash."""
    MOST_COMMANDS = 50

    def __init__(self, program):
        self.program, self.process, self.seconds = program, None, 0.0
        self.out, self.err = tempfile.TemporaryFile(), tempfile.TemporaryFile()
        atexit.register(self.end_test)

    def begin(self):
        requests, to = os.pipe()
        source, answers = os.pipe()
        self.process = subprocess.Popen([self.program, str(requests), str(answers)],
                                        stdin=subprocess.DEVNULL, stdout=self.out,
                                        stderr=self.err, pass_fds=[requests, answers])
        os.close(requests)
        os.close(answers)
        self.requests, self.answers, self.commands = os.fdopen(to, "wb"), os.fdopen(source, "rb"), 0

    def end(self):
        """The status with which the process ends: a sanitizer looks for leaks then."""
        if not self.process:
            return 0
        self.requests.close()
        self.answers.close()
        process, self.process = self.process, None
        return process.wait()

    def end_test(self):
        """Fails the test, which is over, where the last process ends with an error."""
        status = self.end()
        if status:
            print(f"{self.program}: status {status} at its end\n{self.text(self.err)}", flush=True)
            os._exit(1)

    def run(self, words, folder):
        for file in (self.out, self.err):
            file.seek(0)
            file.truncate()
        if not self.process:
            self.begin()
        words = [os.fsencode(str(word)) + b"\0" for word in (folder, *words)]
        self.requests.write(b"%d\n" % (len(words) - 1) + b"".join(words))
        self.requests.flush()
        answer = self.answers.readline().split()
        self.commands += 1
        status = int(answer[0]) if answer else self.end()
        self.seconds = int(answer[1]) / 1e3 if answer else 0.0
        if answer and self.commands == self.MOST_COMMANDS:
            status = self.end() or status
        return status, *(self.text(file) for file in (self.out, self.err))

    @staticmethod
    def text(file):
        file.seek(0)
        return file.read().decode(errors="replace")


def call(*command, timeout=600, cwd=None):
    """Standard output of a command, whose first word may be a Sanc; Failure unless it ends with
    0."""
    if isinstance(command[0], Sanc):
        status, out, err = command[0].run(*command[1:], cwd=cwd)
    else:
        done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=timeout, cwd=cwd)
        status, out, err = done.returncode, done.stdout, done.stderr
    if status != 0:
        raise Failure(command, status, out + err)
    return out


def run_model(sanc, folder, images, out, *options):
    """`sanc run` of FOLDER/model.json: the output tensor as an array."""
    call(sanc, "run", os.path.join(folder, "model.json"), "-w",
         os.path.join(folder, "weights.safetensors"), "--input", images, "--output", out, *options)
    return read_safetensors(out)["output"][1]


class Tally:
    """Counts checks and prints those that fail or are skipped; `end` gives the exit status."""

    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def check(self, good, what):
        if good:
            self.passed += 1
        else:
            self.failed += 1
            print(f"FAILED {what}", flush=True)

    def skip(self, what):
        self.skipped += 1
        print(f"skipped {what}", flush=True)

    def end(self):
        skipped = f", {self.skipped} skipped" if self.skipped else ""
        print(f"{self.passed} passed, {self.failed} failed{skipped}")
        if self.failed:
            return 1
        return 0 if self.passed else SKIPPED
