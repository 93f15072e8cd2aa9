/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "udp_header.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

enum {
    TYPE_IPV4 = 1,
    TYPE_NAME = 3,
    TYPE_IPV6 = 4
};

/* The longest name, its last dot included (RFC 1035). */
#define NAME_LONGEST 254
/* RSV, FRAG and the type; for a name its length too. */
#define AT_ADDRESS 4

/* Octets of the host, behind its length if it is a name; 0 for no type. */
static size_t host_size(const unsigned char *p)
{
    switch (p[AT_ADDRESS - 1]) {
    case TYPE_IPV4:
        return sizeof(struct in_addr);
    case TYPE_NAME:
        return p[AT_ADDRESS];
    case TYPE_IPV6:
        return sizeof(struct in6_addr);
    default:
        return 0;
    }
}

/* The text of a host; with a colon it is an address, or nothing. */
static int read_host(int type, const unsigned char *host, size_t n,
                     char out[UDP_HEADER_MAX])
{
    struct in6_addr scrap;

    if (type != TYPE_NAME)
        return inet_ntop(type == TYPE_IPV4 ? AF_INET : AF_INET6, host, out,
                         UDP_HEADER_MAX) != NULL;
    if (n > NAME_LONGEST)
        return 0;
    for (size_t i = 0; i < n; i++) {
        if (host[i] <= ' ' || host[i] == 0x7f)
            return 0;
    }
    memcpy(out, host, n);
    out[n] = '\0';
    return strchr(out, ':') == NULL || inet_pton(AF_INET6, out, &scrap) == 1;
}

size_t udp_header_read(const void *octets, size_t size, char out[ADDR_TEXT_MAX])
{
    const unsigned char *p = octets;
    size_t at = AT_ADDRESS, n;
    char host[UDP_HEADER_MAX];
    struct endpoint e;
    unsigned port;
    int len;

    if (size <= AT_ADDRESS || p[0] != 0 || p[1] != 0 || p[2] != 0)
        return 0;
    n = host_size(p);
    at += p[AT_ADDRESS - 1] == TYPE_NAME;
    if (n == 0 || size < at + n + 2 ||
        !read_host(p[AT_ADDRESS - 1], p + at, n, host))
        return 0;
    port = (unsigned)p[at + n] << 8 | p[at + n + 1];
    len = snprintf(out, ADDR_TEXT_MAX,
                   strchr(host, ':') != NULL ? "[%s]:%u" : "%s:%u", host, port);
    if (len < 0 || len >= ADDR_TEXT_MAX || !endpoint_parse(&e, out, 0) ||
        e.kind == ADDR_INVALID)
        return 0;
    return at + n + 2;
}
