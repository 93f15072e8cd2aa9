# Copyright 2026 The MTLS for OpenSSL authors.
# SPDX-License-Identifier: Apache-2.0

"""Closing channels and sessions, in every order."""

import os
import socket
import time

import libwire as wire
from libtool import Peer, case, run, server, wait_for


class Far:
    """A destination whose every connection is in our hands."""

    def __init__(self):
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(100)
        self.listener.settimeout(10)
        self.port = self.listener.getsockname()[1]

    def accept(self):
        c = self.listener.accept()[0]
        c.settimeout(10)
        return c


def joined(forwarder, far, **more):
    """A channel and the connection at its far end."""
    peer = Peer.connect(forwarder)
    channel = peer.open("127.0.0.1", far.port, **more)
    return peer, channel, far.accept()


@case("C1 Close during opening, crossing, Confirmation without Close, twice")
def closes(tool):
    peer = Peer.connect(tool)
    peer.send(wire.request(2, "x.example"), wire.close(2 << 16 | 999))
    answers = {p.kind: p for p in (peer.packet(), peer.packet())}
    channel = answers[wire.SUCCESS].channel
    assert answers[wire.CONFIRMATION].channel == 2 << 16 | 999
    peer.send(wire.confirmation(channel), wire.confirmation(0xabcdef))
    peer.echoes(channel)
    # It closes after our end; our own CloseRequest crosses.
    peer.send(wire.data(channel), wire.close(channel))
    kinds = set()
    while kinds != {wire.CLOSE, wire.CONFIRMATION}:
        p = peer.packet()
        if p.channel == channel and p.kind in (wire.CLOSE, wire.CONFIRMATION):
            kinds.add(p.kind)
        if p.kind == wire.CONFIRMATION and wire.CLOSE not in kinds:
            break  # it had not closed yet: nothing crossed
    peer.send(wire.confirmation(channel))
    peer.send(wire.close(channel), wire.close(channel))
    peer.expect(wire.CONFIRMATION, channel=channel)
    peer.expect(wire.CONFIRMATION, channel=channel)
    peer.works()
    peer.close()


@case("C2 data in flight after its CloseRequest")
def late_data(_):
    forwarder, far = server(), Far()
    peer, channel, c = joined(forwarder, far)
    c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                 b"\1\0\0\0\0\0\0\0")
    c.close()  # a reset: the channel is given up
    peer.expect(wire.CLOSE, channel=channel)
    peer.send(wire.data(channel, b"late") * 1000, wire.data(channel),
              wire.ack(channel, 5))
    peer.silent()
    peer.send(wire.confirmation(channel))
    again = peer.open("127.0.0.1", far.port)
    c = far.accept()
    peer.send(wire.data(again, b"fine"))
    assert c.recv(100) == b"fine"
    peer.close()
    forwarder.stop()


@case("C3 a peer that never confirms")
def no_confirmation(_):
    tool = server("-echo", "-channels", "5")
    peer = Peer.connect(tool)
    for _ in range(5):
        channel = peer.open()
        peer.send(wire.data(channel))
        peer.expect(wire.CLOSE, channel=channel)
    word = peer.refused(wire.request(100, "x.example"), 100)
    assert word.startswith(b"resource-shortage"), word
    wait = 60 if os.environ.get("MTLS_TEST_LONG") else 0
    if wait:
        assert wait_for(lambda: tool.events("session-close"), wait)
        assert "Confirmation" in tool.events("session-close")[0]["text"]
    peer.close()
    assert tool.stop() == 0


@case("C4 Close with unread data at the reader")
def close_behind_data(_):
    forwarder, far = server(), Far()
    for end in (True, False):
        peer, channel, c = joined(forwarder, far)
        octets = os.urandom(65536)
        for at in range(0, 65536, 16384):
            peer.send(wire.data(channel, octets[at:at + 16000]),
                      wire.data(channel, octets[at + 16000:at + 16384]))
        if end:
            peer.send(wire.data(channel))
        peer.send(wire.close(channel))
        got = b""
        try:
            while piece := c.recv(1000):
                got += piece
            how = "end"
        except ConnectionResetError:
            how = "reset"
        assert got == octets, len(got)
        assert how == ("end" if end else "reset"), how
        c.close()
        peer.close()
    forwarder.stop()


@case("C5 Close while a writer waits")
def close_before_writer(_):
    forwarder, far = server(), Far()
    peer, channel, c = joined(forwarder, far, window=100)
    c.setblocking(False)
    try:
        while True:
            c.send(bytes(65536))
    except BlockingIOError:
        pass
    peer.read(channel, 100)
    peer.send(wire.close(channel))
    c.settimeout(10)
    try:
        while True:
            c.sendall(bytes(65536))
    except (ConnectionResetError, BrokenPipeError):
        pass
    peer.close()
    assert wait_for(lambda: forwarder.events("channel-close"))
    assert forwarder.stop() == 0


@case("C4 an orderly close while the far end still talks: it hears all")
def close_while_far_talks(_):
    forwarder, far = server(), Far()
    # It reads slowly: most is still with the forwarder's kernel at the end.
    far.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    for _ in range(5):
        # Without credit what it says stays unread: to close that is a reset.
        peer, channel, c = joined(forwarder, far, window=0)
        octets = os.urandom(60000)
        c.sendall(b"chatter" * 1000)
        time.sleep(0.1)
        for at in range(0, 60000, 15000):
            peer.send(wire.data(channel, octets[at:at + 15000]))
        peer.send(wire.data(channel), wire.close(channel))
        got = b""
        time.sleep(0.2)
        while piece := c.recv(1000):
            got += piece
        assert got == octets, len(got)
        c.close()
        peer.close()
    assert wait_for(lambda: len(forwarder.events("channel-close")) == 5)
    assert forwarder.stop() == 0


@case("C6 the session ends at each step of a transfer")
def session_ends(_):
    forwarder, far = server(), Far()
    steps = [b"", b"some", b"more" * 5000]
    for step in steps:
        for how in ("notify", "reset", "fatal"):
            peer, channel, c = joined(forwarder, far)
            for at in range(0, len(step), 16000):
                peer.send(wire.data(channel, step[at:at + 16000]))
            if how == "notify":
                try:
                    peer.stream.unwrap()
                except OSError:
                    pass
            elif how == "fatal":
                peer.send(b"\0\0\0\0")
            peer.stream.close()
            got = b""
            try:
                while piece := c.recv(65536):
                    got += piece
                raise AssertionError("a quiet end after %d" % len(got))
            except ConnectionResetError:
                pass
            assert step.startswith(got), (step[:10], got[:10])
            c.close()
    # What had ended before is not cut by it.
    peer, channel, c = joined(forwarder, far)
    peer.send(wire.data(channel, b"whole"), wire.data(channel))
    assert c.recv(100) == b"whole" and c.recv(100) == b""
    c.sendall(b"answer")
    assert peer.read(channel, 6) == b"answer"
    c.close()
    peer.expect(wire.CLOSE, channel=channel)
    peer.close()
    assert wait_for(
        lambda: len(os.listdir("/proc/%d/fd" % forwarder.pid)) < 40, 20)
    assert forwarder.stop() == 0


@case("C6 half-close travels both ways, and data the other way goes on")
def half_closes(_):
    forwarder, far = server(), Far()
    peer, channel, c = joined(forwarder, far)
    peer.send(wire.data(channel, b"question"), wire.data(channel))
    assert c.recv(100) == b"question" and c.recv(100) == b""
    c.sendall(b"long answer" * 1000)
    assert peer.read(channel, 11000) == b"long answer" * 1000
    c.close()
    assert peer.expect(wire.DATA, channel=channel).octets == b""
    peer.expect(wire.CLOSE, channel=channel)
    peer.send(wire.confirmation(channel))
    peer2, channel, c = joined(forwarder, far)
    c.sendall(b"greeting")
    c.shutdown(socket.SHUT_WR)
    assert peer2.read(channel, 8) == b"greeting"
    assert peer2.expect(wire.DATA, channel=channel).octets == b""
    peer2.send(wire.data(channel, b"reply"), wire.data(channel))
    assert c.recv(100) == b"reply" and c.recv(100) == b""
    peer2.expect(wire.CLOSE, channel=channel)
    peer2.send(wire.confirmation(channel))
    peer.close()
    peer2.close()
    assert forwarder.stop() == 0


@case("C8 a session that ended in order may be resumed")
def resumption(tool):
    peer = Peer.connect(tool)
    peer.works()
    session = peer.stream.session
    peer.stream.unwrap()
    peer.close()
    again = peer.context.wrap_socket(
        socket.create_connection(("127.0.0.1", tool.port())),
        server_hostname="localhost", session=session)
    assert again.session_reused
    again.close()


run(lambda: server("-echo"))
