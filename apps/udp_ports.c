/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "udp_ports.h"
#include "report.h"

#include <errno.h>
#include <netdb.h>
#include <string.h>
#include <unistd.h>

/* What may wait for its turn, if the system lets it. */
#define RECEIVE_BUFFER (4 * 1024 * 1024)

/* The port that it got; -1 with errno. */
static int open_one(union addr *a, int *out)
{
    int size = RECEIVE_BUFFER, one = 1, error;
    socklen_t len = sizeof(*a);
    int fd =
        socket(a->sa.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
    if (a->sa.sa_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
    if (bind(fd, &a->sa, addr_length(a)) == 0 &&
        getsockname(fd, &a->sa, &len) == 0) {
        *out = fd;
        return addr_port(a);
    }
    error = errno;
    close(fd);
    errno = error;
    return -1;
}

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
        int got;

        if (*n == UDP_PORTS_MAX || ai->ai_addrlen > sizeof(a))
            continue;
        memset(&a, 0, sizeof(a));
        memcpy(&a, ai->ai_addr, ai->ai_addrlen);
        addr_set_port(&a, (uint16_t)*port);
        got = open_one(&a, &fds[*n]);
        if (got > 0) {
            *port = got;
            (*n)++;
        }
        ok = got > 0 || (errno != EADDRINUSE && errno != EACCES);
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
