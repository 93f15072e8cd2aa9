/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "sign_taps.h"

#include "sign_ends.h"
#include "sign_wire.h"

#include <check.h>
#include <string.h>

/* --- the tap --- */

static int tap_read(BIO *b, char *data, size_t len, size_t *n)
{
    struct sign_tap *tap = BIO_get_data(b);

    BIO_clear_retry_flags(b);
    *n = len < tap->in_len ? len : tap->in_len;
    memcpy(data, tap->in, *n);
    tap->in += *n;
    tap->in_len -= *n;
    return *n > 0;
}

static int tap_write(BIO *b, const char *data, size_t len, size_t *n)
{
    struct sign_tap *tap = BIO_get_data(b);

    BIO_clear_retry_flags(b);
    ck_assert_uint_le(tap->out_len + len, TAP_MAX);
    memcpy(tap->out + tap->out_len, data, len);
    tap->out_len += len;
    *n = len;
    return 1;
}

static long tap_ctrl(BIO *b, int cmd, long num, void *ptr)
{
    if (cmd == BIO_CTRL_FLUSH || cmd == BIO_C_DO_STATE_MACHINE)
        return 1;
    if (cmd == BIO_CTRL_PUSH || cmd == BIO_CTRL_POP || BIO_next(b) == NULL)
        return 0;
    return BIO_ctrl(BIO_next(b), cmd, num, ptr);
}

static BIO *tap_new(struct sign_tap *tap)
{
    static BIO_METHOD *method;
    BIO *b;

    if (method == NULL) {
        method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_FILTER, "a tap");
        ck_assert_ptr_nonnull(method);
        BIO_meth_set_read_ex(method, tap_read);
        BIO_meth_set_write_ex(method, tap_write);
        BIO_meth_set_ctrl(method, tap_ctrl);
    }
    b = BIO_new(method);
    ck_assert_ptr_nonnull(b);
    BIO_set_data(b, tap);
    BIO_set_init(b, 1);
    return b;
}

/* --- both ends --- */

static void put_on(struct sign_tap *tap, BIO *ssl)
{
    SSL *s;

    BIO_get_ssl(ssl, &s);
    SSL_set_shutdown(s, SSL_RECEIVED_SHUTDOWN);
    tap->bio = BIO_push(tap_new(tap), ssl);
}

void sign_taps_init(struct sign_taps *t)
{
    const struct pki_wish wish = {.name = "who signs"};
    long c = 0, s = 0;
    BIO *a, *b;

    memset(t, 0, sizeof(*t));
    ck_assert(BIO_new_bio_pair(&a, 0, &b, 0));
    t->lower[0] = BIO_push(sign_tls(0), a);
    t->lower[1] = BIO_push(sign_tls(1), b);
    for (int i = 0; (c <= 0 || s <= 0) && i < 100; i++) {
        c = BIO_do_handshake(t->lower[0]);
        s = BIO_do_handshake(t->lower[1]);
    }
    ck_assert(c > 0 && s > 0);
    put_on(&t->client, t->lower[0]);
    put_on(&t->server, t->lower[1]);
    t->id[0] = pki_make(&wish);
    t->id[1] = pki_make(&wish);
}

static void renew(struct sign_tap *tap, const struct pki_id *id)
{
    BIO_free(tap->filter);
    tap->filter = BIO_new(BIO_f_tls_sign());
    ck_assert_ptr_nonnull(tap->filter);
    tap->out_len = tap->in_len = 0;
    BIO_push(tap->filter, tap->bio);
    BIO_tls_sign_set1_certificate(tap->filter, id->cert);
    BIO_tls_sign_set1_key(tap->filter, id->key);
    ck_assert_int_gt(BIO_do_handshake(tap->filter), 0);
}

void sign_taps_renew(struct sign_taps *t)
{
    renew(&t->client, &t->id[0]);
    renew(&t->server, &t->id[1]);
}

void sign_taps_cleanup(struct sign_taps *t)
{
    BIO_free(t->client.filter);
    BIO_free(t->server.filter);
    BIO_free_all(t->client.bio);
    BIO_free_all(t->server.bio);
    pki_free(&t->id[0]);
    pki_free(&t->id[1]);
}

void sign_tap_give(struct sign_tap *tap, const unsigned char *in, size_t len)
{
    tap->in = in;
    tap->in_len = len;
}

size_t sign_tap_message(const struct sign_tap *tap, size_t from)
{
    struct mtls_sign_header header;

    ck_assert_uint_le(from + MTLS_SIGN_HEADER, tap->out_len);
    ck_assert(mtls_sign_get_header(tap->out + from, &header));
    ck_assert(!(header.flags & MTLS_SIGN_MORE));
    return from + MTLS_SIGN_HEADER + header.length;
}
