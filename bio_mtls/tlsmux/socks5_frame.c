/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "socks5_frame.h"

#include "octets.h"

#include <stdlib.h>

#define LEAST 512 /* allocated at once: most queries of the DNS */

void mtls_frame_cleanup(struct mtls_frame *f)
{
    free(f->p);
    memset(f, 0, sizeof(*f));
}

static int reserve(struct mtls_frame *f, size_t size)
{
    unsigned char *p;

    if (size <= f->room)
        return 1;
    if (size < LEAST)
        size = LEAST;
    p = realloc(f->p, size);
    if (p == NULL)
        return 0;
    f->p = p;
    f->room = size;
    return 1;
}

/* --- in --- */

unsigned char *mtls_frame_in(struct mtls_frame *f, size_t *room)
{
    struct mtls_reader r;

    if (!reserve(f, MTLS_FRAME_PREFIX))
        return NULL;
    if (f->size == 0 && f->done < MTLS_FRAME_PREFIX) {
        *room = MTLS_FRAME_PREFIX - f->done;
        return f->p + f->done;
    }
    r = mtls_reader_of(f->p, MTLS_FRAME_PREFIX);
    f->size = MTLS_FRAME_PREFIX + mtls_get_uint(&r, MTLS_FRAME_PREFIX);
    if (!reserve(f, f->size))
        return NULL;
    *room = f->size - f->done;
    return f->p + f->done;
}

const unsigned char *mtls_frame_whole(const struct mtls_frame *f, size_t *len)
{
    if (f->size == 0 || f->done < f->size)
        return NULL;
    *len = f->size - MTLS_FRAME_PREFIX;
    return f->p + MTLS_FRAME_PREFIX;
}

void mtls_frame_next(struct mtls_frame *f)
{
    f->size = f->done = 0;
}

/* --- out --- */

enum mtls_frame_put mtls_frame_put(struct mtls_frame *f,
                                   const struct mtls_socks5_address *address,
                                   const void *data, size_t len)
{
    unsigned char header[MTLS_SOCKS5_MESSAGE_MAX];
    size_t n = address == NULL
                   ? 0
                   : mtls_socks5_put_udp(header, sizeof(header), address);
    struct mtls_writer w;

    if (len > MTLS_SOCKS5_UDP_MAX - n)
        return MTLS_FRAME_TOO_LONG;
    if (!reserve(f, MTLS_FRAME_PREFIX + n + len))
        return MTLS_FRAME_NO_MEMORY;
    w = mtls_writer_of(f->p, f->room);
    mtls_put_uint(&w, MTLS_FRAME_PREFIX, (uint32_t)(n + len));
    mtls_put_octets(&w, header, n);
    mtls_put_octets(&w, data, len);
    f->size = f->room - w.left;
    f->done = 0;
    return MTLS_FRAME_PUT;
}
