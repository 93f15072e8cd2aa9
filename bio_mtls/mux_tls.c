/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * What is asked of the TLS below. A system call a record is what OpenSSL
 * costs over a socket: two to read one, one to write it, and another to hear
 * that there is nothing more. The session reads all that there is and knows
 * what it will write next, so that TLS may read ahead, and records be gathered
 * below it.
 */
#define OPENSSL_SUPPRESS_DEPRECATED /* BIO_get_callback() */
#include "mux.h"

#include "bio_batch.h"

#define READ_AHEAD (2 * 16384 + 4096) /* octets: a move in there costs too */

/* BIOs that go on to a system call with each write. */
static int is_socket(const BIO *b)
{
    switch (BIO_method_type(b)) {
    case BIO_TYPE_SOCKET:
    case BIO_TYPE_CONNECT:
    case BIO_TYPE_FD:
        return 1;
    default:
        return 0;
    }
}

static void gather(struct mtls_mux *mux)
{
    BIO *socket = SSL_get_wbio(mux->ssl), *batch;

    if (socket == NULL || socket != SSL_get_rbio(mux->ssl) ||
        !is_socket(socket) || BIO_get_ktls_send(socket) ||
        BIO_get_ktls_recv(socket) || (batch = mtls_batch_new()) == NULL)
        return;
    if (!BIO_up_ref(socket)) {
        BIO_free(batch);
        return;
    }
    BIO_push(batch, socket);
    SSL_set_bio(mux->ssl, batch, batch);
    mux->batch = batch;
}

/* What it still holds could not be sent: then it stays, since order counts. */
static void stop_gathering(struct mtls_mux *mux)
{
    BIO *batch = mux->batch, *socket;

    mux->batch = NULL;
    if (batch == NULL || SSL_get_wbio(mux->ssl) != batch ||
        SSL_get_rbio(mux->ssl) != batch)
        return;
    if (BIO_flush(batch) <= 0 || (socket = BIO_next(batch)) == NULL ||
        !BIO_up_ref(socket))
        return;
    SSL_set_bio(mux->ssl, socket, socket);
}

/*
 * BIO_f_ssl adds to SSL_read() and SSL_write() the flags, and what programs
 * ask for: callbacks, and to negotiate again, which TLS 1.3 does not know. To
 * tell a retry, SSL_get_error() has to see an empty error queue; what is asked
 * here is what it asks then.
 */
static int may_be_direct(const struct mtls_mux *mux)
{
    return SSL_version(mux->ssl) == TLS1_3_VERSION &&
           BIO_get_callback(mux->next) == NULL &&
           BIO_get_callback_ex(mux->next) == NULL;
}

int mtls_mux_tls_failed(const struct mtls_mux *mux)
{
    return SSL_want(mux->ssl) == SSL_NOTHING;
}

int mtls_mux_tls_write(struct mtls_mux *mux, const unsigned char *p, size_t len,
                       size_t *n)
{
    mux->direct = BIO_get_callback_ex(mux->next) == NULL;
    if (!mux->direct)
        return -1;
    if (SSL_write_ex(mux->ssl, p, len, n))
        return 1;
    return SSL_want(mux->ssl) == SSL_WRITING &&
                   BIO_should_write(SSL_get_wbio(mux->ssl))
               ? 0
               : -1;
}

int mtls_mux_tls_read(struct mtls_mux *mux, unsigned char *p, size_t len,
                      size_t *n)
{
    mux->direct = BIO_get_callback_ex(mux->next) == NULL;
    if (!mux->direct)
        return -1;
    if (SSL_read_ex(mux->ssl, p, len, n))
        return 1;
    return SSL_want(mux->ssl) == SSL_READING &&
                   BIO_should_read(SSL_get_rbio(mux->ssl))
               ? 0
               : -1;
}

void mtls_mux_tls_tune(struct mtls_mux *mux)
{
    SSL *ssl = NULL;

    if (BIO_method_type(mux->next) != BIO_TYPE_SSL ||
        BIO_get_ssl(mux->next, &ssl) <= 0 || ssl == NULL || SSL_is_dtls(ssl) ||
        !SSL_up_ref(ssl))
        return;
    mux->ssl = ssl;
    mux->read_ahead = SSL_get_read_ahead(ssl);
    SSL_set_read_ahead(ssl, 1);
    if (SSL_get_rbio(ssl) != NULL && is_socket(SSL_get_rbio(ssl))) {
        SSL_set_default_read_buffer_len(ssl, READ_AHEAD);
        SSL_free_buffers(ssl); /* made anew with that size, if empty */
    }
    gather(mux);
    mux->direct = may_be_direct(mux);
}

void mtls_mux_tls_restore(struct mtls_mux *mux)
{
    if (mux->ssl == NULL)
        return;
    mux->direct = 0;
    SSL_set_read_ahead(mux->ssl, mux->read_ahead);
    stop_gathering(mux);
    SSL_free(mux->ssl);
    mux->ssl = NULL;
}

void mtls_mux_tls_more(const struct mtls_mux *mux, int more)
{
    if (mux->batch != NULL)
        mtls_batch_more(mux->batch, more);
}

void mtls_mux_tls_turn(const struct mtls_mux *mux, int on)
{
    if (mux->batch != NULL)
        mtls_batch_turn(mux->batch, on);
}

int mtls_mux_tls_emptied(const struct mtls_mux *mux)
{
    return mux->batch != NULL && mtls_batch_emptied(mux->batch) &&
           !SSL_has_pending(mux->ssl);
}

size_t mtls_mux_tls_held(const struct mtls_mux *mux)
{
    return mux->batch != NULL ? mtls_batch_waiting(mux->batch) : 0;
}

int mtls_mux_holds_back(const struct mtls_mux *mux)
{
    BIO *b = mux->next;

    if (mux->ssl != NULL)
        b = SSL_get_wbio(mux->ssl);
    if (b == NULL || is_socket(b))
        return 0;
    if (b == mux->batch)
        return mtls_batch_waiting(b) != 0;
    switch (BIO_method_type(b)) {
    case BIO_TYPE_BIO:
    case BIO_TYPE_MEM:
    case BIO_TYPE_NULL:
        return 0;
    default: /* BIO_f_buffer, or a channel of another session */
        return 1;
    }
}
