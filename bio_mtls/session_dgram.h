/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * A session whose channels carry datagrams (MTLS over DTLS, MTLS-05 2.3, P9 to
 * P15): MTLSPlaintext goes beside the stream of the other packets, one packet a
 * datagram, and may be lost. Credit is absolute then: it replaces what was
 * there, and who has none asks for it again and again.
 *
 * With mtls-00 there is nothing beside: all its frames are datagrams (Q14).
 */
#ifndef MTLS_SESSION_DGRAM_H
#define MTLS_SESSION_DGRAM_H

#include "session.h"

#define MTLS_NEVER UINT64_MAX

/*
 * mtls_session_set_datagrams makes it one of those, before its first channel;
 * 0: out of memory.
 */
int mtls_session_set_datagrams(struct mtls_session *session);
int mtls_session_has_datagrams(const struct mtls_session *session);

/* The longest data that the path takes in one packet: 1 to 16,375. */
void mtls_session_set_path_limit(struct mtls_session *session, uint32_t limit);
uint32_t mtls_session_path_limit(const struct mtls_session *session);

/* --- the transport's side --- */

/*
 * mtls_session_datagram_out lends the datagram that is to be sent, or NULL; it
 * stays until mtls_session_datagram_sent(), whether it got through or not.
 */
const unsigned char *mtls_session_datagram_out(struct mtls_session *session,
                                               size_t *len);
void mtls_session_datagram_sent(struct mtls_session *session);

/* mtls_session_datagram_in takes one that came; what is no use is dropped. */
void mtls_session_datagram_in(struct mtls_session *session,
                              const unsigned char *p, size_t len);

/*
 * mtls_session_deadline is when mtls_session_tick() has something to do, by
 * the clock of the session's hook; MTLS_NEVER.
 */
uint64_t mtls_session_deadline(const struct mtls_session *session);
void mtls_session_tick(struct mtls_session *session);

/*
 * mtls_session_set_keepalive: the peer is asked for a sign of life when none
 * came for |interval| microseconds; 0, as it is first, never; nor with mtls-00.
 * mtls_session_unheard: how often in a row in vain, where it is known to
 * answer.
 */
void mtls_session_set_keepalive(struct mtls_session *session,
                                uint64_t interval);
uint64_t mtls_session_keepalive(const struct mtls_session *session);
unsigned int mtls_session_unheard(const struct mtls_session *session);

/* --- channels --- */

/* mtls_session_datagram_limit: the longest that may be written. */
uint32_t mtls_session_datagram_limit(const struct mtls_channel *channel);

/* mtls_session_datagram_fits: one of |len| octets can be written now. */
int mtls_session_datagram_fits(const struct mtls_channel *channel, size_t len);

/* mtls_session_write_datagram: 1, or 0 when it does not fit. Then the channel
 * is told when it does. */
int mtls_session_write_datagram(struct mtls_channel *channel, const void *data,
                                size_t len);

/* Reading, as mtls_datagrams_next() and _take(). */
int mtls_session_next_datagram(const struct mtls_channel *channel, size_t *len);
size_t mtls_session_read_datagram(struct mtls_channel *channel, void *data,
                                  size_t room);

/* --- what the other files of the session ask --- */

struct mtls_dgram;

/* A channel that carries datagrams: zeroed, or NULL. */
struct mtls_channel *mtls_dgram_channel_new(void);
void mtls_dgram_free(struct mtls_dgram *dgram);

/* mtls_dgram_freed: the channel's memory is about to go. */
void mtls_dgram_freed(struct mtls_channel *channel);

/* mtls_dgram_opened: its id is known now, or (0) its half is free again. */
void mtls_dgram_opened(struct mtls_channel *channel, int opened);

/* mtls_dgram_ack: credit is |free_space| now. mtls_dgram_asked: the peer wants
 * to know its credit. */
int mtls_dgram_ack(struct mtls_channel *channel, uint32_t free_space);
void mtls_dgram_asked(struct mtls_channel *channel);

size_t mtls_dgram_guarantee(const struct mtls_channel *channel);

#endif
