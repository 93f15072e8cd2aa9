# Copyright 2026 The MTLS for OpenSSL authors.
# SPDX-License-Identifier: Apache-2.0

"""The first messages of DTLS by hand (RFC 6347), from any address in 127.0.0.0/8,
and clients of MTLS over DTLS behind a relay."""

import os
import selectors
import socket
import struct
import time

from libtool import PATIENCE, SANITIZED, Tool, path, wait_for
from librelay import Relay

SUITES = b"\xc0\x2b\xc0\x2f\xc0\x23\xc0\x09\xc0\x13\x00\xff"
EXTENSIONS = (b"\x00\x0a\x00\x06\x00\x04\x00\x1d\x00\x17"  # groups
              b"\x00\x0b\x00\x02\x01\x00"  # points
              b"\x00\x0d\x00\x08\x00\x06\x04\x03\x08\x04\x04\x01"  # signatures
              b"\x00\x17\x00\x00")  # extended master secret
HELLO_VERIFY_REQUEST = 3
# Long enough for an answer where each probe of a starved writer may be lost.
LONG = 12 * PATIENCE


def record(octets, kind=22, epoch=0, number=0, version=b"\xfe\xff"):
    return (bytes([kind]) + version + struct.pack(">HHIH", epoch, 0, number,
                                                  len(octets)) + octets)


def handshake(kind, body, number=0, at=0, size=None):
    size = len(body) - at if size is None else size
    return (bytes([kind]) + struct.pack(">I", len(body))[1:] +
            struct.pack(">H", number) + struct.pack(">I", at)[1:] +
            struct.pack(">I", size)[1:] + body[at:at + size])


def client_hello(cookie=b""):
    random = os.urandom(32)
    return (b"\xfe\xfd" + random + b"\0" + bytes([len(cookie)]) + cookie +
            struct.pack(">H", len(SUITES)) + SUITES + b"\1\0" +
            struct.pack(">H", len(EXTENSIONS)) + EXTENSIONS)


def cookie_of(datagram):
    """The one that a HelloVerifyRequest has; None if it is something else."""
    if datagram[0] != 22 or datagram[13] != HELLO_VERIFY_REQUEST:
        return None
    return datagram[28:28 + datagram[27]]


def address(number):
    return "127.%d.%d.%d" % (32 + (number >> 16), number >> 8 & 255,
                             number & 255)


class Crowd:
    """Clients by hand, each at an address of its own; what all of them sent
    and got."""

    def __init__(self, port, count, host="127.0.0.1"):
        self.sent = self.got = 0
        self.to = (host, port)
        self.sockets = []
        for i in range(count):
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            s.bind((address(i + 1), 0))
            s.setblocking(False)
            self.sockets.append(s)

    def send(self, s, octets):
        self.sent += len(octets)
        s.sendto(octets, self.to)

    def answers(self, seconds=0.0):
        """What has come: (socket, datagram) each."""
        found = []
        selector = selectors.DefaultSelector()
        for s in self.sockets:
            selector.register(s, selectors.EVENT_READ)
        while ready := selector.select(seconds):
            for key, _ in ready:
                data = key.fileobj.recv(65536)
                self.got += len(data)
                found.append((key.fileobj, data))
        selector.close()
        return found

    def cookies(self):
        """Has each ask, again where an answer was lost, until all have one."""
        have = {}
        until = time.monotonic() + PATIENCE
        while len(have) < len(self.sockets):
            assert time.monotonic() < until, len(have)
            for s in self.sockets:
                if s not in have:
                    self.send(s, record(handshake(1, client_hello())))
            for s, data in self.answers(0.2):
                cookie = cookie_of(data)
                assert cookie, data[:30]
                have[s] = cookie
        return have

    def close(self):
        for s in self.sockets:
            s.close()


class Watched(Tool):
    """With -msg, whose lines are no JSON."""

    def events(self, kind=None):
        kept, self.log = self.log, self.filtered()
        try:
            return super().events(kind)
        finally:
            self.log = kept

    def filtered(self):
        with open(self.log.name, "rb") as f:
            lines = f.read().splitlines(keepends=True)
        out = open(self.log.name + ".json", "wb+")
        out.writelines(x for x in lines if x.startswith(b"{"))
        out.close()
        return out

    def questions(self):
        """How often it has asked for credit."""
        return self.text().count(">>> MTLS NewMaxPacketLength")


def end(tool):
    """In good order: its channels have to be idle for a second first."""
    tool.process.terminate()
    status = tool.process.wait(LONG)
    assert status == 0, (status, tool.text()[-2000:])


class Journey:
    """A client with -L, a relay, and a server that echoes."""

    def __init__(self, *options):
        self.server = None
        for _ in range(5):  # the relay may find its port taken
            self.server = Tool(
                "s_server", "-accept", "127.0.0.2:0", "-cert",
                path("cert.pem"), "-key", path("key.pem"), "-dtls", "-echo",
                *options)
            try:
                self.relay = Relay(("127.0.0.2", self.server.port()),
                                   "127.0.0.1")
                break
            except OSError:
                self.server.stop()
        self.client = self.another(*options)
        self.sockets = []

    def call(self, *options):
        """One more client; whether it has a session."""
        tool = Watched("s_client", "-connect",
                       "127.0.0.1:%d" % self.server.port(), "-CAfile",
                       path("ca.pem"), "-dtls", "-msg", "-L",
                       "127.0.0.1:0:echo.example:7", *options)
        wait_for(lambda: tool.events("session-open") or not tool.alive(), LONG)
        return tool, bool(tool.events("session-open"))

    def another(self, *options):
        for _ in range(4):  # its patience is 20 s, whatever the machine does
            tool, good = self.call(*options)
            if good:
                return tool
            tool.stop()
        raise AssertionError(tool.text())

    def socket(self, client=None):
        """What has a channel of its own, once it sends something."""
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.connect(("127.0.0.1", (client or self.client).port()))
        s.setblocking(False)
        self.sockets.append(s)
        return s

    def opened(self):
        return len(self.server.events("channel-open"))

    def close(self):
        for s in self.sockets:
            s.close()
        end(self.client)
        end(self.server)
        self.relay.close()


class Talk:
    """One address that sends numbered datagrams, and knows them again."""

    def __init__(self, journey, size=1000, client=None):
        self.s = journey.socket(client)
        self.size = size
        self.number = 0
        self.back = set()

    def datagram(self, number):
        head = b"%d of %d:" % (number, self.s.getsockname()[1])
        return head + bytes([number & 255]) * (self.size - len(head))

    def say(self):
        self.number += 1
        try:
            self.s.send(self.datagram(self.number))
        except OSError:
            pass  # lost

    def hear(self):
        """How many have come back, each as it was."""
        while True:
            try:
                data = self.s.recv(65536)
            except OSError:
                return len(self.back)
            number = int(data.split(b" ")[0])
            assert data == self.datagram(number), data[:40]
            self.back.add(number)

    def flows(self, seconds=LONG):
        """Speaks until something that it says from now on comes back."""
        first = self.number + 1
        until = time.monotonic() + seconds
        while not any(n >= first for n in self.back):
            if time.monotonic() > until:
                return False
            self.say()
            time.sleep(0.02)
            self.hear()
        return True
