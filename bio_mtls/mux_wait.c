/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * Waiting, for sessions that block. Of the threads that wait, one polls the
 * descriptor, without the lock, and then does the I/O for all; the others
 * sleep until what they wait for has changed, or until it is their turn to
 * poll.
 */
#include "mux_dgram.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define AT_A_TIME (64 * 1024) /* octets, before those who wait may look */

enum wait_for {
    FOR_CHANGE,
    FOR_OCTETS, /* the caller receives them, when nobody else waits */
    FOR_SENT,
    FOR_WAKE /* without polling */
};

struct mtls_waiter {
    struct mtls_list all;          /* link in mux->sleepers */
    struct mtls_waiter *next_here; /* others at the same channel */
    pthread_cond_t cond;
    int woken;
    int for_sent; /* also when the transport took octets */
};

int mtls_mux_fd(struct mtls_mux *mux)
{
    int fd = -1;

    if (mux->next == NULL || BIO_get_fd(mux->next, &fd) <= 0)
        return -1;
    return fd;
}

int mtls_mux_poll_events(const struct mtls_mux *mux)
{
    int events = mux->in_stalled ? 0 : POLLIN;

    if (!mux->up) {
        events = BIO_should_read(mux->next) ? POLLIN : 0;
        if (BIO_should_write(mux->next) || BIO_should_io_special(mux->next))
            events |= POLLOUT;
        return events;
    }
    if (mux->out_blocked || mux->in_wants_write)
        events |= POLLOUT;
    return events;
}

static void end_poll(struct mtls_mux *mux)
{
    uint64_t one = 1;
    ssize_t n;

    if (mux->under != NULL) {
        mtls_mux_kick_below(mux);
        return;
    }
    n = write(mux->wake_fd, &one, sizeof(one));

    (void)n; /* only full when it has been told already */
}

static void wake(struct mtls_mux *mux, struct mtls_waiter *w)
{
    w->woken = 1;
    if (w == mux->poller)
        end_poll(mux);
    else
        pthread_cond_signal(&w->cond);
}

void mtls_mux_wake(struct mtls_mux *mux, struct mtls_channel *channel)
{
    struct mtls_waiter *w = channel != NULL ? channel->waiters : mux->waiters;

    for (; w != NULL; w = w->next_here)
        if (!w->woken)
            wake(mux, w);
}

/* Few wait so: only sessions inside a channel of this one. */
static void wake_for_sent(struct mtls_mux *mux)
{
    struct mtls_list *at;

    for (at = mux->sleepers.next; at != &mux->sleepers; at = at->next) {
        struct mtls_waiter *w = mtls_list_item(at, struct mtls_waiter, all);

        if (w->for_sent && !w->woken)
            wake(mux, w);
    }
}

void mtls_mux_wake_sent(struct mtls_mux *mux)
{
    mtls_mux_wake(mux, NULL);
    if (mux->sent_waiters != 0)
        wake_for_sent(mux);
}

void mtls_mux_wake_all(struct mtls_mux *mux)
{
    struct mtls_list *at;

    for (at = mux->sleepers.next; at != &mux->sleepers; at = at->next)
        wake(mux, mtls_list_item(at, struct mtls_waiter, all));
    if (mux->poller != NULL)
        wake(mux, mux->poller);
}

/*
 * The poller must look again when there is more than its poll can see, or
 * something else to poll for. Said when the lock is let go.
 */
static void tell_poller(struct mtls_mux *mux)
{
    if (mux->poller == NULL || mux->poller_kicked || mux->shaking)
        return; /* who shakes hands may be at the BIO below */
    if (mux->in_more || mtls_mux_dgram_hurries(mux) ||
        (mtls_mux_poll_events(mux) & ~mux->poller_events) != 0) {
        mux->poller_kicked = 1;
        end_poll(mux);
    }
}

/* Without the lock: 1 when a transport is worth a try, or time is up. */
static int poll_descriptors(struct pollfd fds[3], int timeout)
{
    uint64_t count;
    int r = poll(fds, 3, timeout);

    if (fds[1].revents != 0) {
        ssize_t n = read(fds[1].fd, &count, sizeof(count));

        (void)n;
    }
    return r == 0 || fds[0].revents != 0 || fds[2].revents != 0;
}

/* A lone reader does the I/O itself, into its own memory. */
static void poll_once(struct mtls_mux *mux, struct mtls_waiter *w, int reader)
{
    int in_more = mux->up && (mux->in_more || mtls_mux_dgram_more(mux));
    int ready = 1, timeout;
    int events = mtls_mux_poll_events(mux);
    struct pollfd fds[3] = {
        /* Polled for no event, it would still report errors, over and over. */
        {.fd = events != 0 ? mtls_mux_fd(mux) : -1, .events = (short)events},
        {.fd = mux->wake_fd, .events = POLLIN},
        {.fd = -1}, /* passed over by poll() */
    };

    mux->poller = w;
    mux->poller_events = events;
    mux->poller_kicked = 0;
    timeout = mtls_mux_dgram_poll(mux, &fds[2]);
    pthread_mutex_unlock(&mux->lock);
    if (mux->under == NULL)
        ready = poll_descriptors(fds, in_more ? 0 : timeout);
    else if (!in_more)
        mtls_mux_wait_below(mux, events & POLLIN, events & POLLOUT);
    pthread_mutex_lock(&mux->lock);
    mux->poller = NULL;
    if (mux->up && reader && mtls_list_empty(&mux->sleepers))
        return;
    if (mux->up && (mux->in_more || in_more || ready)) {
        mtls_mux_send(mux);
        mtls_mux_receive(mux, MTLS_WANT_ALL, NULL, 0, AT_A_TIME);
        mtls_mux_send(mux);
    }
}

static void sleep_on(struct mtls_mux *mux, struct mtls_waiter *w)
{
    mtls_list_append(&mux->sleepers, &w->all);
    tell_poller(mux);
    while (!w->woken)
        pthread_cond_wait(&w->cond, &mux->lock);
    mtls_list_remove(&w->all);
}

/* The head of the list that is woken for |channel|, or for the session. */
static struct mtls_waiter **list_of(struct mtls_mux *mux,
                                    struct mtls_channel *channel)
{
    return channel != NULL ? &channel->waiters : &mux->waiters;
}

static int wait_as(struct mtls_mux *mux, struct mtls_channel *channel,
                   enum wait_for what)
{
    struct mtls_waiter w = {.for_sent = what == FOR_SENT};
    struct mtls_waiter **at = list_of(mux, channel);

    if (pthread_cond_init(&w.cond, NULL) != 0)
        return 0;
    mtls_list_init(&w.all);
    w.next_here = *at;
    *at = &w;
    mux->sent_waiters += (unsigned int)w.for_sent;
    if (what != FOR_WAKE && mux->poller == NULL)
        poll_once(mux, &w, what == FOR_OCTETS);
    else
        sleep_on(mux, &w);
    mux->sent_waiters -= (unsigned int)w.for_sent;
    for (at = list_of(mux, channel); *at != NULL; at = &(*at)->next_here) {
        if (*at == &w) {
            *at = w.next_here;
            break;
        }
    }
    pthread_cond_destroy(&w.cond);
    return 1;
}

/* Whether there is something to poll. */
static int can_poll(struct mtls_mux *mux)
{
    if (mux->under != NULL)
        return 1;
    if (mtls_mux_fd(mux) < 0)
        return 0;
    if (mux->wake_fd < 0)
        mux->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    return mux->wake_fd >= 0;
}

int mtls_mux_wait(struct mtls_mux *mux, struct mtls_channel *channel)
{
    return can_poll(mux) && wait_as(mux, channel, FOR_CHANGE);
}

int mtls_mux_wait_octets(struct mtls_mux *mux, struct mtls_channel *channel)
{
    return can_poll(mux) && wait_as(mux, channel, FOR_OCTETS);
}

int mtls_mux_wait_sent(struct mtls_mux *mux, struct mtls_channel *channel)
{
    return can_poll(mux) && wait_as(mux, channel, FOR_SENT);
}

void mtls_mux_sleep(struct mtls_mux *mux)
{
    wait_as(mux, NULL, FOR_WAKE);
}

/* Somebody has to poll, as long as somebody waits, and for what there is. */
void mtls_mux_unlock_waited(struct mtls_mux *mux)
{
    if (mux->poller == NULL && !mtls_list_empty(&mux->sleepers))
        wake(mux, mtls_list_item(mux->sleepers.next, struct mtls_waiter, all));
    if (mux->up)
        tell_poller(mux);
    pthread_mutex_unlock(&mux->lock);
}
