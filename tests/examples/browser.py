"""Chromium without a window, driven through its DevTools protocol on a pipe. Standard library
alone."""
import base64
import json
import os
import shutil
import subprocess

BROWSER = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")


class Page:
    """An open page. Chromium reads messages from its file 3 and writes to its file 4, each ended
    by a zero byte."""

    def __init__(self, address, folder):
        (theirs_in, self.to), (self.of, theirs_out) = os.pipe(), os.pipe()
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe",
                   f"--user-data-dir={folder}"]
        self.process = subprocess.Popen(
            ["sh", "-c", f'exec "$@" 3<&{theirs_in} 4>&{theirs_out}', "sh", BROWSER, *options],
            pass_fds=[theirs_in, theirs_out], stderr=subprocess.DEVNULL)
        os.close(theirs_in)
        os.close(theirs_out)
        self.last, self.session, self.said, self.rest = 0, None, [], b""
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "DOM", "Log"):
            self.ask(domain + ".enable")
        self.ask("Page.navigate", url=address)
        self.wait_for('document.readyState === "complete" && location.href !== "about:blank"')

    def close(self):
        self.session = None
        self.ask("Browser.close")
        self.process.wait(60)
        os.close(self.to)
        os.close(self.of)

    def receive(self):
        while b"\0" not in self.rest:
            piece = os.read(self.of, 1 << 16)
            if not piece:
                raise RuntimeError("the browser has ended")
            self.rest += piece
        message, _, self.rest = self.rest.partition(b"\0")
        return json.loads(message)

    def ask(self, method, **parameters):
        self.last += 1
        message = {"id": self.last, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.receive()
            if answer.get("id") == self.last:
                break
            if answer.get("method") in ("Runtime.exceptionThrown", "Log.entryAdded"):
                self.said.append(answer["params"])
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        return answer["result"]

    def value(self, script):
        """Of a script in the page; a promise is waited for."""
        found = self.ask("Runtime.evaluate", expression=script, returnByValue=True,
                         awaitPromise=True)
        if "exceptionDetails" in found:
            raise RuntimeError(f"{script}: {found['exceptionDetails']}")
        return found["result"].get("value")

    def wait_for(self, condition, seconds=20):
        """Until a condition in the page holds."""
        held = self.value(f"""new Promise(done => {{
            const end = performance.now() + {1000 * seconds};
            const look = () => ({condition}) ? done(true)
                : performance.now() > end ? done(false) : setTimeout(look, 10);
            look();
        }})""")
        if not held:
            raise RuntimeError(f"the page has waited {seconds} s for {condition}")

    def choose_files(self, selector, *paths):
        root = self.ask("DOM.getDocument")["root"]["nodeId"]
        node = self.ask("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.ask("DOM.setFileInputFiles", nodeId=node, files=[os.path.abspath(p) for p in paths])

    def mouse(self, kind, x, y, pressed=True):
        self.ask("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1,
                 buttons=int(pressed))

    def drag(self, points):
        """Presses the left button at the first point and releases it at the last."""
        self.mouse("mousePressed", *points[0])
        for point in points[1:]:
            self.mouse("mouseMoved", *point)
        self.mouse("mouseReleased", *points[-1], pressed=False)

    def drop(self, path):
        """A file out of a file manager, on the middle of the window."""
        data = {"items": [], "files": [os.path.abspath(path)], "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "drop"):
            self.ask("Input.dispatchDragEvent", type=kind, x=100, y=100, data=data)

    def look(self, width, dark, height=900):
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height,
                 deviceScaleFactor=1, mobile=False)
        self.ask("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])

    def picture(self, path):
        with open(path, "wb") as file:
            file.write(base64.b64decode(self.ask("Page.captureScreenshot")["data"]))
