/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * The multiplexer of one TLS session, without I/O: octets in, octets out,
 * events out, time asked for. What reads and writes a transport is above.
 *
 * Not locked: one caller at a time. Reasons are MTLS_R_ numbers
 * (mtls/mtls_err.h).
 */
#ifndef MTLS_SESSION_H
#define MTLS_SESSION_H

#include "channel.h"

#include <stddef.h>
#include <stdint.h>

struct mtls_session_config {
    uint32_t window;         /* granted to a new channel */
    uint32_t max_window;     /* what self-tuning may raise it to */
    uint32_t max_packet;     /* announced, kept below the window */
    uint64_t session_memory; /* the sum of the windows */
    uint32_t max_channels;   /* with a half in use */
    uint32_t max_opening;    /* Requests of the peer's, undecided */
    uint32_t backlog;        /* of those, not taken by the program */
};

struct mtls_session_stats {
    uint64_t data_in, data_out, packets_in, packets_out;
    uint64_t octets_in, octets_out;
    uint64_t ignored, malformed, refused;
    uint64_t channels_opened, channels_accepted, channels_reset;
    uint64_t channels, closing, window_memory;
    uint64_t datagrams_dropped, octets_out_beside; /* session_dgram.h */
};

/* Calls from inside; they must not call back into the session. */
struct mtls_session_hooks {
    /* What the channel may do has changed; NULL: a Request waits. */
    void (*changed)(void *app, struct mtls_channel *channel);
    /* A packet goes by: its type, or MTLS_MSG_DATA; NULL to be told nothing. */
    void (*message)(void *app, int sent, int type, const unsigned char *octets,
                    size_t len);
    /* Microseconds of any clock that does not go back. Asked once or twice a
     * window, since a clock costs as much as a small packet. */
    uint64_t (*now)(void *app);
};

void mtls_session_config_default(struct mtls_session_config *config);
struct mtls_session *mtls_session_new(const struct mtls_session_config *config,
                                      const struct mtls_session_hooks *hooks,
                                      void *app);
void mtls_session_free(struct mtls_session *session); /* channels released */

/* The TLS client uses even initiator halves (D3). Before any channel. */
void mtls_session_set_client(struct mtls_session *session, int is_client);
int mtls_session_is_client(const struct mtls_session *session);
struct mtls_session_config *mtls_session_config(struct mtls_session *session);
struct mtls_session_hooks *mtls_session_hooks(struct mtls_session *session);
void *mtls_session_app(struct mtls_session *session);
void mtls_session_stats(const struct mtls_session *session,
                        struct mtls_session_stats *stats);

/* --- the transport's side --- */

/*
 * mtls_session_recv_buf lends room for octets from the peer: a channel's
 * buffer, where a packet's data goes straight to, or a small one of its own.
 * NULL: nothing can be taken now (answers must go out first, or out of
 * memory, or the session has ended).
 */
unsigned char *mtls_session_recv_buf(struct mtls_session *session,
                                     size_t *room);
void mtls_session_recv_ack(struct mtls_session *session, size_t n);

/* mtls_session_can_receive: recv_buf will not be NULL but for memory. */
int mtls_session_can_receive(const struct mtls_session *session);

/* mtls_session_send_buf lends what is to be sent next, *len octets, or NULL. */
const unsigned char *mtls_session_send_buf(struct mtls_session *session,
                                           size_t *len);
void mtls_session_send_ack(struct mtls_session *session, size_t n);

/* mtls_session_more: something will follow what send_buf has lent. */
int mtls_session_more(const struct mtls_session *session);

/* mtls_session_held: so much of what the transport took waits there, and is
 * less to wait here. */
void mtls_session_held(struct mtls_session *session, size_t n);

/* Octets and packets that are still to be sent. */
int mtls_session_wants_write(const struct mtls_session *session);
uint64_t mtls_session_queued(const struct mtls_session *session); /* ever */
uint64_t mtls_session_sent(const struct mtls_session *session);

/*
 * mtls_session_end: the transport is gone (D14). mtls_session_close: this end
 * closes all channels in good order; what that owes is still to be sent.
 */
void mtls_session_end(struct mtls_session *session);
void mtls_session_close(struct mtls_session *session);
int mtls_session_ended(const struct mtls_session *session);

/* mtls_session_broken: the peer's octets can't be parsed on (D10, fatal). */
int mtls_session_broken(const struct mtls_session *session);

/* --- channels --- */

struct mtls_channel *mtls_channel_new(struct mtls_session *session, void *app);

/* The texts of a Request, before it; 0: not usable (D12) or out of memory. */
int mtls_channel_set_names(struct mtls_channel *channel,
                           const struct mtls_address *destination,
                           const struct mtls_address *source);
const char *mtls_channel_host(const struct mtls_channel *channel);
const char *mtls_channel_port(const struct mtls_channel *channel);
const char *mtls_channel_source_host(const struct mtls_channel *channel);
const char *mtls_channel_source(const struct mtls_channel *channel);

/* mtls_session_open sends a Request: 0, or the reason why it can't. */
uint8_t mtls_session_open(struct mtls_channel *channel);

/*
 * mtls_session_await_start: the channel can't be opened before the transport's
 * handshake; mtls_session_start tells all such that they may try again.
 */
void mtls_session_await_start(struct mtls_channel *channel);
void mtls_session_start(struct mtls_session *session);

/* mtls_session_next_asked: the next channel that the peer asked for, or NULL;
 * then to be accepted or rejected (0: there is nothing to decide). */
struct mtls_channel *mtls_session_next_asked(struct mtls_session *session);
uint32_t mtls_session_backlog(const struct mtls_session *session);
int mtls_session_accept(struct mtls_channel *channel);
int mtls_session_reject(struct mtls_channel *channel, const char *text);

/*
 * mtls_session_write takes up to |len| octets into records and returns how
 * many: 0 when credit, room or the channel's turn is missing, or when
 * mtls_channel_sends() does not hold.
 */
size_t mtls_session_write(struct mtls_channel *channel, const void *data,
                          size_t len);

/* mtls_session_put: as most writes go, all of it or, 0, nothing: nobody waits,
 * and one packet in the record under construction does. */
int mtls_session_put(struct mtls_channel *channel, const void *data,
                     size_t len);

/*
 * mtls_session_write_room lends room in a record, NULL as write returns 0.
 * mtls_session_wrote says that |n| octets of it are (or, before the channel's
 * next call or mtls_session_send_drafts(), will have been) filled.
 */
unsigned char *mtls_session_write_room(struct mtls_channel *channel,
                                       size_t *room);
void mtls_session_wrote(struct mtls_channel *channel, size_t n);
void mtls_session_flush_draft(struct mtls_channel *channel);
void mtls_session_send_drafts(struct mtls_session *session);

/* mtls_session_no_draft gives back what write_room lent and nobody filled. */
void mtls_session_no_draft(struct mtls_channel *channel);

/*
 * mtls_session_claim_turn: before a thread of |channel|'s waits, those in
 * front of it that have room, and nobody who waits for it, go to the end. 1
 * when it is |channel|'s turn then.
 */
int mtls_session_claim_turn(struct mtls_channel *channel);

/* mtls_session_guarantee: octets that a write takes now, as several packets if
 * it must. */
size_t mtls_session_guarantee(const struct mtls_channel *channel);

/* mtls_session_read copies what waits, up to |len|; 0 when nothing does. */
size_t mtls_session_read(struct mtls_channel *channel, void *data, size_t len);
/* mtls_session_drop forgets |n| octets that mtls_buffer_peek() showed; their
 * memory stays until the channel's next call. */
void mtls_session_drop(struct mtls_channel *channel, size_t n);

/*
 * mtls_session_lend: what is received for |channel|, while nothing waits for
 * its reader, goes straight to |data|, and counts as read. Until
 * mtls_session_take_back(), which returns how much that was.
 */
void mtls_session_lend(struct mtls_channel *channel, void *data, size_t len);
size_t mtls_session_take_back(struct mtls_session *session);

/* mtls_session_lent: how much it is so far, if |channel| is the one. */
size_t mtls_session_lent(const struct mtls_channel *channel);

/*
 * mtls_session_stuck: the peer can send no more until something is read. What
 * was read before is acknowledged first.
 */
int mtls_session_stuck(struct mtls_channel *channel);

/* mtls_session_amid: the rest of one of its packets is still to come. */
int mtls_session_amid(const struct mtls_session *session,
                      const struct mtls_channel *channel);

int mtls_session_end_data(struct mtls_channel *channel); /* half-close, D7 */
void mtls_session_reset(struct mtls_channel *channel);   /* give up, D8 */
void mtls_session_release(struct mtls_channel *channel); /* free, D8 */

/* --- readiness --- */

/* mtls_session_events: which of those hold for the channel, as levels. */
unsigned int mtls_session_events(const struct mtls_channel *channel);
/* mtls_session_told: the reader has been told of the end or the error. */
void mtls_session_told(struct mtls_channel *channel);
void mtls_session_set_interest(struct mtls_channel *channel,
                               unsigned int events);
void mtls_session_new_round(struct mtls_session *session);
struct mtls_channel *mtls_session_next_ready(struct mtls_session *session,
                                             unsigned int *events);

#endif
