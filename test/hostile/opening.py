# Copyright 2026 The MTLS for OpenSSL authors.
# SPDX-License-Identifier: Apache-2.0

"""Opening channels: collisions, floods, destinations."""

import os
import shutil
import socket
import struct
import subprocess
import threading
import time

import libwire as wire
from libtool import (DIR, PATIENCE, SANITIZED, TOOL, Peer, case, path, run,
                     server, wait_for)


def service(handler):
    """A TCP service on loopback in a thread; its port."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(1024)

    def loop():
        while True:
            c, _ = listener.accept()
            threading.Thread(target=handler, args=(c,), daemon=True).start()

    threading.Thread(target=loop, daemon=True).start()
    return listener.getsockname()[1]


def echo(c):
    try:
        while octets := c.recv(65536):
            c.sendall(octets)
        c.close()
    except OSError:
        pass


def drop(c):
    c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    c.close()


def deaf():
    """A port on loopback where a connection is neither made nor refused."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    waiting = [listener]
    for _ in range(8):
        s = socket.socket()
        s.setblocking(False)
        s.connect_ex(listener.getsockname())
        waiting.append(s)
    KEPT.append(waiting)
    return listener.getsockname()[1]


KEPT = []
DEAF = deaf()
ECHO = service(echo)
DROP = service(drop)


@case("O1 Request with a half that is open, opening or closing")
def half_in_use(tool):
    peer = Peer.connect(tool)
    channel = peer.open()
    again = wire.request(channel >> 16, "other.example")
    assert peer.refused(again).startswith(b"collision")
    peer.echoes(channel)
    peer.close()

    forwarder = server("-allow", "*:*")
    peer = Peer.connect(forwarder)
    peer.send(wire.request(2, "127.0.0.1", DEAF))  # it stays opening
    assert peer.refused(wire.request(2, "127.0.0.1", ECHO),
                        2).startswith(b"collision")
    peer.close()
    forwarder.stop()


@case("O2 a peer that breaks parity")
def parity(tool):
    peer = Peer.connect(tool)
    peer.half = 1  # 3, 5, ...: the server's own
    for _ in range(100):
        peer.echoes(peer.open())
    peer.close()


@case("O3 Success for a half never requested, twice, after Echec")
def stray_success(tool):
    peer = Peer.connect(tool)
    channel = peer.open()
    peer.send(wire.success(7, 7), wire.success(7, 7),
              wire.success(channel >> 16, channel & 0xffff),
              wire.echec(9), wire.success(9, 9))
    peer.echoes(channel)
    peer.close()
    assert wait_for(lambda: tool.events("session-close")[-1]["ignored"] == 5)


@case("O4 Echec for an open channel, and texts of all kinds")
def stray_echec(tool):
    peer = Peer.connect(tool)
    channel = peer.open()
    for text in (b"", b"no", bytes(100), b"\x1b[2J\x1b]0;x\x07", b"\n" * 50,
                 b"x" * 65528):
        peer.send(wire.echec(channel >> 16, text),
                  wire.echec(channel & 0xffff, text), wire.echec(99, text))
    peer.echoes(channel)
    peer.close()


@case("O6 packets for a channel that is still opening")
def early_packets(tool):
    forwarder = server("-allow", "*:*")
    peer = Peer.connect(forwarder)
    peer.send(wire.request(2, "127.0.0.1", DEAF))
    for receiver in (0, 1, 2, 3, 65535):
        channel = 2 << 16 | receiver
        peer.send(wire.data(channel, b"early"), wire.ack(channel, 5),
                  wire.new_max(channel, 5))
    peer.send(wire.request(4, "127.0.0.1", ECHO))
    peer.echoes(peer.expect(wire.SUCCESS, half=4).channel)
    peer.close()
    forwarder.stop()


@case("O7 100,000 Requests without reading the answers")
def flood(tool):
    peer = Peer.connect(tool)
    peer.works()
    before = tool.rss()
    peer.stream.settimeout(3)
    octets = b"".join(wire.request(n & 0xffff, "flood.example")
                      for n in range(0, 200000, 2))
    try:
        for at in range(0, len(octets), 65536):
            peer.stream.sendall(octets[at:at + 65536])
    except TimeoutError:
        pass
    time.sleep(0.5)
    grown = tool.rss() - before
    assert SANITIZED or grown < 64 * 1024 + 4096, grown
    other = Peer.connect(tool)
    other.works()
    other.close()
    peer.close()


@case("O7 the same, towards destinations that do not answer")
def flood_forwarder(_):
    forwarder = server("-allow", "*:*")
    peer = Peer.connect(forwarder)
    before = forwarder.rss()
    peer.stream.settimeout(3)
    octets = b"".join(wire.request(n & 0xffff, "127.0.0.1", DEAF)
                      for n in range(0, 200000, 2))
    try:
        for at in range(0, len(octets), 65536):
            peer.stream.sendall(octets[at:at + 65536])
    except TimeoutError:
        pass
    time.sleep(0.5)
    grown = forwarder.rss() - before
    assert SANITIZED or grown < 32 * 1024, grown
    other = Peer.connect(forwarder)
    other.echoes(other.open("127.0.0.1", ECHO))
    other.close()
    peer.close()
    time.sleep(0.5)
    descriptors = len(os.listdir("/proc/%d/fd" % forwarder.pid))
    assert descriptors < 40, descriptors
    assert forwarder.stop() == 0


@case("O8 more than the channels allowed")
def too_many(_):
    few = server("-echo", "-channels", "10")
    peer = Peer.connect(few)
    channels = [peer.open() for _ in range(10)]
    word = peer.refused(wire.request(1000, "one.more"), 1000)
    assert word.startswith(b"resource-shortage"), word
    peer.send(wire.data(channels[0]), wire.close(channels[0]))
    peer.expect(wire.CONFIRMATION, channel=channels[0])
    peer.works()
    few.stop()


@case("O9 open and close at once, again and again")
def rapid_reset(_):
    forwarder = server("-allow", "*:*")
    quick = Peer.connect(forwarder)
    ping = quick.open("127.0.0.1", ECHO)
    hasty = Peer.connect(forwarder)
    cycles = int(os.environ.get("MTLS_TEST_O9", 1000 if SANITIZED else 5000))
    slowest = 0
    done = 0
    while done < cycles:
        for _ in range(100):
            hasty.send(wire.request(hasty.next_half(), "127.0.0.1", ECHO))
        for _ in range(100):
            channel = hasty.expect(wire.SUCCESS).channel
            hasty.send(wire.close(channel))
        done += 100
        hasty.half %= 60000
        began = time.monotonic()
        quick.echoes(ping)
        slowest = max(slowest, time.monotonic() - began)
    assert slowest < (5 if SANITIZED else 1), slowest
    hasty.close()
    quick.close()
    assert wait_for(lambda: len(os.listdir("/proc/%d/fd" % forwarder.pid)) < 40)
    assert forwarder.stop() == 0


@case("O10 every half in use, then one more")
def all_halves(tool):
    peer = Peer.connect(tool)
    before = tool.rss()
    channels = {}
    sent = 0
    total = 32768  # of one parity, of the acceptor's
    refused = None
    while refused is None and sent < 66000:
        for _ in range(256):
            peer.send(wire.request(sent & 0xffff, "many.example", window=0))
            sent += 1
        while len(channels) < sent and refused is None:
            p = peer.packet()
            if p.kind == wire.SUCCESS:
                channels[p.half] = p.channel
            elif p.kind == wire.ECHEC:
                refused = p.text
    assert len(channels) >= total, len(channels)
    assert refused.startswith((b"resource-shortage", b"collision")), refused
    assert SANITIZED or tool.rss() - before < 96 * 1024, tool.rss() - before
    while True:  # those that were under way are answered too
        try:
            peer.packet(0.5)
        except TimeoutError:
            break
    channel = channels[0]
    peer.send(wire.data(channel), wire.close(channel))
    peer.expect(wire.CONFIRMATION, channel=channel)
    peer.send(wire.request(0, "again.example"))
    peer.echoes(peer.expect(wire.SUCCESS, half=0).channel)
    peer.close()


@case("O11 windows and packet lengths at their edges")
def edges(tool):
    peer = Peer.connect(tool)
    channel = peer.open(window=0)
    peer.send(wire.data(channel, b"abc"))
    peer.silent()
    peer.send(wire.ack(channel, 3))
    assert peer.read(channel, 3) == b"abc"
    channel = peer.open(window=1)
    peer.send(wire.data(channel, b"xy"))
    assert peer.read(channel, 1) == b"x"
    peer.send(wire.ack(channel, 1))
    assert peer.read(channel, 1) == b"y"
    peer.echoes(peer.open(window=0xffffffff))
    peer.echoes(peer.open(max_packet=0xffffffff))
    peer.echoes(peer.open(window=10000, max_packet=20000))
    channel = peer.open(max_packet=1)
    peer.send(wire.data(channel, b"one"))
    for octet in (b"o", b"n", b"e"):
        assert peer.expect(wire.DATA, channel=channel).octets == octet
    half = peer.next_half()
    word = peer.refused(wire.request(half, "x.example", max_packet=0), half)
    assert word.startswith(b"malformed"), word
    peer.works()
    peer.close()


# O12: what each destination gets from a server that allows loopback alone.
DESTINATIONS = [
    ("127.0.0.1", None), ("localhost", None), ("LOCALHOST", None),
    ("LocalHost.", None), ("127.0.0.1.", None), ("::ffff:127.0.0.1", None),
    ("0:0:0:0:0:ffff:7f00:1", None), ("127.0.0.2", b"connect-failed"),
    ("127.255.255.254", b"connect-failed"), ("::1", b"connect-failed"),
    ("198.51.100.1", b"prohibited"), ("0.0.0.0", b"prohibited"),
    ("::", b"prohibited"), ("::ffff:0.0.0.0", b"prohibited"),
    ("::ffff:198.51.100.1", b"prohibited"), ("2130706433", b"prohibited"),
    ("017700000001", b"prohibited"), ("0x7f000001", b"prohibited"),
    ("0x7f.1", b"prohibited"), ("127.1", b"prohibited"),
    ("127.0.0.01", b"prohibited"), ("0177.0.0.1", b"prohibited"),
    ("0", b"prohibited"), ("[::1]", b"malformed"), ("::1%lo", b"malformed"),
    ("b\xfccher.example".encode("latin-1"), b"malformed"),
    ("xn--bcher-kva.invalid", b"unknown-host"), ("a" * 64 + ".invalid",
                                                b"unknown-host"),
    (("a" * 49 + ".") * 5 + "a" * 5, b"unknown-host"),
    ("a" * 256, b"malformed"), ("a\0b", b"malformed"),
    ("127.0.0.1\0.example", b"malformed"), ("a\nb", b"malformed"),
    ("a b", b"malformed"), ("a..b", b"malformed"), (".", b"malformed"),
    ("", b"malformed"), ("-x", b"malformed"), ("unix:x", b"malformed"),
    ("unix:/tmp/../x", b"malformed"), ("unix:/tmp/x", b"prohibited"),
    ("unix:/" + "a" * 200, b"malformed"), ("unix:", b"malformed"),
]


@case("O12 destinations in every disguise")
def disguises(_):
    forwarder = server()
    for host, wanted in DESTINATIONS:
        peer = Peer.connect(forwarder)
        unix = isinstance(host, str) and host.startswith("unix:")
        peer.send(wire.request(2, host, 0 if unix else ECHO))
        p = peer.packet()
        if wanted is None:
            assert p.kind == wire.SUCCESS, (host, p)
            peer.echoes(p.channel)
        else:
            assert p.kind == wire.ECHEC and p.text.startswith(wanted), (host,
                                                                        p)
        peer.close()
    peer = Peer.connect(forwarder)
    for host in ("127.0.0.1", "localhost", "::1"):
        word = peer.refused(wire.request(2, host, 0), 2)
        assert word.startswith(b"malformed"), word
    word = peer.refused(wire.request(2, "default", 0), 2)
    assert word.startswith(b"prohibited"), word
    # What is told of them is fit for a terminal: events() makes sure.
    shown = [e["destination"] for e in forwarder.events("channel-close")]
    assert "b\\xfccher.example:%d" % ECHO in shown, shown
    peer.close()
    assert forwarder.stop() == 0


@case("O12 rules: what is named, and nothing else")
def rules(_):
    def asks(tool, host, port):
        peer = Peer.connect(tool)
        peer.send(wire.request(2, host, port))
        p = peer.packet()
        peer.close()
        return b"yes" if p.kind == wire.SUCCESS else p.text.partition(b":")[0]

    refused = b"connect-failed"
    table = [
        (("127.0.0.1:%d" % ECHO,), [("127.0.0.1", ECHO, b"yes"),
                                    ("localhost", ECHO, b"yes"),
                                    ("127.0.0.1", DROP, b"prohibited"),
                                    ("127.0.0.2", ECHO, b"prohibited"),
                                    ("::1", ECHO, b"prohibited")]),
        (("localhost:%d" % ECHO,), [("localhost", ECHO, b"yes"),
                                    ("LOCALHOST.", ECHO, b"yes"),
                                    ("127.0.0.1", ECHO, b"prohibited")]),
        (("127.0.0.0/8",), [("127.9.9.9", ECHO, refused),
                            ("127.0.0.1", ECHO, b"yes"),
                            ("::1", ECHO, b"prohibited")]),
        (("127.0.0.0/30:%d" % ECHO,), [("127.0.0.1", ECHO, b"yes"),
                                       ("127.0.0.4", ECHO, b"prohibited"),
                                       ("127.0.0.1", DROP, b"prohibited")]),
        (("[::/0]:*",), [("::1", 1, refused), ("::", 1, b"prohibited"),
                         ("127.0.0.1", ECHO, b"prohibited"),
                         ("::ffff:127.0.0.1", ECHO, b"prohibited")]),
        (("*:%d" % ECHO,), [("127.0.0.1", ECHO, b"yes"),
                            ("127.0.0.1", DROP, b"prohibited"),
                            ("0.0.0.0", ECHO, b"prohibited")]),
        (("10.0.0.0/8:*", "[2001:db8::1]:80"),
         [("127.0.0.1", ECHO, b"prohibited"), ("11.0.0.1", 80, b"prohibited"),
          ("2001:db8::2", 80, b"prohibited"),
          ("2001:db8::1", 81, b"prohibited")]),
    ]
    for allow, questions in table:
        options = [o for rule in allow for o in ("-allow", rule)]
        tool = server(*options)
        for host, port, wanted in questions:
            got = asks(tool, host, port)
            assert got == wanted, (allow, host, port, got)
        tool.stop()
    for bad in ("", "x", "127.0.0.1", "1.2.3.4/33", "1.2.3.4:0", "::1:80",
                "[::1]", "1.2.3.4:99999", "unix:x", "a/8:1", "0x7f.1:1",
                "*", "[::1/129]:1", "b\xfccher:1"):
        status = subprocess.run(
            [TOOL, "s_server", "-accept", "0", "-cert", path("cert.pem"),
             "-key", path("key.pem"), "-allow", bad],
            stderr=subprocess.DEVNULL, timeout=PATIENCE).returncode
        assert status == 2, (bad, status)


def own_names(**files):
    """What starts the tool with these files in /etc; None: not possible."""
    script = "#!/bin/sh\nset -e\n"
    for name, text in files.items():
        with open(path(name), "w") as f:
            f.write(text)
        script += "mount --bind %s /etc/%s\n" % (path(name),
                                                 name.replace("_", "."))
    wrap = path("wrap%d" % len(files))
    with open(wrap, "w") as f:
        f.write(script + 'exec "%s" "$@"\n' % TOOL)
    os.chmod(wrap, 0o755)
    program = ("unshare", "-m", wrap)
    if not shutil.which("unshare") or subprocess.run(
            program + ("version",), stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL).returncode != 0:
        print("    skipped: no mount namespace to be had here")
        return None
    return program


@case("O13 a name with addresses that are allowed and others that are not")
def mixed_name(_):
    program = own_names(hosts="127.0.0.1 localhost\n198.51.100.7 both.example\n"
                        "127.0.0.1 both.example\n198.51.100.7 out.example\n"
                        "0.0.0.0 zero.example\n")
    if not program:
        return
    tool = server(program=program)
    peer = Peer.connect(tool)
    peer.send(wire.request(2, "both.example", ECHO))
    began = time.monotonic()
    peer.echoes(peer.expect(wire.SUCCESS, half=2).channel)
    assert time.monotonic() - began < 2, "the other one was tried as well"
    for host in ("out.example", "zero.example"):
        word = peer.refused(wire.request(4, host, ECHO), 4)
        assert word.startswith(b"prohibited"), word
    peer.close()
    tool.stop()


@case("O14 names that take long to look up delay nobody")
def slow_names(_):
    silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        silent.bind(("127.9.9.9", 53))  # it hears all, and says nothing
    except OSError:
        print("    skipped: port 53 is not for us")
        return
    program = own_names(
        hosts="127.0.0.1 localhost\n127.0.0.1 known.example\n",
        resolv_conf="nameserver 127.9.9.9\noptions timeout:3 attempts:1\n",
        nsswitch_conf="hosts: files dns\n")
    if not program:
        return
    tool = server("-allow", "*:*", program=program)
    slow = []
    for _ in range(3):
        peer = Peer.connect(tool)
        for half in range(2, 80, 2):
            peer.send(wire.request(half, "slow%d.example" % half, 80))
        peer.echoes(channel_to(peer, "127.0.0.1"))
        slow.append(peer)
    began = time.monotonic()
    peer = Peer.connect(tool)
    peer.echoes(channel_to(peer, "known.example"))
    assert time.monotonic() - began < 1.5, "it waited for the slow ones"
    # The first eight of a session fail together, then the next.
    word = slow[0].expect(wire.ECHEC).text
    assert word.startswith(b"unknown-host"), word
    for p in slow:
        p.close()
    peer.close()
    silent.close()
    assert tool.stop() == 0


def channel_to(peer, host):
    peer.half = 1000
    return peer.open(host, ECHO)


@case("O14 a destination that refuses, resets, or is a socket nobody serves")
def failing_destinations(_):
    gone = os.path.join(DIR, "gone.sock")
    s = socket.socket(socket.AF_UNIX)
    s.bind(gone)
    s.close()
    forwarder = server("-allow", "127.0.0.1:*", "-allow", "unix:" + gone)
    peer = Peer.connect(forwarder)
    for _ in range(100):
        word = peer.refused(wire.request(2, "127.0.0.1", 1), 2)
        assert word == b"connect-failed: Connection refused", word
    word = peer.refused(wire.request(2, "unix:" + gone, 0), 2)
    assert word == b"connect-failed: Connection refused", word
    for _ in range(100):
        peer.send(wire.request(2, "127.0.0.1", DROP))
        p = peer.packet()
        if p.kind == wire.ECHEC:  # it was quicker than our answer
            assert p.text.startswith(b"connect-failed"), p
            continue
        assert p.kind == wire.SUCCESS, p
        peer.expect(wire.CLOSE, channel=p.channel)
        peer.send(wire.confirmation(p.channel))
    peer.echoes(peer.open("127.0.0.1", ECHO))
    peer.close()
    assert wait_for(lambda: len(os.listdir("/proc/%d/fd" % forwarder.pid)) < 40)
    assert forwarder.stop() == 0


run(lambda: server("-echo"))
