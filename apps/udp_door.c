/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "udp_door.h"
#include "report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Datagrams that one turn takes: what a session takes in its turn, or one
 * client's would pile up. */
#define AT_ONCE 64
/* What may wait for its turn, if the system lets it. */
#define RECEIVE_BUFFER (4 * 1024 * 1024)
/* What goes through a channel is shorter, and a DTLS record at most this long,
 * with its header and what it is protected by. */
#define LONGEST (16384 + 13 + 320)

struct udp_door {
    uv_poll_t poll;
    const struct udp_door_ops *ops;
    void *owner;
    int fd; /* -1: closed */
    int running, full;
};

union control {
    struct cmsghdr align;
    char octets[CMSG_SPACE(sizeof(struct in6_pktinfo))];
};

static void on_poll(uv_poll_t *poll, int status, int events);

static void watch(struct udp_door *d)
{
    int events = (d->running ? UV_READABLE : 0) | (d->full ? UV_WRITABLE : 0);

    if (d->fd < 0)
        return;
    if (events != 0)
        uv_poll_start(&d->poll, events, on_poll);
    else
        uv_poll_stop(&d->poll);
}

void udp_door_start(struct udp_door *d)
{
    d->running = 1;
    watch(d);
}

void udp_door_stop(struct udp_door *d)
{
    d->running = 0;
    watch(d);
}

/* --- receiving --------------------------------------------------------------
 */

/* Where it was sent to, of which the kernel tells beside the datagram. */
static void read_target(struct msghdr *m, union addr *to)
{
    struct in_pktinfo v4;
    struct in6_pktinfo v6;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c != NULL;
         c = CMSG_NXTHDR(m, c)) {
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            memcpy(&v4, CMSG_DATA(c), sizeof(v4));
            to->v4.sin_family = AF_INET;
            to->v4.sin_addr = v4.ipi_spec_dst;
        } else if (c->cmsg_level == IPPROTO_IPV6 &&
                   c->cmsg_type == IPV6_PKTINFO) {
            memcpy(&v6, CMSG_DATA(c), sizeof(v6));
            to->v6.sin6_family = AF_INET6;
            to->v6.sin6_addr = v6.ipi6_addr;
            if (IN6_IS_ADDR_LINKLOCAL(&v6.ipi6_addr))
                to->v6.sin6_scope_id = v6.ipi6_ifindex;
        }
    }
}

/* 0: none is there. */
static int take(struct udp_door *d)
{
    static char octets[LONGEST];
    union addr from, to;
    union control control;
    struct iovec v = {octets, sizeof(octets)};
    struct msghdr m = {.msg_name = &from,
                       .msg_namelen = sizeof(from),
                       .msg_iov = &v,
                       .msg_iovlen = 1,
                       .msg_control = &control,
                       .msg_controllen = sizeof(control)};
    ssize_t n;

    memset(&from, 0, sizeof(from));
    memset(&to, 0, sizeof(to));
    n = recvmsg(d->fd, &m, MSG_DONTWAIT);
    if (n < 0)
        return errno == EINTR || errno == ECONNREFUSED;
    if ((m.msg_flags & MSG_TRUNC) != 0)
        return 1; /* it would get nowhere */
    read_target(&m, &to);
    d->ops->datagram(d, &from, &to, octets, (size_t)n);
    return 1;
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct udp_door *d = poll->data;

    if (status == 0 && (events & UV_WRITABLE) != 0 && d->full) {
        d->full = 0;
        watch(d);
        if (d->ops->room != NULL)
            d->ops->room(d);
    }
    if (status < 0 || (events & UV_READABLE) == 0)
        return;
    for (int i = 0; i < AT_ONCE && d->running && d->fd >= 0; i++) {
        if (!take(d))
            return;
    }
}

/* --- sending ----------------------------------------------------------------
 */

static void put_source(struct msghdr *m, union control *control,
                       const union addr *from)
{
    struct in_pktinfo v4 = {0};
    struct in6_pktinfo v6 = {0};
    int is_v4 = from->sa.sa_family == AF_INET;
    size_t size = is_v4 ? sizeof(v4) : sizeof(v6);
    struct cmsghdr *c;

    memset(control, 0, sizeof(*control));
    m->msg_control = control;
    m->msg_controllen = CMSG_SPACE(size);
    c = CMSG_FIRSTHDR(m);
    c->cmsg_level = is_v4 ? IPPROTO_IP : IPPROTO_IPV6;
    c->cmsg_type = is_v4 ? IP_PKTINFO : IPV6_PKTINFO;
    c->cmsg_len = CMSG_LEN(size);
    if (is_v4) {
        v4.ipi_spec_dst = from->v4.sin_addr;
        memcpy(CMSG_DATA(c), &v4, sizeof(v4));
    } else {
        v6.ipi6_addr = from->v6.sin6_addr;
        v6.ipi6_ifindex = from->v6.sin6_scope_id;
        memcpy(CMSG_DATA(c), &v6, sizeof(v6));
    }
}

ssize_t udp_door_send(struct udp_door *d, const union addr *from,
                      const union addr *to, const void *p, size_t n)
{
    union control control;
    struct iovec v = {(void *)p, n};
    struct msghdr m = {.msg_name = (void *)to,
                       .msg_namelen = addr_length(to),
                       .msg_iov = &v,
                       .msg_iovlen = 1};
    ssize_t sent;

    if (d->fd < 0)
        return (ssize_t)n;
    if (from->sa.sa_family == to->sa.sa_family)
        put_source(&m, &control, from);
    sent = sendmsg(d->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno == EAGAIN && !d->full && d->ops->room != NULL) {
        d->full = 1;
        watch(d);
        errno = EAGAIN;
    }
    return sent;
}

/* The kernel knows it of a connected socket alone. */
long udp_door_mtu(const union addr *from, const union addr *to)
{
    int v4 = to->sa.sa_family == AF_INET;
    int fd = socket(to->sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int mtu = 0;
    socklen_t len = sizeof(mtu);

    if (fd < 0)
        return 0;
    if (bind(fd, &from->sa, addr_length(from)) != 0 ||
        connect(fd, &to->sa, addr_length(to)) != 0 ||
        getsockopt(fd, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_MTU : IPV6_MTU,
                   &mtu, &len) != 0)
        mtu = 0;
    close(fd);
    return mtu > 48 ? mtu - (v4 ? 28 : 48) : 0;
}

/* --- life -------------------------------------------------------------------
 */

int udp_door_bind(union addr *at)
{
    int v4 = at->sa.sa_family == AF_INET, one = 1, size = RECEIVE_BUFFER;
    socklen_t len = sizeof(*at);
    int error, fd;

    fd = socket(at->sa.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
    if (!v4)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
    if (setsockopt(fd, v4 ? IPPROTO_IP : IPPROTO_IPV6,
                   v4 ? IP_PKTINFO : IPV6_RECVPKTINFO, &one,
                   sizeof(one)) == 0 &&
        bind(fd, &at->sa, addr_length(at)) == 0 &&
        getsockname(fd, &at->sa, &len) == 0)
        return fd;
    error = errno;
    close(fd);
    errno = error;
    return -1;
}

struct udp_door *udp_door_new(struct app *app, int fd,
                              const struct udp_door_ops *ops, void *owner)
{
    struct udp_door *d = calloc(1, sizeof(*d));

    if (d == NULL || uv_poll_init(&app->loop, &d->poll, fd) != 0) {
        report_error("no UDP port: out of memory");
        free(d);
        close(fd);
        return NULL;
    }
    d->poll.data = d;
    d->ops = ops;
    d->owner = owner;
    d->fd = fd;
    return d;
}

void udp_door_address(const struct udp_door *d, char out[ADDR_TEXT_MAX])
{
    struct sockaddr_storage at;
    socklen_t len = sizeof(at);

    text_copy(out, ADDR_TEXT_MAX, "?");
    if (getsockname(d->fd, (struct sockaddr *)&at, &len) == 0)
        addr_text(out, (struct sockaddr *)&at, len);
}

void *udp_door_owner(const struct udp_door *d)
{
    return d->owner;
}

void udp_door_close(struct udp_door *d)
{
    if (d == NULL || d->fd < 0)
        return;
    uv_close((uv_handle_t *)&d->poll, NULL);
    close(d->fd);
    d->fd = -1;
}

void udp_door_free(struct udp_door *d)
{
    free(d);
}
