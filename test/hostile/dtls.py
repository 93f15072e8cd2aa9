# Copyright 2026 The MTLS for OpenSSL authors.
# SPDX-License-Identifier: Apache-2.0

"""-dtls, over paths that lose, are cut, and forget whom they led to."""

import time

from libtool import case, run, wait_for
from libdtls import LONG, Journey, Talk, end

SMALL = ("-window", "3000")  # so that credit is used up at once


# --- U1: the path ---

@case("U1 30% lost, doubled, late, changed and replayed: no channel wedges")
def bad_path(_):
    j = Journey(*SMALL)
    talks = [Talk(j) for _ in range(10)]
    for t in talks:
        assert t.flows()
    j.relay.set(lose=30, twice=10, late=20, corrupt=5, truncate=5, replay=10)
    until = time.monotonic() + LONG
    goal = [t.hear() + 20 for t in talks]
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
    client = j.another()  # DTLS says it again after 1 s, 2, 4, 8
    assert Talk(j, client=client).flows()
    j.relay.calm()
    end(client)
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
    outage(j, 4, tcp=True)
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
    end(client)
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


@case("U1 another port, and nobody tells: the keep-alive does")
def found_silent(_):
    j = Journey()
    client = j.another("-keepalive", "1")
    talk = Talk(j, client=client)
    assert talk.flows()
    assert wait_for(lambda: "<<< MTLS MTLSPlaintext [length 1] channel ffff0000"
                    in client.text(), LONG)
    j.relay.rebind()
    assert wait_for(lambda: len(client.events("session-open")) == 2, LONG)
    assert "no datagrams come any more" in client.text()
    assert talk.flows()
    assert wait_for(lambda: j.server.events("session-close"))
    end(client)
    j.close()


run(lambda: None)
