/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "target_udp.h"
#include "datagrams.h"
#include "link.h"
#include "watch.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* Datagrams that one turn takes. */
#define AT_ONCE 64

struct target {
    struct watch watch; /* first */
    struct datagrams *channel;
};

static void destroy(struct target *t)
{
    watch_drop(&t->watch);
    close(t->watch.fd);
    free(t);
}

/* What the system does not take is lost. An error is that of an earlier one:
 * that nobody listens, perhaps for now. */
static void to_service(void *arg, const void *p, size_t n)
{
    const struct target *t = arg;

    if (send(t->watch.fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 &&
        errno == ECONNREFUSED)
        (void)!send(t->watch.fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void on_room(void *arg)
{
    watch_want(&((struct target *)arg)->watch, WATCH_IN);
}

static void on_ended(void *arg, enum chan_end how, const char *why)
{
    (void)how;
    (void)why;
    destroy(arg);
}

static const struct datagrams_ops ops = {to_service, NULL, on_room, on_ended};

/* While some wait for the channel, the others are kept by the system. */
static void on_ready(struct watch *w, int events)
{
    struct target *t = (struct target *)w;
    static char octets[65536];
    ssize_t n = 1;

    if ((events & WATCH_BROKEN) != 0)
        watch_mended(w);
    for (int i = 0; i < AT_ONCE && n >= 0; i++) {
        if (datagrams_full(t->channel))
            return;
        n = recv(w->fd, octets, sizeof(octets), MSG_DONTWAIT);
        watch_was_read(w, n, sizeof(octets));
        if (n >= 0)
            datagrams_send(t->channel, octets, (size_t)n);
        else if (errno == ECONNREFUSED || errno == EINTR)
            n = 0;
    }
    watch_want(w, WATCH_IN);
}

void target_udp_new(struct link *k, BIO *bio, int fd)
{
    struct target *t = calloc(1, sizeof(*t));

    if (t == NULL || !watch_add(&t->watch, k->app, fd, 0, on_ready)) {
        free(t);
        close(fd);
        BIO_free(bio); /* which refuses it too */
        return;
    }
    t->channel = datagrams_accept(k, bio, &ops, t);
    if (t->channel == NULL)
        destroy(t);
    else
        watch_want(&t->watch, WATCH_IN);
}
