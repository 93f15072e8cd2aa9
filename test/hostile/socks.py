# Copyright 2026 The MTLS for OpenSSL authors.
# SPDX-License-Identifier: Apache-2.0

"""SOCKS clients that say what they like, to the real s_client -D."""

import socket
import ssl
import struct

import libwire as wire
from libserver import Server
from libtlsmux import (CHOICE, DISGUISES, GREETING, NONE, ODD_NAMES, Echo, ask,
                       ends, literal, name, reply, request, whole)
from libtool import PATIENCE, Tool, case, path, run, server, wait_for

ECHO = Echo()
HERE = literal("127.0.0.1", ECHO.port)
TOOL = server("-tlsmux")


def local(tool, number=0):
    return socket.create_connection(("127.0.0.1", tool.port(number)), PATIENCE)


@case("K1 K2 SOCKS clients on a port of -D")
def clients(_):
    for options in (("-tlsmux",), ()):
        other = TOOL if options else server()
        tool = Tool("s_client", "-connect", "localhost:%d" % other.port(),
                    "-CAfile", path("ca.pem"), "-D", "127.0.0.1:0", *options)
        if not options:
            assert wait_for(lambda: tool.events("session-open"))
        for octets, wanted in (
                (b"\4\1\0\x50\x7f\0\0\1\0", b"\5\xff"), (b"\5\0", b"\5\xff"),
                (b"\5\1\2", b"\5\xff"), (b"GET / HTTP/1.0\r\n\r\n", b"\5\xff"),
                (GREETING + b"\5\4\0" + HERE, CHOICE + b"\5\7" + NONE),
                (GREETING + b"\5\1\0\2", CHOICE + b"\5\10" + NONE),
                (GREETING + b"\5\1\0" + name("a\0b", 1),
                 CHOICE + b"\5\1" + NONE),
                (GREETING + request(literal("198.51.100.1", 1)) + b"early",
                 CHOICE + b"\5\2" + NONE),
                (GREETING + request(literal("127.0.0.1", 1)),
                 CHOICE + b"\5\5" + NONE)):
            s = local(tool)
            s.sendall(octets)
            assert ends(s) == wanted, (options, octets)
            s.close()
        for at in range(0, 13, 3):  # gone in the middle
            s = local(tool)
            s.sendall((GREETING + request(HERE))[:at])
            s.close()
        s = local(tool)
        s.sendall(GREETING + request(HERE) + b"early")
        assert whole(s, 2) == CHOICE and reply(s)[0] == 0
        assert whole(s, 5) == b"early"
        s.close()
        assert tool.stop() == 0, tool.text()[-2000:]


def udp(host="127.0.0.1"):
    u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    u.bind((host, 0))
    u.settimeout(PATIENCE)
    return u


def associated(tool, port=0):
    """The TCP connection, and where datagrams go to."""
    s = local(tool)
    s.sendall(GREETING + request(literal("127.0.0.1", port), 3))
    assert whole(s, 2) == CHOICE
    got, where = reply(s)
    assert got == 0 and where[:4] == b"\x7f\0\0\1"
    return s, ("127.0.0.1", struct.unpack(">H", where[4:])[0])


@case("K5 a local client's datagrams: from others, before it has spoken")
def local_datagrams(_):
    tool = Tool("s_client", "-tlsmux", "-connect", "localhost:%d" %
                TOOL.port(), "-CAfile", path("ca.pem"), "-D", "127.0.0.1:0")
    header = b"\0\0\0" + HERE
    ours, stranger, far = udp(), udp(), udp("127.0.0.9")
    s, relay = associated(tool, ours.getsockname()[1])
    for u in (stranger, far):
        u.sendto(header + b"not mine", relay)
    for octets in (b"", b"\0\0", b"\0\0\1" + HERE + b"x", b"\0\0\0\7",
                   b"\0\0\0" + literal("198.51.100.1", 1) + b"x"):
        ours.sendto(octets, relay)
    ours.sendto(header + b"mine", relay)
    assert ours.recv(100) == header + b"mine"
    for u in (stranger, far):
        u.setblocking(False)
        try:
            assert u.recv(100) and False, "told to a stranger"
        except BlockingIOError:
            pass
    s.close()
    assert wait_for(lambda: [e for e in tool.events("connection-close")
                             if e["dropped"] == 6]), tool.text()
    s, relay = associated(tool)  # its port is that of its first datagram
    far.sendto(header + b"not a client", relay)
    ours.sendto(header + b"first", relay)
    assert ours.recv(100) == header + b"first"
    stranger.sendto(header + b"second", relay)
    ours.sendto(header + b"third", relay)
    assert ours.recv(100) == header + b"third"
    s.close()
    assert tool.stop() == 0


@case("K5 the same over -dtls, where each destination is a channel")
def dtls_datagrams(_):
    other = server("-dtls", "-echo")
    tool = Tool("s_client", "-dtls", "-connect", "localhost:%d" % other.port(),
                "-CAfile", path("ca.pem"), "-D", "127.0.0.1:0")
    assert wait_for(lambda: tool.events("session-open")), tool.text()
    for command in (1, 2):  # there are no channels for these
        s = local(tool)
        s.sendall(GREETING + request(HERE, command))
        assert ends(s) == CHOICE + b"\5\7" + NONE
        s.close()
    ours, stranger, far = udp(), udp(), udp("127.0.0.9")
    s, relay = associated(tool, ours.getsockname()[1])
    header = b"\0\0\0" + HERE
    odd = [b"", b"\0", b"\0\0\0", b"\0\0\0\1", b"\0\0\0\0" + HERE[1:],
           b"\0\0\0\2" + HERE[1:], b"\0\0\0\5" + HERE[1:],
           b"\0\0\1" + HERE, b"\0\0\x80" + HERE, b"\0\1\0" + HERE,
           b"\1\0\0" + HERE, b"\0\0\0" + literal("127.0.0.1", 0)]
    odd += [header[:n] for n in range(4, len(header))]
    odd += [b"\0\0\0\4" + bytes(17), b"\0\0\0\3", b"\0\0\0\3\xffabc"]
    odd += [b"\0\0\0" + name(h, 7) for h in (
        "", "a\0b", "a\nb", "a b", "127.0.0.1\0.x", "unix:/tmp/x", "[::1]",
        "listen:127.0.0.1", "::1%lo", "a" * 255, "a..b", "b\xfccher.example")]
    for octets in odd:
        ours.sendto(octets, relay)
    for u in (stranger, far):
        u.sendto(header + b"not mine", relay)
    for address in (HERE, literal("::1", 9), literal("198.51.100.1", 1),
                    name("a.example", 7), name("A.example", 7),
                    name("a" * 63 + ".x", 65535), name("::1", 9)):
        for size in (0, 1, 1000):
            octets = b"\0\0\0" + address + bytes(size)
            ours.sendto(octets, relay)
            got = ours.recv(70000)
            assert got == octets, (octets[:40], size, got[:40])
    for u in (stranger, far):
        u.setblocking(False)
        try:
            assert u.recv(100) and False, "told to a stranger"
        except BlockingIOError:
            pass
    assert len(tool.events("channel-open")) == 7
    # More destinations than it may have at a time: the oldest make room.
    for port in range(1, 301):
        octets = b"\0\0\0" + literal("192.0.2.1", port) + b"x"
        ours.sendto(octets, relay)
        assert ours.recv(100) == octets
        ours.sendto(header + b"in use", relay)
        assert ours.recv(100) == header + b"in use"
    assert len(tool.events("channel-close")) == 51
    s.close()
    assert wait_for(lambda: len(tool.events("channel-close")) == 307)
    over = tool.events("udp-close")
    assert [(e["channels"], e["dropped"]) for e in over] == \
        [(307, len(odd) + 2)], over
    s, relay = associated(tool)
    for _ in range(5000):  # more than anybody waits for
        ours.sendto(header + bytes(1000), relay)
    second, relay = associated(tool)
    stranger.setblocking(True)
    stranger.settimeout(PATIENCE)
    stranger.sendto(header + b"unharmed", relay)
    assert stranger.recv(100) == header + b"unharmed"
    assert tool.stop() == 0, tool.text()[-2000:]
    assert other.stop() == 0


@case("K5 O12 destinations in every disguise, over -dtls")
def dtls_disguises(_):
    other = server("-dtls")
    tool = Tool("s_client", "-dtls", "-connect", "localhost:%d" % other.port(),
                "-CAfile", path("ca.pem"), "-D", "127.0.0.1:0")
    assert wait_for(lambda: tool.events("session-open")), tool.text()
    ours = udp()
    s, relay = associated(tool)
    addresses = [form(host, ECHO.port) for host in DISGUISES
                 for form in (literal, name)]
    for host in ODD_NAMES:  # which the client does not even ask for
        ours.sendto(b"\0\0\0" + name(host, ECHO.port) + b"x", relay)
    for number, address in enumerate(addresses):
        ours.sendto(b"\0\0\0" + address + b"x", relay)
        assert wait_for(
            lambda: len(other.events("channel-close")) > number), address
        end = other.events("channel-close")[-1]
        assert end["how"] == "refused" and \
            end["text"].startswith("prohibited"), end
    for address in (HERE, literal("::ffff:127.0.0.1", ECHO.port),
                    name("LOCALHOST.", ECHO.port)):
        octets = b"\0\0\0" + address + b"here"
        ours.sendto(octets, relay)
        assert ours.recv(100) == octets
    s.close()
    assert tool.stop() == 0 and other.stop() == 0


@case("the server is not there, or not who it should be")
def no_server(_):
    for arguments in (("-connect", "localhost:1", "-CAfile", path("ca.pem")),
                      ("-connect", "localhost:%d" % TOOL.port())):
        tool = Tool("s_client", "-tlsmux", "-D", "127.0.0.1:0", *arguments)
        for command in (1, 2, 3):
            s = local(tool)
            s.sendall(GREETING + request(HERE, command))
            assert ends(s) == CHOICE + b"\5\1" + NONE
            s.close()
        assert tool.events("error"), tool.text()
        assert tool.stop() == 0


def leave(s):
    s.close()


def reset(s):
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1" + bytes(7))
    s.close()


@case("a SOCKS client that leaves before it has an answer")
def leaves(_):
    ours = Server()
    tool = Tool("s_client", "-connect", "localhost:%d" % ours.port, "-CAfile",
                path("ca.pem"), "-D", "127.0.0.1:0")
    peer = ours.accept()
    for number, way in enumerate((leave, reset)):
        s = local(tool)
        s.sendall(GREETING + request(HERE))
        half = peer.expect(wire.REQUEST).half
        way(s)
        assert wait_for(lambda: len(tool.events("channel-close")) > number), \
            tool.text()
        peer.send(wire.success(half, 1))
        peer.expect(wire.CLOSE, channel=half << 16 | 1)
        peer.send(wire.confirmation(half << 16 | 1))
    # One that has said all, be it nothing, is served.
    for number, said in enumerate((b"all", b""), 2):
        s = local(tool)
        s.sendall(GREETING + request(HERE) + said)
        s.shutdown(socket.SHUT_WR)
        half = peer.expect(wire.REQUEST).half
        peer.silent()
        peer.send(wire.success(half, number))
        channel = half << 16 | number
        assert peer.read(channel, len(said)) == said
        peer.send(wire.data(channel, b"answer"), wire.data(channel))
        assert ends(s)[12:] == b"answer"
        s.close()
    peer.close()
    assert tool.stop() == 0, tool.text()


@case("the same with -tlsmux, for CONNECT, BIND and UDP")
def leaves_tlsmux(_):
    ours = Server()
    tool = Tool("s_client", "-connect", "localhost:%d" % ours.port, "-CAfile",
                path("ca.pem"), "-tlsmux", "-D", "127.0.0.1:0", "-L",
                "127.0.0.1:0:127.0.0.1:1")
    for command in (1, 2, 3):
        for way in (leave, reset):
            s = local(tool, 1)
            s.sendall(GREETING + request(literal("127.0.0.1", 9), command))
            stream = ours.accept().stream
            assert whole(stream, 3) == GREETING
            stream.sendall(CHOICE)
            assert whole(stream, 10)[1] == command
            way(s)
            assert ends(stream) == b"", "it goes on waiting"
            stream.close()
    # A local connection of -L, which can only be reset: it has said nothing.
    s = local(tool)
    stream = ours.accept().stream
    assert whole(stream, 3) == GREETING
    reset(s)
    assert ends(stream) == b""
    stream.close()
    assert tool.stop() == 0, tool.text()


@case("a TLSMUX client that leaves before it has an answer")
def tlsmux_leaves(_):
    full = socket.socket()  # a service whose backlog is full answers nobody
    full.bind(("127.0.0.1", 0))
    full.listen(0)
    where = full.getsockname()
    stuck = [socket.socket() for _ in range(4)]
    for s in stuck:
        s.setblocking(False)
        s.connect_ex(where)
    for way in (leave, reset):
        s = ask(TOOL, literal(*where))
        peer = "127.0.0.1:%d" % s.getsockname()[1]
        way(s)
        assert wait_for(lambda: [
            e for e in TOOL.events("connection-close")
            if e["peer"] == peer and e["text"] == "the client has gone"]), \
            TOOL.text()
    # What it has said in advance is delivered, when there is who takes it.
    s = ask(TOOL, literal(*where))
    s.sendall(b"all")
    s.shutdown(socket.SHUT_WR)
    full.settimeout(PATIENCE)
    ours = [o.getsockname() for o in stuck]
    c, who = full.accept()
    while who in ours:
        c, who = full.accept()
    c.settimeout(PATIENCE)
    assert whole(c, 3) == b"all"
    s.close()


run(lambda: None)
