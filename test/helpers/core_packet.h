/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * Packets written and read by hand, from the draft's text and not with
 * wire.c, so that the tests have a second opinion.
 */
#ifndef MTLS_CORE_PACKET_H
#define MTLS_CORE_PACKET_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

/* The types, by number, as MTLS-05 2.4 lists them. */
enum {
    CORE_REQUEST = 1,
    CORE_SUCCESS,
    CORE_ECHEC,
    CORE_CLOSE,
    CORE_CONFIRMATION,
    CORE_DATA,
    CORE_NEW_MAX,
    CORE_ACK
};

struct core_packet {
    unsigned int type;
    size_t size;            /* of the whole packet */
    uint32_t id;            /* of the types from CORE_CLOSE on */
    uint16_t half, answer;  /* sender_channel_id, receiver_channel_id */
    uint32_t window, max;   /* of Request and Success */
    uint32_t value;         /* of CORE_NEW_MAX and CORE_ACK */
    const unsigned char *p; /* data or text */
    size_t len;
};

/*
 * core_packet_read reads the packet that begins at |p|: its size, 0 when there
 * is not a whole one, -1 when it is none.
 */
long core_packet_read(const unsigned char *p, size_t len,
                      struct core_packet *packet);

/*
 * core_octets puts numbers: each digit of |widths| says how many octets the
 * next (unsigned int) argument takes; blanks are skipped. Returns the sum.
 */
size_t core_octets(unsigned char *out, const char *widths, ...);
size_t core_octets_v(unsigned char *out, const char *widths, va_list values);

/* core_request_octets writes a whole Request to "to:80" or so. */
size_t core_request_octets(unsigned char *out, uint16_t half, uint32_t window,
                           uint32_t max, const char *to, unsigned int port);

#endif
