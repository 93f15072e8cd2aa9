/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* What app does with all TLSMUX connections: time limits, the end, a table. */
#include "report.h"
#include "tlsmux_conn.h"

#include <openssl/err.h>
#include <stdio.h>

/* A server's default for TLS and the request; a client waits for the server
 * to connect, too. */
#define SERVER_S 10
#define CLIENT_S 40
/* How long one that was refused may go on unheard. */
#define LINGER_S 5

/* Why the time is over for |m|; NULL: it is not. */
static const char *judge(const struct tlsmux *m, char *why, size_t size)
{
    uint64_t now = uv_now(&m->app->loop);
    int64_t idle = m->options->idle_timeout;
    int64_t limit = m->options->handshake_timeout;

    if (limit <= 0)
        limit = m->server ? SERVER_S : CLIENT_S;
    switch (m->state) {
    case TLSMUX_EXCHANGE:
        if (m->until != 0 || (now - m->started) / 1000 < (uint64_t)limit)
            return NULL;
        snprintf(why, size, "no %s for %lld seconds",
                 !m->told    ? "handshake"
                 : m->server ? "request"
                             : "answer",
                 (long long)limit);
        return why;
    case TLSMUX_OPEN:
        if (idle <= 0 || (now - m->active) / 1000 < (uint64_t)idle)
            return NULL;
        snprintf(why, size, "idle for %lld seconds", (long long)idle);
        return why;
    case TLSMUX_REFUSING:
    case TLSMUX_LINGERS:
        return (now - m->started) / 1000 < LINGER_S ? NULL : "refused";
    default:
        return NULL;
    }
}

static void give_up(struct tlsmux *m, const char *why)
{
    if (m->state != TLSMUX_REFUSING && m->state != TLSMUX_LINGERS)
        m->ops->ended(m, why);
    tlsmux_close(m, why);
}

/* To end one may end others: each time it begins anew behind the last. */
void tlsmux_second(struct app *app)
{
    uint64_t now = uv_now(&app->loop);
    struct tlsmux *m, *next;
    char text[80];

    for (m = TAILQ_FIRST(&app->tlsmuxes); m != NULL; m = next) {
        const char *why = judge(m, text, sizeof(text));

        next = TAILQ_NEXT(m, node);
        if (why != NULL) {
            give_up(m, why);
        } else if (m->until != 0 && now >= m->until) {
            m->until = 0;
            m->ops->late(m);
        }
    }
}

void tlsmux_drain(struct app *app)
{
    struct tlsmux *m, *next;

    for (m = TAILQ_FIRST(&app->tlsmuxes); m != NULL; m = next) {
        next = TAILQ_NEXT(m, node);
        if (m->state == TLSMUX_OPEN &&
            BIO_tlsmux_get_command(m->b) == MTLS_TLSMUX_UDP_ASSOCIATE)
            give_up(m, ""); /* datagrams have no end to wait for */
        else if (m->server && m->state != TLSMUX_OPEN)
            give_up(m, "this server is ending");
    }
}

void tlsmux_abandon(struct app *app)
{
    struct tlsmux *m;

    while ((m = TAILQ_FIRST(&app->tlsmuxes)) != NULL)
        give_up(m, "given up");
}

static const char *state_of(const struct tlsmux *m)
{
    static const char *const names[] = {
        [TLSMUX_EXCHANGE] = "opening", [TLSMUX_ASKED] = "connecting",
        [TLSMUX_OPEN] = "open",        [TLSMUX_REFUSING] = "refusing",
        [TLSMUX_LINGERS] = "refused",  [TLSMUX_OVER] = "over",
    };

    return names[m->state];
}

void tlsmux_table(const struct app *app)
{
    const struct tlsmux *m;

    TAILQ_FOREACH(m, &app->tlsmuxes, node)
    {
        char wish[ADDR_TEXT_MAX + 16];
        struct event e;

        tlsmux_wish(m, wish);
        event_begin(&e, "connection");
        event_text(&e, "peer", m->peer);
        event_text(&e, "request", wish);
        event_text(&e, "state", state_of(m));
        event_number(&e, "octets_in", m->in);
        event_number(&e, "octets_out", m->out);
        event_line(&e, "%-10s  %12llu  %12llu  %s, %s", state_of(m),
                   (unsigned long long)m->in, (unsigned long long)m->out, wish,
                   m->peer);
        event_end(&e);
    }
}
