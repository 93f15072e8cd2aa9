# Copyright 2026 The MTLS for OpenSSL authors.
# SPDX-License-Identifier: Apache-2.0

"""-dtls, over paths that lose, change and forget, and amid strangers.
MTLS_TEST_STRANGERS: how many there are; 10000 takes minutes."""

import os
import resource
import socket
import subprocess
import time

from libtool import (PATIENCE, SANITIZED, case, path, run, server, wait_for)
from libdtls import (LONG, Crowd, Journey, Talk, Watched, client_hello,
                     cookie_of, handshake, record)

STRANGERS = int(os.environ.get("MTLS_TEST_STRANGERS",
                               100 if SANITIZED else 400))
# KiB: sessions_max is 1024, and one in its handshake has about 60 KiB.
BOUND = 1024 * 100
SMALL = ("-window", "3000")  # so that credit is used up at once
resource.setrlimit(resource.RLIMIT_NOFILE,
                   (min(STRANGERS + 500, resource.getrlimit(
                       resource.RLIMIT_NOFILE)[1]),) * 2)


# --- U1: the path ---

@case("U1 30% lost, doubled, late, changed and replayed: no channel wedges")
def bad_path(_):
    j = Journey(*SMALL)
    talks = [Talk(j) for _ in range(10)]
    for t in talks:
        assert t.flows()
    j.relay.set(lose=30, twice=10, late=20, corrupt=5, truncate=5, replay=10)
    until = time.monotonic() + LONG
    goal = [t.hear() + 30 for t in talks]
    while any(t.hear() < n for t, n in zip(talks, goal)):
        assert time.monotonic() < until, [t.hear() for t in talks]
        for t in talks:
            t.say()
        time.sleep(0.02)
    asked = j.client.questions()
    j.relay.calm()
    for t in talks:
        assert t.flows()
    assert asked > 0, "credit was never short: nothing was tested"
    print("# %d datagrams, %d passed; asked for credit %d times" % (
        j.relay.up.seen + j.relay.down.seen,
        j.relay.up.passed + j.relay.down.passed, asked))
    j.close()


@case("U1 handshakes where 30% is lost, doubled and late")
def bad_handshakes(_):
    j = Journey()
    j.relay.set(lose=30, twice=20, late=20)
    client = j.another()
    assert Talk(j, client=client).flows()
    j.relay.calm()
    assert client.stop() == 0
    j.close()


def outage(j, asks, tcp):
    """Until the client has asked so often for credit; then it is over."""
    talk = Talk(j)
    assert talk.flows()
    j.relay.hold_tcp(tcp)
    j.relay.set(cut=True)
    before = j.client.questions()
    until = time.monotonic() + LONG
    while j.client.questions() < before + asks:
        assert time.monotonic() < until, j.client.text()[-1000:]
        talk.say()
        time.sleep(0.02)
    talk.hear()
    before = j.client.questions()
    j.relay.calm()
    j.relay.hold_tcp(False)
    assert talk.flows()
    # At most one, beside one that was on its way.
    assert j.client.questions() <= before + 2, j.client.questions() - before


@case("U1 the datagrams' path is cut: traffic flows again after one question")
def cut(_):
    j = Journey(*SMALL)
    outage(j, 5, tcp=False)
    j.close()


@case("U1 all is cut, until questions are seconds apart: so it does")
def cut_all(_):
    j = Journey(*SMALL)
    outage(j, 5, tcp=True)
    j.close()


# --- a NAT that forgets (P14) ---

@case("U1 another port: datagrams are lost, all else goes on; and back again")
def rebound(_):
    j = Journey()
    talk = Talk(j)
    assert talk.flows()
    heard, opened = talk.hear(), j.opened()
    seen = j.relay.up.seen
    j.relay.rebind()
    late = Talk(j)
    while j.relay.up.seen < seen + 40:
        talk.say()
        late.say()
        time.sleep(0.01)
    # The control connection opens channels as before.
    assert wait_for(lambda: j.opened() > opened)
    assert talk.hear() == heard
    assert late.hear() == 0
    assert len(j.server.events("session-open")) == 1
    client = j.another()  # nobody else is concerned
    assert Talk(j, client=client).flows()
    j.relay.back()
    assert talk.flows()
    assert late.flows()
    assert client.stop() == 0
    j.close()


@case("U1 another port, and the client begins anew: traffic flows")
def begun_anew(_):
    j = Journey()
    talk = Talk(j)
    assert talk.flows()
    j.relay.rebind()
    j.relay.drop_tcp()
    assert wait_for(lambda: len(j.client.events("session-open")) == 2, LONG)
    assert talk.flows()
    assert wait_for(lambda: len(j.server.events("session-close")) == 1)
    j.close()


# --- U4: strangers ---

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
    assert client.stop() == 0


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
    assert fds(tool) == descriptors
    print("# %d hellos: %.2f octets for each that was sent; %d KiB" % (
        3 * STRANGERS, crowd.got / crowd.sent, grown(tool, before, 2048)))
    crowd.close()
    works(tool)
    assert tool.stop() == 0


@case("U4 wrong cookies, pieces, noise: never more than three times as much")
def noise(_):
    tool = server("-dtls", "-echo")
    works(tool)
    before = tool.rss()
    crowd = Crowd(tool.port(), 20)
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
    assert tool.stop() == 0


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
        assert fds(tool) == descriptors
    print("# %d half-open, twice: %d KiB, then %d KiB" % (taken / 2, *most))
    assert SANITIZED or most[1] <= most[0] * 1.5, most
    works(tool)
    assert tool.stop() == 0


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
    assert tool.stop() == 0


run(lambda: None)
