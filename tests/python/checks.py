"""The package `san` in one version of Python; run.py made what is in $SCRATCH."""
import ctypes
import os
import pickle
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import unittest.mock

import numpy as np
import san
from san import _abi

SCRATCH = os.environ["SCRATCH"]
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DIGITS = os.path.join(ROOT, "examples", "digits")
MODEL, WEIGHTS = (os.path.join(DIGITS, "pairwise", name)
                  for name in ("model.json", "weights.safetensors"))
OTHER_WEIGHTS = os.path.join(DIGITS, "patchwise", "weights.safetensors")


def path(name):
    return os.path.join(SCRATCH, name)


def floats(name, *shape):
    return np.fromfile(path(name + ".f32"), np.float32).reshape(shape)


IMAGES = floats("images", -1, 1, 28, 28)
LOGITS, OTHER_LOGITS = floats("net", -1, 10), floats("other", -1, 10)
BYTES_LOGITS = floats("bytes", -1, 10)


def interrupt():
    signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)


class Case(unittest.TestCase):
    def same(self, found, expected):
        self.assertEqual(found.dtype, np.float32)
        self.assertEqual(found.shape, expected.shape)
        self.assertEqual(found.tobytes(), expected.tobytes())

    def refuses(self, error, says, function, *arguments, **options):
        with self.assertRaises(error) as raised:
            function(*arguments, **options)
        self.assertIn(says, str(raised.exception))
        return raised.exception


class Results(Case):
    def test_bits_of_sanc_run(self):
        with san.load(path("net.so")) as model:
            self.same(model(IMAGES), LOGITS)
            self.same(model(IMAGES[3]), LOGITS[3])
        with san.load(path("patchwise.so")) as model:
            self.same(model(IMAGES), OTHER_LOGITS)

    def test_library_of_the_same_name(self):
        """Symbols that another library gives to the whole process do not get in between."""
        code = """
import ctypes, sys, numpy, san
ctypes.CDLL(sys.argv[1], mode=ctypes.RTLD_GLOBAL)
images = numpy.fromfile(sys.argv[3], numpy.float32).reshape(-1, 1, 28, 28)
sys.stdout.buffer.write(san.load(sys.argv[2])(images).tobytes())
"""
        done = subprocess.run([sys.executable, "-c", code, path("patchwise.so"), path("net.so"),
                               path("images.f32")], stdout=subprocess.PIPE)
        self.assertEqual(done.stdout, LOGITS.tobytes())

    def test_batches(self):
        for threads in (1, 2, 5):
            with san.load(path("batch7.so"), threads=threads) as model:
                for count in (0, 1, 6, 7, 8, 13, 14, 20):
                    self.same(model(IMAGES[:count]), LOGITS[:count])
                self.same(model(IMAGES[19]), LOGITS[19])

    def test_bytes(self):
        pixels = np.fromfile(path("pixels.u8"), np.uint8).reshape(-1, 28, 28, 1)
        with san.load(path("bytes.so"), threads=2) as model:
            self.assertEqual((model.input_shape, model.layout), ((28, 28, 1), "nhwc"))
            self.assertIs(model.input_type, np.uint8)
            self.same(model(pixels), BYTES_LOGITS)
            self.same(model(pixels[3]), BYTES_LOGITS[3])
            self.same(model(np.asfortranarray(pixels)), BYTES_LOGITS)
            self.refuses(TypeError, "must be of type uint8, found float32", model, IMAGES)
            self.refuses(TypeError, "must be of type uint8, found int8", model,
                         pixels.astype(np.int8))
            self.refuses(ValueError, "must be of shape (n, 28, 28, 1) or (28, 28, 1)", model,
                         pixels.reshape(-1, 1, 28, 28))
        with san.load(path("net.so")) as model:
            self.assertIs(model.input_type, np.float32)
            self.assertEqual(model.layout, "nchw")

    def test_what_it_says_of_itself(self):
        model = san.load(path("batch7.so"))
        self.assertEqual(model.name, "digits_pairwise")
        self.assertEqual(model.input_shape, (1, 28, 28))
        self.assertEqual((model.classes, model.batch, model.threads), (10, 7, 1))
        self.assertEqual(model.targets, ("x86-64-v3", "x86-64-v4"))
        self.assertEqual((model.device, model.path), ("cpu", path("batch7.so")))
        self.assertTrue(len(model.kernels) > 3 and model.workspace_bytes and model.weights_bytes)
        self.assertTrue(model.compiler.startswith("sanc "))
        with open(WEIGHTS, "rb") as file:
            import hashlib
            self.assertEqual(model.weights_sha256, hashlib.sha256(file.read()).hexdigest())
        self.assertEqual(repr(model),
                         "<san.Model digits_pairwise: 1 × 28 × 28 -> 10, batch 7, on cpu>")
        model.close()
        self.assertIn("closed>", repr(model))

    def test_several_models(self):
        error = self.refuses(san.LoadError, "name one of its models", san.load, path("two.so"))
        self.assertIn("digits_pairwise, other", str(error))
        self.refuses(san.LoadError, "must have a model none, found digits_pairwise, other",
                     san.load, path("two.so"), "none")
        one, two = san.load(path("two.so"), "digits_pairwise"), san.load(path("two.so"), "other")
        self.same(one(IMAGES), LOGITS)
        one.close()
        self.same(two(IMAGES), OTHER_LOGITS)


class Images(Case):
    def setUp(self):
        self.model = san.load(path("batch7.so"))
        self.addCleanup(self.model.close)

    def test_layouts(self):
        wide = np.zeros((20, 1, 28, 56), np.float32)
        wide[..., ::2] = IMAGES
        room = np.zeros(IMAGES.nbytes + 1, np.uint8)
        odd = room[1:].view(np.float32).reshape(IMAGES.shape)
        odd[...] = IMAGES
        fixed = IMAGES.copy()
        fixed.flags.writeable = False
        for images in (wide[..., ::2], odd, fixed, np.asfortranarray(IMAGES),
                       IMAGES[::-1][::-1], IMAGES.tolist(), IMAGES.astype(">f4"),
                       IMAGES.astype(np.float64), IMAGES.astype(np.longdouble)):
            self.same(self.model(images), LOGITS)
        self.same(self.model(IMAGES[::-2]), LOGITS[::-2].copy())
        half = IMAGES.astype(np.float16)
        self.same(self.model(half), self.model(half.astype(np.float32)))

    def test_is_not_changed(self):
        images = IMAGES.copy()
        self.model(images)
        self.same(images, IMAGES)

    def test_nan_stays(self):
        images = IMAGES.copy()
        images[1, 0, 5, 5] = np.nan
        logits = self.model(images)
        self.assertTrue(np.isnan(logits[1]).all())
        self.same(logits[2:], LOGITS[2:])

    def test_shapes(self):
        for shape in ((), (28, 28), (1, 28, 27), (20, 28, 28), (2, 3, 28, 28), (1, 1, 1, 28, 28),
                      (0, ), (784, )):
            self.refuses(ValueError, "images must be of shape (n, 1, 28, 28) or (1, 28, 28), found "
                         f"{shape}", self.model, np.zeros(shape))
        self.refuses(ValueError, "", self.model, [[1.0], [1.0, 2.0]])

    def test_types(self):
        for kind in (np.uint8, np.int64, bool, complex, object, "U4", "M8[s]"):
            self.refuses(TypeError, "images must be of a floating-point type, found",
                         self.model, np.zeros((1, 28, 28), kind))
        self.refuses(TypeError, "found object", self.model, None)


class Closing(Case):
    def test_closed(self):
        model = san.load(path("net.so"))
        self.assertFalse(model.closed)
        model.close()
        model.close()
        self.assertTrue(model.closed)
        self.refuses(ValueError, "digits_pairwise is closed", model, IMAGES)
        self.assertEqual(model.kernels[0][:5], "conv0")

    def test_waits_for_runs(self):
        model, found = san.load(path("net.so")), []
        thread = threading.Thread(target=lambda: found.append(model(np.tile(IMAGES, (50, 1, 1, 1)))))
        thread.start()
        while not model._running and thread.is_alive():
            time.sleep(0.001)
        model.close()
        self.assertEqual(model._running, 0)
        thread.join()
        self.same(found[0], np.tile(LOGITS, (50, 1)))

    def test_unloads(self):
        def loaded():
            with open("/proc/self/maps") as file:
                return copy in file.read()

        with tempfile.TemporaryDirectory() as folder:
            copy = shutil.copy(path("net.so"), os.path.join(folder, "copy.so"))
            model = san.load(copy)
            self.assertTrue(loaded())
            model.close()
            self.assertFalse(loaded())
            san.load(copy)(IMAGES)  # let go of
            self.assertFalse(loaded())

    def test_another_file_of_that_name(self):
        with tempfile.TemporaryDirectory() as folder:
            library = os.path.join(folder, "net.so")
            shutil.copy(path("net.so"), library)
            old = san.load(library)
            os.replace(shutil.copy(path("patchwise.so"), library + ".new"), library)
            new, again = san.load(library), san.load(library)
            self.same(old(IMAGES), LOGITS)
            self.same(new(IMAGES), OTHER_LOGITS)
            self.same(again(IMAGES), OTHER_LOGITS)


class Threads(Case):
    def test_many_callers(self):
        for library, threads in (("net.so", 1), ("net.so", 3), ("batch7.so", 2)):
            model, wrong = san.load(path(library), threads=threads), []

            def call(model=model, wrong=wrong):
                for count in (20, 1, 7, 20):
                    if model(IMAGES[:count]).tobytes() != LOGITS[:count].tobytes():
                        wrong.append(count)

            callers = [threading.Thread(target=call) for _ in range(8)]
            for caller in callers:
                caller.start()
            for caller in callers:
                caller.join()
            self.assertEqual(wrong, [])
            model.close()

    def test_counts(self):
        for threads in (0, -1, 1025):
            self.refuses(ValueError, f"threads must be from 1 to 1024, found {threads}", san.load,
                         path("net.so"), threads=threads)

    def test_without_libsanrt(self):
        with unittest.mock.patch.dict(os.environ, SAN_RUNTIME="/none/libsanrt.so"):
            with self.assertWarnsRegex(RuntimeWarning, "cannot share a single one: .*SAN_RUNTIME"):
                model = san.load(path("batch7.so"), threads=2)
        self.same(model(IMAGES), LOGITS)
        self.same(model(IMAGES[:2]), LOGITS[:2])

    def test_error_in_a_batch(self):
        with san.load(path("net.so"), threads=3) as model:
            failure = san.RunError("a planted error", -3)
            with unittest.mock.patch.object(model._engine, "run", side_effect=failure):
                error = self.refuses(san.RunError, "model digits_pairwise: a planted error", model,
                                     IMAGES)
            self.assertEqual(error.status, -3)
            self.same(model(IMAGES), LOGITS)

    def test_interrupted(self):
        """Threads have ended when the interruption arrives, and the model works on."""
        model, many = san.load(path("net.so"), threads=2), np.tile(IMAGES, (500, 1, 1, 1))
        for _ in range(3):
            timer = threading.Timer(0.05, interrupt)
            with self.assertRaises(KeyboardInterrupt):
                timer.start()
                model(many)
                time.sleep(10)
            self.assertEqual(model._running, 0)
        self.same(model(IMAGES), LOGITS)
        model.close()

    def test_interrupted_at_the_end(self):
        """Where it only waits for the others, it goes on until they have ended."""
        model, run, ended = san.load(path("net.so"), threads=2), san._engines.Processor.run, []

        def slow(*arguments):
            if threading.current_thread() is not threading.main_thread():
                time.sleep(0.5)
            run(model._engine, *arguments)
            ended.append(1)

        with unittest.mock.patch.object(model._engine, "run", side_effect=slow):
            for delay in (0.1, 0.2):
                threading.Timer(delay, interrupt).start()
            with self.assertRaises(KeyboardInterrupt):
                model(IMAGES[:4])
            self.assertGreaterEqual(len(ended), 3)
            found = len(ended)
            time.sleep(0.6)
            self.assertEqual(len(ended), found)
        self.same(model(IMAGES), LOGITS)

    def test_other_processes(self):
        """After a fork, and pickled."""
        for library in ("net.so", "batch7.so"):
            model = san.load(path(library), threads=2)
            self.same(model(IMAGES), LOGITS)
            child = os.fork()
            if child == 0:
                good = all(np.array_equal(model(IMAGES[:count]), LOGITS[:count])
                           for count in (20, 1))
                os._exit(0 if good else 1)
            self.assertEqual(os.waitpid(child, 0)[1], 0)
            copy = pickle.loads(pickle.dumps(model))
            self.assertEqual((copy.path, copy.threads), (model.path, 2))
            self.same(copy(IMAGES), LOGITS)


class Loading(Case):
    def test_no_library(self):
        self.refuses(FileNotFoundError, "nothing.so", san.load, path("nothing.so"))
        self.refuses(IsADirectoryError, "", san.load, SCRATCH)
        for name, says in ((__file__, "found another file"), (path("pairwise.o"), "another kind"),
                           (path("none.so"), "no model in this library"),
                           (path("old.so"), f"must be of ABI version {_abi.ABI_VERSION}, as this "
                            "package is, found 1"),
                           (sys.executable, "")):
            self.refuses(san.LoadError, says, san.load, name)

    def test_path_objects(self):
        import pathlib
        self.same(san.load(pathlib.Path(path("net.so")))(IMAGES), LOGITS)

    def test_cut_off(self):
        with open(path("net.so"), "rb") as file:
            data = file.read()
        with tempfile.TemporaryDirectory() as folder:
            for size in (0, 3, 63, 64, 1000, len(data) // 2, len(data) - 1):
                name = os.path.join(folder, f"{size}.so")
                with open(name, "wb") as file:
                    file.write(data[:size])
                self.refuses(san.LoadError, name, san.load, name)

    def test_devices(self):
        self.same(san.load(path("net.so"), device="cpu")(IMAGES), LOGITS)
        for device in ("cuda", "cuda:1"):
            self.refuses(san.LoadError, "no code for GPUs, but for x86-64-v3,x86-64-v4", san.load,
                         path("net.so"), device=device)
        for device in ("gpu", "", "cpu:0", "cuda:", "cuda:x", "cuda:-1"):
            self.refuses(ValueError, f"device must be cpu, cuda or cuda:N, found {device}",
                         san.load, path("net.so"), device=device)


class Compiling(Case):
    def test_temporary(self):
        targets = ("x86-64-v3", "x86-64-v4") # those of net.so: other code has other last bits
        with san.compile(MODEL, WEIGHTS, batch=3, name="net", targets=targets) as model:
            self.assertEqual((model.path, model.name, model.batch), (None, "net", 3))
            self.assertEqual(model.targets, targets)
            self.same(model(IMAGES), LOGITS)
            self.refuses(TypeError, "without `output`", pickle.dumps, model)

    def test_batches(self):
        with san.compile(MODEL, WEIGHTS, batch=[2, 7]) as model:
            self.assertEqual((model.batch, model.batches), (7, (7, 2)))
            for count in (1, 2, 9, 10, 20):
                self.same(model(IMAGES[:count]), LOGITS[:count])

    def test_features(self):
        with san.compile(MODEL, WEIGHTS, options=["--features=stage0"]) as model:
            self.assertEqual((model.output_shape, model.classes), ((64, 14, 14), 64 * 14 * 14))
            maps = model(IMAGES)
            self.assertEqual(maps.shape, (len(IMAGES), 64, 14, 14))
            self.same(model(IMAGES[3]), maps[3])
            self.assertEqual(model(IMAGES[:0]).shape, (0, 64, 14, 14))
        with san.compile(MODEL, WEIGHTS, options=["--features=pooled"]) as model:
            self.assertEqual(model(IMAGES).shape, (len(IMAGES), 128))

    def test_output(self):
        with tempfile.TemporaryDirectory() as folder:
            library = os.path.join(folder, "net.so")
            model = san.compile(MODEL, WEIGHTS, library, threads=2, precision="f32",
                                targets=["x86-64-v3", "x86-64-v4"], options=["--unwind-tables"])
            self.assertEqual((model.path, model.threads), (library, 2))
            self.same(model(IMAGES), LOGITS)

    def test_what_sanc_says(self):
        error = self.refuses(san.CompileError, "tensor", san.compile, MODEL, OTHER_WEIGHTS)
        self.assertEqual(error.status, 3)
        error = self.refuses(san.CompileError, "--batch must be", san.compile, MODEL, WEIGHTS,
                             batch=0)
        self.assertEqual(error.status, 2)
        again = pickle.loads(pickle.dumps(error))
        self.assertEqual((str(again), again.status), (str(error), 2))

    def test_no_sanc(self):
        with unittest.mock.patch.dict(os.environ, SANC="/none/sanc"):
            self.refuses(san.CompileError, "must name the program sanc, found /none/sanc",
                         san.compile, MODEL, WEIGHTS)
        with unittest.mock.patch.dict(os.environ, PATH="/none"):
            del os.environ["SANC"]
            error = self.refuses(san.CompileError, "no program sanc on the PATH", san.compile,
                                 MODEL, WEIGHTS)
            self.assertIsNone(error.status)


class Outside(Case):
    """Weights in a file of their own."""

    def test_same_bits(self):
        for threads in (1, 2):
            with san.load(path("outside.so"), threads=threads,
                          weights=path("outside.weights")) as model:
                self.same(model(IMAGES), LOGITS)
                self.same(model(IMAGES[3]), LOGITS[3])
                copy = pickle.loads(pickle.dumps(model))
            self.same(copy(IMAGES), LOGITS)
            copy.close()

    def test_shared_by_processes(self):
        """The file is mapped shared, and none of its pages is a copy of the process."""
        with san.load(path("outside.so"), weights=path("outside.weights")) as model:
            model(IMAGES)
            with open("/proc/self/smaps") as file:
                text = file.read()
        mapped = re.search(r"^\S+ r--s .*/outside\.weights\n((?:\w+: .*\n)*)", text, re.M)
        self.assertEqual(int(re.search(r"Private_Dirty: +(\d+)", mapped[1])[1]), 0)
        with open("/proc/self/maps") as file:
            self.assertNotIn("outside.weights", file.read())

    def test_refused(self):
        library, weights = path("outside.so"), path("outside.weights")
        self.refuses(san.LoadError, "takes as `weights`", san.load, library)
        self.refuses(san.LoadError, "inside", san.load, path("net.so"), weights=weights)
        self.refuses(san.LoadError, "cannot be opened", san.load, library, weights=path("none"))
        self.refuses(san.LoadError, "must be a file of weights", san.load, library, weights=library)
        with tempfile.NamedTemporaryFile() as wrong:
            with open(weights, "rb") as file:
                wrong.write(file.read()[:-1] + b"?")
            wrong.flush()
            self.refuses(san.LoadError, "have changed", san.load, library, weights=wrong.name)
        with unittest.mock.patch.dict(os.environ, SAN_RUNTIME="/none/libsanrt.so"):
            self.refuses(san.LoadError, "runtime library is missing", san.load, library,
                         weights=weights)


class Package(Case):
    def test_abi(self):
        """_abi.py has the version, the fields and the errors of the headers."""
        with open(os.path.join(ROOT, "runtime", "san", "abi.h")) as file:
            text = re.sub(r"/\*.*?\*/", "", file.read(), flags=re.S)
        self.assertEqual(int(re.search(r"SAN_ABI_VERSION (\d+)", text)[1]), _abi.ABI_VERSION)
        for name, structure in (("san_exec", _abi.Exec), ("san_model", _abi.ModelStruct)):
            body = re.search(rf"struct {name} {{(.*?)}};", text, re.S)[1]
            body = re.sub(r"\(\*(\w+)\)\(.*?\);", r" \1;", body, flags=re.S)
            names = [re.sub(r"\[.*", "", part).split()[-1].strip("*")
                     for part in re.split("[;,]", body) if part.strip()]
            self.assertEqual([field[0] for field in structure._fields_], names)
        self.assertEqual(ctypes.sizeof(_abi.ModelStruct), 224)
        statuses = {int(number) for number in re.findall(r"SAN_E\w+ =\s*(-\d+)", text)}
        self.assertEqual(statuses, set(_abi.STATUS_TEXT))
        with open(os.path.join(ROOT, "runtime", "san", "cuda.h")) as file:
            self.assertIn("SAN_CUDA_TEXT_BYTES = 2048", file.read())
        with open(os.path.join(ROOT, "runtime", "san", "weights.h")) as file:
            self.assertIn("SAN_WEIGHTS_TEXT_BYTES = 512", file.read())

    def test_documented(self):
        for name in san.__all__:
            self.assertTrue(getattr(san, name).__doc__, name)

    def test_example(self):
        done = subprocess.run(
            [sys.executable, os.path.join(DIGITS, "accuracy.py"), path("batch7.so"),
             os.path.join(DIGITS, "images.safetensors"), "2"], stdout=subprocess.PIPE, text=True)
        self.assertIn("digits_pairwise: 986 of 1000 correct", done.stdout)


if __name__ == "__main__":
    unittest.main()
