# Copyright 2026 The MTLS for OpenSSL authors.
# SPDX-License-Identifier: Apache-2.0

"""TLSMUX clients that say what they like, to the real s_server.
MTLS_TEST_IDLE: how many idle handshakes."""

import glob
import os
import resource
import select
import socket
import ssl
import struct
import threading
import time

from libtlsmux import (CHOICE, DISGUISES, GREETING, NONE, ODD_NAMES, Echo, ask,
                       associate, code, connect, datagram, dropped, ends, frame, literal, name,
                       reply, request, whole)
from libtool import PATIENCE, SANITIZED, case, path, run, server, wait_for

IDLE = int(os.environ.get("MTLS_TEST_IDLE", 500 if SANITIZED else 2000))
resource.setrlimit(resource.RLIMIT_NOFILE,
                   (min(IDLE + 500, resource.getrlimit(
                       resource.RLIMIT_NOFILE)[1]),) * 2)


ECHO = Echo()
HERE = literal("127.0.0.1", ECHO.port)
TOOL = server("-tlsmux")


def works(tool=None):
    s = ask(tool or TOOL, HERE)
    assert reply(s)[0] == 0
    s.sendall(b"are you there?")
    assert whole(s, 14) == b"are you there?"
    s.close()


@case("K1 greetings that can't be used: 0xFF, and the end")
def greetings(_):
    for octets in (b"\4\1\0", b"\0", b"\xff\1\0", b"\5\0", b"\5\1\xff",
                   b"\5\2\1\2", b"\5\xff" + bytes(range(1, 256)),
                   b"\1\0\x27\0\0\0\1\0\0\0\0\x3f\xf7"):
        s = connect(TOOL)
        s.sendall(octets)
        assert ends(s) == b"\5\xff", octets
        s.close()
    s = connect(TOOL)
    s.sendall(b"\5\xff" + bytes(range(255)))
    assert whole(s, 2) == CHOICE
    s.close()
    works()


@case("K1 the exchange, cut at every octet")
def cuts(_):
    octets = GREETING + request(name("localhost", ECHO.port))
    for at in range(len(octets)):
        s = connect(TOOL)
        s.sendall(octets[:at])
        if at % 2:  # the rest comes later
            time.sleep(0.02)
            s.sendall(octets[at:])
            assert whole(s, 2) == CHOICE and reply(s)[0] == 0
        elif at % 4:  # never: in order
            try:
                s.unwrap().close()
            except ssl.SSLError:
                pass  # the choice came first
        s.close()
    works()


@case("K2 requests that can't be used")
def requests(_):
    for octets, wanted in (
            (b"\5\0\0" + HERE, 7), (b"\5\4\0" + HERE, 7),
            (b"\5\xff\0" + HERE, 7), (b"\5\1\0\0", 8), (b"\5\1\0\2", 8),
            (b"\5\1\0\5", 8), (b"\5\1\0\xff", 8), (b"\4\1\0" + HERE, 1),
            (b"\5\1\1" + HERE, 1), (b"\5\1\0\3\0\0\x50", 1),
            (b"\5\1\0" + name("a" * 255, 80), 1),
            (b"\5\1\0" + name("a\0b", 80), 1),
            (b"\5\1\0" + name("127.0.0.1\0.example", 80), 1),
            (b"\5\1\0" + name("a\nb", 80), 1), (b"\5\1\0" + name("a b", 80), 1),
            (b"\5\1\0" + name("unix:/tmp/x", 0), 1),
            (b"\5\1\0" + name("listen:127.0.0.1", 1), 1),
            (b"\5\1\0" + literal("127.0.0.1", 0), 1),
            (b"\5\1\0" + name("localhost", 0), 1)):
        s = connect(TOOL)
        s.sendall(GREETING + octets + b"what follows")
        assert whole(s, 2) == CHOICE
        assert ends(s) == b"\5" + bytes([wanted]) + NONE, (octets, wanted)
        s.close()
    works()


MALFORMED = [
    (b"\4\1\0", b"\5\xff"), (b"\5\0", b"\5\xff"), (b"\5\1\xff", b"\5\xff"),
    (b"\5\5\1\2\3\4\5", b"\5\xff"), (b"\0\1\0", b"\5\xff"),
    (b"\5\0\0" + HERE, 7), (b"\5\4\0" + HERE, 7), (b"\5\x80\0" + HERE, 7),
    (b"\5\1\0\0", 8), (b"\5\1\0\2", 8), (b"\4\1\0" + HERE, 1),
    (b"\5\1\1" + HERE, 1), (b"\5\1\0\3\0\0\x50", 1),
    (b"\5\1\0" + name("a\0b", 80), 1), (b"\5\1\0" + name("a" * 255, 80), 1),
    (b"\5\1\0" + literal("127.0.0.1", 0), 1),
    (b"\5\1\0" + literal("::ffff:198.51.100.1", 80), 2)]


def whole_answer(octets, wanted):
    """What is sent, and what comes, from the greeting on."""
    if isinstance(wanted, bytes):
        return octets, wanted
    return GREETING + octets, CHOICE + b"\5" + bytes([wanted]) + NONE


@case("K1 K2 each malformed message, an octet a record")
def malformed_in_pieces(_):
    for octets, wanted in MALFORMED:
        octets, wanted = whole_answer(octets, wanted)
        s = connect(TOOL)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for octet in octets:
            s.sendall(bytes([octet]))
            time.sleep(0.001)  # lest they be read together
        assert ends(s) == wanted, octets
        s.close()
    works()


def leave(s, how):
    """Ends our side in one of three ways, and hears the other's end."""
    if how == "reset":
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1" + bytes(3) +
                     bytes(4))
        s.close()
        return
    try:
        if how == "notify":
            s.unwrap()
        else:
            s.shutdown(socket.SHUT_WR)
    except ssl.SSLError:
        pass  # its answer came first
    try:
        while s.recv(65536):
            pass
    except (ConnectionResetError, ssl.SSLError):
        pass
    s.close()


@case("K1 K2 each malformed message, cut at every octet, and the end")
def malformed_and_the_end(_):
    def files():
        return len(os.listdir("/proc/%d/fd" % TOOL.pid))
    works()
    before = files()
    for octets, wanted in MALFORMED:
        octets, wanted = whole_answer(octets, wanted)
        for at in range(min(len(octets), 16)):
            s = connect(TOOL)
            s.sendall(octets[:at])
            leave(s, ("notify", "fin", "reset")[at % 3])
    assert wait_for(lambda: files() <= before), (before, files())
    works()


@case("T3 a request by one octet a second: the time is over all the same")
def slow(_):
    tool = server("-tlsmux", "-handshake_timeout", "2")
    s = connect(tool)
    s.settimeout(0.5)
    try:
        for octet in GREETING + request(name("a" * 60, 80)):
            s.sendall(bytes([octet]))
            try:
                if s.recv(2) == b"":
                    break
            except TimeoutError:
                pass
        else:
            raise AssertionError("it may take all the time that it likes")
    except OSError:
        pass
    s.close()
    assert wait_for(lambda: tool.events("connection-close"))
    assert "no request for 2 seconds" in tool.text(), tool.text()
    tool.stop()


@case("K3 O12 destinations in every disguise: 0x02")
def disguises(_):
    for host in DISGUISES:
        for address in (literal(host, ECHO.port), name(host, ECHO.port)):
            assert code(TOOL, address) == 2, host
            if host not in ("0.0.0.0", "::"):  # nobody in particular
                assert code(TOOL, address, 2) == 2, host
    for host in ODD_NAMES:
        assert code(TOOL, name(host, ECHO.port)) == 2, host
    for host in ("[::1]", "::1%lo", "b\xfccher.example", "a..b", ".", "-x"):
        assert code(TOOL, name(host, ECHO.port)) == 1, host
    assert code(TOOL, name("nobody.invalid", 1)) == 4
    for address in (HERE, literal("::ffff:127.0.0.1", ECHO.port),
                    name("LOCALHOST.", ECHO.port),
                    name("127.0.0.1.", ECHO.port)):
        assert code(TOOL, address) == 0, address
    # Aliases of loopback are this machine too, but nobody listens there.
    for host in ("127.0.0.2", "127.255.255.254", "::1"):
        assert code(TOOL, literal(host, ECHO.port)) == 5, host
    works()


def own_addresses():
    """Those of this machine's interfaces that are not loopback."""
    out = os.popen("ip -o -4 addr show scope global").read().split("\n")
    return [line.split()[3].split("/")[0] for line in out if line]


@case("K3 an interface's own address, and its neighbours")
def interfaces(_):
    for host in own_addresses()[:1]:
        assert code(TOOL, literal(host, 1)) == 5, host
        first, last = host.rsplit(".", 1)
        other = "%s.%d" % (first, (int(last) + 1) % 254 + 1)
        if other not in own_addresses():
            assert code(TOOL, literal(other, 1)) == 2, other
    works()


@case("O13 names with other addresses, and names that change")
def names(_):
    wrapper = glob.glob("/usr/lib/*/libnss_wrapper.so")
    if SANITIZED or not wrapper:
        return  # it can't be preloaded there
    hosts = path("hosts")

    def say(*lines):
        with open(hosts + ".new", "w") as f:
            f.write("".join(line + "\n" for line in lines))
        os.rename(hosts + ".new", hosts)
    say("127.0.0.1 here.example", "198.51.100.1 there.example",
        "127.0.0.1 both.example", "198.51.100.1 both.example",
        "198.51.100.1 mixed.example", "127.0.0.1 mixed.example",
        "0.0.0.0 zero.example", "::ffff:198.51.100.1 mapped.example",
        "198.51.100.1 localhost")
    tool = server("-tlsmux", program=(
        "env", "LD_PRELOAD=" + wrapper[0], "NSS_WRAPPER_HOSTS=" + hosts,
        os.environ["MTLS"]))
    assert code(tool, name("here.example", ECHO.port)) == 0
    for host in ("there", "both", "mixed", "zero", "mapped"):
        for command in (1, 2):
            assert code(tool, name(host + ".example", ECHO.port),
                        command) == 2, (host, command)
    assert code(tool, name("localhost", ECHO.port)) == 0
    s = associate(tool)
    for host in ("both", "here", "mixed", "zero", "mapped", "there", "here"):
        s.sendall(frame(name(host + ".example", ECHO.port), host.encode()))
    for _ in range(2):
        assert datagram(s)[10:] == b"here"
    assert dropped(tool, s) == 5
    # As often as it changes: what is granted is what has been checked.
    stop = []

    def change():
        while not stop:
            for host in ("127.0.0.1", "198.51.100.1"):
                say(host + " fickle.example")
    thread = threading.Thread(target=change)
    thread.start()
    try:
        for _ in range(60):
            s = ask(tool, name("fickle.example", ECHO.port))
            got, bound = reply(s)
            assert got in (0, 2), got
            assert got or bound[:4] == b"\x7f\0\0\1", bound
            s.close()
    finally:
        stop.append(1)
        thread.join()
    tool.stop()


@case("K4 data before the reply: delivered, or dropped with a refusal")
def early(_):
    s = connect(TOOL)
    s.sendall(GREETING + request(HERE) + b"early" * 1000)
    assert whole(s, 2) == CHOICE and reply(s)[0] == 0
    assert whole(s, 5000) == b"early" * 1000
    s.close()
    s = connect(TOOL)
    s.sendall(GREETING + request(literal("198.51.100.1", 1)) + bytes(50000))
    assert ends(s) == CHOICE + b"\5\2" + NONE
    s.close()
    works()


@case("K5 datagrams: fragments, foreign and odd destinations: dropped, counted")
def datagrams(_):
    s = associate(TOOL)
    bad = [frame(HERE, b"fragment", 1), frame(HERE, b"x", 0x80),
           frame(HERE, b"rsv", rsv=b"\0\1"), b"\0\0", b"\0\4\0\0\0\1",
           b"\0\5\0\0\0\7x", frame(literal("127.0.0.1", 0), b"port 0"),
           frame(name("", 7), b"x")]
    bad += [frame(literal(h, ECHO.port), b"x") for h in DISGUISES]
    bad += [frame(name(h, ECHO.port), b"x") for h in DISGUISES + ODD_NAMES]
    bad += [frame(name("nobody.invalid", 7), b"x")]
    for octets in bad:
        s.sendall(octets)
    for size in (0, 1, 1000, 60000):
        data = os.urandom(size)
        s.sendall(frame(HERE, data))
        assert datagram(s) == b"\0\0\0" + HERE + data, size
    s.sendall(frame(name("localhost", ECHO.port), b"by name"))
    assert datagram(s) == b"\0\0\0" + HERE + b"by name"
    s.sendall(frame(HERE, bytes(65520)))  # UDP can't carry that
    s.sendall(frame(HERE, b"goes on"))
    assert datagram(s)[10:] == b"goes on"
    assert dropped(TOOL, s) == len(bad) + 1
    works()


@case("K5 datagrams from an address that was not written to")
def strangers(_):
    def udp(host):
        u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        u.bind((host, 0))
        u.settimeout(PATIENCE)
        return u
    service, other, far = udp("127.0.0.1"), udp("127.0.0.1"), udp("127.0.0.7")
    s = associate(TOOL)
    s.sendall(frame(literal("127.0.0.1", service.getsockname()[1]), b"hi"))
    relay = service.recvfrom(100)[1]
    for u in (other, far):
        u.sendto(b"unasked", relay)
    service.sendto(b"answer", relay)
    assert datagram(s)[10:] == b"answer"
    s.sendall(frame(literal("127.0.0.1", other.getsockname()[1]), b"hi"))
    other.recv(100)
    other.sendto(b"asked", relay)
    assert datagram(s)[10:] == b"asked"
    # The last 64 may answer, and those before them may not.
    crowd = [udp("127.0.0.1") for _ in range(63)]
    for u in crowd:
        s.sendall(frame(literal(*u.getsockname()), b"hi"))
        u.recv(100)
    service.sendto(b"too late", relay)
    for u in [other] + crowd:
        u.sendto(b"asked", relay)
        assert datagram(s)[10:] == b"asked"
    assert dropped(TOOL, s) == 3


@case("K5 a flood both ways, from one who does not read")
def flood(_):
    s = associate(TOOL)
    before = TOOL.rss()
    s.settimeout(1)
    octets = frame(HERE, bytes(1000)) * 60
    try:
        for _ in range(1000):
            s.sendall(octets)
    except TimeoutError:
        pass
    works()
    if not SANITIZED:
        assert TOOL.rss() < before + 20000, (before, TOOL.rss())
    s.close()


@case("K6 BIND: nobody comes: 0x06; a stranger is not let in")
def binds(_):
    tool = server("-tlsmux", "-idle_timeout", "2")
    s = ask(tool, literal("0.0.0.0", 0), 2)
    got, bound = reply(s)
    assert got == 0 and bound[:4] == b"\x7f\0\0\1", (got, bound)
    assert reply(s) == (6, bytes(6)) and ends(s) == b""
    assert socket.socket().connect_ex(
        ("127.0.0.1", struct.unpack(">H", bound[4:])[0]))
    s = ask(tool, literal("127.0.0.5", 0), 2)
    got, bound = reply(s)
    where = (socket.inet_ntoa(bound[:4]), struct.unpack(">H", bound[4:])[0])
    assert got == 0 and where[0] == "127.0.0.5"
    for source in ("127.0.0.1", "127.0.0.6"):
        stranger = socket.create_connection(where, PATIENCE, (source, 0))
        try:
            assert stranger.recv(1) == b""
        except ConnectionResetError:
            pass
    friend = socket.create_connection(where, PATIENCE, ("127.0.0.5", 0))
    got, peer = reply(s)
    assert got == 0 and peer == literal(*friend.getsockname())[1:], peer
    friend.sendall(b"hello")
    assert whole(s, 5) == b"hello"
    friend.close()
    s.close()
    # One who goes away while it waits takes the port with it.
    s = ask(tool, literal("0.0.0.0", 0), 2)
    where = struct.unpack(">H", reply(s)[1][4:])[0]
    s.close()
    assert wait_for(lambda: socket.socket().connect_ex(("127.0.0.1", where)))
    works(tool)
    tool.stop()


@case("a service that resets, or a client that is cut off")
def cut(_):
    listener = socket.create_server(("127.0.0.1", 0))
    s = ask(TOOL, literal("127.0.0.1", listener.getsockname()[1]))
    assert reply(s)[0] == 0
    c = listener.accept()[0]
    c.sendall(b"part")
    assert whole(s, 4) == b"part"
    c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    c.close()
    try:
        assert ends(s) and False, "it looks like an end"
    except (ssl.SSLEOFError, ConnectionResetError):
        pass
    s = ask(TOOL, literal("127.0.0.1", listener.getsockname()[1]))
    assert reply(s)[0] == 0
    c = listener.accept()[0]
    c.settimeout(PATIENCE)
    s.sendall(b"part")
    s.close()  # without close_notify
    assert whole(c, 4) == b"part"
    try:
        assert c.recv(1) and False, "it looks like an end"
    except ConnectionResetError:
        pass
    works()


@case("T4 idle handshakes: bounded memory, and they time out")
def idle(_):
    tool = server("-tlsmux", "-sessions_max", str(2 * IDLE),
                  "-handshake_timeout", "5",
                  limit=min(2 * IDLE + 200, resource.getrlimit(
                      resource.RLIMIT_NOFILE)[1]))
    works(tool)
    before = tool.rss()
    there = ("127.0.0.1", tool.port())
    silent = [socket.create_connection(there, PATIENCE) for _ in range(IDLE)]
    context = ssl.create_default_context(cafile=path("ca.pem"))
    shaken = [connect(tool, context) for _ in range(min(IDLE // 20, 300))]
    for i, s in enumerate(shaken):
        s.sendall((GREETING + request(HERE))[:i % 12])
    works(tool)
    most = tool.rss()
    if not SANITIZED:
        assert most - before < 30 * IDLE + 120 * len(shaken), (before, most)

    def gone():
        return not select.select([], [], [], 0.2)[0] and \
            len(os.listdir("/proc/%d/fd" % tool.pid)) < 100
    assert wait_for(gone, 60), "they are still there"
    works(tool)
    for s in silent + shaken:
        s.close()
    assert tool.stop() == 0, tool.text()[-1000:]


@case("T4 no more than -sessions_max; the one that says nothing makes room")
def room(_):
    tool = server("-tlsmux", "-sessions_max", "3")
    busy = [ask(tool, HERE) for _ in range(3)]
    assert all(reply(s)[0] == 0 for s in busy)
    raw = socket.create_connection(("127.0.0.1", tool.port()), PATIENCE)
    assert raw.recv(1) == b""
    busy.pop().close()
    assert wait_for(lambda: tool.events("connection-close"))
    silent = socket.create_connection(("127.0.0.1", tool.port()), PATIENCE)
    time.sleep(1.5)  # the grace of a handshake
    works(tool)
    silent.close()
    for s in busy:
        s.sendall(b"still here")
        assert whole(s, 10) == b"still here"
    tool.stop()


@case("SIGTERM: what is open is waited for, the rest is not")
def drain(_):
    tool = server("-tlsmux")
    s = ask(tool, HERE)
    assert reply(s)[0] == 0
    u = associate(tool)
    b = ask(tool, literal("0.0.0.0", 0), 2)
    reply(b)
    tool.process.terminate()
    for other in (u, b):
        try:
            ends(other)
        except OSError:
            pass
    s.sendall(b"last words")
    assert whole(s, 10) == b"last words"
    s.unwrap().close()
    assert tool.process.wait(PATIENCE) == 0, tool.text()


@case("the server that they all talked to ends in order")
def finally_(_):
    works()
    assert TOOL.stop() == 0, TOOL.text()[-2000:]


run(lambda: None)
