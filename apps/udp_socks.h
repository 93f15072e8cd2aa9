/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * The UDP port of a SOCKS client's UDP ASSOCIATE (RFC 1928 7): datagrams with
 * their header, from and to that client alone, on loopback. Who carries them
 * on is the owner's business.
 */
#ifndef MTLS_APPS_UDP_SOCKS_H
#define MTLS_APPS_UDP_SOCKS_H

#include "addr.h"
#include "app.h"

struct udp_socks;

/* A datagram with its header. 0: no more for now, until udp_socks_want(). */
typedef int udp_socks_datagram(void *arg, const void *octets, size_t size);

/*
 * udp_socks_new opens a port on the address that the TCP connection |fd| has
 * here, for the host at its other end, which has to be loopback; |from| is the
 * address that the client says it will use, port 0 where it can't tell yet.
 * NULL, with *reply of RFC 1928 6.
 */
struct udp_socks *udp_socks_new(struct app *app, int fd,
                                const struct endpoint *from,
                                udp_socks_datagram *datagram, void *arg,
                                int *reply);
void udp_socks_free(struct udp_socks *u);

/* udp_socks_address: where the client is to send to. */
const char *udp_socks_address(const struct udp_socks *u);

/* udp_socks_want: whether |datagram| is to be called. */
void udp_socks_want(struct udp_socks *u, int wanted);

/* udp_socks_send sends to the client, once it has sent something. */
void udp_socks_send(struct udp_socks *u, const void *octets, size_t size);

/* udp_socks_dropped: those from somebody else, or for nobody. */
uint64_t udp_socks_dropped(const struct udp_socks *u);

#endif
