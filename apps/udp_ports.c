/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "udp_ports.h"
#include "report.h"
#include "udp_door.h"

#include <errno.h>
#include <netdb.h>
#include <string.h>
#include <unistd.h>

/* 0 when a port is in use, or not for us. A family that the machine does not
 * have is no mistake as long as another one is there. */
static int open_name(const char *host, int *port, int *fds, unsigned *n)
{
    struct addrinfo hints = {.ai_socktype = SOCK_DGRAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *all = NULL;
    int error = getaddrinfo(host, host == NULL ? "0" : NULL, &hints, &all);
    int ok = 1;
    union addr a;

    if (error != 0) {
        report_error("%s: %s", host, gai_strerror(error));
        errno = 0;
        return 0;
    }
    for (struct addrinfo *ai = all; ok && ai != NULL; ai = ai->ai_next) {
        int fd;

        if (*n == UDP_PORTS_MAX || ai->ai_addrlen > sizeof(a))
            continue;
        memset(&a, 0, sizeof(a));
        memcpy(&a, ai->ai_addr, ai->ai_addrlen);
        addr_set_port(&a, (uint16_t)*port);
        fd = udp_door_bind(&a);
        if (fd >= 0) {
            *port = addr_port(&a);
            fds[(*n)++] = fd;
        }
        ok = fd >= 0 || (errno != EADDRINUSE && errno != EACCES);
    }
    error = errno;
    freeaddrinfo(all);
    errno = error;
    return ok;
}

/* "localhost" is both loopbacks, whatever the hosts file has. */
unsigned udp_ports_open(const struct endpoint *where, int fds[UDP_PORTS_MAX])
{
    const char *host = where->host[0] != '\0' ? where->host : NULL;
    int port = where->port, ok;
    unsigned n = 0;

    errno = 0;
    if (host != NULL && strcmp(host, "localhost") == 0)
        ok = open_name("127.0.0.1", &port, fds, &n) &&
             open_name("::1", &port, fds, &n);
    else
        ok = open_name(host, &port, fds, &n);
    if (ok && n > 0)
        return n;
    if (errno != 0)
        report_error("can't take datagrams on %s port %u: %s",
                     host != NULL ? host : "any address", where->port,
                     strerror(errno));
    while (n > 0)
        close(fds[--n]);
    return 0;
}
