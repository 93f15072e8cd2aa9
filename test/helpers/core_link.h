/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * Two sessions back to back, or one against octets made by hand. What one end
 * sends waits in a queue until it is delivered, in pieces of any size.
 */
#ifndef MTLS_CORE_LINK_H
#define MTLS_CORE_LINK_H

#include "core_packet.h"
#include "core_suite.h"
#include "session.h"

/* Octets on their way. */
struct core_pipe {
    unsigned char *octets;
    size_t start, end, capacity;
};

struct core_link;

struct core_end {
    const struct core_link *link; /* whose clock it has */
    struct mtls_session *session;
    struct core_pipe out;         /* sent by it, not delivered */
    int changes;                  /* calls of the changed hook */
    struct mtls_channel *changed; /* with what, the last time */
};

struct core_link {
    struct core_end client, server; /* the raw peer has no session */
    uint64_t now;
    size_t piece;               /* octets delivered at a time; 0: all */
    struct core_random *random; /* or 1 to |piece| of them */
};

/* --- pipes and ends --- */

void core_pipe_put(struct core_pipe *pipe, const unsigned char *p, size_t n);
void core_pipe_cleanup(struct core_pipe *pipe);

/* core_collect takes what |end| sends, record by record, into its queue. */
size_t core_collect(struct core_end *end);

/* core_deliver hands up to |n| octets from |pipe| to |to|; how many it took. */
size_t core_deliver(struct core_pipe *pipe, struct mtls_session *to, size_t n);

/* core_check asserts what must hold of a session at all times. */
void core_check(const struct mtls_session *session);

/* core_held is how much memory the receive buffers of a session take. */
uint64_t core_held(const struct mtls_session *session);

/* --- two sessions --- */

/* core_link_open: both ends with that configuration (NULL: the default). */
void core_link_open(struct core_link *link,
                    const struct mtls_session_config *config);
void core_link_close(struct core_link *link);

/* core_move: each end sends, then receives; whether anything moved. */
int core_move(struct core_link *link);

/* core_settle moves until nothing moves any more. */
void core_settle(struct core_link *link);

/* core_open asks for a channel to |host|, port 80. */
struct mtls_channel *core_open(struct core_end *end, const char *host);

/* core_accept takes the Request that waits, and accepts it. */
struct mtls_channel *core_accept(struct core_end *end);

/* core_pair opens a channel from the client and settles. */
void core_pair(struct core_link *link, struct mtls_channel **client,
               struct mtls_channel **server);

/* core_write and core_read do it with a text; read expects exactly that. */
size_t core_write(struct mtls_channel *channel, const char *text);
void core_expect(struct mtls_channel *channel, const char *text);

/* core_discard reads and forgets all that waits; how much it was. */
size_t core_discard(struct mtls_channel *channel);

/* core_at_end: all was read, and the channel ended as |rx|. */
int core_at_end(const struct mtls_channel *channel, enum mtls_channel_rx rx);

/* --- one session against a raw peer --- */

/* core_raw_open: the server's end is a session, the client's is by hand. */
void core_raw_open(struct core_link *link,
                   const struct mtls_session_config *config);

/* core_say delivers octets, as core_octets() puts them; how many were taken. */
size_t core_say(struct core_link *link, const char *widths, ...);
size_t core_say_octets(struct core_link *link, const void *octets, size_t len);
void core_say_request(struct core_link *link, uint16_t half, uint32_t window);
void core_say_success(struct core_link *link, uint16_t half, uint16_t answer,
                      uint32_t window);
void core_say_data(struct core_link *link, uint32_t id, size_t len);

/* core_hear is the next packet that the session has sent: its type, or 0. */
unsigned int core_hear(struct core_link *link, struct core_packet *packet);

/* core_silent asserts that it has sent nothing more. */
void core_silent(struct core_link *link);

/* core_hear_only asserts that it is of |type|, and returns it. */
struct core_packet core_hear_only(struct core_link *link, unsigned int type);

/* core_raw_accepted: the raw peer asks, with credit of 64 KiB each way unless
 * configured, and is accepted; its *id. */
struct mtls_channel *core_raw_accepted(struct core_link *link, uint16_t half,
                                       uint32_t *id);

/* core_raw_opened: the session asks, and the raw peer accepts as |answer|. */
struct mtls_channel *core_raw_opened(struct core_link *link, uint16_t answer,
                                     uint32_t window, uint32_t *id);

/* core_healthy asserts that a fresh channel still carries data both ways. */
void core_healthy(struct core_link *link);

#endif
