/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * -L over DTLS: a UDP port whose datagrams go through a channel for each
 * address that they come from, and whose answers go back there.
 */
#ifndef MTLS_APPS_FORWARD_UDP_H
#define MTLS_APPS_FORWARD_UDP_H

#include "addr.h"
#include "app.h"

struct forward_udp;
struct link;

/*
 * forward_udp_new: channels are opened on *link, NULL while there is no
 * session. NULL, with a message, when memory is short. forward_udp_open binds
 * the ports, of all addresses of a name: 0, with a message, on failure.
 */
struct forward_udp *forward_udp_new(struct app *app,
                                    const struct forward_spec *spec,
                                    struct link *const *link);
int forward_udp_open(struct forward_udp *f);

/* forward_udp_start takes datagrams; until then, and after forward_udp_stop(),
 * the system holds them, as far as it does. */
void forward_udp_start(struct forward_udp *f);
void forward_udp_stop(struct forward_udp *f);

/* forward_udp_drain takes none from new addresses any more. */
void forward_udp_drain(struct forward_udp *f);

/* forward_udp_close closes the ports; forward_udp_free comes after the loop has
 * ended. Both take NULL. */
void forward_udp_close(struct forward_udp *f);
void forward_udp_free(struct forward_udp *f);

#endif
