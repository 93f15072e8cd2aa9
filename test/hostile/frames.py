# Copyright 2026 The MTLS for OpenSSL authors.
# SPDX-License-Identifier: Apache-2.0

"""Frames: cut, mixed up, too long, unknown, random."""

import os
import socket
import ssl
import subprocess
import time

import libwire as wire
from libtool import (DIR, PATIENCE, TOOL, Peer, case, path, run, server,
                     wait_for)


def every_packet(channel, half):
    """One of each type; those that answer nothing are ignored."""
    return [wire.request(half, "x.example"), wire.success(half, 9),
            wire.echec(half, "no"), wire.data(channel, b"data"),
            wire.new_max(channel, 1000), wire.ack(channel, 10),
            wire.confirmation(channel), wire.close(channel)]


@case("F1 each packet cut at every octet, then the rest")
def cut(tool):
    for number in range(8):
        size = len(every_packet(0, 0)[number])
        peer = Peer.connect(tool)
        for at in range(1, size):
            channel = peer.open()
            half = peer.next_half()
            octets = every_packet(channel, half)[number]
            peer.send(octets[:at])
            peer.send(octets[at:])
            if number == 0:
                peer.expect(wire.SUCCESS, half=half)
            elif number == 7:
                peer.expect(wire.CONFIRMATION, channel=channel)
                continue
            elif number == 3:
                assert peer.read(channel, 4) == b"data"
            peer.echoes(channel)
        peer.close()


@case("F2 the same, then close_notify, or a reset")
def cut_for_good(tool):
    for number in range(8):
        size = len(every_packet(0, 0)[number])
        for at in (1, 2, 3, size // 2, size - 1):
            for end in ("notify", "reset"):
                peer = Peer.connect(tool)
                channel = peer.open()
                peer.send(every_packet(channel, peer.next_half())[number][:at])
                if end == "notify":
                    try:
                        peer.stream.unwrap()
                    except (OSError, ssl.SSLError):
                        pass
                peer.close()
    assert wait_for(lambda: tool.events("channel-close")[-1]["how"] ==
                    "truncated"), tool.text()[-1000:]


@case("F2 the same, then silence for the idle time")
def cut_and_silent(_):
    tool = server("-echo", "-idle_timeout", "1")
    peer = Peer.connect(tool)
    peer.send(wire.data(peer.open(), b"abc")[:5])
    began = time.monotonic()
    peer.ends()
    assert 0.5 < time.monotonic() - began < 5
    assert wait_for(lambda: tool.events("session-close"))
    assert tool.events("session-close")[0]["how"] == "timed-out"
    tool.stop()


@case("F3 every packet in one record, and each octet in its own")
def one_record_or_many(tool):
    for each in (False, True):
        peer = Peer.connect(tool)
        channel, other = peer.open(), peer.open()
        octets = b"".join(every_packet(channel, peer.next_half()) +
                          [wire.data(other, b"behind")])
        if each:
            for at in range(len(octets)):
                peer.send(octets[at:at + 1])
        else:
            peer.send(octets)
        peer.expect(wire.CONFIRMATION, channel=channel)
        assert peer.read(other, 6) == b"behind"
        peer.works()
        peer.close()


def fatal(tool, octets, version=ssl.TLSVersion.TLSv1_3):
    """Such octets end the session; it can't be resumed (C8)."""
    peer = Peer.connect(tool, version)
    channel = peer.open()
    peer.echoes(channel)
    session = peer.stream.session
    try:
        peer.send(octets)
        peer.ends()
    except ConnectionError:
        pass  # it went on sending to what has been closed
    peer.close()
    assert session
    # A session object is bound to the context it came from.
    again = peer.context.wrap_socket(
        socket.create_connection(("127.0.0.1", tool.port())),
        server_hostname="localhost", session=session)
    assert not again.session_reused, "resumed after a fatal error"
    again.close()


@case("F4 type 0")
def type_0(tool):
    fatal(tool, b"\0\0\3")


@case("F5 length smaller than the header")
def short_length(tool):
    for kind in (wire.REQUEST, wire.CLOSE, wire.ACK, 9, 255):
        for length in (0, 1, 2):
            fatal(tool, wire.packet(kind, b"", length))
    fatal(tool, b"\0", ssl.TLSVersion.TLSv1_2)


@case("F6 fixed size with a length one less, one more, 65535")
def wrong_length(tool):
    makers = [wire.close, lambda c, length: wire.ack(c, 1, length),
              lambda c, length: wire.new_max(c, 9, length)]
    for make in makers:
        for more in (-1, 1, 65528):
            peer = Peer.connect(tool)
            channel = peer.open()
            packet = make(channel, None)
            length = min(len(packet) + more, 65535)
            packet = make(channel, length)
            packet = packet[:length] + bytes(max(0, length - len(packet)))
            peer.send(packet)
            if length >= 7:
                peer.closes(channel)
            else:  # it does not name the channel
                peer.echoes(channel)
            peer.close()
    for more in (-1, 1):
        peer = Peer.connect(tool)
        peer.send(wire.success(0, 1, length=15 + more) + bytes(max(0, more)))
        if more < 0:
            # Its last octet begins the next packet: 0x3f.. is a type.
            peer.send(b"\0\3")
        peer.works()
        peer.close()


@case("F7 Request whose vectors run past its length, or stop before it")
def bad_vectors(tool):
    peer = Peer.connect(tool)
    half = peer.next_half()
    good = wire.request(half, "abc.example")
    for bad in (good[:13] + b"\xff\xff" + good[15:],
                good[:-15] + b"\0\xff" + good[-13:],
                wire.packet(wire.REQUEST, good[3:] + b"xyz"),
                wire.packet(wire.REQUEST, good[3:-1]),
                wire.packet(wire.REQUEST, good[3:5]),
                wire.request(half, ""), wire.request(half, "x", source="")):
        word = peer.refused(bad, half)
        assert word.startswith(b"malformed"), (bad, word)
    peer.send(wire.packet(wire.REQUEST, b"\1"))  # no half: no answer
    peer.send(wire.packet(wire.REQUEST, b""))
    peer.works()
    peer.close()


@case("F8 data of 2^31 and of 2^32-1 octets")
def endless_data(tool):
    for length in (1 << 31, (1 << 32) - 1):
        peer = Peer.connect(tool)
        channel = peer.open()
        peer.send(wire.data(channel, b"", length))
        peer.expect(wire.CLOSE, channel=channel)
        grown = tool.rss()
        try:
            for _ in range(4096):
                peer.send(bytes(65536))
        except OSError:
            pass
        try:
            peer.ends()
        except OSError:
            pass
        assert tool.rss() - grown < 4096, "its octets were kept"
        peer.close()


@case("F9 unknown types")
def unknown(tool):
    peer = Peer.connect(tool)
    channel = peer.open()
    for kind in range(9, 256):
        peer.send(wire.packet(kind, os.urandom(kind)))
    peer.send(wire.packet(77, b""))
    peer.echoes(channel)
    peer.close()
    assert wait_for(lambda: tool.events("session-close")[-1]["ignored"] >= 248)


@case("F10 unknown types of 65535 octets, again and again")
def unknown_long(tool):
    peer = Peer.connect(tool)
    channel = peer.open()
    peer.works()
    before = tool.rss()
    packet = wire.packet(200, bytes(65532))
    for _ in range(int(os.environ.get("MTLS_TEST_F10", 2000))):
        peer.send(packet)
    peer.echoes(channel)
    assert tool.rss() - before < 2048
    peer.close()


@case("F11 16 MiB of random octets")
def random_octets(tool):
    for _ in range(5):
        peer = Peer.connect(tool)
        before = tool.rss()
        try:
            for _ in range(256):
                peer.send(os.urandom(65536))
            peer.stream.unwrap()
        except OSError:
            pass
        assert tool.rss() - before < 70000
        peer.close()


@case("F12 one million packets of no data")
def empty_packets(tool):
    peer = Peer.connect(tool)
    channel = peer.open()
    before = tool.rss()
    peer.send(wire.data(channel) * 1000000)
    peer.expect(wire.CLOSE, channel=channel)
    peer.works()
    assert tool.rss() - before < 2048
    peer.close()


def by_openssl(tool, version, command, wanted):
    """The same through openssl s_client, which can do what Python's ssl
    can't: one of its commands in the middle of a packet."""
    client = subprocess.Popen(
        ["openssl", "s_client", "-connect", "127.0.0.1:%d" % tool.port(),
         "-brief", version], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, cwd=DIR)
    octets = wire.request(0, "echo.example") + wire.data(1, b"abcdef")
    out = b""
    try:
        time.sleep(0.3)
        for piece in (octets[:20], command, octets[20:40], command,
                      octets[40:]):
            client.stdin.write(piece)
            client.stdin.flush()
            time.sleep(0.15)
        os.set_blocking(client.stdout.fileno(), False)
        until = time.monotonic() + PATIENCE
        while wanted not in out and time.monotonic() < until:
            out += client.stdout.read() or b""
            time.sleep(0.02)
    finally:
        client.kill()
        client.wait()
        client.stdin.close()
        client.stdout.close()
    return out


@case("F13 KeyUpdate in the middle of a packet")
def key_update(tool):
    # The acceptor's half is 0 where nothing else is open: channel 0.
    for command in (b"K\n", b"k\n"):
        out = by_openssl(tool, "-tls1_3", command, b"\x02")
        p, _ = wire.decode(out)
        assert p and p.kind == wire.SUCCESS, out


def by_server(version, command):
    """-W against openssl s_server, with a command of it within a packet."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    listener.close()
    other = subprocess.Popen(
        ["openssl", "s_server", "-accept", "127.0.0.1:%d" % port, "-cert",
         path("cert.pem"), "-key", path("key.pem"), version],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL)
    time.sleep(0.5)
    client = subprocess.Popen(
        [TOOL, "s_client", "-connect", "localhost:%d" % port, "-CAfile",
         path("ca.pem"), "-quiet", "-W", "x.example:1"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    octets = wire.success(0, 1) + wire.data(1, b"whole") + wire.data(1) + \
        wire.close(1)
    try:
        time.sleep(0.5)
        for piece in (octets[:18], command, octets[18:27], command,
                      octets[27:]):
            other.stdin.write(piece)
            other.stdin.flush()
            time.sleep(0.3)
        out = client.communicate(timeout=PATIENCE)[0]
    finally:
        client.kill()
        other.kill()
        other.wait()
        other.stdin.close()
    assert out == b"whole", out


@case("F13 renegotiation by the server in the middle of a packet (TLS 1.2)")
def renegotiation(_):
    by_server("-tls1_2", b"r\n")


@case("F13 KeyUpdate by the server in the middle of a packet")
def key_update_by_server(_):
    by_server("-tls1_3", b"K\n")


run(lambda: server("-echo"))
