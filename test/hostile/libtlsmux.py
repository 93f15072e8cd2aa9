# Copyright 2026 The MTLS for OpenSSL authors.
# SPDX-License-Identifier: Apache-2.0

"""TLSMUX and SOCKS 5 by hand, and a service of this machine to ask for."""

import os
import socket
import ssl
import struct
import threading

from libtool import PATIENCE, path, wait_for

GREETING, CHOICE = b"\5\1\0", b"\5\0"
NONE = b"\0\1" + bytes(6)  # RSV and the address of a refusal

# What is not this machine, and numbers that are no addresses.
DISGUISES = ["0.0.0.0", "0.0.0.1", "::", "::ffff:0.0.0.0", "198.51.100.1",
             "::ffff:198.51.100.1", "::127.0.0.1", "64:ff9b::7f00:1",
             "2001:db8::1", "224.0.0.1", "255.255.255.255", "ff02::1",
             "fe80::1", "126.255.255.255", "128.0.0.1"]
ODD_NAMES = ["2130706433", "017700000001", "0x7f000001", "0x7f.1", "127.1",
             "127.0.0.01", "0177.0.0.1", "0", "0.0.0.0.", "0x0"]


def name(text, port):
    octets = text if isinstance(text, bytes) else text.encode("latin-1")
    return b"\3" + bytes([len(octets)]) + octets + struct.pack(">H", port)


def literal(host, port):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return (b"\4" if ":" in host else b"\1") + \
        socket.inet_pton(family, host) + struct.pack(">H", port)


def request(address, command=1):
    return bytes([5, command, 0]) + address


def connect(tool, context=None):
    raw = socket.create_connection(("127.0.0.1", tool.port()), PATIENCE)
    context = context or ssl.create_default_context(cafile=path("ca.pem"))
    return context.wrap_socket(raw, server_hostname="localhost",
                               suppress_ragged_eofs=False)


def whole(s, n):
    got = b""
    while len(got) < n:
        piece = s.recv(n - len(got))
        assert piece, (got, "and then the end")
        got += piece
    return got


def ends(s):
    """Whatever comes until close_notify; a cut raises."""
    got = b""
    while piece := s.recv(65536):
        got += piece
    return got


def ask(tool, address, command=1):
    s = connect(tool)
    s.sendall(GREETING + request(address, command))
    assert whole(s, 2) == CHOICE
    return s


def reply(s):
    head = whole(s, 4)
    assert head[:1] == b"\5" and head[2] == 0, head
    rest = whole(s, 6 if head[3] == 1 else 18)
    return head[1], rest


def code(tool, address, command=1):
    """The reply's code, and if it refuses that the end follows."""
    s = ask(tool, address, command)
    got = reply(s)
    if got[0]:
        assert got[1] == bytes(6), got
        assert ends(s) == b""
    s.close()
    return got[0]


class Echo:
    """What is on this machine: an echo, by TCP and by UDP."""

    def __init__(self):
        self.tcp = socket.create_server(("127.0.0.1", 0))
        self.port = self.tcp.getsockname()[1]
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", self.port))
        threading.Thread(target=self.accept, daemon=True).start()
        threading.Thread(target=self.datagrams, daemon=True).start()

    def accept(self):
        while True:
            c = self.tcp.accept()[0]
            threading.Thread(target=self.serve, args=(c,), daemon=True).start()

    @staticmethod
    def serve(c):
        try:
            while data := c.recv(65536):
                c.sendall(data)
        except OSError:
            pass
        c.close()

    def datagrams(self):
        while True:
            data, who = self.udp.recvfrom(65536)
            self.udp.sendto(data, who)


def frame(address, data, frag=0, rsv=b"\0\0"):
    octets = rsv + bytes([frag]) + address + data
    return struct.pack(">H", len(octets)) + octets


def datagram(s):
    return whole(s, struct.unpack(">H", whole(s, 2))[0])


def associate(tool):
    s = ask(tool, literal("0.0.0.0", 0), 3)
    assert reply(s) == (0, bytes(6))
    return s


def dropped(tool, s, request_of="udp"):
    """What the line about the end of this connection counts."""
    ours = "127.0.0.1:%d" % s.getsockname()[1]
    s.close()

    def event():
        return [e for e in tool.events("connection-close")
                if e["peer"] == ours and e["request"] == request_of]
    assert wait_for(event), tool.text()[-2000:]
    return event()[0]["dropped"]
