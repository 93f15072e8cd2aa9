/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "bio_turn.h"

#include <openssl/ssl.h>

static long on_call(BIO *b, int oper, const char *data, size_t len, int argi,
                    long argl, int ret, size_t *done)
{
    struct mtls_turn *turn = (struct mtls_turn *)BIO_get_callback_arg(b);

    (void)data;
    (void)len;
    (void)argi;
    (void)argl;
    (void)done;
    if (oper != BIO_CB_READ || turn == NULL)
        return ret;
    if (turn->left == 0) {
        BIO_clear_retry_flags(b);
        BIO_set_retry_read(b);
        return -1;
    }
    turn->left--;
    return ret;
}

/* Below the SSL, if there is one. */
static BIO *socket_of(BIO *datagrams)
{
    SSL *ssl = NULL;

    if (BIO_get_ssl(datagrams, &ssl) <= 0 || ssl == NULL)
        return datagrams;
    return SSL_get_rbio(ssl);
}

void mtls_turn_watch(struct mtls_turn *turn, BIO *datagrams)
{
    BIO *b = socket_of(datagrams);

    if (turn->bio != NULL || b == NULL || BIO_get_callback_ex(b) != NULL ||
        !BIO_up_ref(b))
        return;
    turn->bio = b;
    turn->left = MTLS_TURN;
    BIO_set_callback_arg(b, (char *)turn);
    BIO_set_callback_ex(b, on_call);
}

void mtls_turn_forget(struct mtls_turn *turn)
{
    BIO *b = turn->bio;

    turn->bio = NULL;
    if (b != NULL && BIO_get_callback_ex(b) == on_call) {
        BIO_set_callback_ex(b, NULL);
        BIO_set_callback_arg(b, NULL);
    }
    BIO_free(b);
}

void mtls_turn_begin(struct mtls_turn *turn)
{
    turn->left = MTLS_TURN;
}

int mtls_turn_over(const struct mtls_turn *turn)
{
    return turn->bio != NULL && turn->left == 0;
}
