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

/* mtls_get_uint: of 1, 2 or 4 octets. */
static inline uint32_t mtls_get_uint(struct mtls_reader *r, size_t octets)
{
    const unsigned char *p = mtls_get_octets(r, octets);

    if (p == NULL)
        return 0;
    switch (octets) { /* known where it is called, so no loop is left of it */
    case 1:
        return p[0];
    case 2:
        return (uint32_t)p[0] << 8 | p[1];
    default:
        return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
               (uint32_t)p[2] << 8 | p[3];
    }
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
    const unsigned char b[4] = {
        (unsigned char)(v >> 24), (unsigned char)(v >> 16 & 0xff),
        (unsigned char)(v >> 8 & 0xff), (unsigned char)(v & 0xff)};

    mtls_put_octets(w, b + 4 - octets, octets);
}

#endif
