#!/usr/bin/env python3
"""How the code is laid out: which folder uses which, and whether functions, files and lines are
short.

    structure.py [--dot FILE]

Prints a table of arrows between folders: a file there includes a header here, or calls a function.
It fails on an arrow that goes to the left, on files that call each other in a circle, on long
functions, files and lines, on arrays in static memory of a function of the compiler, and on what
prints errors or reads the environment outside of the rooms for that. What may stay is in
structure_exceptions.py, with the reason. --dot writes the arrows for Graphviz:
structure.py --dot rooms.dot && dot -Tsvg rooms.dot.
"""
import argparse
import collections
import fnmatch
import os
import re
import sys
import textwrap

import structure_exceptions as exceptions

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# From left to right: a folder uses those after it. compiler/ and ir/ have rooms of their own.
FOLDERS = ["compiler", "backend", "ir", "runtime"]
MOST_LINES_OF_FUNCTION, MOST_LINES_OF_FILE, MOST_COLUMNS = 50, 500, 100
SPEAKING = ("compiler/command/", "compiler/driver/", "compiler/input/", "compiler/install/")
CHECKED = (".c", ".h", ".def", ".py", ".sh", ".md", "CMakeLists.txt", ".ci/run")
TABLE_OR_LINK = re.compile(r"\||!?\[|    |\S+$")


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


def rooms_of(folder):
    """The rooms of a folder from left to right, as its CMakeLists.txt lists them from right to
    left; its own files are at the left, or where that list has a dot."""
    found = re.search(r"^set\(rooms\s+([^)]*)\)", read(f"{folder}/CMakeLists.txt"), re.M)
    names = found[1].split() if found else []
    names += [] if "." in names else ["."]
    return [os.path.normpath(f"{folder}/{name}") for name in reversed(names)]


def project_files():
    for folder, inner, names in os.walk(ROOT):
        inner[:] = sorted(set(inner) - {".git", "__pycache__", "build" if folder == ROOT else ""})
        yield from (os.path.relpath(os.path.join(folder, name), ROOT) for name in sorted(names))


def without_comments(text):
    """C without comments and string literals, which keep their lines."""
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"',
                  lambda found: "\n" * found[0].count("\n") or '""', text, flags=re.S)


# ---- which folder uses which ---------------------------------------------------------------------

class Sources:
    """The C files of FOLDERS: what each includes, and what each needs of the others."""

    def __init__(self, files):
        self.files = [path for path in files if path.split("/")[0] in FOLDERS
                      and path.endswith((".c", ".h", ".def"))]
        self.text = {path: read(path) for path in self.files}
        self.code = {path: without_comments(text) for path, text in self.text.items()}
        self.named = collections.defaultdict(list)
        for path in self.files:
            self.named[os.path.basename(path)].append(path)

    def find(self, path, name):
        """The file that `#include "name"` means in `path`: the nearest one; None: none of these."""
        found = self.named[os.path.basename(name)]
        near = [other for other in found if os.path.dirname(other) == os.path.dirname(path)]
        same = [other for other in found if other.split("/")[0] == path.split("/")[0]]
        return (near or same or found or [None])[0]

    def rows(self, path):
        """The first words of the rows of tables that a file includes: PASS(name, ...) is a
        function."""
        return {name for other in self.includes(path) if other.endswith(".def")
                for name in re.findall(r"\b[A-Z]+\((\w+),", self.code[other])}

    def includes(self, path):
        found = re.findall(r'^#include ["<]([^">]+)[">]', self.text[path], re.M)
        return [other for other in (self.find(path, name) for name in found) if other]


def room_of(path, rooms):
    """The innermost room that a file lies in."""
    return max((room for room in rooms if path.startswith(room + "/")), key=len)


FUNCTION = re.compile(r"^(static )?\w[\w ]*[ *](\w+)\([^;{}]*\)\n\{", re.M)


def calls(sources):
    """{file: {file whose functions it calls: the name of one}}"""
    home, own = {}, collections.defaultdict(set)
    for path in sources.files:
        for static, name in FUNCTION.findall(sources.code[path]):
            if static:
                own[path].add(name)
            elif path.endswith(".c"):
                home[name] = path
    graph = collections.defaultdict(dict)
    for path in filter(lambda path: path.endswith(".c"), sources.files):
        named = re.findall(r"(?<![.>\w])([a-z]\w+)\(", sources.code[path])
        for name in {*named, *sources.rows(path)}:
            if name not in own[path] and home.get(name, path) != path:
                graph[path][home[name]] = name
    return graph


def arrows_of(sources, called, rooms):
    """{(room, room it uses): [(file, how it uses it)]}"""
    arrows = collections.defaultdict(list)
    for path in sources.files:
        uses = [(other, f"includes {other}") for other in sources.includes(path)
                if not other.endswith(".def")]
        uses += [(other, f"calls {name} of {other}") for other, name in called[path].items()]
        for other, how in uses:
            if room_of(other, rooms) != room_of(path, rooms):
                arrows[room_of(path, rooms), room_of(other, rooms)].append((path, how))
    return arrows


def check_arrows(arrows, rooms):
    for (room, other), uses in sorted(arrows.items()):
        if rooms.index(other) < rooms.index(room):
            for path, how in uses:
                yield f"{path} {how}, which is to the left"


def print_arrows(arrows, rooms):
    print("Folders from left to right, those that each uses, and how many of its files do:")
    for room in rooms:
        uses = [f"{other} {len({path for path, _ in arrows[room, other]})}" for other in rooms
                if arrows.get((room, other))]
        lines = textwrap.wrap(", ".join(uses) or "-", MOST_COLUMNS - 27)
        print(f"  {room:24} " + ("\n" + " " * 27).join(lines))


def dot(arrows, rooms):
    lines = [f'  "{room}" -> "{other}" [label={len({path for path, _ in uses})}];'
             for (room, other), uses in sorted(arrows.items()) if uses]
    return "\n".join(["digraph rooms {", "  rankdir=LR; node [shape=box];",
                      *(f'  "{room}";' for room in rooms), *lines, "}", ""])


# ---- circles between files -----------------------------------------------------------------------

def circles(graph):
    """Sets of files that reach each other: Tarjan's components of more than one file."""
    number, low, stack, found = {}, {}, [], []

    def visit(path):
        number[path] = low[path] = len(number)
        stack.append(path)
        for other in sorted(graph[path]):
            if other not in number:
                visit(other)
            if other in stack:
                low[path] = min(low[path], low[other])
        if low[path] == number[path]:
            found.append(set(stack[stack.index(path):]))
            del stack[stack.index(path):]

    for path in sorted(graph):
        if path not in number:
            visit(path)
    return [component for component in found if len(component) > 1]


def check_circles(graph):
    for circle in circles(graph):
        if any(circle <= set(files.split()) for files in exceptions.CIRCLES):
            continue
        uses = [f"    {path} calls {name} of {other}" for path in sorted(circle)
                for other, name in sorted(graph[path].items()) if other in circle]
        yield f"{' '.join(sorted(circle))} call each other in a circle:\n" + "\n".join(uses)


# ---- lengths -------------------------------------------------------------------------------------

def functions(code):
    """(name, first line from 1, how many lines) of each function that is defined in C code."""
    lines = code.split("\n")
    for end, line in enumerate(lines):
        if line != "}":
            continue
        begin = end
        while begin and lines[begin] != "{":
            begin -= 1
        while begin and re.match(r"\S|\s+\S.*[,)]$",
                                 lines[begin - 1]) and not re.search(r"[;}]$|^#", lines[begin - 1]):
            begin -= 1
        found = re.search(r"(\w+)\(", lines[begin])
        if found:
            yield found[1], begin + 1, end - begin + 1


def check_functions(path, code):
    for name, line, length in functions(code):
        if length > MOST_LINES_OF_FUNCTION:
            yield f"{path}:{line}: {name} has {length} lines, at most {MOST_LINES_OF_FUNCTION}"


def check_static_arrays(path, code):
    for number, line in enumerate(code.split("\n"), 1):
        if re.match(r"\s+static (?!const)[^(=]*\[", line):
            yield f"{path}:{number}: an array in static memory of a function"


def check_speaking(path, code):
    """Only these rooms print errors and read the environment."""
    for number, line in enumerate(code.split("\n"), 1):
        found = re.search(r"\b(stderr|getenv)\b", line)
        if found and not path.startswith(SPEAKING):
            yield f"{path}:{number}: {found[1]}, which is for {', '.join(SPEAKING)}"


def check_columns(path, text):
    for number, line in enumerate(text.split("\n"), 1):
        if len(line) > MOST_COLUMNS and not (path.endswith(".md") and TABLE_OR_LINK.match(line)):
            yield f"{path}:{number}: {len(line)} columns, at most {MOST_COLUMNS}"


def check_file(path):
    text = read(path)
    yield from check_columns(path, text)
    length = text.count("\n")
    if path.endswith((".c", ".h", ".py")) and length > MOST_LINES_OF_FILE:
        yield f"{path}: {length} lines, at most {MOST_LINES_OF_FILE}"
    if path.endswith(".c"):
        yield from check_functions(path, without_comments(text))
        if path.startswith(("compiler/", "ir/", "backend/")):
            yield from check_static_arrays(path, without_comments(text))
            yield from check_speaking(path, without_comments(text))


# --------------------------------------------------------------------------------------------------

def without_exceptions(wrong):
    """What is no exception; and exceptions that nothing needs any more."""
    needed = set()
    for line in wrong:
        found = [pattern for pattern in exceptions.PATTERNS if fnmatch.fnmatchcase(line, pattern)]
        needed.update(found)
        if not found:
            yield line
    for pattern in exceptions.PATTERNS:
        if pattern not in needed:
            yield f"structure_exceptions.py: nothing needs '{pattern}' any more"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dot", metavar="FILE")
    args = parser.parse_args()
    files = list(project_files())
    sources, rooms = Sources(files), [room for folder in FOLDERS for room in rooms_of(folder)]
    called = calls(sources)
    arrows = arrows_of(sources, called, rooms)
    print_arrows(arrows, rooms)
    if args.dot:
        with open(args.dot, "w", encoding="utf-8") as file:
            file.write(dot(arrows, rooms))
    wrong = [*check_arrows(arrows, rooms), *check_circles(called)]
    for path in files:
        wrong += check_file(path) if path.endswith(CHECKED) else []
    wrong = list(without_exceptions(wrong))
    for line in wrong:
        print(f"FAILED {line}")
    print(f"{len(sources.files)} C files, {len(wrong)} failed")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
