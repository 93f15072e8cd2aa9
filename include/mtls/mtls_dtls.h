/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * MTLS over DTLS (draft-badra-hajjeh-mtls-05, 2.3): two connections that belong
 * together. The client first makes a DTLS 1.2 session, then a TLS 1.2
 * connection to the same port number, whose pre-shared key is that session's
 * master_secret and whose psk_identity is its session ID (P6, P8). Data goes in
 * datagrams through the first, all else through the second.
 *
 * A client needs two SSL_CTX and two controls:
 *
 *     MTLS_dtls_set_datagram_ctx(dtls_ctx);
 *     MTLS_dtls_set_control_ctx(tls_ctx, NULL);
 *     ssl = BIO_new_ssl_connect(tls_ctx);           and its hostname
 *     mtls = BIO_push(BIO_new(BIO_f_mtls()), ssl);
 *     BIO_mtls_set_datagram_bio(mtls, dtls);        a BIO_f_ssl() above UDP
 *     BIO_do_handshake(mtls);                       does both handshakes
 *
 * A server gives a table of waiting sessions to its SSL_CTX, puts DTLS sessions
 * into it as they come up, and tells the filter above each TCP connection of
 * the table: BIO_mtls_set_waiting(). Its BIO_do_handshake() takes out the
 * session that the client names.
 *
 * Threads: a table may be used by any number of threads at a time.
 */
#ifndef MTLS_MTLS_DTLS_H
#define MTLS_MTLS_DTLS_H

#include <mtls/bio_mtls.h>
#include <openssl/ssl.h>
#include <sys/time.h>

#ifdef __cplusplus
extern "C" {
#endif

/* --- contexts ------------------------------------------------------------- */

typedef struct mtls_dtls_waiting_st MTLS_DTLS_WAITING;

/* The cipher suites of the control connection, the best ones first. */
#define MTLS_DTLS_CONTROL_CIPHERS                              \
    "ECDHE-PSK-CHACHA20-POLY1305:ECDHE-PSK-AES256-CBC-SHA384:" \
    "ECDHE-PSK-AES128-CBC-SHA256:PSK-AES128-CBC-SHA"

/*
 * MTLS_dtls_set_datagram_ctx prepares a context for DTLS sessions, of a client
 * or a server: DTLS 1.2 alone, no tickets, no renegotiation, session IDs that
 * are printable, since they become names (P6), and that are not resumed.
 * Certificates and verification are the program's. 1, or 0 with an error.
 */
int MTLS_dtls_set_datagram_ctx(SSL_CTX *ctx);

/*
 * MTLS_dtls_set_control_ctx prepares a context for the TLS connections beside
 * them: TLS 1.2 with MTLS_DTLS_CONTROL_CIPHERS, no tickets, no renegotiation.
 * A server's looks for keys in |waiting|, of which it keeps a reference; a
 * client passes NULL. 1, or 0 with an error.
 */
int MTLS_dtls_set_control_ctx(SSL_CTX *ctx, MTLS_DTLS_WAITING *waiting);

/*
 * MTLS_dtls_bind gives |control|, a client's SSL before its handshake, the
 * identity and the key of the DTLS session of |datagrams|, whose handshake is
 * done. A filter with a datagram BIO does it by itself. 1, or 0 with an error:
 * MTLS_R_NO_EXTENDED_MASTER_SECRET, or one of the provider's, when the peer
 * issued a session ID that can't be a name.
 */
int MTLS_dtls_bind(SSL *control, SSL *datagrams);

/* --- a server's table of DTLS sessions that wait for their connection ----- */

/*
 * MTLS_dtls_waiting_new makes a table for at most |most| sessions, each of
 * which may wait |seconds|. NULL with an error. MTLS_dtls_waiting_free lets go
 * of it; contexts and filters keep references of their own, and the last one
 * frees the sessions that still wait.
 */
MTLS_DTLS_WAITING *MTLS_dtls_waiting_new(size_t most, unsigned int seconds);
void MTLS_dtls_waiting_free(MTLS_DTLS_WAITING *waiting);

/*
 * MTLS_dtls_waiting_add puts |datagrams|, a BIO with the SSL of a DTLS session
 * whose handshake is done, into the table and takes the caller's reference: 1.
 * 0 with an error, and the BIO still the caller's: MTLS_R_RESOURCE_SHORTAGE
 * when the table is full of others that may still wait, or as MTLS_dtls_bind.
 */
int MTLS_dtls_waiting_add(MTLS_DTLS_WAITING *waiting, BIO *datagrams);

/*
 * MTLS_dtls_waiting_take removes and returns the session that |control|, whose
 * handshake is done, proved to know. NULL with MTLS_R_NO_DTLS_SESSION if there
 * is none (any more). A filter does it by itself: BIO_mtls_set_waiting().
 */
BIO *MTLS_dtls_waiting_take(MTLS_DTLS_WAITING *waiting, SSL *control);

/*
 * MTLS_dtls_waiting_receive lets a session that waits answer what came for it:
 * to be called when its socket is readable, since the peer may not have got the
 * last flight of the handshake. Other data is dropped. 1 while it still waits,
 * 0 when it does not, or has ended: then |datagrams| may be freed already.
 */
int MTLS_dtls_waiting_receive(MTLS_DTLS_WAITING *waiting, BIO *datagrams);

/*
 * MTLS_dtls_waiting_expire ends the sessions that have waited too long and
 * returns in how many milliseconds the next one will have, -1 if none waits.
 */
long MTLS_dtls_waiting_expire(MTLS_DTLS_WAITING *waiting);

/* MTLS_dtls_waiting_count: how many there are now. */
size_t MTLS_dtls_waiting_count(MTLS_DTLS_WAITING *waiting);

/* --- controls of BIO_f_mtls() ----------------------------------------------
 */

/* clang-format off */
#define BIO_CTRL_MTLS_SET_DATAGRAM_BIO      (BIO_CTRL_MTLS_BASE + 0x20)
#define BIO_CTRL_MTLS_GET_DATAGRAM_BIO      (BIO_CTRL_MTLS_BASE + 0x21)
#define BIO_CTRL_MTLS_SET_WAITING           (BIO_CTRL_MTLS_BASE + 0x22)
#define BIO_CTRL_MTLS_GET_TIMEOUT           (BIO_CTRL_MTLS_BASE + 0x23)
#define BIO_CTRL_MTLS_DATAGRAM_SHOULD_WRITE (BIO_CTRL_MTLS_BASE + 0x24)
#define BIO_CTRL_MTLS_SET_KEEPALIVE         (BIO_CTRL_MTLS_BASE + 0x25)
/* clang-format on */

/*
 * BIO_mtls_set_datagram_bio makes the channels of |m| carry datagrams, through
 * |datagrams|, whose reference it takes on success: a BIO_f_ssl() above a
 * datagram BIO, or, where nothing need be protected, any BIO that keeps
 * datagrams apart. Before the handshake and the first channel; 1, or 0 with
 * MTLS_R_WRONG_STATE. On a client BIO_do_handshake() does its handshake first.
 * It should block, or not, as the BIO below |m| does.
 */
#define BIO_mtls_set_datagram_bio(m, datagrams) \
    BIO_ctrl((m), BIO_CTRL_MTLS_SET_DATAGRAM_BIO, 0, (datagrams))

/* What was set, or taken from the table; NULL if there is none. Lent. */
#define BIO_mtls_get_datagram_bio(m) \
    ((BIO *)(void *)BIO_ptr_ctrl((m), BIO_CTRL_MTLS_GET_DATAGRAM_BIO, 0))

/*
 * BIO_mtls_set_waiting: the same for a server. The handshake takes the session
 * that the client names out of |waiting|, of which a reference is kept, and
 * fails with MTLS_R_NO_DTLS_SESSION without one. BIO_dup_chain() copies it.
 */
#define BIO_mtls_set_waiting(m, waiting) \
    BIO_ctrl((m), BIO_CTRL_MTLS_SET_WAITING, 0, (waiting))

/*
 * BIO_mtls_get_timeout: 1 with the time after which |m| wants to be called
 * again although nothing came (BIO_mtls_process(), or during the handshake
 * BIO_do_handshake()), as DTLSv1_get_timeout(); 0 if there is none, or while
 * another thread is at the handshake. Calls that block see to it themselves.
 */
#define BIO_mtls_get_timeout(m, left) \
    BIO_ctrl((m), BIO_CTRL_MTLS_GET_TIMEOUT, 0, (struct timeval *)(left))

/* 1 when a datagram waits for the datagram BIO to become writable. */
#define BIO_mtls_datagram_should_write(m) \
    BIO_ctrl((m), BIO_CTRL_MTLS_DATAGRAM_SHOULD_WRITE, 0, NULL)

/*
 * BIO_mtls_set_keepalive has |m|, which has its datagram BIO or its table, ask
 * the peer for a sign of life when no datagram came for |seconds| (1 to 86,400;
 * 0, the default, never). That keeps a NAT from forgetting the path. When a
 * peer that has answered before does not for five times as long, the session
 * ends with MTLS_R_DTLS_SILENT. Not with mtls-00. 1, or 0 with an error.
 */
#define BIO_mtls_set_keepalive(m, seconds) \
    BIO_ctrl((m), BIO_CTRL_MTLS_SET_KEEPALIVE, (seconds), NULL)

#ifdef __cplusplus
}
#endif
#endif
