/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * The local end of a forward: a connection (local.c), or standard input and
 * output (stdio.c). Reads and writes never block.
 */
#ifndef MTLS_APPS_LOCAL_H
#define MTLS_APPS_LOCAL_H

#include "app.h"

#include <sys/types.h>
#include <sys/uio.h>

/* As those of watch.h. */
#define LOCAL_IN 1
#define LOCAL_OUT 2
#define LOCAL_BROKEN 4 /* reset, or an error */

struct local;

struct local_ops {
    /* As read() and write(): -1 with errno, EAGAIN when it would block. With
     * |more| another write follows at once, and they may leave together. */
    ssize_t (*read)(struct local *l, void *p, size_t n);
    ssize_t (*write)(struct local *l, const void *p, size_t n, int more);
    /* As writev(); it may take less than the first piece. */
    ssize_t (*writev)(struct local *l, struct iovec *v, int n);
    /* Says when |ready| is to be called: LOCAL_IN, LOCAL_OUT, or neither. */
    void (*want)(struct local *l, int events);
    /* No more will be written. */
    void (*end)(struct local *l);
    /* Each of these gives the end up; |ready| is not called again. */
    void (*close)(struct local *l);  /* all has been said, both ways */
    void (*linger)(struct local *l); /* said all; what comes is not heard */
    void (*reset)(struct local *l);  /* something is missing: tell it */
};

struct local {
    const struct local_ops *ops;
    void (*ready)(struct local *l, int events);
    void *owner;
};

/*
 * local_sock_new takes a connected, non-blocking socket, also when it fails
 * (NULL).
 */
struct local *local_sock_new(struct app *app, int fd);

/* local_stdio_new is standard input and output. NULL when memory is short. */
struct local *local_stdio_new(struct app *app);

/* local_stdio_end: standard input is to be taken as if it had ended. */
void local_stdio_end(struct local *l);

/* local_second ends connections that have been on their way out too long. */
void local_second(struct app *app);

/* local_abandon closes all of them, at the end of the program. */
void local_abandon(struct app *app);

#endif
