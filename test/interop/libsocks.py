# Copyright 2026 The MTLS for OpenSSL authors.
# SPDX-License-Identifier: Apache-2.0

"""SOCKS 5 clients that the tests need and Debian does not have.

udp SOCKS HOST PORT       a UDP port (it is printed: "port N") whose datagrams
                          go through the SOCKS server on port SOCKS to HOST
bind SOCKS [STREAM]       BIND, and a connection of our own to where it listens
tls PORT CA HOST PORT     Python's ssl: CONNECT inside TLS, then standard input
                          to the other end and its answer to standard output
"""

import select
import socket
import ssl
import struct
import sys

PATIENCE = 30


def whole(s, n):
    got = b""
    while len(got) < n:
        piece = s.recv(n - len(got))
        if not piece:
            raise EOFError(got)
        got += piece
    return got


def address(host, port):
    try:
        return b"\1" + socket.inet_aton(host) + struct.pack(">H", port)
    except OSError:
        name = host.encode()
        return b"\3" + bytes([len(name)]) + name + struct.pack(">H", port)


def reply(s):
    """The code and the address of a reply."""
    head = whole(s, 4)
    assert head[0] == 5 and head[2] == 0, head
    if head[3] == 1:
        host = socket.inet_ntop(socket.AF_INET, whole(s, 4))
    else:
        assert head[3] == 4, head
        host = socket.inet_ntop(socket.AF_INET6, whole(s, 16))
    return head[1], host, struct.unpack(">H", whole(s, 2))[0]


def ask(s, command, host, port):
    s.sendall(b"\5\1\0")
    assert whole(s, 2) == b"\5\0"
    s.sendall(bytes([5, command, 0]) + address(host, port))
    return reply(s)


def connect(port):
    return socket.create_connection(("127.0.0.1", port), PATIENCE)


def udp(socks, host, port):
    control = connect(socks)
    code, there, relay = ask(control, 3, "0.0.0.0", 0)
    assert code == 0, code
    ours = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    ours.bind(("127.0.0.1", 0))
    out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    out.connect((there, relay))
    print("port", ours.getsockname()[1], flush=True)
    header = b"\0\0\0" + address(host, port)
    while True:
        if ours in select.select([ours, out], [], [])[0]:
            query, who = ours.recvfrom(65536)
            out.send(header + query)
            continue
        answer = out.recv(65536)
        assert answer[:3] == bytes(3) and answer[3] in (1, 3), answer[:20]
        ours.sendto(answer[10 if answer[3] == 1 else 7 + answer[4]:], who)


def bind(socks):
    s = connect(socks)
    code, host, port = ask(s, 2, "0.0.0.0", 0)
    assert code == 0, code
    other = socket.create_connection((host, port), PATIENCE)
    code, host, port = reply(s)
    assert (code, host, port) == (0,) + other.getsockname(), (code, host, port)
    s.sendall(b"question")
    assert whole(other, 8) == b"question"
    other.sendall(b"answer")
    other.shutdown(socket.SHUT_WR)
    assert whole(s, 6) == b"answer" and s.recv(1) == b""
    s.shutdown(socket.SHUT_WR)
    assert other.recv(1) == b""
    print("bound")


def tls(port, ca, host, to):
    context = ssl.create_default_context(cafile=ca)
    s = context.wrap_socket(connect(port), server_hostname="localhost",
                            suppress_ragged_eofs=False)
    code = ask(s, 1, host, to)[0]
    assert code == 0, code
    s.sendall(sys.stdin.buffer.read())
    while piece := s.recv(65536):
        sys.stdout.buffer.write(piece)
    s.unwrap()


command, arguments = sys.argv[1], sys.argv[2:]
{"udp": udp, "bind": bind, "tls": tls}[command](
    *[int(a) if a.isdigit() else a for a in arguments])
