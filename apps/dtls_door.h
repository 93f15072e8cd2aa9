/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * A server's UDP socket, which all clients share. An answer leaves from the
 * address that its client wrote to, which matters where a machine has several.
 */
#ifndef MTLS_APPS_DTLS_DOOR_H
#define MTLS_APPS_DTLS_DOOR_H

#include "addr.h"
#include "app.h"

#include <sys/types.h>

struct dtls_door;

struct dtls_door_ops {
    /* A datagram that came from |from|, and was sent to |to|, of port 0. */
    void (*datagram)(struct dtls_door *d, const union addr *from,
                     const union addr *to, const void *p, size_t n);
    /* One can be sent again, after dtls_door_send() had said EAGAIN. */
    void (*room)(struct dtls_door *d);
};

/* dtls_door_new binds |at|. NULL, with a message, on failure. */
struct dtls_door *dtls_door_new(struct app *app, const union addr *at,
                                const struct dtls_door_ops *ops, void *owner);

void *dtls_door_owner(const struct dtls_door *d);

/* dtls_door_close: nothing comes, and what is sent is lost. dtls_door_free
 * comes after the loop has ended. */
void dtls_door_close(struct dtls_door *d);
void dtls_door_free(struct dtls_door *d);

/* dtls_door_send sends from |from| to |to|: as sendto(). */
ssize_t dtls_door_send(struct dtls_door *d, const union addr *from,
                       const union addr *to, const void *p, size_t n);

/* dtls_door_mtu is what the path there takes, in octets of a datagram's data;
 * 0 if that can't be told. */
long dtls_door_mtu(const union addr *from, const union addr *to);

#endif
