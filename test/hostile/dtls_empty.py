# Copyright 2026 The MTLS for OpenSSL authors.
# SPDX-License-Identifier: Apache-2.0

"""Empty datagrams, each way, before each of the others.

DTLS reads one as an end, and who sends it need not know any key: neither a
handshake nor a session may end by it, nor what follows it wait.
"""

import subprocess

import libtool
from librelay import Relay

LINES = "".join("line %d\n" % i for i in range(100)).encode()


def main():
    libtool.make_certificates()
    server = libtool.server("-dtls", "-echo")
    relay = Relay(("127.0.0.1", server.port()))
    for weather in relay.both():
        weather.become = lambda data: [(0, b""), (0, data)]
    for _ in range(3):
        client = subprocess.run(
            (libtool.TOOL, "s_client", "-dtls", "-noverify", "-connect",
             "127.0.0.2:%d" % server.port()),
            input=LINES, capture_output=True, timeout=60)
        assert client.returncode == 0, client.stderr
        assert sorted(client.stdout.split()) == sorted(LINES.split()), \
            client.stdout
    assert server.alive()
    assert server.stop() == 0
    print("ok - neither a handshake nor a session ends by an empty datagram")


main()
