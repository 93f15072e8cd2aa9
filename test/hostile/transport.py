# Copyright 2026 The MTLS for OpenSSL authors.
# SPDX-License-Identifier: Apache-2.0

"""What lies below: slow, silent, too many."""

import os
import resource
import socket
import ssl
import time

import libwire as wire
from libtool import PATIENCE, Peer, case, path, run, server, wait_for


def raw(tool):
    return socket.create_connection(("127.0.0.1", tool.port()), PATIENCE)


def ended(s, seconds):
    """How long it takes until the other end closes."""
    s.settimeout(seconds)
    began = time.monotonic()
    try:
        while s.recv(1000):
            pass
    except ConnectionError:
        pass
    return time.monotonic() - began


@case("T3 one octet a second, in the handshake")
def slow_handshake(_):
    tool = server("-echo", "-handshake_timeout", "2")
    context = ssl.create_default_context(cafile=path("ca.pem"))
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    half = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    try:
        half.do_handshake()
    except ssl.SSLWantReadError:
        pass
    hello = outgoing.read()
    s = raw(tool)
    began = time.monotonic()
    try:
        for octet in hello[:30]:
            s.sendall(bytes([octet]))
            time.sleep(0.25)
            other = Peer.connect(tool)
            other.works()
            other.close()
    except OSError:
        pass
    took = time.monotonic() - began
    assert 1.5 < took < 6, took
    assert [e for e in tool.events("session-close")
            if e["how"] == "timed-out"]
    s.close()
    tool.stop()


@case("T3 one octet a second, in a packet")
def slow_packet(_):
    tool = server("-echo", "-idle_timeout", "2")
    peer = Peer.connect(tool)
    channel = peer.open()
    for octet in wire.data(channel, b"slow"):
        peer.send(bytes([octet]))
        time.sleep(0.3)
    assert peer.read(channel, 4) == b"slow"
    assert 1 < ended(peer.stream, 10) < 6
    peer.close()
    tool.stop()


@case("T4 1,000 connections that never handshake")
def never_handshake(_):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    tool = server("-echo", "-handshake_timeout", "4")
    before = tool.rss()
    silent = [raw(tool) for _ in range(1000)]
    began = time.monotonic()
    other = Peer.connect(tool)
    other.works()
    assert time.monotonic() - began < 3, "others wait"
    for s in silent[::50]:
        assert ended(s, 20) < 10
    assert wait_for(lambda: len(os.listdir("/proc/%d/fd" % tool.pid)) < 50)
    other.works()
    other.close()
    print("    %d KiB more" % (tool.rss() - before))
    for s in silent:
        s.close()
    assert tool.stop() == 0


@case("T4 more sessions than -sessions_max, silent ones first")
def sessions_max(_):
    tool = server("-echo", "-sessions_max", "5")
    peers = [Peer.connect(tool) for _ in range(5)]
    one_more = raw(tool)
    assert ended(one_more, 10) < 2, "it should be turned away"
    for p in peers:
        p.works()
    peers.pop().close()
    assert wait_for(lambda: tool.events("session-close"))
    silent = raw(tool)  # takes the place, and never handshakes
    time.sleep(2.5)
    peers.append(Peer.connect(tool))
    peers[-1].works()
    silent.close()
    for p in peers:
        p.close()
    tool.stop()


@case("T4 a handshake, then silence: the idle time")
def idle(_):
    tool = server("-echo", "-idle_timeout", "1")
    peer = Peer.connect(tool)
    peer.works()
    assert 0.5 < ended(peer.stream, 10) < 4
    peer.close()
    busy = Peer.connect(tool)
    for _ in range(8):
        busy.works()
        time.sleep(0.4)
    busy.close()
    tool.stop()


@case("T5 no descriptors left")
def descriptors(_):
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(100)
    port = listener.getsockname()[1]
    tool = server(limit=40)
    peer = Peer.connect(tool)
    far = []
    opened = refused = 0
    for half in range(2, 200, 2):
        peer.send(wire.request(half, "127.0.0.1", port))
        p = peer.packet()
        if p.kind == wire.SUCCESS:
            far.append((p.channel, listener.accept()[0]))
            opened += 1
        else:
            assert b"Too many open files" in p.text, p
            refused += 1
    assert opened > 10 and refused > 10, (opened, refused)
    waiting = raw(tool)
    assert wait_for(lambda: [e for e in tool.events("error")
                             if "Too many open files" in e["text"]])
    time.sleep(2.2)
    assert len(tool.events("error")) == 1, "said more than once"
    for channel, c in far:
        peer.send(wire.data(channel), wire.close(channel))
        c.close()
    waiting.close()
    other = Peer.connect(tool)
    other.send(wire.request(2, "127.0.0.1", port))
    other.expect(wire.SUCCESS, half=2)
    listener.close()
    other.close()
    peer.close()
    assert tool.stop() == 0


run(lambda: server("-echo"))
