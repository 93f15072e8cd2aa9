# Copyright 2026 The MTLS for OpenSSL authors.
# SPDX-License-Identifier: Apache-2.0

"""A server that says what it likes, and how what it told others ended."""

import socket
import ssl

from libtool import PATIENCE, Peer, Tool, path, wait_for


class Server:
    """Our end: TLS, and MTLS by hand."""

    def __init__(self):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(path("cert.pem"), path("key.pem"))
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(10)
        self.listener.settimeout(PATIENCE)
        self.port = self.listener.getsockname()[1]

    def accept(self):
        raw = self.listener.accept()[0]
        raw.settimeout(PATIENCE)
        return Peer(self.context.wrap_socket(raw, server_side=True,
                                             suppress_ragged_eofs=False))

    def accept_again(self):
        """Attempts that the client gave up meanwhile are passed over."""
        for _ in range(10):
            try:
                return self.accept()
            except ssl.SSLError:
                pass
        return self.accept()

    def client(self, *arguments):
        """s_client with a -L; it, and the session with it."""
        tool = Tool("s_client", "-connect", "localhost:%d" % self.port,
                    "-CAfile", path("ca.pem"), "-L", "127.0.0.1:0:x.example:1",
                    *arguments)
        peer = self.accept()
        assert wait_for(lambda: tool.events("session-open")), tool.text()
        return tool, peer


def ends(s):
    """What still comes, and how it ends."""
    got = b""
    try:
        while piece := s.recv(65536):
            got += piece
        return got, "end"
    except ConnectionResetError:
        return got, "reset"


def over(tool, peer):
    peer.close()
    assert tool.stop() == 0, tool.text()
