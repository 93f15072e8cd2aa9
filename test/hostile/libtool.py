# Copyright 2026 The MTLS for OpenSSL authors.
# SPDX-License-Identifier: Apache-2.0

"""The tool under test, and a peer of it that says what it likes.

A file of cases calls run() at its end: every case must leave the server
alive, without growth, and serving others.
"""

import atexit
import json
import os
import resource
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time

import libwire as wire

TOOL = os.environ["MTLS"]
DIR = tempfile.mkdtemp(prefix="mtls-hostile.")
CASES = []
# A build with sanitizers is slow, and its memory says nothing.
SANITIZED = b"__asan_init" in open(TOOL, "rb").read()
PATIENCE = 30 if SANITIZED else 10


def clean_up():
    for p in Tool.running:
        if p.poll() is None:
            p.kill()
            p.wait()
    shutil.rmtree(DIR, ignore_errors=True)


def openssl(*arguments):
    subprocess.run(("openssl",) + arguments, check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def path(name):
    return os.path.join(DIR, name)


def make_certificates():
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc",
           "-days", "2")
    openssl("req", "-x509", *key, "-subj", "/CN=ca", "-keyout", path("ca.key"),
            "-out", path("ca.pem"))
    openssl("req", "-x509", *key, "-subj", "/CN=server", "-CA", path("ca.pem"),
            "-CAkey", path("ca.key"), "-addext",
            "subjectAltName=DNS:localhost,IP:127.0.0.1", "-addext",
            "basicConstraints=critical,CA:FALSE", "-keyout", path("key.pem"),
            "-out", path("cert.pem"))


def wait_for(what, seconds=PATIENCE):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        answer = what()
        if answer:
            return answer
        time.sleep(0.02)
    return None


class Tool:
    """A running command of the tool, with -json."""

    running = []

    def __init__(self, *arguments, limit=None, stdin=subprocess.DEVNULL,
                 program=(TOOL,)):
        self.log = tempfile.NamedTemporaryFile(dir=DIR, delete=False)
        before = None
        if limit:
            def before():
                resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
        self.process = subprocess.Popen(
            program + arguments + ("-json",), stdin=stdin,
            stdout=subprocess.PIPE, stderr=self.log, preexec_fn=before)
        self.process.mtls_log = self.log.name
        Tool.running.append(self.process)
        self.pid = self.process.pid

    def events(self, kind=None):
        with open(self.log.name, "rb") as f:
            lines = f.read().split(b"\n")[:-1]  # those that are whole
        found = []
        for line in lines:
            # Every octet of a line must be fit for a terminal.
            assert all(0x20 <= c < 0x7f for c in line), line
            found.append(json.loads(line))
        return [e for e in found if kind in (None, e["event"])]

    def port(self, number=0):
        got = wait_for(lambda: len(self.events("listening")) > number and
                       self.events("listening")[number]["address"])
        assert got, self.text()
        return int(got.rpartition(":")[2])

    def text(self):
        with open(self.log.name, "rb") as f:
            return f.read().decode(errors="replace")

    def rss(self):
        with open("/proc/%d/status" % self.pid) as f:
            return int(f.read().partition("VmRSS:")[2].split()[0])

    def alive(self):
        return self.process.poll() is None

    def stop(self):
        for number in (signal.SIGTERM, signal.SIGTERM):
            if self.alive():
                self.process.send_signal(number)
                try:
                    self.process.wait(1)
                except subprocess.TimeoutExpired:
                    pass
        return self.process.wait(PATIENCE)


def server(*arguments, **more):
    return Tool("s_server", "-accept", "127.0.0.1:0", "-cert",
                path("cert.pem"), "-key", path("key.pem"), *arguments, **more)


class Peer:
    """One TLS connection, and MTLS by hand on it."""

    def __init__(self, stream):
        self.stream = stream
        self.buffer = bytearray()
        self.half = 0

    @classmethod
    def connect(cls, tool, version=ssl.TLSVersion.TLSv1_3, session=None,
                seconds=PATIENCE):
        context = ssl.create_default_context(cafile=path("ca.pem"))
        context.minimum_version = context.maximum_version = version
        raw = socket.create_connection(("127.0.0.1", tool.port()), seconds)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        peer = cls(context.wrap_socket(raw, server_hostname="localhost",
                                       suppress_ragged_eofs=False,
                                       session=session))
        peer.context = context
        return peer

    def send(self, *packets):
        self.stream.sendall(b"".join(packets))

    def packet(self, seconds=PATIENCE):
        """The next packet; None at close_notify; TimeoutError."""
        self.stream.settimeout(seconds)
        while True:
            packet, size = wire.decode(self.buffer)
            if packet:
                del self.buffer[:size]
                return packet
            got = self.stream.recv(65536)
            if not got:
                return None
            self.buffer += got

    def expect(self, kind, **fields):
        """The next packet of this kind, with these fields."""
        while True:
            p = self.packet()
            assert p, "the session ended instead of %d %s" % (kind, fields)
            if p.kind == kind and all(getattr(p, n) == v
                                      for n, v in fields.items()):
                return p

    def silent(self, seconds=0.3):
        """Nothing comes for a while."""
        try:
            p = self.packet(seconds)
        except TimeoutError:
            return
        raise AssertionError("%r instead of nothing" % p)

    def next_half(self):
        self.half += 2
        return self.half

    def open(self, host="echo.example", port=7, **more):
        half = self.next_half()
        self.send(wire.request(half, host, port, **more))
        return self.expect(wire.SUCCESS, half=half).channel

    def refused(self, packet, half=None):
        """The text of the Echec that answers it."""
        self.send(packet)
        return self.expect(wire.ECHEC, half=half or self.half).text

    def read(self, channel, size):
        got = b""
        while len(got) < size:
            got += self.expect(wire.DATA, channel=channel).octets
        return got

    def echoes(self, channel, octets=b"are you there?"):
        self.send(wire.data(channel, octets))
        assert self.read(channel, len(octets)) == octets

    def works(self):
        """The session goes on: a new channel opens, echoes and closes."""
        channel = self.open()
        self.echoes(channel)
        self.send(wire.data(channel), wire.close(channel))
        self.expect(wire.CONFIRMATION, channel=channel)

    def closes(self, channel):
        """The other end gives this channel up, and only this one (C)."""
        self.expect(wire.CLOSE, channel=channel)
        self.send(wire.confirmation(channel))
        self.works()

    def ends(self):
        """The session ends with close_notify, without an alert (S)."""
        while self.packet():
            pass

    def close(self):
        try:
            self.stream.close()
        except OSError:
            pass


def case(name):
    def add(function):
        CASES.append((name, function))
        return function
    return add


def others_unharmed(tool):
    assert tool.alive(), "the tool has ended: " + tool.text()[-2000:]
    if "s_server" in tool.process.args:
        peer = Peer.connect(tool)
        peer.works()
        peer.close()


def run(make_tool):
    """Runs every case against what |make_tool| starts; exits."""
    failures = 0
    wanted = sys.argv[1:]
    tool = make_tool()
    for name, function in CASES:
        if wanted and name.split()[0] not in wanted:
            continue
        try:
            function(tool)
            if tool:
                others_unharmed(tool)
            print("ok -", name, flush=True)
        except Exception as e:
            failures += 1
            print("NOT OK -", name, "-", type(e).__name__, e, flush=True)
            if os.environ.get("MTLS_TEST_TRACE"):
                for t in Tool.running[-2:]:
                    print(open(t.mtls_log).read()[-3000:])
                raise
            if tool and not tool.alive():
                tool = make_tool()
    if tool:
        status = tool.stop()
        if status != 0:
            failures += 1
            print("NOT OK - the tool's status:", status, tool.text()[-3000:])
    sys.exit(failures != 0)


atexit.register(clean_up)
make_certificates()
