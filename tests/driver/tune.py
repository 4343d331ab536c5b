#!/usr/bin/env python3
"""`sanc tune`, and the option --schedules: what is measured is kept, used, taken up again.

    tune.py SANC [--search]

--search: what searches write, which take seconds each; without it, all about files of schedules. The
times themselves are not tested: only that what is written is right.
"""
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "numeric"))
import common  # noqa: E402

NETWORK = os.path.join(ROOT, "examples", "digits", "pairwise")
MODEL = [os.path.join(NETWORK, "model.json")]
WEIGHTS = ["-w", os.path.join(NETWORK, "weights.safetensors")]
V3 = ["--target", "x86-64-v3"]
KERNELS = 15  # with signatures of their own
USAGE, INPUT, NO_SUCH_PROCESSOR = 2, 3, 4
ENTRY = re.compile(r'^kernel ("[^"]*") \{\n(  measured \{[^{}]*\}\n)?  schedule "[^"]*" \{\n([^{}]*)  \}\n\}\n',
                   re.M)


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def entries(path):
    """{signature: (what was measured, commands)}"""
    return {signature: (measured, commands)
            for signature, measured, commands in ENTRY.findall(read(path))}


class Tests:
    def __init__(self, sanc, folder):
        self.sanc, self.folder, self.tally = common.Sanc(sanc), folder, common.Tally()

    def path(self, name):
        return os.path.join(self.folder, name)

    def run(self, *words):
        return self.sanc.run(*words)

    def says(self, what, status, text, *words):
        found, out, said = self.run(*words)
        good = found == status and re.search(text, out + said)
        self.tally.check(good, f"{what}: status {found}: {out}{said}")

    def object(self, *options):
        path = self.path("net.o")
        common.call(self.sanc, "compile", *MODEL, *WEIGHTS, *V3, *options, "-o", path)
        with open(path, "rb") as file:
            return file.read()

    def tune(self, name, seconds, *options):
        return self.run("tune", *MODEL, *WEIGHTS, *V3, "--seconds", str(seconds), *options, "-o",
                        self.path(name))

    # ---- what is chosen, as a file ---------------------------------------------------------------

    def test_chosen(self):
        """--emit schedules: used, it changes nothing; for other sizes it says nothing."""
        chosen = self.path("chosen.sched")
        common.call(self.sanc, "compile", *MODEL, *V3, "--emit", "schedules", "-o", chosen)
        self.tally.check(len(entries(chosen)) == KERNELS, read(chosen))
        self.tally.check(self.object() == self.object("--schedules", chosen), "chosen: other bytes")
        other = self.object("--batch", "2")
        self.tally.check(other == self.object("--batch", "2", "--schedules", chosen), "another batch")

    def test_edited(self):
        """A schedule that a person has changed is used, by every command."""
        text = read(self.path("chosen.sched")).replace("rows 14 ", "rows 7 ")
        edited, moved = self.path("edited.sched"), self.path("elsewhere")
        write(edited, text)
        found = common.call(self.sanc, "ir", *MODEL, *V3, "--after", "schedule", "--schedules", edited)
        self.tally.check("rows 7 " in found and "rows 14 " not in found, "ir: " + found)
        bytes_of = self.object("--schedules", edited)
        os.mkdir(moved)
        shutil.move(edited, moved)
        edited = os.path.join(moved, "edited.sched")
        self.tally.check(bytes_of != self.object(), "edited: the same bytes")
        self.tally.check(bytes_of == self.object("--schedules", edited), "moved: other bytes")
        for words in (["verify"], ["bench", "--seconds", "0.01"], ["stats"]):
            self.says(words[0], 0, "", *words, *MODEL, *WEIGHTS, *V3, "--schedules", edited)
        piped = subprocess.run([self.sanc.path, "ir", *MODEL, *V3, "--after", "schedule", "--schedules",
                                "-"], input=text, capture_output=True, text=True, check=False)
        self.tally.check(piped.stdout == found, "from a pipe: " + piped.stderr)

    # ---- what is refused -------------------------------------------------------------------------

    def test_refused(self):
        """A schedule that cannot be used is said, with its place, and left out."""
        chosen, wrong = read(self.path("chosen.sched")), self.path("wrong.sched")
        first = re.search(r"    tile \d+\n", chosen)
        for new, why, column in (
                ("    tile 5000\n", "found '5000', must be pixels of a tile: an integer from 1 to", 10),
                ("    tilt 5\n", "found 'tilt', must be 'tile T'", 5),
                ("    kind x serial\n", "'kind' names a loop or a buffer", 5)):
            write(wrong, chosen[:first.start()] + new + chosen[first.end():])
            line = chosen[:first.start()].count("\n") + 1
            status, _, said = self.run("compile", *MODEL, *WEIGHTS, *V3, "--schedules", wrong, "-o",
                                       self.path("net.o"))
            warning = f"{wrong}:{line}:{column}: warning: "
            self.tally.check(status == 0 and said.startswith(warning) and why in said
                             and said.count("warning: ") == 1, f"{new}: {status}: {said}")
            self.tally.check(self.object() == self.object("--schedules", wrong), f"{new}: not left out")

    def test_joined(self):
        """Files may be joined: the last schedule that is allowed counts."""
        chosen, joined = read(self.path("chosen.sched")), self.path("joined.sched")
        edited = chosen.replace("rows 14 ", "rows 7 ")
        write(joined, chosen + edited)
        edited_only = self.path("edited.sched")
        write(edited_only, edited)
        self.tally.check(self.object("--schedules", joined) == self.object("--schedules", edited_only),
                         "joined: not the last")
        write(joined, edited + re.sub(r"tile \d+", "tile 5000", chosen))
        status, _, said = self.run("ir", *MODEL, *V3, "--after", "schedule", "--schedules", joined)
        self.tally.check(status == 0 and "warning: " in said, f"joined: {said}")

    def test_texts(self):
        """Texts that are none of schedules have an error at their place."""
        chosen, path = read(self.path("chosen.sched")), self.path("text.sched")
        head = chosen[:chosen.index("  schedule")]
        for text, place, why in (
                ("", "1:1", "found the end of the text, must be 'sansched'"),
                ("sanir 1\n", "1:1", "found 'sanir', must be 'sansched'"),
                ("sansched 2\n", "1:10", "found version '2', must be 1"),
                ("sansched 1\nkernel x {", "2:8", "must be a string in double quotes"),
                (head + "  tile 3\n", "4:3", "found 'tile', must be 'measured' or 'schedule'"),
                (head + "  measured { us = -1", "4:19", "must be us: a number of at least 0"),
                (head + '  measured { us = 1, chosen = 1, noise = 1, tried = 0 }', "4:53",
                 "must be schedules tried: an integer from 1 to"),
                (chosen[:-2], "", "found the end of the text, must be '}'"),
                ("\xff", "1:1", "found the byte 0x")):
            write(path, text)
            self.says(repr(text[-40:]), INPUT, f"^{re.escape(path)}:{place}.*: error: .*{re.escape(why)}",
                      "ir", *MODEL, "--schedules", path)
        self.says("no file", INPUT, "nowhere.sched: error: cannot be read", "ir", *MODEL, "--schedules",
                  self.path("nowhere.sched"))

    # ---- measuring -------------------------------------------------------------------------------

    def test_tune(self):
        status, out, said = self.tune("tuned.sched", 3)
        tuned = self.path("tuned.sched")
        self.tally.check(status == 0 and not said, f"tune: {status}: {said}")
        lines = re.sub("^disturbed:.*\n", "", out, flags=re.M).count("\n")
        self.tally.check(lines == KERNELS + 1, f"tune printed {out}")
        found = entries(tuned)
        self.tally.check(len(found) == KERNELS and all(measured for measured, _ in found.values()),
                         read(tuned))
        self.says("verify", 0, "ok", "verify", *MODEL, *WEIGHTS, *V3, "--schedules", tuned)
        self.tally.check(self.object("--schedules", tuned) == self.object("--schedules", tuned),
                         "tuned: other bytes")

    def test_resume(self):
        """What is in the file is not measured again; what was unfinished, or of others, is."""
        before = read(self.path("tuned.sched")).replace(", unfinished", "")  # of a busy machine
        write(self.path("tuned.sched"), before)
        begin = time.monotonic()
        self.tune("tuned.sched", 100)
        self.tally.check(time.monotonic() - begin < 20 and read(self.path("tuned.sched")) == before,
                         "resumed: not the same file")
        found = list(ENTRY.finditer(before))
        gone, unfinished = found[3][1], found[5][1]
        kept = "".join(m[0].replace(" }\n", ", unfinished }\n", 1) if m[1] == unfinished else m[0]
                       for m in found if m[1] != gone)
        other = 'kernel "of another network #0" {\n  schedule "x86-64-v3" {\n    tile 3\n  }\n}\n'
        write(self.path("part.sched"), "sansched 1\n\n" + kept + other)
        status, out, said = self.tune("part.sched", 1)
        found = entries(self.path("part.sched"))
        lines = re.sub("^disturbed:.*\n", "", out, flags=re.M).count("\n")
        self.tally.check(status == 0 and lines == 3, f"resumed: {status}: {out}{said}")
        self.tally.check(len(found) == KERNELS + 1 and all(found[name] == entry for name, entry in
                                 entries(self.path("tuned.sched")).items()
                                 if name not in (gone, unfinished)), read(self.path("part.sched")))

    def test_interrupt(self):
        """The file has the best so far, and the process ends by the signal."""
        path = self.path("stopped.sched")
        process = subprocess.Popen([self.sanc.path, "tune", *MODEL, *WEIGHTS, *V3, "--seconds", "60",
                                    "-o", path], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        process.stdout.readline()
        process.stdout.readline()  # of the first kernel
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
        found = read(path) if os.path.exists(path) else ""
        self.tally.check(process.returncode == -signal.SIGINT and "the same command goes on" in said,
                         f"interrupt: {process.returncode}: {said}")
        self.tally.check(1 <= len(entries(path)) < KERNELS and found.count("measured"), found)
        self.tally.check(os.listdir(self.folder).count("stopped.sched") == 1 and
                         not [name for name in os.listdir(self.folder) if ".tmp" in name], "left behind")
        self.says("after the interrupt", 0, "ok", "verify", *MODEL, *WEIGHTS, *V3, "--schedules", path)

    def test_start(self):
        """--schedules of tune is what the search begins with, also where the chosen one is left."""
        status, out, said = self.tune("started.sched", 0.5, "--schedules", self.path("tuned.sched"))
        self.tally.check(status == 0 and len(entries(self.path("started.sched"))) == KERNELS,
                         f"start: {status}: {out}{said}")

    def test_bf16(self):
        """Other precisions are other kernels."""
        half = ["--precision", "bf16"]
        status, out, said = self.tune("half.sched", 0.2, *half)
        self.tally.check(status == 0 and not said, f"bf16: {status}: {out}{said}")
        self.says("bf16", 0, "ok", "verify", *MODEL, *WEIGHTS, *V3, *half, "--schedules",
                  self.path("half.sched"))
        self.tally.check(self.object() == self.object("--schedules", self.path("half.sched")),
                         "schedules for bf16 are taken for float32")

    def test_usage(self):
        tune = ["tune", *MODEL, *WEIGHTS]
        self.says("no -o", USAGE, "needs --output", *tune)
        self.says("standard output", USAGE, "-o must be a file here", *tune, "-o", "-")
        self.says("another format", USAGE, "", *tune, "-o", self.path("net.o"))
        self.says("two sizes", USAGE, "--batch takes one size here", *tune, "--batch", "1,2", "-o",
                  self.path("x.sched"))
        self.says("a GPU", NO_SUCH_PROCESSOR, "this machine does not run|tuned for processors", *tune,
                  "--target", "nvptx:sm_80", "-o", self.path("x.sched"))
        dump = self.path("late.sanir")
        common.call(self.sanc, "ir", *MODEL, *V3, "--after", "schedule", "-o", dump)
        self.says("a late dump", USAGE, "too late", "tune", dump, *WEIGHTS, "-o", self.path("x.sched"))
        write(self.path("x.sched"), "no schedules\n")
        self.says("a file of something else", INPUT, "x.sched:1:1: error: ", *tune, "-o",
                  self.path("x.sched"))
        self.tally.check(read(self.path("x.sched")) == "no schedules\n", "it was written over")


def main():
    with tempfile.TemporaryDirectory() as folder:
        tests = Tests(sys.argv[1], folder)
        if "--search" not in sys.argv:
            tests.test_chosen()
            tests.test_edited()
            tests.test_refused()
            tests.test_joined()
            tests.test_texts()
            tests.test_usage()
        elif NO_SUCH_PROCESSOR == tests.run("bench", *MODEL, *WEIGHTS, *V3, "--seconds", "0.01")[0]:
            tests.tally.skip("this machine does not run x86-64-v3")
        else:
            tests.test_tune()
            tests.test_resume()
            tests.test_interrupt()
            tests.test_start()
            tests.test_bf16()
        return tests.tally.end()


if __name__ == "__main__":
    sys.exit(main())
