# Copyright 2026 The MTLS for OpenSSL authors.
# SPDX-License-Identifier: Apache-2.0

"""Remote forwards (P7): clients that ask a server to listen where they should
not, and servers that open what was not asked for."""

import os
import socket

import libwire as wire
from libserver import Server, ends, over
from libtool import PATIENCE, Peer, Tool, case, path, run, server, wait_for

ALLOWED = ("-echo", "-allow-listen", "127.0.0.1:*", "-allow-listen",
           "127.0.0.2:9")

WHERE = [
    ("listen:127.0.0.1", 0, None), ("listen:localhost", 0, None),
    ("listen:LOCALHOST.", 0, None), ("listen:::ffff:127.0.0.1", 0, None),
    ("listen:127.0.0.1.", 0, None), ("listen:*", 0, b"prohibited"),
    ("listen:0.0.0.0", 0, b"prohibited"), ("listen:::", 0, b"prohibited"),
    ("listen:::ffff:0.0.0.0", 0, b"prohibited"),
    ("listen:127.0.0.2", 0, b"prohibited"),
    ("listen:127.0.0.3", 9, b"prohibited"),
    ("listen:198.51.100.1", 0, b"prohibited"),
    ("listen:unix:/tmp/mtls-remote", 0, b"prohibited"),
    ("listen:unix:/tmp/../x", 0, b"malformed"),
    ("listen:unix:x", 0, b"malformed"), ("listen:", 0, b"malformed"),
    ("listen:0", 0, b"malformed"), ("listen:127.1", 0, b"malformed"),
    ("listen:host.example", 0, b"malformed"),
    ("listen:listen:127.0.0.1", 0, b"malformed"),
    ("listen:127.0.0.1\0", 0, b"malformed"),
]


def listening(peer, channel):
    """The port of the line that says where."""
    line = b""
    while not line.endswith(b"\n"):
        line += peer.expect(wire.DATA, channel=channel).octets
    return int(line.split()[0].rpartition(b":")[2])


def wish(peer, host="listen:127.0.0.1", port=0, **more):
    half = peer.next_half()
    peer.send(wire.request(half, host, port, **more))
    return peer.expect(wire.SUCCESS, half=half).channel


@case("O12 where a server may be told to listen")
def where(tool):
    for host, port, wanted in WHERE:
        peer = Peer.connect(tool)
        peer.send(wire.request(2, host, port))
        p = peer.packet()
        if wanted is None:
            assert p.kind == wire.SUCCESS, (host, p)
            assert listening(peer, p.channel) > 0
        else:
            assert p.kind == wire.ECHEC and p.text.startswith(wanted), (host,
                                                                        p)
        peer.close()


@case("P7 each connection is a Request; it ends with the channel")
def connections(tool):
    peer = Peer.connect(tool)
    channel = wish(peer, source="svc.example", source_port=80)
    port = listening(peer, channel)
    for end in ("success", "echec"):
        s = socket.create_connection(("127.0.0.1", port), PATIENCE)
        s.settimeout(PATIENCE)
        p = peer.expect(wire.REQUEST)
        assert (p.host, p.port) == (b"svc.example", 80), p
        if end == "success":
            peer.send(wire.success(p.half, 7), wire.data(p.half << 16 | 7,
                                                         b"hello"))
            assert s.recv(100) == b"hello"
            peer.send(wire.close(p.half << 16 | 7))
        else:
            peer.send(wire.echec(p.half, b"prohibited: no"))
        assert ends(s)[1] == "reset"
    peer.send(wire.data(channel, b"noise" * 100))
    peer.send(wire.close(channel))
    peer.expect(wire.CONFIRMATION, channel=channel)
    assert wait_for(lambda: socket.socket().connect_ex(("127.0.0.1", port)))
    peer.works()
    peer.close()


@case("P7 more ports than a session may have; all are given back")
def too_many(tool):
    def files():
        return len(os.listdir("/proc/%d/fd" % tool.pid))
    before = files()
    peer = Peer.connect(tool)
    for _ in range(64):
        wish(peer)
    word = peer.refused(wire.request(peer.next_half(), "listen:127.0.0.1", 0))
    assert word.startswith(b"resource-shortage"), word
    peer.works()
    peer.close()
    assert wait_for(lambda: files() <= before)


@case("P7 a client takes what it has asked for, and nothing else")
def client(_):
    target = socket.create_server(("127.0.0.1", 0))
    target.settimeout(PATIENCE)
    where = target.getsockname()[1]
    ours = Server()
    tool = Tool("s_client", "-connect", "localhost:%d" % ours.port, "-CAfile",
                path("ca.pem"), "-R", "0:127.0.0.1:%d" % where)
    peer = ours.accept()
    p = peer.expect(wire.REQUEST)
    assert p.host == b"listen:localhost", p
    word = peer.refused(wire.request(1, "127.0.0.1", where + 1), 1)
    assert word.startswith(b"prohibited"), word
    peer.send(wire.success(p.half, 1))
    channel = p.half << 16 | 1
    peer.send(wire.data(channel, b"\x1b[2J\xff" * 1000 + b"\n" + b"x" * 3000))
    assert wait_for(lambda: tool.events("remote-listening")), tool.text()
    for host in ("127.0.0.1", "127.0.0.2", "localhost", "listen:localhost",
                 "default", "unix:/tmp/x", "::1"):
        for port in (0, where + 1, 22) + (
                () if host == "127.0.0.1" else (where,)):
            word = peer.refused(wire.request(3, host, port), 3)
            assert word.startswith(b"prohibited"), (host, port, word)
    peer.send(wire.request(5, "127.0.0.1", where))
    c = target.accept()[0]
    opened = peer.expect(wire.SUCCESS, half=5).channel
    c.sendall(b"taken")
    assert peer.read(opened, 5) == b"taken"
    over(tool, peer)


@case("P7 a server that refuses, ends it, asks again and again")
def fickle(_):
    ours = Server()
    tool = Tool("s_client", "-connect", "localhost:%d" % ours.port, "-CAfile",
                path("ca.pem"), "-R", "0:127.0.0.1:9")
    peer = ours.accept()
    half = peer.expect(wire.REQUEST).half
    peer.send(wire.success(half, 1), wire.data(half << 16 | 1),
              wire.close(half << 16 | 1))
    half = peer.expect(wire.REQUEST).half  # once more, later
    peer.send(wire.echec(half, b"connect-failed: in use"))
    half = peer.expect(wire.REQUEST).half
    peer.send(wire.success(half, 3))
    over(tool, peer)
    tool = Tool("s_client", "-connect", "localhost:%d" % ours.port, "-CAfile",
                path("ca.pem"), "-R", "0:127.0.0.1:9")
    peer = ours.accept()
    half = peer.expect(wire.REQUEST).half
    peer.send(wire.echec(half, b"\x1b[2Jno"))
    assert tool.process.wait(PATIENCE) == 1
    assert "\\x1b[2Jno" in tool.text()


run(lambda: server(*ALLOWED))
