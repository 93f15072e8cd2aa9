/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * A UDP port that anybody may send to. An answer leaves from the address that
 * was written to, which matters where a machine has several.
 */
#ifndef MTLS_APPS_UDP_DOOR_H
#define MTLS_APPS_UDP_DOOR_H

#include "addr.h"
#include "app.h"

#include <sys/types.h>

struct udp_door;

struct udp_door_ops {
    /* A datagram that came from |from|, and was sent to |to|, of port 0. */
    void (*datagram)(struct udp_door *d, const union addr *from,
                     const union addr *to, const void *p, size_t n);
    /* One can be sent again, after udp_door_send() had said EAGAIN. Or NULL. */
    void (*room)(struct udp_door *d);
};

/* udp_door_bind makes a socket for it: -1 with errno. Where |at| has no port,
 * it gets the one that it is. */
int udp_door_bind(union addr *at);

/* udp_door_new takes what udp_door_bind() has made, also when it fails (NULL).
 * Nothing is told until udp_door_start(); the system holds what comes, as far
 * as it does. */
struct udp_door *udp_door_new(struct app *app, int fd,
                              const struct udp_door_ops *ops, void *owner);
void udp_door_start(struct udp_door *d);
void udp_door_stop(struct udp_door *d);

void *udp_door_owner(const struct udp_door *d);

/* udp_door_address: its own. */
void udp_door_address(const struct udp_door *d, char out[ADDR_TEXT_MAX]);

/* udp_door_close: nothing comes, and what is sent is lost. udp_door_free
 * comes after the loop has ended. Both take NULL. */
void udp_door_close(struct udp_door *d);
void udp_door_free(struct udp_door *d);

/* udp_door_send sends from |from| to |to|: as sendto(). */
ssize_t udp_door_send(struct udp_door *d, const union addr *from,
                      const union addr *to, const void *p, size_t n);

/* udp_door_mtu is what the path there takes, in octets of a datagram's data;
 * 0 if that can't be told. */
long udp_door_mtu(const union addr *from, const union addr *to);

#endif
