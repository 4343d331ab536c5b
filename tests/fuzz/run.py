#!/usr/bin/env python3
"""Runs a fuzz target on a corpus made here.

    run.py TARGET SANC [--seconds S] [--seed N]

TARGET is a program fuzz_NAME, built with libFuzzer or with replay.c. What it crashes on stays in
the current folder.
"""
import argparse
import glob
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CASES = os.path.join(ROOT, "tests", "numeric", "cases")


def copy_all(pattern, folder):
    for path in glob.glob(pattern):
        shutil.copy(path, os.path.join(folder, path.replace(os.sep, "_")))


def unit_texts():
    """The texts of unit/ir, see unit/test_ir_cases.c."""
    for path in sorted(glob.glob(os.path.join(ROOT, "tests", "unit", "ir", "*.sanir"))):
        with open(path, encoding="utf-8") as file:
            parts = re.split(r"^; (head|right|wrong).*\n", file.read(), flags=re.M)
        head = ""
        for mark, text in zip(parts[1::2], parts[2::2]):
            if mark == "head":
                head = text
            else:
                yield head + text


def ir_corpus(sanc, folder):
    """The golden texts, those of the unit tests and of ir/README.md, and every dump of a
    network."""
    for number, text in enumerate(unit_texts()):
        with open(os.path.join(folder, f"unit{number}"), "w", encoding="utf-8") as out:
            out.write(text)
    copy_all(os.path.join(ROOT, "tests", "golden", "*.sanir"), folder)
    copy_all(os.path.join(ROOT, "tests", "golden", "*.expected"), folder)
    with open(os.path.join(ROOT, "ir", "README.md"), encoding="utf-8") as file:
        for number, text in enumerate(re.findall(r"```sanir\n(.*?)```", file.read(), re.S)):
            with open(os.path.join(folder, f"readme{number}"), "w", encoding="utf-8") as out:
                out.write(text)
    for name in ("footprint1", "exact_pairwise"):
        dumps = os.path.join(folder, "dumps")
        subprocess.run([
            sanc, "ir",
            os.path.join(CASES, name, "model.json"), "--target", "x86-64-v3", "--dump-ir", dumps
        ], check=True, stdout=subprocess.DEVNULL)
        for dump in os.listdir(dumps):
            shutil.move(os.path.join(dumps, dump), os.path.join(folder, name + dump))
        os.rmdir(dumps)


def json_corpus(_, folder):
    copy_all(os.path.join(CASES, "*", "model.json"), folder)
    for number, text in enumerate(
        ['null', '[1, -2.5e3, "a\\u00e9\\n"]', '{"a": {"b": [true, false]}}']):
        with open(os.path.join(folder, f"small{number}"), "w", encoding="utf-8") as file:
            file.write(text)


def safetensors_corpus(_, folder):
    """Files of one to three small tensors of every type."""
    sizes = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "U8": 1, "BOOL": 1, "F8_E4M3": 1}
    for count in (1, 2, 3):
        for dtype, size in sizes.items():
            header, end = {"__metadata__": {"format": "pt"}}, 0
            for i in range(count):
                shape = [2] * i
                begin, end = end, end + size * 2 ** i
                header[f"t{i}"] = {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}
            text = json.dumps(header).encode()
            with open(os.path.join(folder, f"{dtype}{count}"), "wb") as file:
                file.write(
                    struct.pack("<Q", len(text)) + text + bytes(i * 37 % 256 for i in range(end)))


def compiled_corpus(_, folder):
    """Small networks: every field has another value in one of them. Numbers follow
    the zero."""
    models = [{}, {"share": 4, "footprint": 5,
                   "softmax": False}, {"position": "absolute", "relation": "dot"},
              {"relation": "concatenation", "mapping": 1,
               "padding": "zero"}, {"relation": "hadamard", "dilation": 2},
              {"relation": "summation", "mapping": 3,
               "position": "none"}, {"type": "patchwise", "mapping": 1},
              {"type": "patchwise", "relation": "star",
               "softmax": True}, {"type": "patchwise", "relation": "clique"}]
    for number, attention in enumerate(models):
        height, width = 12 + number % 3, 14 - number % 2
        model = {
            "format": "san", "version": 1, "name": "net",
            "input": {"channels": 1 + number % 3, "height": height, "width": width}, "classes": 3,
            "stem_channels": 4 + number, "attention": {
                "footprint": 3, "share": 2, "relation_channels": 4, "value_channels": 8, **attention
            }, "stages": [{"blocks": 1, "channels": 8}, {"blocks": number % 2, "channels": 12}]
        }
        with open(os.path.join(folder, f"model{number}"), "wb") as file:
            file.write(
                json.dumps(model).encode() + bytes([0]) + bytes(
                    (i * 89 + 31 * number) % 251 for i in range(100)) + bytes([251 + number % 5]))


def schedules_corpus(sanc, folder):
    """What --emit schedules writes for every case, and what `sanc tune` adds to it."""
    for path in sorted(glob.glob(os.path.join(CASES, "*", "model.json"))):
        out = os.path.join(folder, os.path.basename(os.path.dirname(path)) + ".sched")
        subprocess.run([sanc, "compile", path, "--emit", "schedules", "-o", out], check=True)
    with open(out, encoding="utf-8") as file:
        text = file.read()
    measured = "{\n  measured { us = 12.5, chosen = 13.0, noise = 0.25, tried = 7, unfinished }\n  schedule"
    with open(os.path.join(folder, "measured"), "w", encoding="utf-8") as file:
        file.write(text.replace("{\n  schedule", measured))


CORPUS = {
    "compiled": compiled_corpus, "ir_text": ir_corpus, "ir_llvm": ir_corpus, "json": json_corpus,
    "safetensors": safetensors_corpus, "schedules": schedules_corpus
}


def words_of(name):
    """What libFuzzer puts in besides bytes: words of the language."""
    if name.startswith("ir_"):
        paths = [os.path.join(ROOT, "ir", "ops.def"), os.path.join(ROOT, "ir", "README.md")]
    else:
        paths = [os.path.join(ROOT, "compiler", "model", "model.schema.json")]
    text = ""
    for path in paths:
        with open(path, encoding="utf-8") as file:
            text += file.read()
    return sorted(set(re.findall(r"[a-z_]{2,20}", text)))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("target")
    parser.add_argument("sanc")
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    name = os.path.basename(args.target).removeprefix("fuzz_")
    with tempfile.TemporaryDirectory() as scratch:
        corpus, words = os.path.join(scratch, "corpus"), os.path.join(scratch, "words")
        os.mkdir(corpus)
        CORPUS[name](os.path.abspath(args.sanc), corpus)
        with open(words, "w", encoding="utf-8") as file:
            file.writelines(f'"{word}"\n' for word in words_of(name))
        return subprocess.run([
            os.path.abspath(args.target), f"-max_total_time={args.seconds}", f"-seed={args.seed}",
            f"-dict={words}", "-close_fd_mask=2", "-timeout=300", "-rss_limit_mb=3000",
            "-print_final_stats=1", corpus
        ], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
