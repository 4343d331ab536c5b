#!/usr/bin/env python3
"""The commands of "Tuning a kernel by hand" in compiler/README.md, as they stand there.

    tutorial.py SANC
"""
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "numeric"))
import common  # noqa: E402

KERNEL = "layer1_1_conv_7x7x128"
INPUT, NO_SUCH_PROCESSOR = 3, 4


def main():
    sanc, tally = os.path.abspath(sys.argv[1]), common.Tally()
    with open(os.path.join(common.ROOT, "compiler", "README.md"), encoding="utf-8") as file:
        section = file.read().split("### Tuning a kernel by hand\n")[1].split("\n### ")[0]
    blocks = re.findall(r"```sh\n(.*?)```", section, re.S)
    with tempfile.TemporaryDirectory() as scratch:
        os.symlink(os.path.join(common.ROOT, "examples"), os.path.join(scratch, "examples"))
        os.symlink(sanc, os.path.join(scratch, "sanc"))
        environment = dict(os.environ, PATH=scratch + os.pathsep + os.environ["PATH"])
        dump = os.path.join(scratch, "tuned.sanir")
        script = blocks[0] + "cp tuned.sanir chosen.sanir\n" + blocks[1]
        done = subprocess.run(["bash", "-euc", script], cwd=scratch, env=environment,
                              capture_output=True, text=True, timeout=300)
        if done.returncode == NO_SUCH_PROCESSOR:
            common.skip(done.stderr.strip())
        tally.check(
            len(blocks) == 2 and done.returncode == 0,
            f"status {done.returncode}: {done.stdout}{done.stderr}")
        tally.check(
            done.stdout.count(f"\n{KERNEL} ") == 2,
            f"no {KERNEL} before and after in {done.stdout}")
        with open(os.path.join(scratch, "chosen.sanir"), encoding="utf-8") as file:
            chosen = file.read().split("\n")
        with open(dump, encoding="utf-8") as file:
            tuned = file.read().split("\n")
        shown = re.search(r"```\n(  schedule.*?)    \.\.\.\n```", section,
                          re.S)[1].rstrip("\n").split("\n")
        start = next(i for i, line in enumerate(chosen) if line.startswith(f"kernel {KERNEL} "))
        start = chosen.index(shown[0], start)
        tally.check(chosen[start:start + len(shown)] == shown,
                    f"the compiler chose {chosen[start:start + len(shown)]}")
        ahead = start + len(shown) - 1
        edited = chosen[:start + 1] + ["    tile 49"] + chosen[start + 2:ahead] + chosen[ahead + 1:]
        tally.check("ahead" in chosen[ahead] and tuned == edited,
                    "other lines were changed than the two")
        tally.check(os.path.exists(os.path.join(scratch, "digits.h")), "no object")
        tuned[ahead - 1] = tuned[ahead - 1].replace("rows 5", "rows 400")
        with open(dump, "w", encoding="utf-8") as file:
            file.write("\n".join(tuned))
        done = subprocess.run([sanc, "ir", "tuned.sanir"], cwd=scratch, capture_output=True,
                              text=True, timeout=60)
        message = re.search(r"`(tuned.sanir:\d+:\d+: error: [^`]*)`", section)[1]
        tally.check(done.returncode == INPUT and done.stderr.split("\n")[0] == message,
                    f"the page says {message}, sanc {done.stderr}")
    return tally.end()


if __name__ == "__main__":
    sys.exit(main())
