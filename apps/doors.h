/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* A client's own ports: all -L and -D. */
#ifndef MTLS_APPS_DOORS_H
#define MTLS_APPS_DOORS_H

#include "addr.h"
#include "app.h"
#include "options.h"

struct doors;
struct link;

/* Who connects: |fd| is the callee's. |destination| is that of -L, "" for -D;
 * |source| may be "". */
typedef void doors_accept(void *arg, const char *destination, int fd,
                          const char *source);

/* doors_new reads what -L and -D say; NULL, with a message, when it can't. */
struct doors *doors_new(const struct options *o);

/*
 * doors_bind binds all of them, or 0, with a message. Nobody is let in until
 * doors_open(). With -dtls channels are opened on *link.
 */
int doors_bind(struct doors *d, struct app *app, struct link *const *link,
               doors_accept *accept, void *arg);

/* doors_open lets in, or not: those who come then wait, as long as the system
 * lets them. */
void doors_open(struct doors *d, int open);

/* doors_drain: nobody else is let in. doors_close closes the ports, doors_free
 * comes after the loop has ended. All take NULL. */
void doors_drain(struct doors *d);
void doors_close(struct doors *d);
void doors_free(struct doors *d);

#endif
