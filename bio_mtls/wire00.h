/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* The frames of mtls-00: a header of 6 octets, and data. */
#ifndef MTLS_WIRE00_H
#define MTLS_WIRE00_H

#include "octets.h"

#define MTLS_FRAME_HEADER 6
#define MTLS_FRAME_MAX 65535 /* octets of data */

struct mtls_frame {
    uint16_t source;
    uint16_t destination;
    uint16_t length; /* 0: the stream opens, or this direction ends (Q8, Q9) */
};

/* mtls_wire00_get decodes a header: 1, or 0 when octets are missing. */
static inline int mtls_wire00_get(const unsigned char *in, size_t len,
                                  struct mtls_frame *frame)
{
    struct mtls_reader r = mtls_reader_of(in, len);

    frame->source = (uint16_t)mtls_get_uint(&r, 2);
    frame->destination = (uint16_t)mtls_get_uint(&r, 2);
    frame->length = (uint16_t)mtls_get_uint(&r, 2);
    return r.ok;
}

/* mtls_wire00_put returns the octets written, or 0 when |room| is short. */
static inline size_t mtls_wire00_put(unsigned char *out, size_t room,
                                     const struct mtls_frame *frame)
{
    struct mtls_writer w = mtls_writer_of(out, room);

    mtls_put_uint(&w, 2, frame->source);
    mtls_put_uint(&w, 2, frame->destination);
    mtls_put_uint(&w, 2, frame->length);
    return w.ok ? MTLS_FRAME_HEADER : 0;
}

#endif
