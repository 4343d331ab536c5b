#!/usr/bin/env python3
"""How the code is laid out: which folder uses which, and whether functions, files and lines are short.

    structure.py [--dot FILE]

Prints a table of arrows between folders, with how many files include something there. It fails on an
arrow that goes to the left, on files that use each other in a circle, on what is too long and on
arrays in static memory of a function. structure_exceptions.py lists what may stay, with the reason.
--dot writes the arrows for Graphviz: structure.py --dot rooms.dot && dot -Tsvg rooms.dot.
"""
import argparse
import collections
import glob
import os
import re
import subprocess
import sys

import structure_exceptions as exceptions

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# From left to right: a folder uses those after it. compiler/ and ir/ have rooms of their own.
FOLDERS = ["compiler", "backend", "ir", "runtime"]
MOST_LINES_OF_FUNCTION, MOST_LINES_OF_FILE, MOST_COLUMNS = 50, 500, 100
SHORT_LINES = (".c", ".h", ".def", ".py", ".sh", ".md", "CMakeLists.txt", ".ci/run")


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


def rooms_of(folder):
    """The rooms of a folder from left to right, as its CMakeLists.txt lists them from right to left."""
    found = re.search(r"^set\(rooms\s+([^)]*)\)", read(f"{folder}/CMakeLists.txt"), re.M)
    return [folder] + [f"{folder}/{room}" for room in reversed(found[1].split())] if found else [folder]


def project_files():
    """What git knows, or would if it were added."""
    listed = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT,
                            stdout=subprocess.PIPE, text=True, check=False)
    files = listed.stdout.split("\n") if listed.returncode == 0 else [
        os.path.relpath(path, ROOT) for path in glob.glob(f"{ROOT}/**/*", recursive=True)]
    return sorted(path for path in files if os.path.isfile(os.path.join(ROOT, path)))


def without_comments(text):
    """C without comments and string literals, which keep their lines."""
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"',
                  lambda found: "\n" * found[0].count("\n") or '""', text, flags=re.S)


# ---- which folder uses which -----------------------------------------------------------------------

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

    def includes(self, path):
        found = re.findall(r'^#include ["<]([^">]+)[">]', self.text[path], re.M)
        return [other for other in (self.find(path, name) for name in found) if other]


def room_of(path, rooms):
    """The innermost room that a file lies in."""
    return max((room for room in rooms if path.startswith(room + "/")), key=len)


def arrows_of(sources, rooms):
    """{(room, room it uses): the files that include something there, and what}"""
    arrows = collections.defaultdict(list)
    for path in sources.files:
        here = room_of(path, rooms)
        for other in sources.includes(path):
            if room_of(other, rooms) != here:
                arrows[here, room_of(other, rooms)].append((path, other))
    return arrows


def check_arrows(arrows, rooms):
    for (room, other), uses in sorted(arrows.items()):
        if rooms.index(other) < rooms.index(room):
            for path, included in uses:
                yield f"{path} includes {included}: {room} stands to the right of {other}"


def print_arrows(arrows, rooms):
    print("Folders from left to right; each with those it uses, and how many of its files include them:")
    for room in rooms:
        uses = [f"{other} {len({path for path, _ in arrows[room, other]})}" for other in rooms
                if arrows.get((room, other))]
        print(f"  {room:24} {', '.join(uses) or '-'}")


def dot(arrows, rooms):
    lines = [f'  "{room}" -> "{other}" [label={len({path for path, _ in uses})}];'
             for (room, other), uses in sorted(arrows.items()) if uses]
    return "\n".join(["digraph rooms {", "  rankdir=LR; node [shape=box];",
                      *(f'  "{room}";' for room in rooms), *lines, "}", ""])


# ---- circles between files ---------------------------------------------------------------------------

FUNCTION = re.compile(r"^(?!static|typedef|struct \w+ \{|enum|#)\w[\w *]*?\**(\w+)\(([^;{}()]|\([^()]*\))*\)\n\{", re.M)


def expanded(sources, path):
    """The code of a file with the tables (*.def) that it includes."""
    return sources.code[path] + "".join(sources.code[other] for other in sources.includes(path)
                                        if other.endswith(".def"))


def uses_between_files(sources):
    """{file: {file whose functions it names: one of them}}"""
    home = {}
    for path in sources.files:
        if path.endswith(".c"):
            for found in FUNCTION.finditer(sources.code[path]):
                home[found[1]] = path
    graph = {}
    for path in set(home.values()):
        graph[path] = {home[name]: name for name in re.findall(r"\b[a-z]\w+\b", expanded(sources, path))
                       if home.get(name, path) != path}
    return graph


def circles(graph):
    """Sets of files that reach each other (Tarjan's components of more than one file)."""
    number, low, stack, found = {}, {}, [], []

    def visit(path):
        number[path] = low[path] = len(number)
        stack.append(path)
        for other in graph.get(path, ()):
            if other not in number:
                visit(other)
            if other in stack:
                low[path] = min(low[path], low[other])
        if low[path] == number[path]:
            component = set(stack[stack.index(path):])
            del stack[stack.index(path):]
            found.append(component)

    for path in sorted(graph):
        if path not in number:
            visit(path)
    return [component for component in found if len(component) > 1]


def check_circles(graph):
    for circle in circles(graph):
        if any(circle <= set(files) for files in exceptions.CIRCLES):
            continue
        uses = [f"    {path} calls {name} of {other}" for path in sorted(circle)
                for other, name in sorted(graph[path].items()) if other in circle]
        yield "these files use each other in a circle:\n" + "\n".join(uses)


# ---- lengths -----------------------------------------------------------------------------------------

def functions(code):
    """(name, first line from 1, how many lines) of each function that is defined in C code."""
    lines = code.split("\n")
    for end, line in enumerate(lines):
        if line != "}":
            continue
        begin = end
        while begin and lines[begin] != "{":
            begin -= 1
        while begin and re.match(r"\S|\s+\S.*[,)]$", lines[begin - 1]) and not re.search(r"[;}]$|^#", lines[begin - 1]):
            begin -= 1
        found = re.search(r"(\w+)\(", lines[begin])
        if found:
            yield found[1], begin + 1, end - begin + 1


def check_functions(path, code):
    for name, line, length in functions(code):
        if length > MOST_LINES_OF_FUNCTION and f"{path}:{name}" not in exceptions.LONG_FUNCTIONS:
            yield f"{path}:{line}: {name} has {length} lines, at most {MOST_LINES_OF_FUNCTION}"


def check_static_arrays(path, code):
    for number, line in enumerate(code.split("\n"), 1):
        if re.match(r"\s+static (?!const)[^(=]*\[", line):
            yield f"{path}:{number}: an array in static memory of a function: {line.strip()}"


def check_length(path, text):
    length = text.count("\n")
    if length > MOST_LINES_OF_FILE and path not in exceptions.LONG_FILES:
        yield f"{path}: {length} lines, at most {MOST_LINES_OF_FILE}"


def check_columns(path, text):
    if path in exceptions.WIDE_FILES:
        return
    for number, line in enumerate(text.split("\n"), 1):
        if len(line) > MOST_COLUMNS and not (path.endswith(".md") and re.match(r"\||!?\[|    |\S+$", line)):
            yield f"{path}:{number}: {len(line)} columns, at most {MOST_COLUMNS}"


def check_lengths(files):
    for path in files:
        if path.endswith(SHORT_LINES):
            text = read(path)
            yield from check_columns(path, text)
            if path.endswith((".c", ".h", ".py")):
                yield from check_length(path, text)
            if path.endswith(".c"):
                code = without_comments(text)
                yield from check_functions(path, code)
                yield from check_static_arrays(path, code)


def check_exceptions(files):
    """An exception that nothing needs any more has to go."""
    named = {path for circle in exceptions.CIRCLES for path in circle}
    named |= {name.split(":")[0] for name in exceptions.LONG_FUNCTIONS}
    named |= {*exceptions.LONG_FILES, *exceptions.WIDE_FILES}
    for path in sorted(named - set(files)):
        yield f"structure_exceptions.py names {path}, which is not there"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dot", metavar="FILE")
    args = parser.parse_args()
    files = project_files()
    sources, rooms = Sources(files), [room for folder in FOLDERS for room in rooms_of(folder)]
    arrows = arrows_of(sources, rooms)
    print_arrows(arrows, rooms)
    if args.dot:
        with open(args.dot, "w", encoding="utf-8") as file:
            file.write(dot(arrows, rooms))
    wrong = [*check_arrows(arrows, rooms), *check_circles(uses_between_files(sources)),
             *check_lengths(files), *check_exceptions(files)]
    for line in wrong:
        print(f"FAILED {line}")
    print(f"{len(sources.files)} C files, {len(wrong)} failed")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
