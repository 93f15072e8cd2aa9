# Copyright 2026 The MTLS for OpenSSL authors.
# SPDX-License-Identifier: Apache-2.0

"""A client that begins anew at the same address, when its first DTLS session
has waited for its TLS connection for too long: that one ends within the
handshake of the other.
"""

import select
import socket
import subprocess
import time

import libtool
from libtool import PATIENCE

# RFC 6347 4.1, RFC 5246 7.4
HEADER, CHANGE_CIPHER_SPEC, HANDSHAKE, KEY_EXCHANGE = 13, 20, 22, 16


def records(datagram):
    while len(datagram) > HEADER:
        n = HEADER + int.from_bytes(datagram[11:HEADER], "big")
        yield datagram[:n]
        datagram = datagram[n:]


def is_protected(record):
    return record[3:5] != b"\0\0"


def is_last_flight(record):
    return (is_protected(record) or record[0] == CHANGE_CIPHER_SPEC or
            record[0] == HANDSHAKE and record[HEADER] == KEY_EXCHANGE)


class Client:
    """openssl's, through a socket of ours that all share to the server."""

    def __init__(self, server):
        self.server, self.address, self.held = server, None, []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.process = subprocess.Popen(
            ("openssl", "s_client", "-dtls1_2", "-quiet", "-connect",
             "127.0.0.1:%d" % self.socket.getsockname()[1]),
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)

    def relay(self, until, holding=False):
        """until() says that it is enough, of a record from the server."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            for s in select.select((self.socket, self.server), (), (), 0.02)[0]:
                data, who = s.recvfrom(65536)
                for record in records(data):
                    if s is self.server:
                        if self.address:
                            self.socket.sendto(record, self.address)
                        if until(record):
                            return
                    elif holding and is_last_flight(record):
                        self.held.append(record)
                    else:
                        self.address = who
                        self.server.send(record)
            if until(None):
                return
        raise AssertionError("it took too long")

    def stop(self):
        self.process.kill()
        self.process.wait()


def begin_anew(port, late):
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.connect(("127.0.0.1", port))
    first = Client(server)
    first.relay(lambda record: record and is_protected(record))
    at = time.monotonic() + 1 + late
    time.sleep(0.3)  # it may take as long as the first one may wait
    second = Client(server)
    second.relay(lambda _: len(second.held) >= 3 and time.monotonic() >= at,
                 holding=True)
    for record in second.held[:3]:
        server.send(record)
    at += 0.5  # it may have been given up before
    second.relay(lambda _: time.monotonic() >= at)
    first.stop()
    second.stop()


def main():
    libtool.make_certificates()
    server = libtool.server("-dtls", "-echo", "-handshake_timeout", "1")
    port = server.port()
    # It looks for those that are too late five times a second.
    for late in (0.05, 0.1, 0.15):
        begin_anew(port, late)
        assert server.alive(), server.text()
    client = subprocess.run(
        (libtool.TOOL, "s_client", "-dtls", "-connect", "localhost:%d" % port,
         "-CAfile", libtool.path("ca.pem")),
        input=b"hello\n", capture_output=True, timeout=60)
    assert client.stdout == b"hello\n", client.stderr
    assert server.stop() == 0, server.text()
    print("ok - one session that ends within the handshake of another")


main()
