/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * mtls-00 over DTLS: two sessions and a path between them, or frames by hand
 * for the server. Ports 53 and 54 were agreed on. One at a time.
 */
#ifndef MTLS_CORE_00_H
#define MTLS_CORE_00_H

#include "core_dgram.h"

struct core_00 {
    struct core_path path;
    struct mtls_session *client, *server;
};
extern struct core_00 core_00;

/* core_00_close asserts that all memory has been given back. */
void core_00_open(const struct mtls_session_config *config);
void core_00_close(void);

struct mtls_session_stats core_00_stats(const struct mtls_session *session);

/* core_00_channel opens a stream of the client's, from port 7 if it is free.
 * core_00_accept takes the only one that waits at the server. */
struct mtls_channel *core_00_channel(uint16_t port);
struct mtls_channel *core_00_accept(void);

/* One datagram with that text. */
void core_00_write(struct mtls_channel *channel, const char *text);
void core_00_expect(struct mtls_channel *channel, const char *text);

/* What the server is told by hand, and exactly what it has to say. */
void core_00_say(uint16_t source, uint16_t destination, const char *text);
void core_00_hear(uint16_t source, uint16_t destination, const char *text);
void core_00_silent(void);

#endif
