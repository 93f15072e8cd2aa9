/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * mtls speed: a stream of pieces that one process sends and another counts.
 * All octets are 0 but the very last of each channel, which is 1.
 */
#ifndef MTLS_APPS_SPEED_STREAM_H
#define MTLS_APPS_SPEED_STREAM_H

#include "speed.h"

/* One end of it. */
/* When what was written goes. */
enum speed_cork {
    SPEED_AT_ONCE, /* with each write */
    SPEED_ROUND,   /* once all lanes have written a piece */
    SPEED_STRIDE   /* once some 64 KiB were written */
};

struct speed_stream {
    BIO *top;    /* the filter, or the SSL BIO */
    BIO **lanes; /* the channels, or the SSL BIO alone */
    size_t n;
    char *piece; /* |octets| of room; a sender's are 0 */
    size_t octets;
    enum speed_cork cork;
};

/* What came in, from the first of it to the last. */
struct speed_amount {
    double octets;
    double seconds;
};

/* speed_stream_send sends for so long, in rounds of all lanes; blocks. */
int speed_stream_send(struct speed_stream *t, double seconds);

/*
 * speed_stream_receive counts until all lanes have ended. One lane blocks;
 * several must not, and share a poll(). Both return 0 when the connection
 * failed, without a message.
 */
int speed_stream_receive(struct speed_stream *t, struct speed_amount *a);

/* speed_write writes all of it to a BIO that blocks. */
int speed_write(BIO *to, const char *p, size_t len);

#endif
