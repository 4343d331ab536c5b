#!/usr/bin/env python3
"""examples/server under load: 10,000 requests from 64 connections, malformed ones among them.

    server.py SANC [WORD OF CC...]

Every good request gets the digit that the network sees, every other one the status that it has to
get. Memory stays as it is. With -fsanitize=... among the words memory is not compared.
"""
import itertools
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "numeric"))
import common  # noqa: E402

EXAMPLES = os.path.join(common.ROOT, "examples")
REQUESTS, CONNECTIONS, WARM = 10000, 64, 2000
BAD_EVERY = 6  # one of so many requests is not a picture as it should be
GROWTH_KIB = 256
PATIENCE, IDLE = 60, 10  # seconds: for an answer; after which the server closes idle connections
BYTES, PNG = "application/octet-stream", "image/png"


# ---- the server ----------------------------------------------------------------------------------

class Server:
    def __init__(self, program, *options):
        self.process = subprocess.Popen([program, "--port", "0", *map(str, options)],
                                        stdout=subprocess.PIPE, text=True)
        self.address = self.process.stdout.readline().split()[-1]
        self.port = int(self.address.rpartition(":")[2])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def rss_kib(self):
        with open(f"/proc/{self.process.pid}/status", encoding="utf-8") as file:
            return int(re.search(r"VmRSS:\s+(\d+)", file.read())[1])

    def files(self):
        """How many it has open."""
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)


def build(sanc, folder, *words):
    """The program; ends the test as skipped without the libraries."""
    for header, package in ("microhttpd.h", "libmicrohttpd-dev"), ("png.h", "libpng-dev"):
        found = subprocess.run(["cc", "-E", "-include", header, "-x", "c", os.devnull],
                               capture_output=True)
        if found.returncode:
            common.skip(f"no {header} (Debian: {package})")
    common.call("sh", os.path.join(EXAMPLES, "server", "build.sh"), os.path.abspath(sanc), folder,
                "-Werror", *words)
    return os.path.join(folder, "server")


class Connection:
    """A client that keeps its connection until the server ends it."""

    def __init__(self, port):
        self.port, self.socket, self.rest = port, None, b""

    def send(self, data):
        if not self.socket:
            self.socket, self.rest = socket.create_connection(("127.0.0.1", self.port)), b""
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.socket.settimeout(PATIENCE)
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the answer to what is too large comes before all of it is sent

    def close(self):
        if self.socket:
            self.socket.close()
        self.socket = None

    def receive(self):
        """(status, {header: value}, body); status None: the server ended the connection."""
        while b"\r\n\r\n" not in self.rest:
            try:
                piece = self.socket.recv(1 << 16)
            except ConnectionResetError:
                piece = b""
            if not piece:
                self.close()
                return None, {}, b""
            self.rest += piece
        head, _, self.rest = self.rest.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines)
        length = int(headers.get("content-length", 0))
        while len(self.rest) < length:
            self.rest += self.socket.recv(1 << 16)
        body, self.rest = self.rest[:length], self.rest[length:]
        if headers.get("connection") == "close":
            self.close()
        return int(first.split()[1]), headers, body

    def ask(self, data):
        self.send(data)
        return self.receive()


def request(body, kind, method="POST", path="/classify", length=None):
    length = len(body) if length is None else length
    return (f"{method} {path} HTTP/1.1\r\nHost: here\r\nContent-Type: {kind}\r\n"
            f"Content-Length: {length}\r\n\r\n").encode() + body


# ---- pictures ------------------------------------------------------------------------------------

def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(pixels, width=28, height=28):
    rows = b"".join(b"\0" + pixels[y * width:(y + 1) * width] for y in range(height))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(rows, 1)) + chunk(b"IEND", b""))


class Pictures:
    """The 1000 test images as requests, and the digit that the network sees in each."""

    def __init__(self):
        tensors = common.read_safetensors(os.path.join(EXAMPLES, "digits", "images.safetensors"))
        pixels = tensors["image"][1].tobytes()
        self.pixels = [pixels[i:i + 784] for i in range(0, len(pixels), 784)]
        with open(os.path.join(common.ROOT, "tests", "numeric", "digits_expected.txt"),
                  encoding="utf-8") as file:
            self.digits = dict(map(str.split, file))["pairwise"]
        self.requests = [request(png(image), PNG) if i % 2 else request(image, BYTES)
                         for i, image in enumerate(self.pixels)]

    def is_answer(self, n, answer):
        status, headers, body = answer
        if status != 200 or headers["content-type"] != "application/json":
            return False
        found = json.loads(body)
        likely = max(found["classes"], key=lambda row: row["probability"])
        return (found["class"] == likely["class"] == self.digits[n % 1000]
                and [row["class"] for row in found["classes"]] == list("0123456789")
                and abs(sum(row["probability"] for row in found["classes"]) - 1) < 1e-5)


def is_busy(answer):
    status, headers, body = answer
    return status == 503 and headers.get("retry-after") == "1" and "full" in json.loads(body)["error"]


def is_error(answer, status, says):
    return answer[0] == status and says in json.loads(answer[2])["error"]


# ---- what may go wrong ---------------------------------------------------------------------------

GOOD = png(bytes(784))
ONE_PIECE = [  # a name, what is sent, the status, a word of the error
    ("empty", request(b"", PNG), 400, "empty"),
    ("cut PNG", request(GOOD[:-30], PNG), 400, "PNG"),
    ("damaged PNG", request(GOOD[:50] + b"\xff" * 8 + GOOD[58:], PNG), 400, "PNG"),
    ("garbage", request(os.urandom(500), PNG), 400, "no PNG"),
    ("small picture", request(png(bytes(27 * 28), 27), PNG), 400, "27 x 28"),
    ("huge picture", request(GOOD[:8] + chunk(b"IHDR", struct.pack(
        ">IIBBBBB", 900000, 900000, 8, 0, 0, 0, 0)) + GOOD[33:], PNG), 400, "900000"),
    ("a byte too few", request(bytes(783), BYTES), 400, "783"),
    ("too large", request(bytes(300000), PNG), 413, "65536"),
    ("too large, only said", request(b"", PNG, length=1 << 40), 413, "65536"),
    ("too large for a path that is not there", request(bytes(300000), PNG, "GET", "/nowhere"), 404,
     "/classify"),
    ("wrong type", request(GOOD, "image/jpeg"), 415, "image/png"),
    ("no type", request(GOOD, ""), 415, "image/png"),
    ("wrong method", request(b"", BYTES, "GET"), 405, "POST"),
    ("wrong method on /", request(b"abc", BYTES, "POST", "/"), 405, "GET"),
    ("unknown path", request(b"abc", BYTES, "POST", "/nowhere"), 404, "/classify"),
    ("no length", b"POST /classify HTTP/1.1\r\nHost: here\r\n\r\n", 411, "Content-Length"),
    ("chunked", b"POST /classify HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n"
     b"3\r\nabc\r\n0\r\n\r\n", 411, "Content-Length"),
]


def send_half(connection, good):
    connection.send(good[:-100])
    connection.close()
    return True


def send_and_leave(connection, good):
    connection.send(good)
    connection.close()
    return True


def send_no_http(connection, _):
    """The library answers this itself, or ends the connection."""
    status, _, _ = connection.ask(b"\x16\x03\x01 hello\r\n\r\n")
    connection.close()
    return status in (None, 400, 505)


def ask_health(connection, _):
    status, _, body = connection.ask(request(b"", BYTES, "GET", "/health"))
    found = json.loads(body)
    return (status == 200 and found["ok"] is True and found["model"] == "digits_pairwise"
            and 0 <= found["queue"] <= found["queue_limit"])


def ask_page(connection, _):
    status, headers, body = connection.ask(request(b"", BYTES, "GET", "/"))
    return status == 200 and "text/html" in headers["content-type"] and b"</html>" in body


SEVERAL = [send_half, send_and_leave, send_no_http, ask_health, ask_page]


class Load:
    """Clients that share a list of requests, by number."""

    def __init__(self, server, pictures):
        self.server, self.pictures = server, pictures
        self.numbers, self.lock = iter(range(REQUESTS)), threading.Lock()
        self.wrong, self.busy, self.right, self.rss_warm = [], 0, 0, 0

    def count(self, right, what, answer=None):
        with self.lock:
            self.right += right
            if not right:
                self.wrong.append(f"{what}: {answer}")

    def ask_picture(self, connection, n):
        """Again while the queue is full. One of a hundred clients is slow."""
        data = self.pictures.requests[n % 1000]
        while True:
            for piece in [data[:40], data[40:300], data[300:]] if n % 100 == 7 else [data]:
                connection.send(piece)
                time.sleep(0.02 if n % 100 == 7 else 0)
            answer = connection.receive()
            if not is_busy(answer):
                break
            with self.lock:
                self.busy += 1
            time.sleep(0.01)
        self.count(self.pictures.is_answer(n, answer), f"picture {n}", answer)

    def ask_wrongly(self, connection, n):
        kind = n // BAD_EVERY % (len(ONE_PIECE) + len(SEVERAL))
        if kind >= len(ONE_PIECE):
            act = SEVERAL[kind - len(ONE_PIECE)]
            self.count(act(connection, self.pictures.requests[n % 1000]), act.__name__)
            return
        name, data, status, says = ONE_PIECE[kind]
        answer = connection.ask(data)
        while is_busy(answer):
            time.sleep(0.01)
            answer = connection.ask(data)
        self.count(is_error(answer, status, says), name, answer)

    def client(self):
        connection = Connection(self.server.port)
        while True:
            with self.lock:
                n = next(self.numbers, None)
            if n is None:
                break
            if n == WARM:
                self.rss_warm = self.server.rss_kib()
            try:
                (self.ask_picture if n % BAD_EVERY else self.ask_wrongly)(connection, n)
            except (OSError, ValueError, KeyError, IndexError) as error:
                self.count(False, f"request {n}", repr(error))
                connection.close()
        connection.close()

    def run(self):
        clients = [threading.Thread(target=self.client) for _ in range(CONNECTIONS)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()


def check_files(server, before, tally):
    """What clients have left, in whatever state, is closed soon after."""
    for _ in range(50):
        if server.files() <= before:
            return
        time.sleep(0.1)
    tally.check(False, f"{server.files()} files are open, {before} before the load")


def check_load(server, pictures, tally, compare_memory):
    silent, begun = Connection(server.port), time.monotonic()
    silent.send(b"POST /classify HTTP/1.1\r\nHo")
    connect(server, 1)[0].close()
    load, files = Load(server, pictures), server.files()
    load.run()
    seconds = time.monotonic() - begun
    rss = server.rss_kib()
    print(f"{REQUESTS} requests in {seconds:.1f} s, {load.busy} times 503, {load.rss_warm} KiB "
          f"after {WARM} of them and {rss} KiB after all")
    tally.check(load.right == REQUESTS and not load.wrong,
                f"{load.right} of {REQUESTS} right: {load.wrong[:5]}")
    if compare_memory:
        tally.check(rss <= load.rss_warm + GROWTH_KIB, f"memory grows: {load.rss_warm}, {rss} KiB")
    check_files(server, files, tally)
    status = silent.receive()[0]
    seconds = time.monotonic() - begun
    tally.check(status in (None, 408) and IDLE - 1 < seconds,
                f"a silent client is closed with {status} after {seconds:.1f} s")
    tally.check(server.stop() == 0, "SIGTERM: not 0")


# ---- a full queue, and the end -------------------------------------------------------------------

def connect(server, count):
    """Connections that the server has accepted, each with an answer."""
    connections = [Connection(server.port) for _ in range(count)]
    for connection in connections:
        ask_health(connection, None)
    return connections


def ask_at_once(connections, pictures):
    """How many got the right answer, and how many found the queue full."""
    for n, connection in enumerate(connections):
        connection.send(pictures.requests[n])
    answers = [connection.receive() for connection in connections]
    right = sum(pictures.is_answer(n, answer) for n, answer in enumerate(answers))
    return right, sum(map(is_busy, answers))


def check_queue(server, limit, pictures, tally):
    connections = connect(server, CONNECTIONS)
    for _ in range(10):  # this machine may hold the client up for as long as the worker needs
        right, busy = ask_at_once(connections, pictures)
        if busy:
            break
    print(f"{CONNECTIONS} at once for a queue of {limit}: {right} answered, {busy} times 503")
    tally.check(right + busy == CONNECTIONS and right >= limit,
                f"queue of {limit}: {right} right, {busy} busy")
    tally.check(busy == 0 if limit == CONNECTIONS else busy > 0, f"queue of {limit}: {busy} 503")
    one_by_one = [connections[n % 3].ask(pictures.requests[n]) for n in range(100)]
    tally.check(all(map(pictures.is_answer, itertools.count(), one_by_one)),
                "503 though the queue is empty")
    tally.check(server.stop() == 0, "SIGTERM: not 0")


def check_end(server, pictures, tally):
    connections = connect(server, CONNECTIONS)
    fresh = [Connection(server.port) for _ in range(8)]
    slow = connections[0]
    slow.send(pictures.requests[0][:-10])
    server.process.send_signal(signal.SIGSTOP)  # it sees none of this before it sees SIGTERM
    for n, connection in enumerate(connections[1:] + fresh, 1):
        connection.send(pictures.requests[n])
    server.process.send_signal(signal.SIGTERM)
    server.process.send_signal(signal.SIGCONT)
    answers = [connection.receive() for connection in connections[1:] + fresh]
    time.sleep(0.4)
    tally.check(server.process.poll() is None, "it ends before a request that has begun")
    slow.send(pictures.requests[0][-10:])
    answers.insert(0, slow.receive())
    right = sum(pictures.is_answer(n, answer) for n, answer in enumerate(answers))
    tally.check(right == len(answers), f"SIGTERM: {right} of {len(answers)} are answered")
    tally.check(slow.socket is None, "the last answer keeps its connection")
    tally.check(server.process.wait(PATIENCE) == 0, "SIGTERM: not 0")
    try:
        Connection(server.port).send(b"GET")
        tally.check(False, "it still listens")
    except ConnectionRefusedError:
        pass


def check_options(program, server, tally):
    for words, status, says in [(["--port", server.port], 1, "cannot listen on 127.0.0.1:"),
                                (["--port", "65536"], 2, "from 0 to 65535"),
                                (["--threads", "0"], 2, "from 1 to 1024"),
                                (["--queue", "1x"], 2, "--queue must be a number"),
                                (["--max-bytes"], 2, "--max-bytes must be a number"),
                                (["--help"], 2, "usage: server [--port N]")]:
        done = subprocess.run([program, *map(str, words)], capture_output=True, text=True)
        tally.check(done.returncode == status and says in done.stderr,
                    f"{words}: {done.returncode} {done.stderr}")
    tally.check(server.stop() == 0, "SIGTERM: not 0")


def main():
    sanc, words, tally = sys.argv[1], sys.argv[2:], common.Tally()
    with tempfile.TemporaryDirectory() as folder:
        program, pictures = build(sanc, folder, *words), Pictures()
        with Server(program) as server:
            check_options(program, server, tally)
        for limit in 8, CONNECTIONS:
            with Server(program, "--threads", 1, "--queue", limit) as server:
                check_queue(server, limit, pictures, tally)
        with Server(program, "--threads", 1, "--queue", 2 * CONNECTIONS) as server:
            check_end(server, pictures, tally)
        with Server(program, "--threads", 2, "--queue", 32) as server:
            check_load(server, pictures, tally, not any("sanitize" in word for word in words))
    return tally.end()


if __name__ == "__main__":
    sys.exit(main())
