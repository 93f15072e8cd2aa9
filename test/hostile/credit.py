# Copyright 2026 The MTLS for OpenSSL authors.
# SPDX-License-Identifier: Apache-2.0

"""Credit: too much, too little, never."""

import os
import time

import libwire as wire
from libtool import SANITIZED, Peer, case, run, server


def cpu(tool):
    """Seconds of processor time that it has used."""
    with open("/proc/%d/stat" % tool.pid) as f:
        fields = f.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@case("W1 one octet over the credit; one over max_packet")
def overrun(_):
    tool = server("-echo", "-window", "1000", "-max_packet", "100")
    peer = Peer.connect(tool)
    half = peer.next_half()
    peer.send(wire.request(half, "x.example", window=0))
    p = peer.expect(wire.SUCCESS, half=half)
    assert (p.window, p.max_packet) == (1000, 100), p
    peer.send(*[wire.data(p.channel, bytes(100))] * 10)
    peer.silent()
    peer.send(wire.data(p.channel, b"x"))
    peer.closes(p.channel)
    channel = peer.open()
    peer.send(wire.data(channel, bytes(100)))
    peer.read(channel, 100)
    peer.send(wire.data(channel, bytes(101)))
    peer.closes(channel)
    peer.close()
    assert tool.stop() == 0


@case("W2 Acknowledgments: over 2^32-1, a million of 1, of 0")
def acks(tool):
    peer = Peer.connect(tool)
    channel = peer.open(window=0xffffffff)
    peer.send(wire.ack(channel, 1))
    peer.closes(channel)
    channel = peer.open(window=1)
    peer.send(wire.ack(channel, 0xfffffffe), wire.ack(channel, 1))
    peer.closes(channel)
    channel = peer.open()
    peer.send(wire.ack(channel, 1) * 1000000)
    peer.send(wire.ack(channel, 0) * 100000)
    peer.echoes(channel)
    peer.close()


@case("W3 Ack and NewMax on closed, unknown and closing channels")
def stray(tool):
    peer = Peer.connect(tool)
    channel = peer.open()
    peer.send(wire.close(channel))
    peer.expect(wire.CONFIRMATION, channel=channel)
    for c in (channel, 0xdeadbeef, 0):
        peer.send(wire.ack(c, 1), wire.new_max(c, 1), wire.new_max(c, 0))
    closing = peer.open()
    peer.send(wire.data(closing))  # it answers with its end, and closes
    peer.expect(wire.CLOSE, channel=closing)
    peer.send(wire.ack(closing, 0xffffffff), wire.ack(closing, 0xffffffff),
              wire.new_max(closing, 0), wire.confirmation(closing))
    peer.works()
    peer.close()


@case("W4 NewMax: 0, more than the window, a million")
def new_maxima(tool):
    peer = Peer.connect(tool)
    channel = peer.open()
    peer.send(wire.new_max(channel, 0))
    peer.closes(channel)
    channel = peer.open(window=100, max_packet=10)
    peer.send(wire.new_max(channel, 5000), wire.data(channel, bytes(200)))
    assert len(peer.read(channel, 100)) == 100
    peer.silent()
    peer.send(wire.ack(channel, 100))
    assert len(peer.read(channel, 100)) == 100
    before = tool.rss()
    peer.send(wire.new_max(channel, 7) * 1000000)
    peer.send(wire.ack(channel, 100), wire.data(channel, b"0123456789"))
    assert peer.expect(wire.DATA, channel=channel).octets == b"0123456"
    assert SANITIZED or tool.rss() - before < 2048
    peer.close()


@case("W5 a peer that never Acks")
def no_acks(tool):
    peer = Peer.connect(tool)
    stuck = peer.open(window=10)
    peer.send(*[wire.data(stuck, bytes(15000))] * 4)
    peer.read(stuck, 10)
    before = cpu(tool)
    for _ in range(20):
        peer.works()
    peer.silent(1)
    assert cpu(tool) - before < 0.5, "it is busy with waiting"
    peer.close()


@case("W6 one octet of credit at a time")
def trickle(tool):
    peer = Peer.connect(tool)
    channel = peer.open(window=0)
    octets = os.urandom(2000)
    peer.send(wire.data(channel, octets))
    got = b""
    for _ in range(len(octets)):
        peer.send(wire.ack(channel, 1))
        got += peer.expect(wire.DATA, channel=channel).octets
    assert got == octets
    peer.close()


@case("W7 a reader that stops, and goes on much later")
def stopped_reader(tool):
    peer = Peer.connect(tool)
    channel = peer.open(window=1 << 30)
    octets = os.urandom(65536)
    before = tool.rss()
    sent = 0
    peer.stream.settimeout(2)
    credit = wire.WINDOW
    # Its answers fill the socket: it stops reading ours, but keeps little.
    try:
        while sent < 64 * 1024 * 1024 and credit >= 16000:
            peer.send(wire.data(channel, octets[:16000]))
            sent += 16000
            credit -= 16000
    except TimeoutError:
        pass
    time.sleep(0.5)
    assert SANITIZED or tool.rss() - before < 24 * 1024, tool.rss() - before
    whole = b""
    while len(whole) < sent:
        p = peer.packet()
        whole += p.octets or b""
    assert whole == octets[:16000] * (sent // 16000)
    peer.close()


@case("W8 every channel's window filled, all readers stopped")
def all_windows(_):
    memory = 4 * 1024 * 1024
    tool = server("-echo", "-session_memory", str(memory))
    peer = Peer.connect(tool)
    peer.works()
    before = tool.rss()
    channels = 0
    refused = 0
    for half in range(1000, 3000, 2):
        peer.send(wire.request(half, "x.example", window=0))
        p = peer.packet()
        while p.kind not in (wire.SUCCESS, wire.ECHEC):
            p = peer.packet()
        if p.kind == wire.ECHEC:
            assert p.text.startswith(b"resource-shortage"), p
            refused += 1
            continue
        channels += 1
        left = p.window
        while left > 0:
            n = min(left, p.max_packet, 16000)
            peer.send(wire.data(p.channel, bytes(n)))
            left -= n
    time.sleep(0.5)
    assert channels > 10, channels
    grown = tool.rss() - before
    assert SANITIZED or grown < memory // 1024 + 4096, (grown, channels)
    # Control packets are still answered.
    peer.send(wire.close(p.channel if p.channel else 0))
    peer.expect(wire.CONFIRMATION)
    peer.close()
    assert tool.stop() == 0


@case("W9 data after half-close; half-close twice; Ack after half-close")
def after_the_end(tool):
    for late in (lambda c: wire.data(c, b"late"), wire.data):
        peer = Peer.connect(tool)
        channel = peer.open(window=0)  # so that the echo can't finish
        peer.send(wire.data(channel, b"abc"), wire.data(channel),
                  late(channel))
        peer.expect(wire.CLOSE, channel=channel)
        peer.close()
    peer = Peer.connect(tool)
    channel = peer.open(window=1)
    peer.send(wire.data(channel, b"abc"), wire.data(channel))
    assert peer.read(channel, 1) == b"a"
    peer.send(wire.ack(channel, 2))
    assert peer.read(channel, 2) == b"bc"
    assert peer.expect(wire.DATA, channel=channel).octets == b""
    peer.expect(wire.CLOSE, channel=channel)
    peer.close()


run(lambda: server("-echo"))
