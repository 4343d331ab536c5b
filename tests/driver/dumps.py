#!/usr/bin/env python3
"""Dumps of every pass: the text reads back and prints to the same bytes, and compiles on to the
same object.

    dumps.py SANC [--shared | --models] [--objects] [NAME...]

Of the cases in tests/numeric/cases; --shared: those of ../shared/cases; --models: networks of
examples/models at 224x224, the smallest of each kind, with weights made up here. From each dump,
the loops after all passes are compared as a text. Some dumps are also compiled, and the objects
compared: every sixth of a case (fourth of a network), in the next one those after them; with
--objects all. Every other one of these is compiled with other weights too, and compared with the
model compiled with those.
"""
import argparse
import array
import concurrent.futures
import json
import os
import re
import struct
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "numeric"))
import common  # noqa: E402

CASES = os.path.join(common.ROOT, "tests", "numeric", "cases")
TARGET = ["--target", "x86-64-v3"]
MOST_DUMPS = 100  # more than there are passes
POOL = 65521  # made-up weights repeat after so many: a prime, so that no two rows are alike


def changed(values):
    """Other numbers, none of which changes its sign."""
    return array.array(values.typecode, (v * (1 + (i % 7) / 16) for i, v in enumerate(values)))


def write_weights(path, needs, change=lambda values: values):
    """Float32 tensors of these names and shapes, from 0.01 to 0.06, as variances may be, changed."""
    pool = change(
        array.array("f", (0.01 + 0.05 * (i * 40503 % POOL) / POOL for i in range(POOL))))
    header, data, end = {}, [], 0
    for name, shape in needs:
        elements = 1
        for dimension in shape:
            elements *= dimension
        begin, end = end, end + 4 * elements
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [begin, end]}
        data.append((pool * (elements // POOL + 1))[:elements].tobytes())
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(data))


def write_other_weights(path, source):
    """The same tensors with other numbers."""
    with open(source, "rb") as file:
        data = file.read()
    (size,) = struct.unpack_from("<Q", data)
    written = bytearray(data)
    for name, entry in json.loads(data[8:8 + size]).items():
        if name == "__metadata__" or entry["dtype"] not in ("F32", "F64"):
            continue
        begin, end = (8 + size + offset for offset in entry["data_offsets"])
        values = array.array(common.TYPECODES[entry["dtype"]], data[begin:end])
        written[begin:end] = changed(values).tobytes()
    with open(path, "wb") as file:
        file.write(written)


def read(path):
    with open(path, "rb") as file:
        return file.read()


def compile_model(sanc, model, weights, out, *options):
    common.call(sanc, "compile", model, "-w", weights, "-o", out, *options)
    return read(out)


def state(dump):
    """The words that make `sanc ir` print a dump as it stands."""
    number, name = os.path.basename(dump)[:-len(".sanir")].split("-")
    return ["--after", name] if int(number) else None


def check_texts(sanc, dump, first_pass, loops, tally, scratch):
    text = os.path.join(scratch, "text.sanir")
    common.call(sanc, "ir", dump, "-o", text, *(state(dump) or ["--before", first_pass]))
    tally.check(read(text) == read(dump), f"{dump} prints as another text")
    common.call(sanc, "ir", dump, "-o", text)
    tally.check(read(text) == loops, f"{dump} comes to other loops")


def check_unchanged(folder, dumps, tally):
    """A pass that says it changed nothing leaves the text as it was: it is not verified again."""
    with open(os.path.join(folder, "passes.tsv"), encoding="ascii") as file:
        passes = [line.split("\t") for line in file.read().splitlines()[1:]]
    texts = [re.sub(rb"\nafter \w+\n", b"\n", read(dump), count=1) for dump in dumps]
    for number, name, changes, _ in passes:
        before, after = texts[int(number) - 1:int(number) + 1]
        tally.check(int(changes) > 0 or before == after,
                    f"{folder}: {name} says that it changed nothing")


def check_dumps(sanc, name, model, weights, other, compiled, scratch):
    """other: weights with other numbers; compiled: range of the numbers of dumps that are compiled.
    (tally, line to print)"""
    tally = common.Tally()
    folder, out = os.path.join(scratch, name), os.path.join(scratch, "out.o")
    mine = compile_model(sanc, model, weights, out, "--dump-ir", folder, *TARGET)
    others = compile_model(sanc, model, other, out, *TARGET)
    tally.check(mine != others, f"{name}: other weights make no difference")
    dumps = sorted(
        os.path.join(folder, file) for file in os.listdir(folder) if file.endswith(".sanir"))
    first_pass = os.path.basename(dumps[1])[len("01-"):-len(".sanir")]
    objects = 0
    check_unchanged(folder, dumps, tally)
    for number, dump in enumerate(dumps):
        check_texts(sanc, dump, first_pass, read(dumps[-1]), tally, scratch)
        if number not in compiled:
            continue
        objects += 1
        tally.check(compile_model(sanc, dump, weights, out) == mine, f"{dump} gives another object")
        if objects % 2:
            tally.check(compile_model(sanc, dump, other, out) == others,
                        f"{dump} gives another object with other weights")
    return tally, f"{name:24} {len(dumps)} dumps, {objects} compiled"


def check_case(sanc, name, folder, compiled):
    with tempfile.TemporaryDirectory() as scratch:
        weights, other = (os.path.join(place, "weights.safetensors") for place in (folder, scratch))
        write_other_weights(other, weights)
        return check_dumps(sanc, name, os.path.join(folder, "model.json"), weights, other, compiled,
                           scratch)


def check_network(sanc, name, folder, compiled):
    with tempfile.TemporaryDirectory() as scratch:
        model, graph = os.path.join(folder, name + ".json"), os.path.join(scratch, "graph.sanir")
        first_pass = common.call(sanc, "ir", "--list-passes").split()[1]
        common.call(sanc, "ir", model, "--before", first_pass, "-o", graph)
        needs = re.findall(r'parameter \{ name = "([^"]*)", shape = (\[[^]]*\])',
                           read(graph).decode())
        needs = [(name, json.loads(shape)) for name, shape in needs]
        weights, other = (os.path.join(scratch, file) for file in ("weights", "other"))
        write_weights(weights, needs)
        write_weights(other, needs, changed)
        return check_dumps(sanc, name, model, weights, other, compiled, scratch)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sanc")
    parser.add_argument("--shared", action="store_true")
    parser.add_argument("--models", action="store_true")
    parser.add_argument("--objects", action="store_true")
    parser.add_argument("name", nargs="*")
    args = parser.parse_intermixed_args()
    sanc = common.Sanc(args.sanc)
    if args.models:  # what takes long comes first
        folders = {name: common.NETWORKS for name in [*args.name, *reversed(common.SMALLEST)]}
    else:
        folders = common.case_folders(None if args.shared else CASES)
    names = args.name or list(folders)
    check, total = check_network if args.models else check_case, common.Tally()

    # among the networks, each dump is compiled
    every = 1 if args.objects else len(common.SMALLEST) if args.models else 6

    def run(number):
        compiled = range(number % every, MOST_DUMPS, every)
        return check(sanc, names[number], folders[names[number]], compiled)

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for tally, line in pool.map(run, range(len(names))):
            print(line, flush=True)
            total.passed += tally.passed
            total.failed += tally.failed
    return total.end()


if __name__ == "__main__":
    sys.exit(main())
