# Copyright 2026 The MTLS for OpenSSL authors.
# SPDX-License-Identifier: Apache-2.0

"""TLSMUX clients that say what they like, to the real s_server, and SOCKS
clients, to the real s_client. MTLS_TEST_IDLE: how many idle handshakes."""

import glob
import os
import resource
import select
import socket
import ssl
import struct
import threading
import time

from libtool import (PATIENCE, SANITIZED, Tool, case, path, run, server,
                     wait_for)

IDLE = int(os.environ.get("MTLS_TEST_IDLE", 500 if SANITIZED else 2000))
GREETING, CHOICE = b"\5\1\0", b"\5\0"
NONE = b"\0\1" + bytes(6)  # RSV and the address of a refusal
resource.setrlimit(resource.RLIMIT_NOFILE,
                   (min(IDLE + 500, resource.getrlimit(
                       resource.RLIMIT_NOFILE)[1]),) * 2)


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


DISGUISES = ["0.0.0.0", "0.0.0.1", "::", "::ffff:0.0.0.0", "198.51.100.1",
             "::ffff:198.51.100.1", "::127.0.0.1", "64:ff9b::7f00:1",
             "2001:db8::1", "224.0.0.1", "255.255.255.255", "ff02::1",
             "fe80::1", "126.255.255.255", "128.0.0.1"]
ODD_NAMES = ["2130706433", "017700000001", "0x7f000001", "0x7f.1", "127.1",
             "127.0.0.01", "0177.0.0.1", "0", "0.0.0.0.", "0x0"]


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


@case("K5 a datagram from a host that was not written to")
def strangers(_):
    service = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    service.bind(("127.0.0.1", 0))
    service.settimeout(PATIENCE)
    s = associate(TOOL)
    s.sendall(frame(literal("127.0.0.1", service.getsockname()[1]), b"hi"))
    relay = service.recvfrom(100)[1]
    stranger = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    stranger.bind(("127.0.0.7", 0))
    stranger.sendto(b"unasked", relay)
    other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    other.bind(("127.0.0.1", 0))
    other.sendto(b"from another port", relay)
    assert datagram(s)[10:] == b"from another port"
    assert dropped(TOOL, s) == 1


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


# --- SOCKS clients of s_client -D --------------------------------------------

def local(tool):
    return socket.create_connection(("127.0.0.1", tool.port()), PATIENCE)


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


@case("K5 a local client's datagrams: from others, before it has spoken")
def local_datagrams(_):
    tool = Tool("s_client", "-tlsmux", "-connect", "localhost:%d" %
                TOOL.port(), "-CAfile", path("ca.pem"), "-D", "127.0.0.1:0")

    def opened(port=0):
        s = local(tool)
        s.sendall(GREETING + request(literal("127.0.0.1", port), 3))
        assert whole(s, 2) == CHOICE
        got, where = reply(s)
        assert got == 0 and where[:4] == b"\x7f\0\0\1"
        return s, ("127.0.0.1", struct.unpack(">H", where[4:])[0])

    def udp(host="127.0.0.1"):
        u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        u.bind((host, 0))
        u.settimeout(PATIENCE)
        return u
    header = b"\0\0\0" + HERE
    ours, stranger, far = udp(), udp(), udp("127.0.0.9")
    s, relay = opened(ours.getsockname()[1])
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
    s, relay = opened()  # its port is that of its first datagram
    ours.sendto(header + b"first", relay)
    assert ours.recv(100) == header + b"first"
    stranger.sendto(header + b"second", relay)
    ours.sendto(header + b"third", relay)
    assert ours.recv(100) == header + b"third"
    s.close()
    assert tool.stop() == 0


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
