"""Tests of `sanc compile --emit report`: the page is whole, its numbers are those of --json, and it
draws itself.

usage: report.py SANC [NAME...]

What needs a browser is done with Chromium, headless, and left out without one. CHROMIUM names
another one.
"""
import html
import json
import os
import re
import shutil
import subprocess
import sys

from run import INPUT, USAGE, V3, WEIGHTS, expect, main

REPORT = ['compile', 'model.json', '--emit', 'report', *V3]
BROWSER = os.environ.get('CHROMIUM') or shutil.which('chromium') or shutil.which('chromium-browser')


def script(page, name):
    return re.search(rf'<script type="application/json" id="{name}">(.*?)</script>', page,
                     re.S).group(1)


def profiled(folder):
    """The page with a profile, and the profile."""
    profile = folder.run('bench', 'model.json', *WEIGHTS, *V3, '--kernels', '--json', '--seconds',
                         '0.02')
    folder.write('profile.json', profile.encode())
    folder.run(*REPORT, '--profile', 'profile.json', '-o', 'net.html')
    return folder.read('net.html').decode(), json.loads(profile)


def test_page_is_whole(folder):
    folder.run(*REPORT, '-o', 'net.html')
    page = folder.read('net.html').decode()
    data = json.loads(script(page, 'data'))
    expect(json.loads(script(page, 'profile')) is None, 'a profile that nobody gave')
    stats = json.loads(folder.run('stats', 'model.json', '--json', *V3))
    expect([kernel['name']
            for kernel in data['kernels']] == [kernel['name'] for kernel in stats['kernels']],
           'kernels')
    dump = folder.run('ir', 'model.json', *V3)
    for kernel in data['kernels']:
        expect(kernel['text'] in dump, f'{kernel["name"]}: its loop form is not that of the dump')
        expect('retq' in kernel['assembly'].split(), f'{kernel["name"]}: no assembly')
        expect(f'cycles = {kernel["cycles"]}, bound = {kernel["bound"]}' in kernel['text'],
               'cycles')
    named = {loop['var'] for kernel in data['kernels'] for loop in kernel['loops']}
    blocks = set(
        re.findall(r'# %for\.(\w+)$', '\n'.join(kernel['assembly'] for kernel in data['kernels']),
                   re.M))
    expect(blocks and blocks <= named, f'blocks of no loop: {blocks - named}')
    for buffer in data['buffers']:
        expect(
            buffer['place'] != 'workspace'
            or buffer['offset'] + buffer['bytes'] <= data['tensor_bytes'], str(buffer))
    without = page.replace('http://www.w3.org/2000/svg', '')
    expect('http' not in without and not re.search(r'\b(src|href|@import|url)\b\s*[=(]', without),
           'not self-contained')


def test_one_page_for_each_target(folder):
    folder.run('compile', 'model.json', '--emit', 'report', '-o', 'net.html')
    for target in ('x86-64-v3', 'x86-64-v4'):
        data = json.loads(script(folder.read(f'net.{target}.html').decode(), 'data'))
        expect(data['target'] == target, data['target'])


def test_profile_of_something_else(folder):
    _, profile = profiled(folder)
    for change, says in [({'model': 'other'}, "the profile's model must be"),
                         ({'target': 'haswell'}, "the profile's target must be"),
                         ({'kernels': 3}, 'the profile has no kernels')]:
        folder.write('wrong.json', json.dumps({**profile, **change}).encode())
        folder.run(*REPORT, '--profile', 'wrong.json', '-o', 'x.html', status=INPUT,
                   says=['wrong.json:1:', says])
    folder.write('wrong.json', b'{"model": ]')
    folder.run(*REPORT, '--profile', 'wrong.json', '-o', 'x.html', status=INPUT,
               says='wrong.json:1:11: error: ')
    folder.run('compile', 'model.json', *WEIGHTS, '--profile', 'profile.json', '-o', 'x.o',
               status=USAGE, says='--emit report')
    folder.run(*REPORT, '--profile', 'profile.json', '-o', 'profile.json', status=USAGE,
               says='is one of the inputs')


def test_strange_labels(folder):
    label = '</script><script>alert(1)</script><!-- & \' \\ é'
    folder.run('ir', 'model.json', *V3, '-o', 'net.sanir')
    text = folder.read('net.sanir').decode()
    old = re.search(r'^kernel \w+ ("[^"]*")', text, re.M).group(1)
    quoted = '"' + label.replace('\\', '\\\\') + '"'
    folder.write('net.sanir', text.replace(old, quoted).encode())
    folder.run('compile', 'net.sanir', '--emit', 'report', '-o', 'net.html')
    page = folder.read('net.html').decode()
    expect(page.count('</script>') == 3 and '<!--' not in page, 'a label ends a script')
    expect(label in [kernel['layers'] for kernel in json.loads(script(page, 'data'))['kernels']],
           'the label')
    return None if not BROWSER else expect(label in html.unescape(draw(folder, page, 1280)),
                                           'the label is not drawn')


# ---- in a browser --------------------------------------------------------------------------------

# The page measures itself in a frame of the width asked for: a window of a browser has a least width.
PROBE = '''<script>addEventListener('load', () => parent.postMessage(JSON.stringify({
  width: innerWidth, wide: document.documentElement.scrollWidth, back: getComputedStyle(document.body).backgroundColor,
  circles: document.querySelectorAll('#roofline circle').length, boxes: document.querySelectorAll('#network g').length,
  tensors: document.querySelectorAll('#workspace rect').length }), '*'));</script></body>'''
FRAME = '''<!DOCTYPE html><meta name="color-scheme" content="light dark"><p id="probe"></p>
<script>addEventListener('message', event => document.getElementById('probe').textContent = event.data);</script>
<iframe src="framed.html" style="border: 0; width: {}px; height: 900px"></iframe>'''


def draw(folder, page, width, dark=False):
    """The page as the browser has it, once it is drawn."""
    folder.write('drawn.html', page.encode())
    done = subprocess.run([
        BROWSER, '--headless', '--no-sandbox', '--disable-gpu',
        f'--user-data-dir={folder / "browser"}', f'--window-size={width + 40},1000',
        f'--blink-settings=preferredColorScheme={0 if dark else 1}', '--virtual-time-budget=5000',
        '--dump-dom', f'file://{folder / "drawn.html"}'
    ], capture_output=True, timeout=180)
    return done.stdout.decode()


def probe(folder, page, width, dark):
    folder.write('framed.html', page.replace('</body>', PROBE).encode())
    drawn = draw(folder, FRAME.format(width), width, dark)
    return json.loads(html.unescape(re.search(r'<p id="probe">(.*?)</p>', drawn).group(1)))


def cells(drawn):
    """Of the table of times: by kernel and column."""
    body = re.search(r'<tbody>(.*?)</tbody>',
                     re.search(r'<table id="times".*?</table>', drawn, re.S).group(0),
                     re.S).group(1)
    return {row[0]: dict(re.findall(r'data-is="(\w+)"[^>]*>([^<]*)<', row[1]))
            for row in re.findall(r'<tr data-kernel="(\w+)"(.*?)</tr>', body, re.S)}


def test_numbers_on_the_page(folder):
    if not BROWSER:
        return 'no Chromium to draw the page'
    page, profile = profiled(folder)
    drawn = draw(folder, page, 1280)
    shown = cells(drawn)
    expect(len(shown) == len(profile['kernels']), 'rows')
    for kernel in profile['kernels']:
        row = shown[kernel['name']]
        for column, value in [('measured', kernel['ms']['median']),
                              ('predicted', kernel['predicted_ms']), ('limit', kernel['limit_ms'])]:
            shown_us = float(row[column].replace(',', ''))
            expect(
                abs(shown_us - 1e3 * value) < 0.06,
                f'{kernel["name"]}: {column} is {shown_us} µs, must be {value} ms')
        expect(row['bound'] == kernel['bound'], f'{kernel["name"]}: {row["bound"]}')
    median = profile['latency_ms']['median']
    for what in (f'{1e3 * median:.1f} µs' if median < 0.1 else f'{median:.3f} ms',
                 f'{profile["ghz"]:.2f} GHz', f'{profile["images_per_second"]:.1f} images/s'):
        expect(what in drawn, f'{what} is not on the page')
    lost = [float(row['lost'].replace(',', '')) for row in shown.values()]
    expect(lost == sorted(lost, reverse=True), 'the table is not sorted by the time lost')
    first = next(kernel for kernel in profile['kernels'] if kernel['name'] == next(iter(shown)))
    for part in ('<li>', f'<h2 id="kernel-name">{first["name"]}', f'{first["flops"]:,}',
                 '<pre id="assembly"><span'):
        expect(part in drawn, f'{part} is not on the page')
    return None


# Presses keys as a person would and says what became of them.
KEYS = '''<script>addEventListener('load', () => {
  const press = key => document.activeElement.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true }));
  const name = () => document.getElementById('kernel-name').textContent;
  const said = {};
  document.querySelector('#network g').focus();
  press('ArrowDown'), press(' '), said.second = name();
  press('End'), press('Enter'), said.last = name(), said.address = location.hash;
  document.querySelector('#roofline g[tabindex="0"]').focus();
  press('ArrowRight'), press('Enter'), said.kept = document.activeElement.dataset.list;
  said.stops = Object.fromEntries(['network', 'roofline', 'times tbody', 'workspace'].map(id =>
    [id, document.querySelectorAll(`#${id} [tabindex="0"]`).length]));
  [...document.querySelectorAll('#times th button')].find(button => button.textContent.startsWith('kernel')).click();
  said.names = [...document.querySelectorAll('#times tbody tr')].map(row => row.dataset.kernel);
  document.getElementById('title').textContent = 'said ' + JSON.stringify(said) + ' end';
});</script></body>'''


def test_keyboard_and_sorting(folder):
    if not BROWSER:
        return 'no Chromium to draw the page'
    page, profile = profiled(folder)
    data = json.loads(script(page, 'data'))
    drawn = draw(folder, page.replace('</body>', KEYS), 1280)
    said = json.loads(html.unescape(re.search(r'said (.*?) end', drawn).group(1)))
    names = [kernel['name'] for kernel in data['kernels']]
    expect(said['second'] == names[1] and said['last'] == names[-1],
           f'arrow keys, Space and Enter choose {said}')
    expect(said['address'] == '#' + names[-1], f'the address is {said["address"]}')
    expect(said['kept'] == 'roofline', 'the focus is lost when the chart is drawn anew')
    expect(set(said['stops'].values()) == {1}, f'stops of the Tab key: {said["stops"]}')
    expect(
        sorted(names, key=str.lower) == sorted(said['names'], key=str.lower)
        and said['names'][0] == min(names), 'sorting by name')
    linked = draw(folder,
                  page.replace('<body>', f'<body><script>location.hash = "{names[2]}"</script>'),
                  1280)
    expect(f'<h2 id="kernel-name">{names[2]}<' in linked, 'a link to a kernel does not choose it')
    return None


def test_page_fits(folder):
    if not BROWSER:
        return 'no Chromium to draw the page'
    page, profile = profiled(folder)
    backs = set()
    for width in (1280, 480):
        for dark in (False, True):
            found = probe(folder, page, width, dark)
            expect(found['width'] == width, f'{found["width"]} pixels, not {width}')
            expect(found['wide'] <= found['width'],
                   f'{width}: {found["wide"]} pixels are wider than the window')
            expect(
                found['boxes'] == len(profile['kernels']) and found['circles'] > 0
                and found['tensors'] > 0, str(found))
            backs.add((dark, found['back']))
    expect(
        len(backs) == 2 and len({back
                                 for _, back in backs}) == 2,
        f'light and dark look the same: {backs}')
    return None


def test_gpu(folder):
    """A row for each kernel: how it is started as the plan says, and registers if there is ptxas."""
    words = ['compile', 'model.json', '--target', 'nvptx:sm_80', '--precision', 'tf32']
    folder.run(*words, '--emit', 'report', '-o', 'net.html')
    folder.run(*words, *WEIGHTS, '--emit', 'ptx,launch', '-o', 'net')
    page, plan = folder.read('net.html').decode(), json.loads(folder.read('net.launch.json'))
    rows = [[re.sub('<.*?>', '', cell) for cell in row.split('<td>')[1:]]
            for row in re.findall(r'<tr><td>.*', page)]
    ptxas = shutil.which('ptxas') or '/usr/local/cuda/bin/ptxas'
    expect(len(rows) == len(plan['kernels']), f'{len(rows)} rows')
    for row, kernel in zip(rows, plan['kernels']):
        expect(row[0] in kernel['name'] and row[1] == kernel['label'], str(row))
        expect([int(row[2]), int(row[3]), int(row[5])]
               == [kernel['grid'][0], kernel['block'][0], kernel['shared_bytes']], str(row))
        expect(int(row[4]) >= 8 if os.path.exists(ptxas) else row[4] == '–', f'registers: {row}')
        expect(int(row[6]) >= 1 and row[7].endswith('%') and row[8] in (
            'grid', 'threads', 'shared memory', 'registers', 'blocks'), f'occupancy: {row}')
        expect(row[12].split(',')[0] in ('FMA', 'matrix units', 'exponentials', 'memory'), str(row))
        expect(f'.entry {kernel["function"]}(' in html.unescape(page), f'no PTX of {row[0]}')
    folder.write('profile.json', b'{}')
    folder.run(*words, '--emit', 'report', '--profile', 'profile.json', '-o', 'x.html',
               status=USAGE, says='--profile FILE is for reports of processors')


if __name__ == '__main__':
    sys.exit(main(globals()))
