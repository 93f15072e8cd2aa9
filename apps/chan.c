/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "chan.h"
#include "link.h"

#include <openssl/err.h>
#include <stdio.h>
#include <string.h>

/* How long a local reader may take for what a lost session has left it. */
#define ORPHAN_MS 30000

void chan_add(struct chan *c, const struct chan_ops *ops, struct link *k,
              BIO *bio)
{
    c->ops = ops;
    c->app = k->app;
    c->link = k;
    c->bio = bio;
    c->since = uv_now(&k->app->loop);
    c->waits = 0;
    c->dropped = 0;
    BIO_set_callback_arg(bio, (char *)c);
    TAILQ_INSERT_TAIL(&k->channels, c, node);
    k->n_channels++;
}

/* It waits for room no more; 1 if it did. */
static int stop_waiting(struct chan *c)
{
    int waited = c->waits;

    if (waited)
        TAILQ_REMOVE(&c->link->for_room, c, room_node);
    c->waits = 0;
    return waited;
}

void chan_remove(struct chan *c)
{
    stop_waiting(c);
    BIO_set_callback_arg(c->bio, NULL);
    if (c->link == NULL) {
        TAILQ_REMOVE(&c->app->orphans, c, node);
        return;
    }
    TAILQ_REMOVE(&c->link->channels, c, node);
    c->link->n_channels--;
    link_wrote(c->link); /* freeing the BIO will write a CloseRequest */
}

void chan_orphan(struct chan *c)
{
    int waited = stop_waiting(c);

    TAILQ_REMOVE(&c->link->channels, c, node);
    c->link->n_channels--;
    c->link = NULL;
    c->since = uv_now(&c->app->loop);
    TAILQ_INSERT_TAIL(&c->app->orphans, c, node);
    if (c->app->drain_until == UINT64_MAX) /* nobody waits for it any more */
        c->ops->abandon(c);
    else
        c->ops->ready(c, MTLS_EVENT_READABLE | MTLS_EVENT_CLOSED |
                             (waited ? MTLS_EVENT_WRITABLE : 0));
}

void chan_second(struct app *app)
{
    uint64_t now = uv_now(&app->loop);
    struct chan *c;

    while ((c = TAILQ_FIRST(&app->orphans)) != NULL &&
           now - c->since >= ORPHAN_MS)
        c->ops->abandon(c);
}

void chan_abandon_orphans(struct app *app)
{
    struct chan *c;

    while ((c = TAILQ_FIRST(&app->orphans)) != NULL)
        c->ops->abandon(c);
}

/* The reason of the last error, and what more it says; kept until the next. */
static const char *last_error_text(void)
{
    static char text[256];
    const char *data, *reason;
    int flags;
    unsigned long error = ERR_peek_last_error_data(&data, &flags);

    reason = ERR_reason_error_string(error);
    if (reason == NULL)
        return "the channel failed";
    if (ERR_GET_LIB(error) != MTLS_err_library() ||
        (flags & ERR_TXT_STRING) == 0 || data[0] == '\0')
        return reason;
    snprintf(text, sizeof(text), "%s: %s", reason, data);
    return text;
}

enum chan_end chan_failure(const struct chan *c, const char **why)
{
    unsigned long error = ERR_peek_last_error();
    const char *echec = BIO_mtls_get_error_text(c->bio);

    *why = last_error_text();
    ERR_clear_error();
    if (echec != NULL) {
        *why = echec;
        return CHAN_REFUSED;
    }
    if (c->link == NULL)
        return CHAN_TRUNCATED;
    if (ERR_GET_LIB(error) == MTLS_err_library()) {
        switch (ERR_GET_REASON(error)) {
        case MTLS_R_TRUNCATED:
        case MTLS_R_SESSION_ENDED:
        case MTLS_R_SESSION_DESYNCHRONISED:
        case MTLS_R_TRANSPORT_FAILED:
        case MTLS_R_NOT_ATTACHED:
            return CHAN_TRUNCATED;
        default:
            break;
        }
    }
    return CHAN_RESET;
}

MTLS_COUNTERS chan_counters(BIO *bio)
{
    MTLS_COUNTERS c = {0};

    if (BIO_mtls_get_counters(bio, &c) <= 0)
        memset(&c, 0, sizeof(c));
    return c;
}

const char *chan_id(BIO *bio, char out[9])
{
    long id = BIO_mtls_get_channel_id(bio);

    if (id < 0)
        return "-";
    snprintf(out, 9, "%08lx", id & 0xffffffffL);
    return out;
}

const char *chan_destination(BIO *bio, char out[ADDR_TEXT_MAX])
{
    const char *host = BIO_get_conn_hostname(bio);
    const char *port = BIO_get_conn_port(bio);
    int v6, ported;

    if (host == NULL)
        return "?";
    v6 = strchr(host, ':') != NULL && strncmp(host, "unix:", 5) != 0;
    ported = port != NULL && strcmp(port, "0") != 0;
    snprintf(out, ADDR_TEXT_MAX, "%s%s%s%s%s", v6 ? "[" : "", host,
             v6 ? "]" : "", ported ? ":" : "", ported ? port : "");
    return out;
}
