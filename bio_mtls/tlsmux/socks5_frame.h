/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * Datagrams in a stream (doc/tlsmux.md, S8): two octets of length, and a UDP
 * request of RFC 1928 7. One frame at a time each way; no I/O.
 */
#ifndef MTLS_SOCKS5_FRAME_H
#define MTLS_SOCKS5_FRAME_H

#include "socks5.h"

#define MTLS_FRAME_PREFIX 2

/* Octets [done, size) of |p| are to come, or to go. */
struct mtls_frame {
    unsigned char *p; /* grows to the longest frame so far */
    size_t room, size, done;
};

void mtls_frame_cleanup(struct mtls_frame *f);

/* --- in --- */

/*
 * mtls_frame_in: where at most *room octets are to be read to; they are all of
 * this frame. NULL without memory. *room is 0 when the frame is whole.
 */
unsigned char *mtls_frame_in(struct mtls_frame *f, size_t *room);

/* mtls_frame_whole lends the UDP request of a whole frame; NULL: it is not. */
const unsigned char *mtls_frame_whole(const struct mtls_frame *f, size_t *len);

/* mtls_frame_next forgets it. */
void mtls_frame_next(struct mtls_frame *f);

/* --- out --- */

/*
 * mtls_frame_put makes a frame of |data|, behind a header with |address|, or
 * of a UDP request as it is (NULL). MTLS_FRAME_TOO_LONG over 65,535 octets.
 */
enum mtls_frame_put {
    MTLS_FRAME_PUT,
    MTLS_FRAME_TOO_LONG,
    MTLS_FRAME_NO_MEMORY
};
enum mtls_frame_put mtls_frame_put(struct mtls_frame *f,
                                   const struct mtls_socks5_address *address,
                                   const void *data, size_t len);

#endif
