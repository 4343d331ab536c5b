#!/usr/bin/env python3
"""The page of examples/server in Chromium, headless: pictures chosen, dropped and drawn.

    server_page.py SANC [FOLDER]

CHROMIUM names another browser. With a FOLDER, pictures of the page are written there.
"""
import glob
import os
import sys
import tempfile

import browser
import server
from server import common

DIGITS = os.path.join(common.ROOT, "examples", "digits", "png")
SHOWN = "document.getElementById('class').textContent"
SAID = "document.getElementById('said').textContent"
TWO = [(80, 60), (150, 40), (200, 80), (180, 130), (120, 190), (80, 235), (140, 235), (220, 235)]


def on_paper(pixels, folder):
    """A digit as somebody would photograph it: 400 x 300 pixels, black on grey paper, not in the
    middle."""
    paper = bytearray([200] * (400 * 300))
    for y in range(28 * 6):
        for x in range(28 * 6):
            paper[400 * (y + 20) + x + 200] -= pixels[28 * (y // 6) + x // 6] * 3 // 4
    name = os.path.join(folder, "paper.png")
    with open(name, "wb") as file:
        file.write(server.png(bytes(paper), 400, 300))
    return name


def shows(page, digit, tally, what):
    """The digit, its bar as the longest, and percentages that add up to a hundred."""
    try:
        page.wait_for(f"{SHOWN} === '{digit}' && !document.getElementById('class').hidden", 10)
    except RuntimeError:
        tally.check(False, f"{what}: shows {page.value(SHOWN)}, not {digit}; {page.value(SAID)}")
        return
    rows = page.value("[...document.querySelectorAll('#classes li')].map(row => [row.className, "
                      "row.firstChild.textContent, parseFloat(row.lastChild.textContent), "
                      "parseFloat(row.querySelector('.bar').style.width)])")
    best = max(rows, key=lambda row: row[2])
    tally.check(len(rows) == 10 and best[:2] == ["best", digit] and best[3] == max(
        row[3] for row in rows) and abs(sum(row[2] for row in rows) - 100) < 1, f"{what}: {rows}")


def clear(page):
    page.value("document.getElementById('clear').click()")


def check_pictures(page, folder, tally):
    pngs = sorted(glob.glob(os.path.join(DIGITS, "*.png")))
    for path in pngs[::4]:
        page.choose_files("#file", path)
        shows(page, os.path.basename(path)[0], tally, path)
    clear(page)
    page.drop(pngs[9])
    shows(page, os.path.basename(pngs[9])[0], tally, "dropped")
    pictures = server.Pictures()
    for n in range(5):
        clear(page)
        page.choose_files("#file", on_paper(pictures.pixels[n], folder))
        shows(page, pictures.digits[n], tally, f"picture {n} on paper")
    page.drop(__file__)
    page.wait_for(f"{SAID}.includes('server_page.py is no picture')")


def check_drawing(page, tally):
    clear(page)
    tally.check(page.value("document.getElementById('class').hidden"), "cleared, a class is shown")
    left, top = page.value("(box => [box.left, box.top])(pad.getBoundingClientRect())")
    page.drag([(left + x, top + y) for x, y in TWO])
    shows(page, "2", tally, "drawn")


def check_looks(page, folder, tally):
    backs = set()
    for width in (1000, 360):
        for dark in (False, True):
            page.look(width, dark)
            found = page.value("({ wide: document.documentElement.scrollWidth, "
                               "back: getComputedStyle(document.body).backgroundColor })")
            tally.check(found["wide"] <= width, f"{width}: {found['wide']} pixels are too wide")
            backs.add((dark, found["back"]))
            if folder:
                page.picture(os.path.join(folder, f"{width}-{'dark' if dark else 'light'}.png"))
    tally.check(len(backs) == len({back for _, back in backs}) == 2, f"light and dark: {backs}")


def main():
    sanc, pictures, tally = sys.argv[1], (sys.argv[2:] + [None])[0], common.Tally()
    if not browser.BROWSER:
        common.skip("no Chromium to draw the page (tests/install.sh browser)")
    with tempfile.TemporaryDirectory() as folder, server.Server(server.build(sanc, folder)) as running:
        page = browser.Page(running.address, os.path.join(folder, "browser"))
        page.look(1000, False)
        check_pictures(page, folder, tally)
        check_drawing(page, tally)
        check_looks(page, pictures, tally)
        tally.check(not page.said, f"the page complains: {page.said}")
        tally.check(running.stop() == 0, "SIGTERM: not 0")
        clear(page)
        page.value("classify(new Uint8Array(784))")
        tally.check("does not answer" in page.value(SAID), f"without a server: {page.value(SAID)}")
        page.close()
    return tally.end()


if __name__ == "__main__":
    sys.exit(main())
