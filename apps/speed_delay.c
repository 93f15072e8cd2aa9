/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * A relay that delays what it passes on, and passes on no more than so much:
 * a long way, on loopback. One thread polls all directions.
 */
#include "speed_delay.h"

#include "report.h"
#include "speed.h"
#include "speed_process.h"
#include "speed_tcp.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define DELAY (SPEED_DELAY_MS / 1e3)
#define RATE (SPEED_DELAY_MB * 1e6)
/* What is read at a time, and may come at once after a pause. */
#define QUANTUM 65536
#define BURST (4 * QUANTUM)
/* On its way: a delay's worth, and what a slow reader leaves. */
#define ROOM (8 << 20)
#define PARCELS 65536

/* What was read at a time. */
struct parcel {
    double due;
    size_t len;
};

/* One direction of a connection. */
struct lane {
    int from, to;
    char *ring;
    size_t head, fill; /* in |ring| */
    struct parcel *parcels;
    size_t first, n; /* in |parcels| */
    double tokens;   /* octets that may be read now */
    double at;       /* when they were counted */
    int blocked, ended;
};

static double smaller(double a, double b)
{
    return a < b ? a : b;
}

/* Sends what is due; 0 when nobody reads any more. */
static int deliver(struct lane *l, double now)
{
    struct parcel *p = &l->parcels[l->first];

    l->blocked = 0;
    while (l->n > 0 && p->due <= now) {
        size_t len = p->len < ROOM - l->head ? p->len : ROOM - l->head;
        ssize_t done =
            send(l->to, l->ring + l->head, len, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (done < 0) {
            l->blocked = errno == EAGAIN || errno == EINTR;
            return l->blocked;
        }
        l->head = (l->head + (size_t)done) % ROOM;
        l->fill -= (size_t)done;
        p->len -= (size_t)done;
        if (p->len == 0) {
            l->first = (l->first + 1) % PARCELS;
            l->n--;
            p = &l->parcels[l->first];
        }
    }
    if (l->n == 0 && l->ended == 1) {
        shutdown(l->to, SHUT_WR);
        l->ended = 2;
    }
    return 1;
}

static int can_take(const struct lane *l)
{
    return !l->ended && l->n < PARCELS && l->fill < ROOM;
}

/* Reads what the rate allows; 0 when the connection failed. */
static int take(struct lane *l, double now)
{
    size_t tail = (l->head + l->fill) % ROOM;
    size_t room =
        tail >= l->head && l->fill < ROOM ? ROOM - tail : ROOM - l->fill;
    ssize_t n;

    l->tokens = smaller(l->tokens + (now - l->at) * RATE, BURST);
    l->at = now;
    if (!can_take(l) || l->tokens < QUANTUM)
        return 1;
    if (room > QUANTUM)
        room = QUANTUM;
    n = recv(l->from, l->ring + tail, room, MSG_DONTWAIT);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    if (n == 0) {
        l->ended = 1;
        return 1;
    }
    l->tokens -= (double)n;
    l->fill += (size_t)n;
    l->parcels[(l->first + l->n++) % PARCELS] =
        (struct parcel){now + DELAY, (size_t)n};
    return 1;
}

/* Until when a lane has nothing to do but what poll() tells. */
static double next_time(const struct lane *l, double now)
{
    double next = now + 1;

    if (l->n > 0 && !l->blocked)
        next = smaller(next, l->parcels[l->first].due);
    if (can_take(l) && l->tokens < QUANTUM)
        next = smaller(next, now + (QUANTUM - l->tokens) / RATE);
    return next;
}

static void await(const struct lane *lanes, size_t n, double now)
{
    struct pollfd fds[4 * SPEED_DELAY_MAX];
    double next = now + 1;
    struct timespec t;
    nfds_t count = 0;

    for (size_t i = 0; i < n; i++) {
        const struct lane *l = &lanes[i];

        next = smaller(next, next_time(l, now));
        if (can_take(l) && l->tokens >= QUANTUM)
            fds[count++] = (struct pollfd){.fd = l->from, .events = POLLIN};
        if (l->blocked)
            fds[count++] = (struct pollfd){.fd = l->to, .events = POLLOUT};
    }
    next = next > now ? next - now : 0;
    t.tv_sec = (time_t)next;
    t.tv_nsec = (long)((next - (double)t.tv_sec) * 1e9);
    ppoll(fds, count, &t, NULL);
}

/* Goes on until a connection breaks, or who asked for it ends the process. */
static int relay(struct lane *lanes, size_t n)
{
    for (;;) {
        double now = speed_now();

        for (size_t i = 0; i < n; i++)
            if (!deliver(&lanes[i], now) || !take(&lanes[i], now))
                return 0;
        await(lanes, n, speed_now());
    }
}

static int lane_init(struct lane *l, int from, int to)
{
    l->from = from;
    l->to = to;
    l->ring = malloc(ROOM);
    l->parcels = calloc(PARCELS, sizeof(*l->parcels));
    l->at = speed_now();
    return from >= 0 && to >= 0 && l->ring != NULL && l->parcels != NULL;
}

static int join_all(int listener, int port)
{
    struct lane lanes[2 * SPEED_DELAY_MAX] = {0};

    for (int i = 0; i < SPEED_DELAY_MAX; i++) {
        int near = speed_tcp_accept(listener);
        int far = speed_tcp_connect(port);

        if (!lane_init(&lanes[2 * i], near, far) ||
            !lane_init(&lanes[2 * i + 1], far, near))
            return 0;
    }
    return relay(lanes, 2 * SPEED_DELAY_MAX);
}

int speed_delay(int port)
{
    int own;
    int listener = speed_tcp_listen(&own);
    int control;
    pid_t pid;

    if (listener < 0) {
        report_error("can't listen on loopback: %s", strerror(errno));
        return 0;
    }
    pid = speed_fork(&control);
    if (pid == 0)
        _exit(join_all(listener, port) ? EXIT_SUCCESS : EXIT_FAILURE);
    close(listener);
    return pid > 0 ? own : 0;
}
