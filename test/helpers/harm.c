/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "harm.h"

#include <string.h>

int harm_octet(enum harm how, const unsigned char *in, size_t len, size_t at,
               unsigned char *out, size_t *out_len)
{
    memcpy(out, in, len);
    *out_len = len;
    switch (how) {
    case HARM_CHANGED:
        out[at] ^= (unsigned char)(1u << at % 8);
        return 1;
    case HARM_INVERTED:
        out[at] ^= 0xff;
        return 1;
    case HARM_DROPPED:
        memcpy(out + at, in + at + 1, len - at - 1);
        *out_len = len - 1;
        return 1;
    case HARM_DOUBLED:
        memcpy(out + at + 1, in + at, len - at);
        *out_len = len + 1;
        return 1;
    case HARM_SWAPPED:
        if (at + 1 == len || in[at] == in[at + 1])
            return 0;
        out[at] = in[at + 1];
        out[at + 1] = in[at];
        return 1;
    default:
        *out_len = at;
        return 1;
    }
}

const char *harm_name(enum harm how)
{
    static const char *const names[] = {"changed", "inverted", "dropped",
                                        "doubled", "swapped",  "cut"};

    return names[how];
}
