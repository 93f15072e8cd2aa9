/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * The TLS extension data_multiplexing of draft-badra-hajjeh-mtls-00 2.1: a
 * client says which applications it would run over one session, a server
 * which of them it takes. Over TLS 1.2 and 1.3 the ports are TCP's, over DTLS
 * UDP's. doc/mtls00.md has the format, and what was decided about it.
 *
 * Where it was agreed on, BIO_f_mtls() (bio_mtls.h) speaks mtls-00 by itself.
 *
 * Threads: an SSL_CTX is set up before its first SSL, as for all its settings.
 */
#ifndef MTLS_MTLS_EXT_H
#define MTLS_MTLS_EXT_H

#include <openssl/ssl.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The type of the extension: of those for private use (RFC 8446 11). */
#define MTLS_EXT_DATA_MULTIPLEXING 65357

/* An application: its name, 1 to 16 octets and a NUL, and the port that it
 * has at the server. */
typedef struct mtls_application_st {
    char name[17];
    unsigned char name_len;
    uint16_t port;
} MTLS_APPLICATION;

/*
 * MTLS_ext_offer has clients of |ctx| ask for |apps|: "NAME:PORT" and more of
 * those, with commas between, or "ALL". A list has room for 65,532 octets, 3
 * and the name's length each, less what the ClientHello's other extensions
 * take: they share 65,535. Over DTLS it should fit one datagram. 1, or 0 with
 * MTLS_R_BAD_APPLICATIONS.
 */
int MTLS_ext_offer(SSL_CTX *ctx, const char *apps);

/* How a server answers; one of these three, */
#define MTLS_EXT_COMMON 0     /* what both name */
#define MTLS_EXT_EVERYTHING 1 /* all that it names, if both name one */
#define MTLS_EXT_ALL 2        /* whatever the client asks for */
/* and perhaps this: stop the handshake, by the alert unsupported_extension,
 * when there is nothing to agree on. Else it goes on without the extension. */
#define MTLS_EXT_REFUSE 4

/*
 * MTLS_ext_support has servers of |ctx| answer the extension. |apps| is what
 * they support, as above but "ALL"; with MTLS_EXT_ALL it is NULL. A client
 * that asks for "ALL" gets |apps|, or "ALL" with MTLS_EXT_ALL. Where ALPN has
 * chosen "mtls", draft 05 is spoken, and the extension is not answered. 1, or
 * 0 with MTLS_R_BAD_APPLICATIONS or MTLS_R_INVALID_VALUE.
 */
int MTLS_ext_support(SSL_CTX *ctx, const char *apps, unsigned int flags);

/*
 * MTLS_ext_get0_agreed lends the list that the server answered with and
 * returns its length; 0 when the extension was not agreed on, or not yet. An
 * application "ALL" with port 0 stands for any. Until |ssl| goes or shakes
 * hands again.
 */
size_t MTLS_ext_get0_agreed(const SSL *ssl, const MTLS_APPLICATION **apps);

/*
 * The callback sees the extension_data that is sent (|write_p| 1) or received
 * by each SSL of |ctx|, in the manner of SSL_CTX_set_msg_callback(); before it
 * is looked at, so it may be malformed.
 */
typedef void (*MTLS_ext_msg_cb)(int write_p, const void *data, size_t len,
                                SSL *ssl, void *arg);
int MTLS_ext_set_msg_callback(SSL_CTX *ctx, MTLS_ext_msg_cb cb, void *arg);

/* A ready-made one: prints the list on a line to the BIO that is its |arg|. */
void MTLS_ext_trace(int write_p, const void *data, size_t len, SSL *ssl,
                    void *arg);

#ifdef __cplusplus
}
#endif
#endif
