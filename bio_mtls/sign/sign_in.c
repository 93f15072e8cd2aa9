/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* What comes in, up to whole messages; and what the program gets of them. */
#include "sign_local.h"

#include "err.h"

#include <limits.h>
#include <string.h>

/* --- messages --- */

/* The stream ended. TLS says so before it does, or it was cut. */
static int ended(BIO *b, struct mtls_sign_filter *f)
{
    if (mtls_sign_reader_amid(&f->reader) ||
        (f->direct && !(SSL_get_shutdown(f->ssl) & SSL_RECEIVED_SHUTDOWN)))
        return mtls_sign_fail(b, f, 0, MTLS_R_SIGN_CUT, NULL);
    if (f->asked_count != 0)
        return mtls_sign_fail(b, f, 0, MTLS_R_SIGN_NO_RECEIPT, NULL);
    f->eof = f->over = 1;
    return 0;
}

/* 1 octets came, 0 end-of-file, -1. */
static int read_octets(BIO *b, struct mtls_sign_filter *f, int *whole)
{
    size_t room;
    unsigned char *p = mtls_sign_reader_in(&f->reader, &room);
    int n;

    if (p == NULL) {
        MTLS_raise(ERR_R_MALLOC_FAILURE);
        return -1;
    }
    n = BIO_read(BIO_next(b), p, (int)room);
    if (n <= 0) {
        BIO_copy_next_retry(b);
        if (n < 0 || BIO_should_retry(b))
            return -1;
        return ended(b, f);
    }
    *whole = mtls_sign_reader_received(&f->reader, (size_t)n);
    if (*whole < 0)
        return mtls_sign_fail(b, f,
                              f->reader.reason == MTLS_R_SIGN_TOO_LONG
                                  ? MTLS_SIGN_BAD_SIGN
                                  : MTLS_SIGN_DECODE_ERROR,
                              f->reader.reason, NULL);
    return 1;
}

/*
 * What is queued goes first. If it can't we read all the same, lest two who
 * have much to say wait for each other; but no more answers pile up than one
 * who means well may ask for.
 */
static int next_message(BIO *b, struct mtls_sign_filter *f)
{
    int whole = f->reader.whole, flags = 0, r;

    if (mtls_sign_push(b, f) < 0) {
        flags = BIO_get_retry_flags(b);
        if (flags == 0 || f->owed >= MTLS_SIGN_RECEIPTS_MAX)
            return -1;
        BIO_clear_retry_flags(b);
    }
    while (!whole) {
        r = read_octets(b, f, &whole);
        if (r <= 0) {
            if (BIO_should_retry(b))
                BIO_set_flags(b, flags); /* either way may be the first */
            return r;
        }
    }
    r = mtls_sign_take(b, f);
    if (r > 0)
        mtls_sign_reader_next(&f->reader);
    return r;
}

/*
 * Who reads waits for data, and for the end until receipts are there too: they
 * may follow what the peer had to say.
 */
static int is_there(const struct mtls_sign_filter *f, int receipts)
{
    if (f->at < f->len)
        return 1;
    return f->asked_count == 0 && (receipts || f->eof);
}

int mtls_sign_fill(BIO *b, struct mtls_sign_filter *f, int receipts)
{
    while (!is_there(f, receipts)) {
        int r = f->over ? 0 : next_message(b, f);

        if (r < 0 || f->over)
            return r;
    }
    /* A receipt that the BIO below does not take goes with the next call. */
    if (mtls_sign_send_rest(b, f) < 0 && !BIO_should_retry(b))
        ERR_clear_error(); /* the next write says so */
    BIO_clear_retry_flags(b);
    return f->at < f->len || receipts;
}

/* --- the program's --- */

int mtls_sign_read(BIO *b, struct mtls_sign_filter *f, char *data, size_t len,
                   size_t *n)
{
    int r;

    if (len == 0)
        return 0;
    r = mtls_sign_fill(b, f, 0);
    if (r <= 0)
        return r;
    *n = f->len - f->at < len ? f->len - f->at : len;
    memcpy(data, f->data + f->at, *n);
    f->at += *n;
    if (f->at == f->len) {
        OPENSSL_free(f->data);
        f->data = NULL;
        f->at = f->len = 0;
    }
    return 1;
}

/* A line does not go on in the next message: it would have two signatures. */
int mtls_sign_gets(BIO *b, struct mtls_sign_filter *f, char *line, size_t size)
{
    const unsigned char *end;
    size_t n = size - 1;
    int r = mtls_sign_fill(b, f, 0);

    if (r <= 0)
        return r;
    if (n > f->len - f->at)
        n = f->len - f->at;
    if (n > INT_MAX)
        n = INT_MAX;
    end = memchr(f->data + f->at, '\n', n);
    if (end != NULL)
        n = (size_t)(end - (f->data + f->at)) + 1;
    r = mtls_sign_read(b, f, line, n, &n);
    line[r > 0 ? n : 0] = '\0';
    return r > 0 ? (int)n : r;
}
