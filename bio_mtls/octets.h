/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * One bounds-checked reader and one writer of octets in network byte order,
 * in the manner of OpenSSL's PACKET and WPACKET. Every codec uses these; after
 * one failure the rest fail too, so that only the end need be checked.
 */
#ifndef MTLS_OCTETS_H
#define MTLS_OCTETS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct mtls_reader {
    const unsigned char *at;
    size_t left;
    int ok;
};

struct mtls_writer {
    unsigned char *at;
    size_t left;
    int ok;
};

static inline struct mtls_reader mtls_reader_of(const unsigned char *p,
                                                size_t len)
{
    struct mtls_reader r = {p, len, 1};

    return r;
}

static inline struct mtls_writer mtls_writer_of(unsigned char *p, size_t room)
{
    struct mtls_writer w = {p, room, 1};

    return w;
}

/* mtls_get_octets lends |n| octets; NULL when they are not there. */
static inline const unsigned char *mtls_get_octets(struct mtls_reader *r,
                                                   size_t n)
{
    const unsigned char *p = r->at;

    if (!r->ok || r->left < n) {
        r->ok = 0;
        return NULL;
    }
    r->at += n;
    r->left -= n;
    return p;
}

static inline uint32_t mtls_get_uint(struct mtls_reader *r, size_t octets)
{
    const unsigned char *p = mtls_get_octets(r, octets);
    uint32_t v = 0;

    for (size_t i = 0; p != NULL && i < octets; i++)
        v = v << 8 | p[i];
    return v;
}

static inline void mtls_put_octets(struct mtls_writer *w, const void *p,
                                   size_t n)
{
    if (!w->ok || w->left < n) {
        w->ok = 0;
        return;
    }
    if (n != 0)
        memcpy(w->at, p, n);
    w->at += n;
    w->left -= n;
}

static inline void mtls_put_uint(struct mtls_writer *w, size_t octets,
                                 uint32_t v)
{
    unsigned char b[4];

    for (size_t i = octets; i-- > 0; v >>= 8)
        b[i] = (unsigned char)(v & 0xff);
    mtls_put_octets(w, b, octets);
}

#endif
