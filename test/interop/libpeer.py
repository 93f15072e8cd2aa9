# Copyright 2026 The MTLS for OpenSSL authors.
# SPDX-License-Identifier: Apache-2.0

"""Services and clients that the tests of the tool put at its two ends.

Each service prints "port N" (or "port PATH") once it listens.
"""

import hashlib
import os
import resource
import selectors
import socket
import struct
import sys
import threading
import time


def listen(path=None):
    if path:
        s = socket.socket(socket.AF_UNIX)
        s.bind(path)
    else:
        s = socket.socket()
        s.bind(("127.0.0.1", 0))
    s.listen(1024)
    print("port", path or s.getsockname()[1], flush=True)
    return s


def serve(handler, path=None):
    s = listen(path)
    while True:
        c, _ = s.accept()
        threading.Thread(target=handler, args=(c,), daemon=True).start()


def echo(c):
    """Answers with what it gets, at once, and ends when its peer does."""
    try:
        while data := c.recv(65536):
            c.sendall(data)
        c.shutdown(socket.SHUT_WR)
    except OSError:
        pass
    c.close()


def count(c):
    """Says how many octets it got, after the end."""
    n = 0
    while data := c.recv(65536):
        n += len(data)
    c.sendall(b"%d\n" % n)
    c.close()


def finger(c):
    """Answers a line, as RFC 1288 and RFC 3912 have it, and ends."""
    line = b""
    while not line.endswith(b"\r\n"):
        line += c.recv(1)
    c.sendall(b"Login: %s\r\n" % line.strip())
    c.close()


def reset(c):
    """Sends a little, then resets."""
    c.recv(1)
    c.sendall(b"begin")
    time.sleep(0.2)
    c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    c.close()


def early(c):
    """Ends at once, without reading anything."""
    c.sendall(b"early")
    c.close()


def endless(c):
    """Sends zeros for as long as they are taken."""
    try:
        while True:
            c.sendall(bytes(65536))
    except OSError:
        pass


def deaf(path=None):
    """Listens and never accepts; its backlog is full."""
    s = socket.socket()
    s.bind(("127.0.0.1", 0))
    s.listen(0)
    fill = []
    for _ in range(8):
        f = socket.socket()
        f.setblocking(False)
        try:
            f.connect(s.getsockname())
        except BlockingIOError:
            pass
        fill.append(f)
    print("port", s.getsockname()[1], flush=True)
    time.sleep(1000)


def more_files():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class Download:
    """One HTTP request, read to its end."""

    def __init__(self, port, path):
        self.socket = socket.socket()
        self.socket.setblocking(False)
        self.socket.connect_ex(("127.0.0.1", port))
        self.request = b"GET %s HTTP/1.0\r\n\r\n" % path.encode()
        self.head = b""
        self.digest = None

    def on_writable(self):
        self.request = self.request[self.socket.send(self.request):]
        return not self.request

    def on_readable(self):
        data = self.socket.recv(65536)
        if self.digest is None:
            self.head += data
            head, end, body = self.head.partition(b"\r\n\r\n")
            if end:
                self.digest = hashlib.sha256(body)
        else:
            self.digest.update(data)
        return not data


def downloads(port, path, number, wanted, seconds):
    """So many at the same time; each must give the same digest."""
    more_files()
    selector = selectors.DefaultSelector()
    good = bad = 0
    until = time.time() + float(seconds)
    for _ in range(int(number)):
        d = Download(int(port), path)
        selector.register(d.socket, selectors.EVENT_WRITE, d)
    while good + bad < int(number) and time.time() < until:
        for key, events in selector.select(1):
            d = key.data
            try:
                if events & selectors.EVENT_WRITE:
                    if d.on_writable():
                        selector.modify(d.socket, selectors.EVENT_READ, d)
                    continue
                if not d.on_readable():
                    continue
                ended = d.digest is not None
            except OSError as e:
                print("a download:", e)
                ended = False
            selector.unregister(d.socket)
            d.socket.close()
            if ended and d.digest.hexdigest() == wanted:
                good += 1
            else:
                bad += 1
    print(good, "good,", bad, "bad,", int(number) - good - bad, "unfinished")
    sys.exit(good != int(number))


def pings(port, number, until_pid):
    """Opens, echoes and closes so many at a time, while a process lives."""
    done = 0

    def one(_):
        nonlocal done
        data = os.urandom(64)
        with socket.create_connection(("127.0.0.1", int(port)), 60) as c:
            c.settimeout(60)
            c.sendall(data)
            c.shutdown(socket.SHUT_WR)
            got = b""
            while piece := c.recv(64):
                got += piece
        if got != data:
            print("a ping got something else")
            os._exit(1)
        done += 1

    while True:
        threads = [threading.Thread(target=one, args=(i,))
                   for i in range(int(number))]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        if not os.path.exists("/proc/" + until_pid):
            break
    print(done, "pings", flush=True)
    sys.exit(done < int(number))


def half(port, text):
    """Sends, half-closes, prints the answer: as printf TEXT | nc -N."""
    with socket.create_connection(("127.0.0.1", int(port)), 30) as c:
        c.sendall(text.encode())
        c.shutdown(socket.SHUT_WR)
        while piece := c.recv(4096):
            sys.stdout.write(piece.decode())


def outcome(port, text=""):
    """Prints what comes, then how it ended: end, reset or time."""
    port = int(port) if port.isdigit() else port
    family = socket.AF_INET if isinstance(port, int) else socket.AF_UNIX
    c = socket.socket(family)
    c.settimeout(30)
    n = 0
    try:
        c.connect(("127.0.0.1", port) if isinstance(port, int) else port)
        if text:
            c.sendall(text.encode())
        while piece := c.recv(65536):
            if n == 0:
                print(piece[:60].decode(), flush=True)
            n += len(piece)
        print(n, "end")
    except ConnectionResetError:
        print(n, "reset")
    except TimeoutError:
        print(n, "time")


def stall(port, path, wanted, go, seconds):
    """Starts a download, reads nothing until the file |go| exists."""
    c = socket.create_connection(("127.0.0.1", int(port)), 30)
    c.settimeout(60)
    c.sendall(b"GET %s HTTP/1.0\r\n\r\n" % path.encode())
    print("port 0", flush=True)
    until = time.time() + float(seconds)
    while not os.path.exists(go) and time.time() < until:
        time.sleep(0.1)
    head = b""
    while b"\r\n\r\n" not in head:
        head += c.recv(4096)
    digest = hashlib.sha256(head.partition(b"\r\n\r\n")[2])
    while piece := c.recv(65536):
        digest.update(piece)
    print("digest", "equal" if digest.hexdigest() == wanted else "differs")


HANDLERS = {"echo": echo, "count": count, "reset": reset, "early": early,
            "endless": endless, "finger": finger}
CLIENTS = {"deaf": deaf, "downloads": downloads, "pings": pings, "half": half,
           "outcome": outcome, "stall": stall}

if __name__ == "__main__":
    if sys.argv[1] in HANDLERS:
        serve(HANDLERS[sys.argv[1]], *sys.argv[2:])
    else:
        CLIENTS[sys.argv[1]](*sys.argv[2:])
