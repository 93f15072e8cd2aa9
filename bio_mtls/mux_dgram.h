/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * The second transport of a session over DTLS: datagrams, beside the stream
 * below the filter; or, with mtls-00, instead of that. All of this does nothing
 * where there is none, and is called with the lock held, but for
 * mtls_mux_dgram_before().
 */
#ifndef MTLS_MUX_DGRAM_H
#define MTLS_MUX_DGRAM_H

#include "mux.h"
#include "session_dgram.h"

#include <mtls/mtls_dtls.h>
#include <poll.h>
#include <sys/time.h>

/* mtls_mux_dgram_set takes |bio|; mtls_mux_dgram_await looks in a table when
 * the handshake is done. 0 with an error. */
int mtls_mux_dgram_set(struct mtls_mux *mux, BIO *bio);
int mtls_mux_dgram_await(struct mtls_mux *mux, MTLS_DTLS_WAITING *waiting);
int mtls_mux_dgram_copy(struct mtls_mux *mux, const struct mtls_mux *like);
BIO *mtls_mux_dgram_bio(const struct mtls_mux *mux);

/*
 * mtls_mux_dgram_detect: where DTLS is right below the filter, it is the only
 * transport (mtls-00, Q14), which mtls_mux_dgram_alone() tells. 0, with an
 * error: too late, or out of memory.
 */
int mtls_mux_dgram_detect(struct mtls_mux *mux);
int mtls_mux_dgram_alone(const struct mtls_mux *mux);

/* mtls_mux_dgram_detach lets go of the BIO; it says close_notify. */
void mtls_mux_dgram_detach(struct mtls_mux *mux);
void mtls_mux_dgram_free(struct mtls_mux *mux);

/*
 * The handshake, by the thread that shakes: before that of the BIO below,
 * without the lock, and after it. 1 done, 0 retry, -1 with an error.
 */
int mtls_mux_dgram_before(struct mtls_mux *mux, int may_wait);
int mtls_mux_dgram_after(struct mtls_mux *mux);

/* mtls_mux_dgram_shaking: it is the datagrams' handshake that is to be done. */
int mtls_mux_dgram_shaking(const struct mtls_mux *mux);

/*
 * mtls_mux_dgram_tick has what is due said; mtls_mux_dgram_send goes after the
 * other packets: one may be the Success of its channel. mtls_mux_dgram_receive
 * takes what there is, but no more than a turn; mtls_mux_dgram_more: it left
 * some.
 */
void mtls_mux_dgram_tick(struct mtls_mux *mux);
void mtls_mux_dgram_send(struct mtls_mux *mux);
void mtls_mux_dgram_receive(struct mtls_mux *mux);
int mtls_mux_dgram_more(const struct mtls_mux *mux);
int mtls_mux_dgram_blocked(const struct mtls_mux *mux);

/* mtls_mux_dgram_shutdown sends close_notify. */
void mtls_mux_dgram_shutdown(struct mtls_mux *mux);

/*
 * mtls_mux_dgram_poll says what to poll for and returns how long, in
 * milliseconds, -1 for ever. mtls_mux_dgram_hurries: that would be less now, or
 * for more.
 * mtls_mux_dgram_timeout: the same in microseconds, MTLS_NEVER.
 */
int mtls_mux_dgram_poll(struct mtls_mux *mux, struct pollfd *fd);
int mtls_mux_dgram_hurries(const struct mtls_mux *mux);
uint64_t mtls_mux_dgram_timeout(const struct mtls_mux *mux);

/* The longest datagram: as asked of the path, anew or not; set, 0 by the path
 * alone. */
uint32_t mtls_mux_dgram_mtu(struct mtls_mux *mux, int anew);
uint32_t mtls_mux_dgram_fallback_mtu(struct mtls_mux *mux);
int mtls_mux_dgram_set_mtu(struct mtls_mux *mux, long mtu);

/* In seconds, 0 none; 0 with an error. */
int mtls_mux_dgram_set_keepalive(struct mtls_mux *mux, long seconds);

#endif
