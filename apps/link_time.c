/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* The time limits of a link, looked at once a second. */
#include "link.h"

#include <stdio.h>

/* A client has no option for it; a server's default is the same. */
#define HANDSHAKE_S 10
/* How long a peer may leave our CloseRequests unanswered. */
#define CONFIRMATION_S 30
/* Of datagrams alone (mtls-00): how long a client asks in vain, and what ends a
 * server's session without an octet unless told: its end may have been lost. */
#define UNANSWERED_S 60
#define UNUSED_S 600
/* How long close_notify may take to leave. */
#define ENDING_S 5

static uint64_t seconds(const struct link *k, uint64_t since)
{
    return (uv_now(&k->app->loop) - since) / 1000;
}

static void time_out(struct link *k, const char *what, int64_t limit)
{
    char why[128];

    snprintf(why, sizeof(why), "%s for %lld seconds", what, (long long)limit);
    link_close(k, LINK_TIMED_OUT, why);
}

static int64_t idle_limit(const struct link *k)
{
    int64_t limit = k->options->idle_timeout;

    return limit < 0 && k->fd < 0 && SSL_is_server(k->ssl) ? UNUSED_S : limit;
}

/* Without a connection nothing tells of a server that has gone. */
static void look_for_answers(struct link *k, const MTLS_COUNTERS *c)
{
    if (c->octets_in != k->seen.octets_in)
        k->unanswered_from = c->octets_out;
    if (c->octets_out == k->unanswered_from)
        k->answered = uv_now(&k->app->loop);
    if (!SSL_is_server(k->ssl) && seconds(k, k->answered) >= UNANSWERED_S)
        time_out(k, "no answer", UNANSWERED_S);
}

static void look_for_confirmations(struct link *k, const MTLS_COUNTERS *c)
{
    if (c->octets_in != k->seen.octets_in || c->closing == 0)
        k->answered = uv_now(&k->app->loop);
    if (seconds(k, k->answered) >= CONFIRMATION_S)
        time_out(k, "no ChannelCloseConfirmation", CONFIRMATION_S);
}

/* What is asked over DTLS to keep a path is nobody's use of the session. */
static int was_used(const struct link *k, const MTLS_COUNTERS *c)
{
    const MTLS_COUNTERS *seen = &k->seen;

    if (k->dtls == NULL || k->fd < 0)
        return c->octets_in != seen->octets_in ||
               c->octets_out != seen->octets_out;
    return c->data_in != seen->data_in || c->data_out != seen->data_out ||
           c->channels_opened != seen->channels_opened ||
           c->channels_accepted != seen->channels_accepted ||
           c->channels != seen->channels;
}

static void look_at_session(struct link *k)
{
    int64_t idle = idle_limit(k);
    MTLS_COUNTERS c = chan_counters(k->m);

    if (was_used(k, &c))
        k->active = uv_now(&k->app->loop);
    if (idle > 0 && seconds(k, k->active) >= (uint64_t)idle)
        time_out(k, "idle", idle);
    else if (k->fd < 0)
        look_for_answers(k, &c);
    else
        look_for_confirmations(k, &c);
    k->seen = c;
}

void link_second(struct link *k)
{
    int64_t limit = k->options->handshake_timeout > 0
                        ? k->options->handshake_timeout
                        : HANDSHAKE_S;

    if (k->doomed)
        return;
    switch (k->state) {
    case LINK_HANDSHAKE:
        if (seconds(k, k->started) >= (uint64_t)limit)
            time_out(k, "no handshake", limit);
        break;
    case LINK_OPEN:
        look_at_session(k);
        break;
    case LINK_ENDING:
        if (seconds(k, k->started) >= ENDING_S)
            link_close(k, LINK_ENDED, "");
        break;
    }
}
