/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "own.h"

#include <ifaddrs.h>
#include <string.h>

int own_loopback(const union addr *a)
{
    if (a->sa.sa_family == AF_INET)
        return ntohl(a->v4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
    return IN6_IS_ADDR_LOOPBACK(&a->v6.sin6_addr);
}

static int same_host(const union addr *a, const struct sockaddr *sa)
{
    union addr b;

    if (sa == NULL || sa->sa_family != a->sa.sa_family)
        return 0;
    memset(&b, 0, sizeof(b));
    memcpy(&b, sa, addr_length(a));
    if (sa->sa_family == AF_INET)
        return a->v4.sin_addr.s_addr == b.v4.sin_addr.s_addr;
    return memcmp(&a->v6.sin6_addr, &b.v6.sin6_addr, sizeof(b.v6.sin6_addr)) ==
           0;
}

int own_addr(const union addr *a)
{
    struct ifaddrs *all;
    int found = 0;

    if (own_loopback(a))
        return 1;
    if (getifaddrs(&all) != 0)
        return 0;
    for (const struct ifaddrs *i = all; i != NULL && !found; i = i->ifa_next)
        found = same_host(a, i->ifa_addr);
    freeifaddrs(all);
    return found;
}
