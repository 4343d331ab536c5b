#!/usr/bin/env python3
"""What is made from the tables of sanc and installed: manual pages, completion, highlighting.

    pages.py SANC BUILD

Reads them in BUILD/compiler/install. The manual has to say what `sanc help` does; bash completes
what the tables have; zsh and Vim, where they are installed, take their files; colours of a dump are
the same in Vim and by the TextMate grammar.
"""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "numeric"))
import common  # noqa: E402

COMMANDS = ("compile", "run", "verify", "stats", "ir", "bench", "tune")
COMPLETIONS = (  # what stands before the cursor, what completes it
    ("sanc co", {"compile"}),
    ("sanc help sc", {"schedules"}),
    ("sanc compile --pre", {"--precision"}),
    ("sanc compile --ker", set()),
    ("sanc bench --ker", {"--kernels"}),
    ("sanc compile net.json --precision t", {"tf32"}),
    ("sanc compile net.json --emit obj,la", {"obj,launch"}),
    ("sanc compile --target x86-64-v3,znver5", {"x86-64-v3,znver5"}),
    ("sanc ir --after apply_", {"apply_schedules"}),
    ("sanc run net.json -w wei", {"weights.safetensors"}),
    ("sanc run mod", {"model.json"}),
)
COLOURS = (  # word, its group in Vim, its scope in TextMate
    ("; a comment", "sanirComment", "comment.line.semicolon.sanir"),
    ('"a \\" b"', "sanirString", "string.quoted.double.sanir"),
    ("%12", "sanirIdentifier", "variable.other.sanir"),
    ("28", "sanirNumber", "constant.numeric.sanir"),
    ("kernel", "sanirStatement", "keyword.control.sanir"),
    ("together", "sanirStatement", "keyword.control.sanir"),
    ("batch_norm", "sanirFunction", "support.function.sanir"),
    ("unroll", "sanirType", "storage.type.sanir"),
    ("reflect", "sanirConstant", "constant.language.sanir"),
    ("reflect2", "sanirName", None),
)


def read(folder, name):
    with open(os.path.join(folder, name), encoding="utf-8") as file:
        return file.read()


def words(text):
    return re.sub(r"\s+", " ", text).strip()


def check_manual(sanc, folder, tally):
    """What help prints, but for the layout, stands in the page."""
    for command in COMMANDS:
        text = read(folder, f"sanc-{command}.1")
        text = words(re.sub(r"\\f.|\\&|^\.\w+.*\n", "", text, flags=re.M).replace("\\-", "-"))
        for part in re.split(r"\n(?=\n|  )|\n {2,6}(?=-)", common.call(sanc, "help", command)):
            part = words(re.sub(r"^usage: |^sanc \w+ ", "", part.strip()))
            option = re.match(r"((?:-\w, )?--\S+(?: [A-Z]+)?) (.*)", part)
            for piece in (option.groups() if option else [part.rstrip(".")]):
                tally.check(piece in text, f"sanc-{command}.1 does not say: {piece}")
    if shutil.which("man"):
        done = subprocess.run(["man", "--warnings", "-l", os.path.join(folder, "sanc.1")],
                              capture_output=True, text=True, check=False)
        tally.check(not done.stderr and "sanc-verify(1)" in words(done.stdout),
                    f"man: {done.stderr}{done.stdout}")


def check_bash(folder, tally):
    script = ('source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _sanc || true; '
              'printf "%s\\n" "${COMPREPLY[@]}"')
    with tempfile.TemporaryDirectory() as scratch:
        for name in ("model.json", "weights.safetensors"):
            open(os.path.join(scratch, name), "w", encoding="utf-8").close()
        for line, expected in COMPLETIONS:
            printed = common.call("bash", "-euc", script, "bash", os.path.join(folder, "sanc.bash"),
                                  *line.split(" "), cwd=scratch)
            tally.check(set(printed.split()) == expected, f"{line}: {printed.split()}")


def check_zsh(folder, tally):
    if not shutil.which("zsh"):
        tally.skip("no zsh")
        return
    # compadd's own words, without a terminal: _arguments itself checks what it is given.
    common.call("zsh", "-n", os.path.join(folder, "_sanc"))
    text = read(folder, "_sanc")
    for command in COMMANDS:
        block = re.search(rf"^        {command}\)\n(.*?);;\n", text, re.S | re.M)[1]
        printed = common.call("zsh", "-fc", f"_arguments() {{ print -l -- $# \"$@\" }}\n{block}")
        specs = printed.splitlines()[1:]
        bad = [spec for spec in specs
               if not re.fullmatch(r"(\(-\w --[\w-]+\))?-[\w-]+\[(\\.|[^\[\]\\])*\](:[A-Z]+:.*)?"
                                   r"|:MODEL:_files -g .*", spec)]
        tally.check(len(specs) > 8 and not bad, f"zsh, {command}: {bad}")


def sample():
    return "\n".join(word for word, _, _ in COLOURS) + "\n"


def check_textmate(folder, tally):
    patterns = [(re.compile(pattern["match"]), pattern.get("name"))
                for pattern in json.loads(read(folder, "sanir.tmLanguage.json"))["patterns"]]
    for word, _, scope in COLOURS:
        found = [(pattern.match(word), name) for pattern, name in patterns]
        match, name = next(((match, name) for match, name in found if match), (None, None))
        tally.check(match and match[0] == word and name == scope, f"{word} is {match} {name}")


def check_vim(folder, tally):
    if not shutil.which("vim"):
        tally.skip("no vim")
        return
    with tempfile.TemporaryDirectory() as scratch:
        with open(os.path.join(scratch, "x.sanir"), "w", encoding="utf-8") as file:
            file.write(sample())
        script = (f"let groups = map(range(1, {len(COLOURS)}), "
                  "'synIDattr(synID(v:val, 1, 0), \"name\")')")
        subprocess.run(["vim", "-u", "NONE", "-es", "x.sanir", "-c", "syntax on", "-c",
                        f"source {os.path.join(folder, 'sanir.vim')}", "-c", script,
                        "-c", "call writefile(groups, 'groups')", "-c", "qa!"],
                       cwd=scratch, check=False, capture_output=True, timeout=60)
        groups = read(scratch, "groups").splitlines()
    expected = [group for _, group, _ in COLOURS]
    tally.check(groups == expected, f"Vim's groups are {groups}")


def main():
    tally, folder = common.Tally(), os.path.join(os.path.abspath(sys.argv[2]), "compiler/install")
    check_manual(os.path.abspath(sys.argv[1]), folder, tally)
    check_bash(folder, tally)
    check_zsh(folder, tally)
    check_textmate(folder, tally)
    check_vim(folder, tally)
    return tally.end()


if __name__ == "__main__":
    sys.exit(main())
