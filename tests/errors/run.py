"""Gives the driver files that are wrong and compares what it says with what it has to say.

usage: run.py SANC [NAME...]

constants.py, edits.py, models.py (fields.py, residual.py), texts.py and weights.py are the tables of
files, files.py holds what is about the file system.
"""
import os
import re
import sys
import tempfile

import constants
import edits
import files
import models
import texts
import weights

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'numeric'))
import common  # noqa: E402

INPUT = 3  # the exit status of a wrong input


def write(path, content):
    content, size = content if isinstance(content, tuple) else (content, None)
    with open(path, 'wb') as file:
        file.write(content.encode() if isinstance(content, str) else content)
        if size is not None:
            file.truncate(size)


def without_lines(said, folder):
    """What was said without the lines of files below it, and what is wrong with those, or None.

    Below FILE:LINE:COLUMN: stands the line, or the part around the column, and a caret under the
    column.
    """
    messages, why, place, shown = [], None, None, None
    for line in said.splitlines(keepends=True):
        found = re.match(r'(\S+):(\d+):(\d+): error: ', line)
        if found and place:
            why = why or f'no line below {messages[-1]}'
        if re.match(r' *\d+ \| ', line) and place:
            shown = line
        elif re.match(r' +\| +\^\n', line) and shown:
            with open(os.path.join(folder, place[0]), 'rb') as file:
                text = file.read().split(b'\n')[int(place[1]) - 1]
            character = text[int(place[2]) - 1:].decode(errors='replace')[:1] or '\n'
            wanted = ' ' if character < ' ' and character != '\n' else '?' if character == '\ufffd' else character
            if shown[line.index('^')] != wanted:
                why = why or f"the caret is under {shown[line.index('^')]!r}, not under {wanted!r}"
            place = shown = None
        else:
            messages.append(line)
            place = found.groups() if found else None
    return ''.join(messages), why


def check(sanc, words, folder, expected):
    """What is wrong with a run that has to end with these lines and leave nothing behind, or
    None."""
    before = sorted(os.listdir(folder))
    status, printed, whole = sanc.run(*words, cwd=folder)
    said, why = without_lines(whole, folder)
    if why:
        return f'{why}\n{whole}'
    wanted = ''.join(line + '\n' for line in expected)
    if status != INPUT or said != wanted or printed:
        return f'status {status}, expected {INPUT}\n--- said\n{said}--- expected\n{wanted}'
    left = sorted(set(os.listdir(folder)) - set(before))
    return f'left behind: {left}' if left else None


def check_model(sanc, folder, name, content, *lines):
    write(f'{folder}/{name}.json', content)
    return check(sanc, ['stats', f'{name}.json'], folder, [f'{name}.json{line}' for line in lines])


def check_weights(sanc, folder, name, content, *lines):
    file = f'{name}.safetensors'
    write(f'{folder}/{file}', content)
    words = ['compile', 'model.json', '-w', file, '-o', f'{name}.o']
    try:
        return check(sanc, words, folder, [f'{file}: error: {line}' for line in lines])
    finally:
        os.unlink(f'{folder}/{file}')  # some are large


def check_matrix(sanc, folder, old, new, at, message):
    """A text with matrix loops: one error, where `at` stands first."""
    text = texts.swap(old, new, texts.MATRIX)
    return check_said(sanc, folder, text, texts.place(text.replace(at, '<' + at, 1))[1], message)


def check_text(sanc, folder, old, new, message):
    """A text of the IR: one error, at the place marked in `new`."""
    text, place = texts.place(texts.swap(old, new))
    return check_said(sanc, folder, text, place, message)


def check_said(sanc, folder, text, place, message):
    write(f'{folder}/text.sanir', text)
    status, printed, whole = sanc.run('ir', 'text.sanir', cwd=folder)
    said, why = without_lines(whole, folder)
    if why:
        return f'{why}\n{whole}'
    wanted = f'text.sanir:{place[0]}:{place[1]}: error: {message}'
    if status == INPUT and said.startswith(wanted) and said.count('\n') == 1 and not printed:
        return None
    return f'status {status}, expected {INPUT}\n--- said\n{said}--- expected\n{wanted}...'


def check_constant(sanc, folder, kind, value, use, message):
    """A constant that each command refuses."""
    write(f'{folder}/table.sanir', constants.table(kind, value, use))
    write(f'{folder}/good.safetensors', weights.save(weights.good()))
    write(f'{folder}/image.safetensors',
          weights.save({'input': ['F32', [1, 1, 2, 2], weights.f32(1, 2, 3, 4)]}))
    for words in constants.COMMANDS:
        why = check(sanc, words, folder, [f'table.sanir:18:1: error: {message}'])
        if why:
            return f'{" ".join(words)}: {why}'
    return None


def check_edit(sanc, folder, text, old, new, message):
    """An edited dump: one error, at the place marked in `new`, however it is used."""
    text, place = texts.place(texts.swap(old, new, text))
    write(f'{folder}/text.sanir', text)
    write(f'{folder}/good.safetensors', weights.save(weights.good()))
    status, printed, said = sanc.run('compile', 'text.sanir', '-w', 'good.safetensors', '-o',
                                     'text.o', cwd=folder)
    wanted = f'text.sanir:{place[0]}:{place[1]}: error: {message}'
    said, why = without_lines(said, folder)
    if status == INPUT and said.startswith(wanted) and said.count('\n') == 1 and not printed:
        return why
    return f'status {status}, expected {INPUT}\n--- said\n{said}--- expected\n{wanted}...'


def cases(sanc):
    for row in edits.CASES:
        yield 'edit ' + row[-1], lambda folder, row=row: check_edit(sanc, folder, *row)
    for row in constants.CASES:
        yield 'constant ' + row[-1], lambda folder, row=row: check_constant(sanc, folder, *row)
    for row in models.CASES:
        yield 'model ' + row[0], lambda folder, row=row: check_model(sanc, folder, *row)
    for row in weights.CASES:
        yield 'weights ' + row[0], lambda folder, row=row: check_weights(sanc, folder, *row)
    for row in texts.CASES:
        yield 'text ' + row[1], lambda folder, row=row: check_text(sanc, folder, *row)
    for row in texts.MATRIX_CASES:
        yield 'text ' + row[1], lambda folder, row=row: check_matrix(sanc, folder, *row)
    for test in files.CASES:
        yield 'file ' + test.__name__, lambda folder, test=test: test(files.Place(
            sanc.path, folder))


def main():
    sanc = common.Sanc(sys.argv[1])
    counts = {'passed': 0, 'failed': 0, 'skipped': 0}
    for name, test in cases(sanc):
        if sys.argv[2:] and not any(part in name for part in sys.argv[2:]):
            continue
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o755)  # tests that give root up read it too
            write(f'{folder}/model.json', weights.MODEL)
            try:
                why = test(folder)
                result = 'failed' if why else 'passed'
            except files.Skip as reason:
                why, result = str(reason), 'skipped'
        counts[result] += 1
        if why:
            print(f'{result}: {name}: {why}')
    if counts['skipped']:
        print(f"{counts['skipped']} skipped")
    print(f"{counts['passed']} passed, {counts['failed']} failed")
    if counts['failed']:
        return 1
    return 0 if counts['passed'] else common.SKIPPED


if __name__ == '__main__':
    sys.exit(main())
