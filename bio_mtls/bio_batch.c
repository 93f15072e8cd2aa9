/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * BIO_f_buffer copies all that goes through it. Here the session says when
 * more follows: what is last goes out with what waits or, alone, straight on.
 */
#include "bio_batch.h"

#include "bio_local.h"

#include <openssl/crypto.h>
#include <string.h>

#define BATCH (4 * (16384 + 256)) /* octets: records, with what TLS adds */

struct batch {
    int more;
    int turn, emptied; /* of reading */
    size_t start, end; /* what waits */
    unsigned char octets[BATCH];
};

static CRYPTO_ONCE once = CRYPTO_ONCE_STATIC_INIT;
static BIO_METHOD *method;

/* 1 when nothing waits any more; else the flags tell why. */
static int send_waiting(BIO *b, struct batch *batch)
{
    size_t n;
    int ok = 1;

    while (ok && batch->start < batch->end) {
        ok = BIO_write_ex(BIO_next(b), batch->octets + batch->start,
                          batch->end - batch->start, &n);
        if (ok)
            batch->start += n;
    }
    BIO_copy_next_retry(b);
    if (ok)
        batch->start = batch->end = 0;
    return ok;
}

static int batch_write(BIO *b, const char *data, size_t len, size_t *n)
{
    struct batch *batch = BIO_get_data(b);
    int ok;

    *n = 0;
    BIO_clear_retry_flags(b);
    if (len > BATCH - batch->end && !send_waiting(b, batch))
        return 0;
    if (len > BATCH || (batch->end == 0 && !batch->more)) {
        ok = BIO_write_ex(BIO_next(b), data, len, n);
        BIO_copy_next_retry(b);
        return ok;
    }
    memcpy(batch->octets + batch->end, data, len);
    batch->end += len;
    *n = len;
    if (!batch->more) /* what can't go yet is for BIO_flush() */
        send_waiting(b, batch);
    BIO_clear_retry_flags(b);
    return 1;
}

static int batch_read(BIO *b, char *data, size_t len, size_t *n)
{
    struct batch *batch = BIO_get_data(b);
    int ok;

    BIO_clear_retry_flags(b);
    if (batch->emptied) {
        BIO_set_retry_read(b);
        *n = 0;
        return 0;
    }
    ok = BIO_read_ex(BIO_next(b), data, len, n);
    BIO_copy_next_retry(b);
    batch->emptied = batch->turn && ok && *n < len;
    return ok;
}

static long batch_ctrl(BIO *b, int cmd, long num, void *ptr)
{
    struct batch *batch = BIO_get_data(b);
    long r;

    switch (cmd) {
    case BIO_CTRL_DUP:
        return 1;
    case BIO_CTRL_WPENDING:
        if (batch->end != batch->start)
            return (long)(batch->end - batch->start);
        break;
    case BIO_CTRL_FLUSH:
        BIO_clear_retry_flags(b);
        if (!send_waiting(b, batch))
            return -1;
        break;
    default:
        break;
    }
    if (BIO_next(b) == NULL)
        return 0;
    r = BIO_ctrl(BIO_next(b), cmd, num, ptr);
    if (cmd == BIO_CTRL_FLUSH || cmd == BIO_C_DO_STATE_MACHINE)
        BIO_copy_next_retry(b);
    return r;
}

static int batch_create(BIO *b)
{
    struct batch *batch = OPENSSL_malloc(sizeof(*batch));

    if (batch == NULL)
        return 0;
    batch->more = batch->turn = batch->emptied = 0;
    batch->start = batch->end = 0;
    BIO_set_data(b, batch);
    BIO_set_init(b, 1);
    return 1;
}

static int batch_destroy(BIO *b)
{
    OPENSSL_free(BIO_get_data(b));
    return 1;
}

static void make_method(void)
{
    method = mtls_bio_method(BIO_TYPE_FILTER, "MTLS batch", NULL);
    if (method != NULL && BIO_meth_set_write_ex(method, batch_write) &&
        BIO_meth_set_read_ex(method, batch_read) &&
        BIO_meth_set_ctrl(method, batch_ctrl) &&
        BIO_meth_set_create(method, batch_create) &&
        BIO_meth_set_destroy(method, batch_destroy))
        return;
    BIO_meth_free(method);
    method = NULL;
}

BIO *mtls_batch_new(void)
{
    CRYPTO_THREAD_run_once(&once, make_method);
    return method != NULL ? BIO_new(method) : NULL;
}

void mtls_batch_more(BIO *b, int more)
{
    struct batch *batch = BIO_get_data(b);

    batch->more = more;
}

size_t mtls_batch_waiting(BIO *b)
{
    const struct batch *batch = BIO_get_data(b);

    return batch->end - batch->start;
}

void mtls_batch_turn(BIO *b, int on)
{
    struct batch *batch = BIO_get_data(b);

    batch->turn = on;
    batch->emptied = 0;
}

int mtls_batch_emptied(BIO *b)
{
    const struct batch *batch = BIO_get_data(b);

    return batch->emptied;
}
