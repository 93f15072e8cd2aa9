/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* What can be done to one octet of many: for tests that try it with each. */
#ifndef TEST_HARM_H
#define TEST_HARM_H

#include <stddef.h>

enum harm {
    HARM_CHANGED, /* in one bit */
    HARM_INVERTED,
    HARM_DROPPED,
    HARM_DOUBLED,
    HARM_SWAPPED, /* with the next */
    HARM_CUT,     /* it, and all behind it */
    HARMS
};

/*
 * harm_octet writes |in| with its octet |at| harmed to |out|, where one octet
 * more has room: 1 and its length; 0 when it would be the same as before.
 */
int harm_octet(enum harm how, const unsigned char *in, size_t len, size_t at,
               unsigned char *out, size_t *out_len);

/* harm_name: for messages of tests. */
const char *harm_name(enum harm how);

#endif
