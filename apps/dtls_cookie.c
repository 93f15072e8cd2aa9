/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "dtls_cookie.h"

#include <openssl/crypto.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <string.h>

int dtls_cookie_init(struct dtls_cookie *c, uint64_t now)
{
    c->drawn = now;
    return RAND_bytes(c->keys[0], sizeof(c->keys)) == 1;
}

/* After two periods without anybody both keys are old. */
static int renew(struct dtls_cookie *c, uint64_t now)
{
    while (now - c->drawn >= DTLS_COOKIE_PERIOD_MS) {
        int twice = now - c->drawn >= 2 * DTLS_COOKIE_PERIOD_MS;

        memcpy(c->keys[1], c->keys[0], sizeof(c->keys[1]));
        if (RAND_bytes(c->keys[0], sizeof(c->keys[0])) != 1)
            return 0;
        c->drawn = twice ? now - DTLS_COOKIE_PERIOD_MS : now;
    }
    return 1;
}

static int compute(const unsigned char key[32], const union addr *who,
                   unsigned char out[DTLS_COOKIE_SIZE])
{
    unsigned char text[2 + sizeof(struct in6_addr)];
    int v4 = who->sa.sa_family == AF_INET;
    uint16_t port = addr_port(who);
    size_t n = v4 ? sizeof(who->v4.sin_addr) : sizeof(who->v6.sin6_addr);
    unsigned int size = DTLS_COOKIE_SIZE;

    memcpy(text, &port, sizeof(port));
    memcpy(text + sizeof(port),
           v4 ? (const void *)&who->v4.sin_addr
              : (const void *)&who->v6.sin6_addr,
           n);
    return HMAC(EVP_sha256(), key, 32, text, sizeof(port) + n, out, &size) !=
           NULL;
}

int dtls_cookie_make(struct dtls_cookie *c, uint64_t now, const union addr *who,
                     unsigned char out[DTLS_COOKIE_SIZE])
{
    return renew(c, now) && compute(c->keys[0], who, out);
}

int dtls_cookie_check(struct dtls_cookie *c, uint64_t now,
                      const union addr *who, const unsigned char *cookie,
                      size_t size)
{
    unsigned char right[DTLS_COOKIE_SIZE];

    if (size != DTLS_COOKIE_SIZE || !renew(c, now))
        return 0;
    for (int i = 0; i < 2; i++) {
        if (compute(c->keys[i], who, right) &&
            CRYPTO_memcmp(right, cookie, size) == 0)
            return 1;
    }
    return 0;
}
