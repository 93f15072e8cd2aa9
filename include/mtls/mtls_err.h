/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * Reason codes that the multiplexer leaves on OpenSSL's error queue.
 *
 * The library number is assigned at run time, so a program compares
 *     ERR_GET_LIB(e) == MTLS_err_library() && ERR_GET_REASON(e) == MTLS_R_...
 */
#ifndef MTLS_MTLS_ERR_H
#define MTLS_MTLS_ERR_H

#ifdef __cplusplus
extern "C" {
#endif

/* The error library number of MTLS; its strings are loaded by the call. */
int MTLS_err_library(void);

/* clang-format off */
#define MTLS_R_BAD_DESTINATION            100 /* not a usable "host:port" */
#define MTLS_R_CHANNEL_REFUSED            101 /* Echec; its text is the data */
#define MTLS_R_CLOSED_BY_PEER             102 /* written after CloseRequest */
#define MTLS_R_CREDIT_OVERRUN             103 /* peer sent more than granted */
#define MTLS_R_DATA_AFTER_END             104 /* peer sent after half-close */
#define MTLS_R_HALF_COLLISION             105 /* Success with a half in use */
#define MTLS_R_INVALID_VALUE              106 /* a control's value, out of range */
#define MTLS_R_MALFORMED_PACKET           107 /* peer's packet on this channel */
#define MTLS_R_NO_DEFAULT_CHANNEL         108 /* I/O on a filter without one */
#define MTLS_R_NO_HALF_FREE               109 /* every half of the id is in use */
#define MTLS_R_NOT_ATTACHED               110 /* nothing is below the filter */
#define MTLS_R_PACKET_TOO_LONG            111 /* over max_packet_length */
#define MTLS_R_RESOURCE_SHORTAGE          112 /* a limit of this session */
#define MTLS_R_SESSION_DESYNCHRONISED     113 /* the stream can't be parsed on */
#define MTLS_R_SESSION_ENDED              114 /* nothing can be opened or sent */
#define MTLS_R_TRUNCATED                  115 /* ended before the channel did */
#define MTLS_R_WINDOW_OVERFLOW            116 /* credit over 2^32-1 */
#define MTLS_R_WRITE_AFTER_SHUTDOWN       117 /* written after shutdown_wr */
#define MTLS_R_WRONG_STATE                118 /* the call does not fit here */
#define MTLS_R_CHANNEL_RESET              119 /* this end gave the channel up */
#define MTLS_R_ZERO_MAX_PACKET            120 /* peer announced 0 */
#define MTLS_R_TRANSPORT_FAILED           121 /* the BIO below failed */
#define MTLS_R_BAD_CONFIGURATION          122 /* of openssl.cnf; it is added */
#define MTLS_R_SOCKS_VERSION              130 /* not SOCKS 5 at all */
#define MTLS_R_SOCKS_MALFORMED            131 /* RFC 1928 forbids it */
#define MTLS_R_SOCKS_NO_METHOD            132 /* anonymous was not accepted */
#define MTLS_R_SOCKS_REFUSED              133 /* the reply's text is the data */
#define MTLS_R_SOCKS_CUT                  134 /* ended within a message */
#define MTLS_R_UDP_OUTSIDE_TLS            135 /* the reply names an address */
#define MTLS_R_DATAGRAM_TOO_LONG          136 /* for one packet; the limit is added */
#define MTLS_R_BAD_APPLICATIONS           140 /* no list of "NAME:PORT" */
#define MTLS_R_NOT_NEGOTIATED             141 /* not in what was agreed on */
#define MTLS_R_SIGN_MALFORMED             150 /* no message of TLS Sign */
#define MTLS_R_SIGN_TOO_LONG              151 /* over BIO_tls_sign_set_max() */
#define MTLS_R_BAD_SIGN                   152 /* what is wrong is the data */
#define MTLS_R_BAD_SIGN_ALERT             153 /* the peer said bad_sign */
#define MTLS_R_SIGN_REQUIRED              154 /* peer's data is not signed */
#define MTLS_R_SIGN_NOT_NEGOTIATED        155 /* no `signature` extension */
#define MTLS_R_SIGN_NO_KEY                156 /* nothing to sign with */
#define MTLS_R_SIGN_NO_BINDING            157 /* no session to be bound to */
#define MTLS_R_SIGN_FORMAT                158 /* content format not offered */
#define MTLS_R_SIGN_FAILED                159 /* OpenSSL says why */
#define MTLS_R_SIGN_CERTIFICATE           160 /* why is the data */
#define MTLS_R_SIGN_CUT                   161 /* ended within a message */
#define MTLS_R_SIGN_NO_RECEIPT            162 /* ended without receipts */
#define MTLS_R_SIGN_ALERT                 163 /* its number is the data */
#define MTLS_R_EVIDENCE_IO                170 /* its file; errno's text added */
#define MTLS_R_EVIDENCE_NOT_A_LOG         171 /* the file is something else */
#define MTLS_R_EVIDENCE_DAMAGED           172 /* where, is added */
#define MTLS_R_EVIDENCE_TOO_LARGE         173 /* an object, for one entry */
#define MTLS_R_EVIDENCE_NO_ENTRY          174 /* nothing to be stamped */
#define MTLS_R_EVIDENCE_TIME_STAMP        175 /* a reply; what is wrong, added */
#define MTLS_R_NO_DTLS_SESSION            200 /* none waits with that identity */
#define MTLS_R_NO_EXTENDED_MASTER_SECRET  201 /* in the DTLS session */
#define MTLS_R_DTLS_ENDED                 202 /* and the session with it */
#define MTLS_R_DTLS_SILENT                203 /* nothing comes; the same */
/* clang-format on */

#ifdef __cplusplus
}
#endif
#endif
