/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "sign_ends.h"

#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

SSL_CTX *sign_ctx(int server, int version, const char *formats, int refuse)
{
    SSL_CTX *ctx =
        SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
    const struct pki_id *id = server ? pki_server() : pki_client();

    ck_assert_ptr_nonnull(ctx);
    ck_assert(SSL_CTX_set_min_proto_version(ctx, version));
    ck_assert(SSL_CTX_set_max_proto_version(ctx, version));
    ck_assert(SSL_CTX_use_cert_and_key(ctx, id->cert, id->key, id->chain, 1));
    SSL_CTX_set_cert_store(ctx, pki_trust(NULL));
    SSL_CTX_set_num_tickets(ctx, 0); /* nobody reads before the first message */
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    if (formats != NULL)
        ck_assert(MTLS_sign_offer(ctx, formats, refuse));
    return ctx;
}

BIO *sign_tls(int server)
{
    SSL_CTX *ctx = sign_ctx(server, TLS1_3_VERSION, "pkcs7", 0);
    BIO *ssl = BIO_new_ssl(ctx, !server);

    SSL_CTX_free(ctx);
    return ssl;
}

static BIO *on_top(BIO *transport, SSL_CTX *ctx, int client)
{
    BIO *ssl = BIO_new_ssl(ctx, client), *sign = BIO_new(BIO_f_tls_sign());

    ck_assert(ssl != NULL && sign != NULL);
    SSL_CTX_free(ctx);
    return BIO_push(sign, BIO_push(ssl, transport));
}

struct sign_ends sign_ends_of(const struct sign_wish *wish)
{
    int version = wish->version != 0 ? wish->version : TLS1_3_VERSION;
    struct sign_ends e;
    BIO *a, *b;

    ck_assert(BIO_new_bio_pair(&a, wish->pair_size, &b, wish->pair_size));
    e.client = on_top(a, sign_ctx(0, version, wish->client, 0), 1);
    e.server = on_top(b, sign_ctx(1, version, wish->server, wish->refuse), 0);
    return e;
}

struct sign_ends sign_ends_open(const char *format)
{
    const struct sign_wish wish = {.client = format, .server = format};
    struct sign_ends e = sign_ends_of(&wish);

    sign_ends_shake(&e);
    return e;
}

void sign_ends_free(struct sign_ends *e)
{
    BIO_free_all(e->client);
    BIO_free_all(e->server);
}

void sign_ends_shake(struct sign_ends *e)
{
    long c = 0, s = 0;

    for (int i = 0; (c <= 0 || s <= 0) && i < 10000; i++) {
        c = BIO_do_handshake(e->client);
        if (c <= 0 && !BIO_should_retry(e->client))
            ERR_print_errors_fp(stderr);
        ck_assert(c > 0 || BIO_should_retry(e->client));
        s = BIO_do_handshake(e->server);
        if (s <= 0 && !BIO_should_retry(e->server))
            ERR_print_errors_fp(stderr);
        ck_assert(s > 0 || BIO_should_retry(e->server));
    }
    ck_assert(c > 0 && s > 0);
}

void sign_say(BIO *from, const char *text)
{
    ck_assert_int_eq(BIO_puts(from, text), (int)strlen(text));
}

void sign_hear(BIO *to, const char *text)
{
    char got[500];
    int n = BIO_read(to, got, sizeof(got));

    if (n < 0 && !BIO_should_retry(to))
        ERR_print_errors_fp(stderr);
    ck_assert_int_eq(n, (int)strlen(text));
    ck_assert_mem_eq(got, text, strlen(text));
}

void sign_check_refused(BIO *b, int reason, int line)
{
    char got[500];

    for (int i = 0; i < 2; i++) {
        int n = BIO_read(b, got, sizeof(got));

        if (n >= 0 || BIO_should_retry(b))
            ck_abort_msg("line %d: read %d", line, n);
        stacks_check_reason(reason, line);
    }
}

unsigned char *sign_raw(BIO *to, size_t *len)
{
    unsigned char *p = malloc(1 << 20);
    int n;

    ck_assert_ptr_nonnull(p);
    *len = 0;
    while ((n = BIO_read(BIO_next(to), p + *len, 1 << 16)) > 0)
        *len += (size_t)n;
    return p;
}

void sign_put(BIO *from, const void *octets, size_t len)
{
    ck_assert_int_eq(BIO_write(BIO_next(from), octets, (int)len), (int)len);
}
