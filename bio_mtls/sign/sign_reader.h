/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * A stream of TLSSigntext, put together to whole messages. It asks for octets
 * by number, so that nothing past a message is read. No I/O.
 */
#ifndef MTLS_SIGN_READER_H
#define MTLS_SIGN_READER_H

#include "sign_wire.h"

struct mtls_sign_reader {
    size_t limit; /* octets of a message: set by the owner */

    struct mtls_sign_header header; /* of its last piece */
    unsigned char *data;            /* of the message, when it is whole */
    size_t len;
    int whole;

    unsigned char head[MTLS_SIGN_HEADER];
    size_t head_len;
    size_t due; /* of a piece whose header is there: octets still to come */
    size_t room;
    int begun; /* pieces of this message came before */
    int reason;
};

/* mtls_sign_reader_init: no allocation. Cleanup frees, then it is as new. */
void mtls_sign_reader_init(struct mtls_sign_reader *r, size_t limit);
void mtls_sign_reader_cleanup(struct mtls_sign_reader *r);

/*
 * mtls_sign_reader_in lends the place for the octets to be read next, *room of
 * them at most. NULL: no memory. Not while a message is whole.
 */
unsigned char *mtls_sign_reader_in(struct mtls_sign_reader *r, size_t *room);

/*
 * mtls_sign_reader_received takes note of |n| octets there: 1 and |whole| when
 * |header|, |data|, |len| are a message; 0 when more is due; -1 for what
 * can't be gone on with: |reason| says why, and so will each later call.
 */
int mtls_sign_reader_received(struct mtls_sign_reader *r, size_t n);

/* mtls_sign_reader_next forgets the message. */
void mtls_sign_reader_next(struct mtls_sign_reader *r);

/* mtls_sign_reader_amid: a message, or its header, is there in part. */
int mtls_sign_reader_amid(const struct mtls_sign_reader *r);

#endif
