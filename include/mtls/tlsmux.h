/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * TLSMUX (draft-wong-tlsmux-00 2): SOCKS 5 (RFC 1928) inside TLS, to reach
 * services of the server's own machine, as a filter BIO.
 *
 * BIO_f_tlsmux() is pushed onto an SSL BIO (or another reliable BIO).
 * BIO_do_handshake() does the handshake below and then the SOCKS exchange, as
 * the client or the server, like the SSL. I/O does it implicitly. Afterwards
 * the filter is transparent: what is read and written is the stream below;
 * after UDP ASSOCIATE, one read or write is one datagram. The filter never
 * reads octets of the stream ahead.
 *
 *     bio = BIO_push(BIO_new(BIO_f_tlsmux()), bio);
 *     BIO_set_conn_hostname(bio, "localhost:25");
 *
 * A call blocks where the BIO below does; otherwise the retry flags are those
 * of the BIO below. All lengths are in octets.
 *
 * Threads: none of its own and no lock. A stack with this filter is used by
 * one thread at a time, as one with BIO_f_ssl() is.
 *
 * Ownership: the filter takes no reference on the BIO below; BIO_free_all()
 * frees both. Texts that calls return are lent, and good until the next call
 * of the same kind on that BIO.
 *
 * Errors: a call that fails returns 0 or -1 without BIO_should_retry() and
 * leaves an MTLS_R_ reason (mtls_err.h) on the error queue, or the BIO below
 * one of its own. During the exchange the thread's error queue is cleared
 * first, as the handshake of an SSL does. An exchange that failed fails again.
 */
#ifndef MTLS_TLSMUX_H
#define MTLS_TLSMUX_H

#include <mtls/bio_mtls.h>

#ifdef __cplusplus
extern "C" {
#endif

const BIO_METHOD *BIO_f_tlsmux(void);

/* clang-format off */
#define BIO_CTRL_MTLS_TLSMUX_BASE 0x4d80
#define BIO_CTRL_MTLS_TLSMUX_SET_ROLE       (BIO_CTRL_MTLS_TLSMUX_BASE + 0)
#define BIO_CTRL_MTLS_TLSMUX_SET_COMMAND    (BIO_CTRL_MTLS_TLSMUX_BASE + 1)
#define BIO_CTRL_MTLS_TLSMUX_GET_COMMAND    (BIO_CTRL_MTLS_TLSMUX_BASE + 2)
#define BIO_CTRL_MTLS_TLSMUX_GRANT          (BIO_CTRL_MTLS_TLSMUX_BASE + 3)
#define BIO_CTRL_MTLS_TLSMUX_REFUSE         (BIO_CTRL_MTLS_TLSMUX_BASE + 4)
#define BIO_CTRL_MTLS_TLSMUX_GET_REPLY      (BIO_CTRL_MTLS_TLSMUX_BASE + 5)
#define BIO_CTRL_MTLS_TLSMUX_GET_BOUND      (BIO_CTRL_MTLS_TLSMUX_BASE + 6)
#define BIO_CTRL_MTLS_TLSMUX_GET_PEER       (BIO_CTRL_MTLS_TLSMUX_BASE + 7)
#define BIO_CTRL_MTLS_TLSMUX_SET_UDP_HEADER (BIO_CTRL_MTLS_TLSMUX_BASE + 8)
#define BIO_CTRL_MTLS_TLSMUX_GET_DROPPED    (BIO_CTRL_MTLS_TLSMUX_BASE + 9)
/* clang-format on */

/*
 * Needed only where the BIO below holds no SSL to tell it, or that of another
 * connection (a channel of MTLS): MTLS_ROLE_CLIENT or MTLS_ROLE_SERVER. Before
 * the exchange; 1, or 0.
 */
#define BIO_tlsmux_set_role(b, role) \
    BIO_ctrl((b), BIO_CTRL_MTLS_TLSMUX_SET_ROLE, (role), NULL)

/* --- the client (RFC 1928 4) --------------------------------------------- */

#define MTLS_TLSMUX_CONNECT 1
#define MTLS_TLSMUX_BIND 2
#define MTLS_TLSMUX_UDP_ASSOCIATE 3

/*
 * What BIO_do_handshake() asks for, CONNECT unless set. 1, or 0.
 *
 * CONNECT: to the destination of BIO_set_conn_hostname(), "host:port".
 * BIND: as with BIO_do_accept() of an accept BIO, the first call listens
 * (BIO_tlsmux_get_bound() tells where), the next, or any I/O, waits for the
 * connection (BIO_tlsmux_get_peer() tells from where). The destination, if it
 * is set, is who is expected.
 * UDP ASSOCIATE: the destination is that of the datagrams that are written.
 */
#define BIO_tlsmux_set_command(b, command) \
    BIO_ctrl((b), BIO_CTRL_MTLS_TLSMUX_SET_COMMAND, (command), NULL)

/* The command: on a server the peer's, 0 until it is known. */
#define BIO_tlsmux_get_command(b) \
    BIO_ctrl((b), BIO_CTRL_MTLS_TLSMUX_GET_COMMAND, 0, NULL)

/* --- the server ----------------------------------------------------------- */

/*
 * BIO_do_handshake() and I/O return -1 with BIO_should_io_special() and this
 * BIO_get_retry_reason() while a request waits for the program's answer:
 * BIO_tlsmux_get_command(), BIO_get_conn_hostname() and BIO_get_conn_port()
 * tell what is asked for. After BIND was granted the reason is BIO_RR_ACCEPT.
 */
#define MTLS_RR_TLSMUX_REQUEST 0x4d

/*
 * BIO_tlsmux_grant says yes: |bound| is the address that the server uses,
 * "host:port", or NULL for none (0.0.0.0:0, as UDP ASSOCIATE has it). BIND is
 * granted twice: when it listens, and with the address that connected.
 * BIO_tlsmux_refuse says no, with 0x01 to 0x08 of RFC 1928 6.
 *
 * Both queue the reply and send what the BIO below takes: 1, or 0 when nothing
 * waits for an answer, or the argument is no such thing. The next
 * BIO_do_handshake(), BIO_flush() or I/O sends the rest.
 */
#define BIO_tlsmux_grant(b, bound) \
    BIO_ctrl((b), BIO_CTRL_MTLS_TLSMUX_GRANT, 0, (void *)(bound))
#define BIO_tlsmux_refuse(b, reply) \
    BIO_ctrl((b), BIO_CTRL_MTLS_TLSMUX_REFUSE, (reply), NULL)

/* --- replies (RFC 1928 6) ------------------------------------------------- */

#define MTLS_TLSMUX_SUCCEEDED 0x00
#define MTLS_TLSMUX_FAILURE 0x01
#define MTLS_TLSMUX_NOT_ALLOWED 0x02
#define MTLS_TLSMUX_NETWORK_UNREACHABLE 0x03
#define MTLS_TLSMUX_HOST_UNREACHABLE 0x04
#define MTLS_TLSMUX_CONNECTION_REFUSED 0x05
#define MTLS_TLSMUX_TTL_EXPIRED 0x06
#define MTLS_TLSMUX_COMMAND_NOT_SUPPORTED 0x07
#define MTLS_TLSMUX_ADDRESS_TYPE_NOT_SUPPORTED 0x08

/* The last reply, received or queued: 0 to 255; -1 when there is none yet. */
#define BIO_tlsmux_get_reply(b) \
    BIO_ctrl((b), BIO_CTRL_MTLS_TLSMUX_GET_REPLY, 0, NULL)

/*
 * "host:port" of the reply that granted; and of the peer: of BIND's second
 * reply, or of the datagram that was read last, from where (client) or for
 * whom (server) it is. NULL until there is one.
 */
#define BIO_tlsmux_get_bound(b) \
    ((const char *)BIO_ptr_ctrl((b), BIO_CTRL_MTLS_TLSMUX_GET_BOUND, 0))
#define BIO_tlsmux_get_peer(b) \
    ((const char *)BIO_ptr_ctrl((b), BIO_CTRL_MTLS_TLSMUX_GET_PEER, 0))

/* --- datagrams (RFC 1928 7) ----------------------------------------------- */

/*
 * On: a datagram is read and written with the header of RFC 1928 7 in front,
 * as a relay between this BIO and SOCKS clients' UDP needs it. Off (default):
 * its data alone; the address is that of BIO_set_conn_hostname(), of
 * BIO_dgram_set_peer(), or else that of the last datagram read.
 */
#define BIO_tlsmux_set_udp_header(b, on) \
    BIO_ctrl((b), BIO_CTRL_MTLS_TLSMUX_SET_UDP_HEADER, (on), NULL)

/* How many datagrams were dropped, as RFC 1928 asks: fragments, malformed. */
#define BIO_tlsmux_get_dropped(b) \
    BIO_ctrl((b), BIO_CTRL_MTLS_TLSMUX_GET_DROPPED, 0, NULL)

#ifdef __cplusplus
}
#endif
#endif
