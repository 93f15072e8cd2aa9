# Copyright 2026 The MTLS for OpenSSL authors.
# SPDX-License-Identifier: Apache-2.0

"""s_server -dtls, amid strangers: who asks and asks, who stops half way.
MTLS_TEST_STRANGERS: how many there are; 10000 takes minutes."""

import os
import resource
import socket
import subprocess

from libtool import (PATIENCE, SANITIZED, case, path, run, server, wait_for)
from libdtls import (LONG, Crowd, Watched, client_hello, cookie_of, end,
                     handshake, record)

STRANGERS = int(os.environ.get("MTLS_TEST_STRANGERS",
                               100 if SANITIZED else 200))
# KiB: sessions_max is 1024, and one in its handshake has about 60.
BOUND = 1024 * 100
resource.setrlimit(resource.RLIMIT_NOFILE,
                   (min(STRANGERS + 500, resource.getrlimit(
                       resource.RLIMIT_NOFILE)[1]),) * 2)


def fds(tool):
    return len(os.listdir("/proc/%d/fd" % tool.pid))


def works(tool):
    """A client that does all that it should gets through."""
    client = Watched("s_client", "-connect", "localhost:%d" % tool.port(),
                     "-CAfile", path("ca.pem"), "-dtls", "-L",
                     "127.0.0.1:0:echo.example:7")
    assert wait_for(lambda: client.events("session-open"), LONG), client.text()
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(PATIENCE)
    s.connect(("127.0.0.1", client.port()))
    s.send(b"are you there?")
    assert s.recv(100) == b"are you there?"
    s.close()
    end(client)


def grown(tool, before, bound):
    """KiB; a build with sanitizers never gives any back."""
    kib = tool.rss() - before
    assert SANITIZED or kib < bound, kib
    return kib


@case("U4 ClientHellos from many addresses: a cookie each, and nothing is kept")
def hellos(_):
    tool = server("-dtls", "-echo")
    works(tool)
    before, descriptors = tool.rss(), fds(tool)
    crowd = Crowd(tool.port(), STRANGERS)
    for _ in range(3):
        crowd.cookies()
    assert crowd.got <= 3 * crowd.sent, (crowd.got, crowd.sent)
    assert wait_for(lambda: fds(tool) <= descriptors)
    print("# %d hellos: %.2f octets for each that was sent; %d KiB" % (
        3 * STRANGERS, crowd.got / crowd.sent, grown(tool, before, 2048)))
    crowd.close()
    works(tool)
    end(tool)


@case("U4 wrong cookies, pieces, noise: never more than three times as much")
def noise(_):
    tool = server("-dtls", "-echo")
    works(tool)
    before = tool.rss()
    crowd = Crowd(tool.port(), 6)
    cookies = list(crowd.cookies().values())
    hello = client_hello(cookies[0])
    flight = [record(handshake(1, client_hello(c[:-1] + b"\0"), number=1),
                     number=1) for c in cookies]
    flight += [record(handshake(1, hello, number=1, at=at, size=20), number=n)
               for n, at in enumerate(range(0, len(hello) - 20, 20))]
    flight += [record(os.urandom(40), kind=kind, epoch=epoch)
               for kind in range(0, 256, 5) for epoch in (0, 1)]
    flight += [record(handshake(kind, os.urandom(60))) for kind in range(25)]
    flight += [os.urandom(n) for n in range(1, 60)]
    flight += [record(handshake(1, hello))[:n] for n in range(1, 150, 7)]
    for s in crowd.sockets[1:]:  # not at the address of that cookie
        crowd.sent = crowd.got = 0
        for octets in flight:
            crowd.send(s, octets)
        crowd.answers(0.05)
        assert crowd.got <= 3 * crowd.sent, (crowd.got, crowd.sent)
    grown(tool, before, 2048)
    crowd.close()
    works(tool)
    assert not tool.events("error"), tool.events("error")
    end(tool)


def given_up(tool):
    """How many handshakes it has."""
    return sum("in time" in e["text"] or "make room" in e["text"]
               for e in tool.events("note"))


def return_cookies(tool):
    """How many it went on with."""
    crowd = Crowd(tool.port(), STRANGERS)
    for s, cookie in crowd.cookies().items():
        crowd.send(s, record(handshake(1, client_hello(cookie), number=1),
                             number=1))
    heard = {s for s, data in crowd.answers(0.5) if cookie_of(data) is None}
    crowd.close()
    return len(heard)


@case("U4 cookies returned, and then silence: bounded, timed out, used again")
def half_open(_):
    tool = server("-dtls", "-echo", "-handshake_timeout", "3")
    works(tool)
    start, descriptors, taken, most = tool.rss(), fds(tool), 0, []
    for _ in range(2):
        taken += return_cookies(tool)
        most.append(grown(tool, start, BOUND))
        works(tool)  # who means it is not kept out
        assert wait_for(lambda: given_up(tool) >= taken, LONG), \
            (given_up(tool), taken)
        assert wait_for(lambda: fds(tool) <= descriptors)
    print("# %d half-open, twice: %d KiB, then %d KiB" % (taken / 2, *most))
    assert SANITIZED or most[1] <= most[0] * 1.5, most
    works(tool)
    end(tool)


@case("U4 no TLS connection after DTLS: bounded, timed out, told so")
def unbound(_):
    tool = server("-dtls", "-echo", "-handshake_timeout", "3")
    works(tool)
    start = tool.rss()
    with subprocess.Popen([os.environ["DTLS_PEERS"], "127.0.0.1",
                           str(tool.port()), str(STRANGERS)],
                          stdout=subprocess.PIPE, text=True) as peers:
        good, bad = (int(n) for n in peers.stdout.readline().split())
        print("# %d sessions that wait: %d KiB" % (
            good, grown(tool, start, BOUND)))
        works(tool)
        assert int(peers.stdout.readline()) == good > 0
        assert bad == 0
    works(tool)
    end(tool)


run(lambda: None)
