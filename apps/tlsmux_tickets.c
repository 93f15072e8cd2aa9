/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "tlsmux_tickets.h"

#include <openssl/err.h>
#include <string.h>

static int tickets_index = -1;

/* The oldest makes room. */
static void keep(struct tickets *t, SSL_SESSION *session)
{
    if (t->n == TICKETS_MAX) {
        SSL_SESSION_free(t->at[0]);
        memmove(t->at, t->at + 1, --t->n * sizeof(t->at[0]));
    }
    t->at[t->n++] = session;
}

/* 1: the reference is ours. */
static int on_session(SSL *ssl, SSL_SESSION *session)
{
    struct tickets *t =
        SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), tickets_index);

    if (t->other != NULL && t->other(ssl, session) != 0 &&
        !SSL_SESSION_up_ref(session))
        return 1;
    keep(t, session);
    return 1;
}

int tickets_start(struct tickets *t, SSL_CTX *ctx)
{
    if (tickets_index < 0)
        tickets_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
    if (tickets_index < 0 || !SSL_CTX_set_ex_data(ctx, tickets_index, t))
        return 0;
    t->other = SSL_CTX_sess_get_new_cb(ctx);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT |
                                            SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ctx, on_session);
    return 1;
}

/* RFC 8446 C.4: a ticket is used once. TLS 1.2 gives one for many. */
void tickets_offer(struct tickets *t, SSL *ssl)
{
    while (t->n > 0) {
        SSL_SESSION *session = t->at[--t->n];
        int used =
            SSL_SESSION_is_resumable(session) && SSL_set_session(ssl, session);

        if (used && SSL_SESSION_get_protocol_version(session) < TLS1_3_VERSION)
            keep(t, session);
        else
            SSL_SESSION_free(session);
        ERR_clear_error();
        if (used)
            return;
    }
}

void tickets_clear(struct tickets *t)
{
    while (t->n > 0)
        SSL_SESSION_free(t->at[--t->n]);
}
