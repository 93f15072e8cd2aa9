# Copyright 2026 The MTLS for OpenSSL authors.
# SPDX-License-Identifier: Apache-2.0

"""A server that says what it likes, to the real s_client."""

import fcntl
import os
import signal
import socket
import struct
import subprocess
import termios
import time

import libwire as wire
from libserver import Server, ends, over
from libtool import PATIENCE, TOOL, case, path, run, wait_for


def local(tool):
    s = socket.create_connection(("127.0.0.1", tool.port()), PATIENCE)
    s.settimeout(PATIENCE)
    return s


def joined(tool, peer, receiver=1, **more):
    """A local connection, and the id of its channel."""
    s = local(tool)
    half = peer.expect(wire.REQUEST).half
    peer.send(wire.success(half, receiver, **more))
    return s, half << 16 | receiver


def reset(s):
    got, how = ends(s)
    assert how == "reset", (got, how)
    return got


def goes_on(tool, peer, receiver=99):
    s, channel = joined(tool, peer, receiver)
    s.sendall(b"question")
    assert peer.read(channel, 8) == b"question"
    peer.send(wire.data(channel, b"answer"), wire.data(channel))
    assert ends(s) == (b"answer", "end")
    s.close()
    peer.expect(wire.CLOSE, channel=channel)
    peer.send(wire.confirmation(channel))


@case("O1 a Request, to a client that offers nothing")
def request(_):
    tool, peer = Server().client()
    for half in (1, 3, 5):
        word = peer.refused(wire.request(half, "127.0.0.1", 22), half)
        assert word.startswith(b"prohibited"), word
    goes_on(tool, peer)
    over(tool, peer)


@case("O3 Success for a half never requested, twice, after Echec")
def stray_success(_):
    tool, peer = Server().client()
    peer.send(wire.success(100, 1), wire.success(0, 1))
    time.sleep(0.3)  # lest the second be taken for the answer to the next
    s = local(tool)
    half = peer.expect(wire.REQUEST).half
    peer.send(wire.echec(half, "prohibited: no"), wire.success(half, 1))
    reset(s)
    s, channel = joined(tool, peer)
    peer.send(wire.success(channel >> 16, 1), wire.success(channel >> 16, 2))
    peer.send(wire.data(channel, b"fine"))
    assert s.recv(100) == b"fine"
    over(tool, peer)


@case("O4 Echec with texts of all kinds: shown, but escaped")
def echec_texts(_):
    tool, peer = Server().client()
    texts = [b"", b"connect-failed: nobody", b"\x1b[2J\x1b]0;owned\x07",
             b"a\0b", b"line\nline", b"\xff\xfe", b"x" * 65528, b'"\\']
    for text in texts:
        s = local(tool)
        half = peer.expect(wire.REQUEST).half
        peer.send(wire.echec(half, text), wire.echec(half, text))
        reset(s)
    goes_on(tool, peer)
    shown = [e["text"] for e in tool.events("channel-close")]
    assert "connect-failed: nobody" in shown and \
        "\\x1b[2J\\x1b]0;owned\\x07" in shown and "a\\x00b" in shown, shown
    over(tool, peer)


@case("O5 Success whose receiver half collides")
def colliding_success(_):
    tool, peer = Server().client()
    s, channel = joined(tool, peer, 7)
    other = local(tool)
    half = peer.expect(wire.REQUEST).half
    peer.send(wire.success(half, 7))  # 7 is in use for the first
    reset(other)
    s.sendall(b"unharmed")
    assert peer.read(channel, 8) == b"unharmed"
    over(tool, peer)


@case("O6 data, Ack, NewMax and Close while it opens; the local end goes")
def early_packets(_):
    tool, peer = Server().client()
    s = local(tool)
    half = peer.expect(wire.REQUEST).half
    channel = half << 16 | 1
    peer.send(wire.data(channel, b"early"), wire.ack(channel, 1),
              wire.new_max(channel, 1), wire.close(channel))
    peer.send(wire.success(half, 1), wire.data(channel, b"late"),
              wire.data(channel))
    assert ends(s) == (b"late", "end")
    s.close()
    s = local(tool)
    half = peer.expect(wire.REQUEST).half
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    s.close()  # gone before there is an answer
    time.sleep(0.2)
    peer.send(wire.success(half, 2))
    peer.expect(wire.CLOSE, channel=half << 16 | 2)
    peer.send(wire.confirmation(half << 16 | 2))
    goes_on(tool, peer)
    over(tool, peer)


@case("F4 F5 F11 a stream that can't be read on: a new session")
def desynchronised(_):
    server = Server()
    saved = path("session")
    tool, peer = server.client("-sess_out", saved)
    for octets in (b"\0\0\3", wire.packet(9, b"", 1), None):
        s, channel = joined(tool, peer)
        peer.send(wire.data(channel, b"part"))
        assert s.recv(100) == b"part"
        try:
            peer.send(octets or b"")
            while octets is None:  # random ones, until it has enough of them
                peer.send(os.urandom(65536))
        except OSError:
            pass
        assert reset(s) == b""
        peer.close()
        # MTLS-05 3: the session must not be resumed, nor be offered.
        assert wait_for(lambda: not os.path.exists(saved))
        peer = server.accept()
        assert wait_for(lambda: os.path.exists(saved))
    goes_on(tool, peer)
    assert len(tool.events("session-open")) == 4
    over(tool, peer)


@case("W1 more than the credit: the local end gets a reset")
def overrun(_):
    tool, peer = Server().client("-window", "1000")
    s, channel = joined(tool, peer)
    peer.send(wire.data(channel, bytes(900)))
    time.sleep(0.2)
    assert len(s.recv(2000)) == 900
    peer.send(wire.data(channel, bytes(5000)))
    reset(s)
    peer.expect(wire.CLOSE, channel=channel)
    peer.send(wire.confirmation(channel))
    goes_on(tool, peer)
    over(tool, peer)


@case("W5 C3 a server that never Acks and never confirms")
def no_answers(_):
    tool, peer = Server().client()
    s, channel = joined(tool, peer, window=5)
    s.sendall(b"0123456789")
    assert peer.read(channel, 5) == b"01234"
    peer.silent()
    goes_on(tool, peer)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    s.close()  # a reset, although nothing could be sent
    peer.expect(wire.CLOSE, channel=channel)
    goes_on(tool, peer, 98)
    over(tool, peer)


@case("C6 the session ends at each step: resets, and a new session")
def session_ends(_):
    server = Server()
    tool, peer = server.client()
    for step in (b"", b"some", b"more" * 3000):
        for how in ("notify", "reset"):
            s, channel = joined(tool, peer)
            if step:
                peer.send(wire.data(channel, step))
            if how == "notify":
                try:
                    peer.stream.unwrap()
                except OSError:
                    pass
            else:
                peer.stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                       b"\1\0\0\0\0\0\0\0")
            peer.close()
            assert step.startswith(reset(s))
            s.close()
            peer = server.accept()
    goes_on(tool, peer)
    over(tool, peer)


def all_sent(s):
    """Wait until the other end's kernel has all that was written."""
    until = time.monotonic() + PATIENCE
    left = 1
    while left:
        assert time.monotonic() < until, left
        left, = struct.unpack("i", fcntl.ioctl(s, termios.TIOCOUTQ, b"\0" * 4))
        time.sleep(0.01)


@case("C6 it ends while a local reader is slow: it gets all that had come")
def slow_reader(_):
    server = Server()
    size = 10000000  # more than the kernel keeps for a slow reader
    tool, peer = server.client("-window", str(size))
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    s.connect(("127.0.0.1", tool.port()))
    s.settimeout(PATIENCE)
    half = peer.expect(wire.REQUEST).half
    channel = half << 16 | 1
    peer.send(wire.success(half, 1))
    octets = os.urandom(size)
    for at in range(0, size, 10000):
        peer.send(wire.data(channel, octets[at:at + 10000]))
    try:
        peer.stream.unwrap()
    except OSError:
        pass  # an Acknowledgment came first
    all_sent(peer.stream)  # lest a reset drop what the kernel has
    peer.close()
    time.sleep(0.5)
    got = reset(s)
    assert got == octets, len(got)
    over(tool, server.accept_again())


@case("T3 a server that never handshakes")
def silent(_):
    server = Server()
    began = time.monotonic()
    client = subprocess.run(
        [TOOL, "s_client", "-connect", "localhost:%d" % server.port, "-CAfile",
         path("ca.pem"), "-W", "x.example:1"], stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE, timeout=60)
    assert client.returncode == 1
    assert b"handshake" in client.stderr, client.stderr
    assert 8 < time.monotonic() - began


@case("SIGTERM while a Request is unanswered, and while a session is sought")
def signals(_):
    server = Server()
    tool, peer = server.client()
    s = local(tool)
    peer.expect(wire.REQUEST)
    tool.process.send_signal(signal.SIGTERM)
    time.sleep(0.2)
    tool.process.send_signal(signal.SIGTERM)
    assert tool.process.wait(PATIENCE) == 0
    reset(s)
    tool, peer = server.client()
    server.listener.close()
    peer.close()
    assert wait_for(lambda: len(tool.events("reconnect")) > 2)
    tool.process.send_signal(signal.SIGTERM)
    assert tool.process.wait(PATIENCE) == 0


run(lambda: None)
