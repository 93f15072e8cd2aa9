/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * Two ends of TLS Sign between whose filters and TLS somebody sits: what a
 * filter sends is kept, what it reads is what the test gives it, and then the
 * end. As often as wanted over one TLS session, so that each octet can be tried
 * in seconds. Failures end the test.
 */
#ifndef TEST_SIGN_TAPS_H
#define TEST_SIGN_TAPS_H

#include "sign_pki.h"

#include <openssl/bio.h>
#include <openssl/ssl.h>

#define TAP_MAX 20000

/* What is between a filter and its TLS. */
struct sign_tap {
    unsigned char out[TAP_MAX]; /* what the filter has sent */
    size_t out_len;
    const unsigned char *in; /* what it will read */
    size_t in_len;
    BIO *bio;    /* above that of TLS */
    BIO *filter; /* above it, anew each time */
};

struct sign_taps {
    BIO *lower[2]; /* those of TLS */
    struct sign_tap client, server;
    struct pki_id id[2]; /* who signs: the client's, the server's */
};

/* sign_taps_init does the handshake of TLS, which is told to have ended well.
 */
void sign_taps_init(struct sign_taps *t);
void sign_taps_cleanup(struct sign_taps *t);

/* sign_taps_renew puts new filters on both, which have begun. */
void sign_taps_renew(struct sign_taps *t);

/* sign_tap_give: the filter reads these octets, lent, and then the end. */
void sign_tap_give(struct sign_tap *tap, const unsigned char *in, size_t len);

/* sign_tap_message finds the message at |from| of what was sent: its end. */
size_t sign_tap_message(const struct sign_tap *tap, size_t from);

#endif
