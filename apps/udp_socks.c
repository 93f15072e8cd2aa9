/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "udp_socks.h"
#include "own.h"

#include <errno.h>
#include <mtls/tlsmux.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Datagrams that one turn takes. */
#define AT_ONCE 64

struct udp_socks {
    uv_poll_t poll;
    udp_socks_datagram *datagram;
    void *arg;
    int fd;
    int wanted;
    union addr client; /* port 0: not known yet */
    uint64_t dropped;
    char address[ADDR_TEXT_MAX];
};

static char scratch[65536];

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void udp_socks_free(struct udp_socks *u)
{
    if (u == NULL)
        return;
    uv_close((uv_handle_t *)&u->poll, on_closed);
    close(u->fd);
}

const char *udp_socks_address(const struct udp_socks *u)
{
    return u->address;
}

uint64_t udp_socks_dropped(const struct udp_socks *u)
{
    return u->dropped;
}

/* RFC 1928 6: from the client alone. Its port is that of the first datagram,
 * unless the request has said. */
static int is_client(struct udp_socks *u, const union addr *from)
{
    if (!addr_same_host(&u->client, from))
        return 0;
    if (addr_port(&u->client) == 0)
        addr_set_port(&u->client, addr_port(from));
    return addr_port(&u->client) == addr_port(from);
}

/* 0: none is there, or none is wanted. */
static int take(struct udp_socks *u)
{
    union addr from;
    socklen_t len = sizeof(from);
    ssize_t n;

    memset(&from, 0, sizeof(from));
    n = recvfrom(u->fd, scratch, sizeof(scratch), MSG_DONTWAIT, &from.sa, &len);
    if (n < 0) /* or it is told that the client does not listen */
        return errno == ECONNREFUSED || errno == EINTR;
    if (is_client(u, &from))
        return u->datagram(u->arg, scratch, (size_t)n);
    u->dropped++;
    return 1;
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct udp_socks *u = poll->data;

    (void)events;
    for (int i = 0; i < AT_ONCE && status == 0 && u->wanted; i++) {
        if (!take(u))
            return;
    }
}

void udp_socks_want(struct udp_socks *u, int wanted)
{
    if (u->wanted == wanted)
        return;
    u->wanted = wanted;
    if (wanted)
        uv_poll_start(&u->poll, UV_READABLE, on_poll);
    else
        uv_poll_stop(&u->poll);
}

void udp_socks_send(struct udp_socks *u, const void *octets, size_t size)
{
    if (addr_port(&u->client) == 0 ||
        sendto(u->fd, octets, size, MSG_DONTWAIT | MSG_NOSIGNAL, &u->client.sa,
               addr_length(&u->client)) < 0)
        u->dropped++;
}

/* The two ends of a TCP connection; 0 unless it is between programs here. */
static int ends_of(int fd, union addr *here, union addr *there)
{
    socklen_t n = sizeof(*here), m = sizeof(*there);

    memset(here, 0, sizeof(*here));
    memset(there, 0, sizeof(*there));
    if (getsockname(fd, &here->sa, &n) != 0 ||
        getpeername(fd, &there->sa, &m) != 0 ||
        (here->sa.sa_family != AF_INET && here->sa.sa_family != AF_INET6))
        return 0;
    addr_unmap(here);
    addr_unmap(there);
    return own_loopback(here) && own_loopback(there);
}

static int open_port(struct udp_socks *u, struct app *app, union addr *at)
{
    socklen_t len = sizeof(*at);

    addr_set_port(at, 0);
    u->fd =
        socket(at->sa.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (u->fd < 0)
        return 0;
    if (bind(u->fd, &at->sa, addr_length(at)) != 0 ||
        getsockname(u->fd, &at->sa, &len) != 0 ||
        uv_poll_init(&app->loop, &u->poll, u->fd) != 0) {
        close(u->fd);
        return 0;
    }
    u->poll.data = u;
    addr_text(u->address, &at->sa, addr_length(at));
    return 1;
}

struct udp_socks *udp_socks_new(struct app *app, int fd,
                                const struct endpoint *from,
                                udp_socks_datagram *datagram, void *arg,
                                int *reply)
{
    struct udp_socks *u;
    union addr here, there;

    *reply = MTLS_TLSMUX_NOT_ALLOWED;
    if (!ends_of(fd, &here, &there))
        return NULL;
    *reply = MTLS_TLSMUX_FAILURE;
    u = calloc(1, sizeof(*u));
    if (u == NULL || !open_port(u, app, &here)) {
        free(u);
        return NULL;
    }
    u->datagram = datagram;
    u->arg = arg;
    u->client = there;
    addr_set_port(&u->client, from->port);
    return u;
}
