/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * What local sockets are ready for. Each is told to the kernel once, edge
 * triggered: libuv's own way is two or three system calls whenever a socket is
 * to be watched for something else, and a timer's worth of memory for each.
 */
#ifndef MTLS_APPS_WATCH_H
#define MTLS_APPS_WATCH_H

#include "app.h"

#include <stddef.h>

#define WATCH_IN 1
#define WATCH_OUT 2
#define WATCH_BROKEN 4 /* told whether wanted or not */

struct watch {
    TAILQ_ENTRY(watch) node; /* of app->watch.ready, while |queued| */
    struct app *app;
    void (*ready)(struct watch *w, int events);
    int fd;
    unsigned has : 3;     /* what it is ready for, as far as is known */
    unsigned wants : 3;   /* what is to be told */
    unsigned queued : 1;  /* it will be told */
    unsigned careful : 1; /* a short read does not mean that it is empty */
};

/* watch_begin prepares the loop for them: 1, or 0. watch_end is the reverse. */
int watch_begin(struct app *app);
void watch_end(struct app *app);

/*
 * watch_add: |ready| will be told, in a later turn, of what watch_want() asks
 * for; |tcp| if that is what |fd| is. 1, or 0.
 */
int watch_add(struct watch *w, struct app *app, int fd, int tcp,
              void (*ready)(struct watch *w, int events));

/*
 * watch_want says what is to be told next: once, then it must be said again,
 * also when it has not changed.
 */
void watch_want(struct watch *w, int events);

/* watch_was_read: recv() of |room| octets has returned |n|; errno is kept. */
void watch_was_read(struct watch *w, ptrdiff_t n, size_t room);

/* watch_was_written: likewise for send(). */
void watch_was_written(struct watch *w, ptrdiff_t n);

/* watch_mended: the error has been taken off the socket, which lives on. */
void watch_mended(struct watch *w);

/* watch_drop ends it. The caller closes the socket at once, and with that the
 * kernel forgets it. */
void watch_drop(struct watch *w);

/* watch_turn tells all of what is ready now; app calls it. */
void watch_turn(struct app *app);

#endif
