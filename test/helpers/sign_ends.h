/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * Two ends of TLS Sign for tests, over TLS on a BIO pair, each with a
 * BIO_f_tls_sign() on top that trusts the root of sign_pki.h. Failures end the
 * test.
 */
#ifndef TEST_SIGN_ENDS_H
#define TEST_SIGN_ENDS_H

#include "sign_pki.h"
#include "stacks.h"

#include <check.h>
#include <mtls/tls_sign.h>

struct sign_ends {
    BIO *client, *server;
};

/* What they offer (NULL: nothing), and what TLS they speak. */
struct sign_wish {
    const char *client, *server; /* content formats */
    int version;                 /* TLS1_3_VERSION unless given */
    int refuse;                  /* the server, of other formats */
    size_t pair_size;            /* 0: the default */
};

/* The SSL_CTX of an end: a certificate of its own; the root is trusted. */
SSL_CTX *sign_ctx(int server, int version, const char *formats, int refuse);

/* sign_tls: a BIO_f_ssl() of TLS 1.3 whose end offers pkcs7. */
BIO *sign_tls(int server);

struct sign_ends sign_ends_of(const struct sign_wish *wish);

/* Both offer this format, and the handshakes are done. */
struct sign_ends sign_ends_open(const char *format);
void sign_ends_free(struct sign_ends *e);

/* sign_ends_shake does both handshakes, which must succeed. */
void sign_ends_shake(struct sign_ends *e);

/* sign_say writes this message to |from|, sign_hear reads it from |to|. */
void sign_say(BIO *from, const char *text);
void sign_hear(BIO *to, const char *text);

/* sign_refused: a read fails, for this reason; so does the next. */
#define sign_refused(b, reason) sign_check_refused((b), (reason), __LINE__)
void sign_check_refused(BIO *b, int reason, int line);

/*
 * sign_raw: what |from|'s filter sends next, taken off the TLS of |to|'s side,
 * below its filter; for free(). sign_put gives octets to |to|'s filter so.
 */
unsigned char *sign_raw(BIO *to, size_t *len);
void sign_put(BIO *from, const void *octets, size_t len);

#endif
