/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "core_packet.h"

#include <string.h>

static uint32_t number(const unsigned char *p, int octets)
{
    uint32_t v = 0;

    while (octets-- > 0)
        v = v * 256 + *p++;
    return v;
}

static long read_data(const unsigned char *p, size_t len,
                      struct core_packet *packet)
{
    if (len < 9)
        return 0;
    packet->len = number(p + 1, 4);
    packet->id = number(p + 5, 4);
    packet->p = p + 9;
    packet->size = packet->len + 9;
    return len < packet->size ? 0 : (long)packet->size;
}

static long read_request(const unsigned char *p, struct core_packet *packet)
{
    size_t source, destination;

    if (packet->size < 23)
        return -1;
    packet->half = (uint16_t)number(p + 3, 2);
    packet->window = number(p + 5, 4);
    packet->max = number(p + 9, 4);
    source = number(p + 13, 2);
    if (packet->size < 21 + source)
        return -1;
    destination = number(p + 17 + source, 2);
    packet->p = p + 19 + source;
    packet->len = destination;
    return packet->size == 21 + source + destination ? (long)packet->size : -1;
}

static long read_success(const unsigned char *p, struct core_packet *packet)
{
    packet->half = (uint16_t)number(p + 3, 2);
    packet->answer = (uint16_t)number(p + 5, 2);
    packet->window = number(p + 7, 4);
    packet->max = number(p + 11, 4);
    return packet->size == 15 ? 15 : -1;
}

static long read_echec(const unsigned char *p, struct core_packet *packet)
{
    if (packet->size < 7)
        return -1;
    packet->half = (uint16_t)number(p + 3, 2);
    packet->len = number(p + 5, 2);
    packet->p = p + 7;
    return packet->size == 7 + packet->len ? (long)packet->size : -1;
}

static long read_value(const unsigned char *p, struct core_packet *packet,
                       size_t size)
{
    if (packet->size != size)
        return -1;
    packet->id = number(p + 3, 4);
    if (size == 11)
        packet->value = number(p + 7, 4);
    return (long)size;
}

long core_packet_read(const unsigned char *p, size_t len,
                      struct core_packet *packet)
{
    memset(packet, 0, sizeof(*packet));
    if (len == 0)
        return 0;
    packet->type = p[0];
    if (packet->type == CORE_DATA)
        return read_data(p, len, packet);
    if (len < 3)
        return 0;
    packet->size = number(p + 1, 2);
    if (packet->size < 3)
        return -1;
    if (len < packet->size)
        return 0;
    switch (packet->type) {
    case CORE_REQUEST:
        return read_request(p, packet);
    case CORE_SUCCESS:
        return read_success(p, packet);
    case CORE_ECHEC:
        return read_echec(p, packet);
    case CORE_CLOSE:
    case CORE_CONFIRMATION:
        return read_value(p, packet, 7);
    case CORE_NEW_MAX:
    case CORE_ACK:
        return read_value(p, packet, 11);
    default:
        return -1; /* nothing that we test sends such a type */
    }
}

size_t core_octets_v(unsigned char *out, const char *widths, va_list values)
{
    size_t at = 0;

    for (; *widths != '\0'; widths++) {
        int octets = *widths - '0';
        uint32_t v;

        if (*widths == ' ')
            continue;
        v = va_arg(values, unsigned int); /* NOLINT: the caller began it */
        for (int i = octets - 1; i >= 0; i--, v >>= 8)
            out[at + (size_t)i] = (unsigned char)(v & 0xff);
        at += (size_t)octets;
    }
    return at;
}

size_t core_octets(unsigned char *out, const char *widths, ...)
{
    va_list values;
    size_t n;

    va_start(values, widths);
    n = core_octets_v(out, widths, values);
    va_end(values);
    return n;
}

size_t core_request_octets(unsigned char *out, uint16_t half, uint32_t window,
                           uint32_t max, const char *to, unsigned int port)
{
    size_t len = strlen(to);
    size_t n = core_octets(out, "12 244 2 1 2 2", CORE_REQUEST, 22 + len, half,
                           window, max, 1, 's', 0, len);

    memcpy(out + n, to, len);
    return n + len + core_octets(out + n + len, "2", port);
}
