/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "tlsmux_udp.h"
#include "resolve.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Datagrams that one turn moves each way. */
#define AT_ONCE 64
/* Who may answer: those that were written to last. */
#define PEERS 64
/* How long a name is not looked up again. */
#define NAME_MS 5000

enum {
    V4,
    V6,
    FAMILIES
};

struct socket {
    uv_poll_t poll;
    int fd; /* -1: this machine has none of that family */
    int armed;
    struct tlsmux_udp *owner;
};

struct tlsmux_udp {
    struct app *app;
    struct tlsmux *m;
    const struct allow *rules;
    struct socket *sockets[FAMILIES];
    union addr peers[PEERS];
    unsigned next_peer;
    struct endpoint name; /* that |addr| belongs to, until |known| */
    union addr addr;
    uint64_t known;
    struct resolve *lookup; /* of |name|; reading waits for it */
    char *waiting;          /* the datagram that goes there */
    size_t waiting_size;
    int peer_full;
    int again; /* its turn was over first */
};

static char scratch[65536];

static void on_moved(struct tlsmux *m);

/* --- sockets ----------------------------------------------------------------
 */

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void socket_close(struct socket *s)
{
    if (s == NULL)
        return;
    uv_close((uv_handle_t *)&s->poll, on_closed);
    close(s->fd);
}

static struct socket *socket_new(struct tlsmux_udp *u, int family)
{
    int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct socket *s = calloc(1, sizeof(*s));
    int one = 1;

    if (family == AF_INET6 && fd >= 0)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
    if (fd < 0 || s == NULL || uv_poll_init(&u->app->loop, &s->poll, fd) != 0) {
        if (fd >= 0)
            close(fd);
        free(s);
        return NULL;
    }
    s->poll.data = s;
    s->fd = fd;
    s->owner = u;
    return s;
}

void tlsmux_udp_free(struct tlsmux_udp *u)
{
    if (u->lookup != NULL)
        resolve_cancel(u->lookup);
    socket_close(u->sockets[V4]);
    socket_close(u->sockets[V6]);
    free(u->waiting);
    free(u);
}

struct tlsmux_udp *tlsmux_udp_new(struct app *app, const struct allow *rules)
{
    struct tlsmux_udp *u = calloc(1, sizeof(*u));

    if (u == NULL)
        return NULL;
    u->app = app;
    u->rules = rules;
    u->sockets[V4] = socket_new(u, AF_INET);
    u->sockets[V6] = socket_new(u, AF_INET6);
    if (u->sockets[V4] != NULL || u->sockets[V6] != NULL)
        return u;
    tlsmux_udp_free(u);
    return NULL;
}

static struct socket *socket_for(const struct tlsmux_udp *u,
                                 const union addr *a)
{
    return u->sockets[a->sa.sa_family == AF_INET ? V4 : V6];
}

/* --- who may answer ---------------------------------------------------------
 */

/* All are hosts of this machine: it is the port that says who it is. */
static int is_peer(const struct tlsmux_udp *u, const union addr *a)
{
    for (unsigned i = 0; i < PEERS; i++) {
        if (addr_same(&u->peers[i], a))
            return 1;
    }
    return 0;
}

static void add_peer(struct tlsmux_udp *u, const union addr *a)
{
    if (!is_peer(u, a))
        u->peers[u->next_peer++ % PEERS] = *a;
}

/* --- from the client --------------------------------------------------------
 */

/* What can't be sent is lost, as anywhere on a datagram's way. */
static void send_to(struct tlsmux_udp *u, const union addr *a, const char *p,
                    size_t n)
{
    const struct socket *s = socket_for(u, a);

    if (s == NULL || sendto(s->fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL, &a->sa,
                            addr_length(a)) < 0)
        u->m->dropped++;
    else
        add_peer(u, a);
}

static void on_lookup(void *arg, const union addr *addr, const char *why)
{
    struct tlsmux_udp *u = arg;

    (void)why;
    u->lookup = NULL;
    if (addr != NULL) {
        u->addr = *addr;
        u->known = uv_now(&u->app->loop) + NAME_MS;
        send_to(u, addr, u->waiting, u->waiting_size);
    } else {
        u->m->dropped++;
    }
    free(u->waiting);
    u->waiting = NULL;
    on_moved(u->m); /* the next may be here already */
}

static int is_known(const struct tlsmux_udp *u, const struct endpoint *e)
{
    return uv_now(&u->app->loop) < u->known && u->name.port == e->port &&
           strcmp(u->name.host, e->host) == 0;
}

/* The datagram waits for its address, and those behind it for it. */
static void look_up(struct tlsmux_udp *u, const struct endpoint *e,
                    const char *p, size_t n)
{
    u->known = 0;
    u->name = *e;
    u->waiting = malloc(n + 1);
    if (u->waiting == NULL) {
        u->m->dropped++;
        return;
    }
    memcpy(u->waiting, p, n);
    u->waiting_size = n;
    u->lookup = resolve_new(&u->app->loop, e, u->rules, on_lookup, u);
    if (u->lookup == NULL) {
        free(u->waiting);
        u->waiting = NULL;
        u->m->dropped++;
    }
}

static void forward(struct tlsmux_udp *u, const char *p, size_t n)
{
    const char *to = BIO_tlsmux_get_peer(u->m->b), *why;
    struct endpoint e;
    union addr a;
    int found;

    if (to == NULL || !endpoint_parse(&e, to, 0)) {
        u->m->dropped++;
        return;
    }
    if (is_known(u, &e)) {
        send_to(u, &u->addr, p, n);
        return;
    }
    found = resolve_now(&e, u->rules, &a, &why);
    if (found > 0)
        send_to(u, &a, p, n);
    else if (found == 0)
        u->m->dropped++;
    else
        look_up(u, &e, p, n);
}

/* --- to the client ----------------------------------------------------------
 */

static int set_peer(struct tlsmux_udp *u, const union addr *a)
{
    BIO_ADDR *peer = BIO_ADDR_new();
    int v4 = a->sa.sa_family == AF_INET;
    int ok =
        peer != NULL &&
        BIO_ADDR_rawmake(peer, a->sa.sa_family,
                         v4 ? (const void *)&a->v4.sin_addr
                            : (const void *)&a->v6.sin6_addr,
                         v4 ? sizeof(a->v4.sin_addr) : sizeof(a->v6.sin6_addr),
                         htons(addr_port(a))) &&
        BIO_dgram_set_peer(u->m->b, peer) > 0;

    BIO_ADDR_free(peer);
    return ok;
}

/* 1: another may wait; 0: none; a failure of the stream is < 0. */
static int answer(struct tlsmux_udp *u, const struct socket *s)
{
    union addr from;
    socklen_t len = sizeof(from);
    int clear = tlsmux_clear(u->m);
    ssize_t n;

    if (clear != 1) {
        u->peer_full = clear == TLSMUX_RETRY;
        return clear == TLSMUX_RETRY ? 0 : -1;
    }
    memset(&from, 0, sizeof(from));
    n = recvfrom(s->fd, scratch, sizeof(scratch), MSG_DONTWAIT, &from.sa, &len);
    if (n < 0) /* it may be told that an earlier datagram found nobody */
        return errno == ECONNREFUSED || errno == EINTR;
    if (!is_peer(u, &from) || !set_peer(u, &from)) {
        u->m->dropped++;
        return 1;
    }
    clear = tlsmux_send(u->m, scratch, (size_t)n);
    if (clear == TLSMUX_FAILED &&
        ERR_GET_REASON(ERR_peek_last_error()) == MTLS_R_DATAGRAM_TOO_LONG) {
        u->m->dropped++;
        clear = 1;
    }
    return clear == TLSMUX_FAILED ? -1 : 1;
}

/* --- the loop ---------------------------------------------------------------
 */

static void on_udp(uv_poll_t *poll, int status, int events);

static void arm(struct socket *s, int wanted)
{
    if (s == NULL || s->armed == wanted)
        return;
    s->armed = wanted;
    if (wanted)
        uv_poll_start(&s->poll, UV_READABLE, on_udp);
    else
        uv_poll_stop(&s->poll);
}

static void settle(struct tlsmux_udp *u)
{
    arm(u->sockets[V4], !u->peer_full);
    arm(u->sockets[V6], !u->peer_full);
    /* That the peer takes more is a poll that returns at once. */
    tlsmux_want(u->m, u->lookup == NULL, u->peer_full || u->again);
}

static void end(struct tlsmux_udp *u, const char *why)
{
    struct tlsmux *m = u->m;

    tlsmux_udp_free(u);
    tlsmux_close(m, why);
}

static void on_udp(uv_poll_t *poll, int status, int events)
{
    const struct socket *s = poll->data;
    struct tlsmux_udp *u = s->owner;
    int more = 1;

    (void)events;
    for (int i = 0; i < AT_ONCE && more > 0 && status == 0; i++)
        more = answer(u, s);
    if (more < 0)
        end(u, "the peer takes no more");
    else
        settle(u);
}

/* What the SSL has decrypted no poll can see. */
static void on_moved(struct tlsmux *m)
{
    struct tlsmux_udp *u = m->owner;
    int ok = 1;
    size_t n;

    u->peer_full = 0;
    for (int i = 0; i < AT_ONCE && u->lookup == NULL && ok == 1; i++) {
        ok = tlsmux_receive(m, scratch, sizeof(scratch), &n);
        if (ok == 1)
            forward(u, scratch, n);
    }
    u->again = ok == 1 && u->lookup == NULL;
    if (ok == TLSMUX_END)
        end(u, "");
    else if (ok == TLSMUX_FAILED)
        end(u, "the stream was cut short");
    else
        settle(u);
}

static void on_ended(struct tlsmux *m, const char *why)
{
    (void)why;
    tlsmux_udp_free(m->owner);
}

static const struct tlsmux_ops ops = {NULL,     NULL, NULL,
                                      on_moved, NULL, on_ended};

void tlsmux_udp_start(struct tlsmux_udp *u, struct tlsmux *m)
{
    u->m = m;
    m->owner = u;
    m->ops = &ops;
    on_moved(m);
}
