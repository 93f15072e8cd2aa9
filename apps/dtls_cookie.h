/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * Cookies of DTLS (RFC 6347 4.2.1): who says one has got our answer at the
 * address that he says is his. They are good for one to two periods.
 */
#ifndef MTLS_APPS_DTLS_COOKIE_H
#define MTLS_APPS_DTLS_COOKIE_H

#include "addr.h"

#define DTLS_COOKIE_SIZE 32
#define DTLS_COOKIE_PERIOD_MS 30000

struct dtls_cookie {
    unsigned char keys[2][32]; /* the present one, and the one before */
    uint64_t drawn;            /* when the present one was */
};

/* dtls_cookie_init: 0 when there is no randomness. |now| in milliseconds. */
int dtls_cookie_init(struct dtls_cookie *c, uint64_t now);

/* dtls_cookie_make: 0 on failure. */
int dtls_cookie_make(struct dtls_cookie *c, uint64_t now, const union addr *who,
                     unsigned char out[DTLS_COOKIE_SIZE]);

/* dtls_cookie_check: 1 when it is one of |who|'s. */
int dtls_cookie_check(struct dtls_cookie *c, uint64_t now,
                      const union addr *who, const unsigned char *cookie,
                      size_t size);

#endif
