/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * TLS Sign (draft-hajjeh-tls-sign-04): application data that its sender has
 * signed, so that it can be shown to others, and signed receipts for it. What
 * the draft leaves open is settled in doc/tls_sign.md.
 *
 *     MTLS_sign_offer(ctx, "pkcs7", 0);          the hello extension
 *     bio = BIO_new_ssl_connect(ctx);
 *     ...
 *     bio = BIO_push(BIO_new(BIO_f_tls_sign()), bio);
 *     BIO_tls_sign_set_receipt(bio, 1);
 *     BIO_tls_sign_set_log(bio, "orders.log");
 *     BIO_write(bio, order, order_len);          signs one message
 *
 * BIO_f_tls_sign() goes above an SSL BIO, a channel of BIO_f_mtls(), or
 * BIO_f_mtls() itself. A write signs one message; a read returns data of one
 * message, and of none whose signature was not verified. What is not agreed on
 * is an error, unless BIO_tls_sign_set_require() says otherwise.
 *
 * A call blocks where the BIO below does; otherwise the retry flags are those
 * of the BIO below. A read that has nothing while something is still to be sent
 * has both BIO_should_read() and BIO_should_write(): wait for either. All
 * lengths are in octets.
 *
 * Threads: none of its own and no lock. One thread at a time uses a filter;
 * filters on different channels of a session may be used at the same time.
 *
 * Ownership: the filter takes no reference on the BIO below; BIO_free_all()
 * frees both. A set1 call takes a reference, what a get0 call returns is lent.
 *
 * Errors: a call that fails returns 0 or -1 without BIO_should_retry() and
 * leaves an MTLS_R_ reason (mtls_err.h) on the error queue. After a signature
 * was refused the peer is told so, and every later call fails.
 */
#ifndef MTLS_TLS_SIGN_H
#define MTLS_TLS_SIGN_H

#include <mtls/bio_mtls.h>
#include <openssl/ssl.h>
#include <openssl/ui.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Content formats (2): PKCS#7 is SignedData of CMS (RFC 5652). */
#define MTLS_SIGN_PKCS7 0
#define MTLS_SIGN_SMIME 1
#define MTLS_SIGN_XMLDSIG 2

/* --- negotiation: the hello extension `signature` (2) --------------------- */

/*
 * Has every SSL made from |ctx| later negotiate TLS Sign, in TLS 1.2, 1.3 and
 * DTLS. |formats| names content formats, "pkcs7", "smime", "xmldsig", with
 * colons in between: a client offers the first, a server accepts them all.
 * Without a common one the connection is an ordinary one; with |refuse| the
 * server ends the handshake by the alert unsupported_extension if it was
 * offered another. 1; 0 with MTLS_R_SIGN_FORMAT, or an error of OpenSSL's.
 */
int MTLS_sign_offer(SSL_CTX *ctx, const char *formats, int refuse);

/* The content format that was agreed on, MTLS_SIGN_; -1: none, or not yet. */
int MTLS_sign_get_format(const SSL *ssl);

/* The number of a content format, by its name, or -1; and the name, or NULL. */
int MTLS_sign_format_by_name(const char *name);
const char *MTLS_sign_format_name(int format);

/* --- the filter ------------------------------------------------------------
 */

const BIO_METHOD *BIO_f_tls_sign(void);

/* clang-format off */
#define BIO_CTRL_MTLS_SIGN_BASE 0x4dc0
#define BIO_CTRL_MTLS_SIGN_SET_REQUIRE  (BIO_CTRL_MTLS_SIGN_BASE + 0)
#define BIO_CTRL_MTLS_SIGN_SET_ON       (BIO_CTRL_MTLS_SIGN_BASE + 1)
#define BIO_CTRL_MTLS_SIGN_SET_FORMAT   (BIO_CTRL_MTLS_SIGN_BASE + 2)
#define BIO_CTRL_MTLS_SIGN_GET_FORMAT   (BIO_CTRL_MTLS_SIGN_BASE + 3)
#define BIO_CTRL_MTLS_SIGN_SET_CERT     (BIO_CTRL_MTLS_SIGN_BASE + 4)
#define BIO_CTRL_MTLS_SIGN_SET_KEY      (BIO_CTRL_MTLS_SIGN_BASE + 5)
#define BIO_CTRL_MTLS_SIGN_SET_CHAIN    (BIO_CTRL_MTLS_SIGN_BASE + 6)
#define BIO_CTRL_MTLS_SIGN_SET_TRUST    (BIO_CTRL_MTLS_SIGN_BASE + 7)
#define BIO_CTRL_MTLS_SIGN_SET_RECEIPT  (BIO_CTRL_MTLS_SIGN_BASE + 8)
#define BIO_CTRL_MTLS_SIGN_SET_LOG      (BIO_CTRL_MTLS_SIGN_BASE + 9)
#define BIO_CTRL_MTLS_SIGN_SET_PEER     (BIO_CTRL_MTLS_SIGN_BASE + 10)
#define BIO_CTRL_MTLS_SIGN_SET_CLOCK    (BIO_CTRL_MTLS_SIGN_BASE + 11)
#define BIO_CTRL_MTLS_SIGN_SET_MAX      (BIO_CTRL_MTLS_SIGN_BASE + 12)
#define BIO_CTRL_MTLS_SIGN_GET_SIGNER   (BIO_CTRL_MTLS_SIGN_BASE + 13)
#define BIO_CTRL_MTLS_SIGN_IS_SIGNED    (BIO_CTRL_MTLS_SIGN_BASE + 14)
#define BIO_CTRL_MTLS_SIGN_MISSING      (BIO_CTRL_MTLS_SIGN_BASE + 15)
#define BIO_CTRL_MTLS_SIGN_WAIT         (BIO_CTRL_MTLS_SIGN_BASE + 16)
#define BIO_CTRL_MTLS_SIGN_GET_TORN     (BIO_CTRL_MTLS_SIGN_BASE + 17)
/* clang-format on */

/*
 * On (default): the peer must have agreed to TLS Sign, and sign what it sends;
 * else the handshake, or the read, fails. Off: data that is not signed is read
 * too, and BIO_tls_sign_is_signed() tells.
 */
#define BIO_tls_sign_set_require(b, on) \
    BIO_ctrl((b), BIO_CTRL_MTLS_SIGN_SET_REQUIRE, (on), NULL)

/*
 * Whether what is written from now on is signed; on unless set (2.1). 1, or 0
 * where it could not be said to the peer.
 */
#define BIO_tls_sign_set_on(b, on) \
    BIO_ctrl((b), BIO_CTRL_MTLS_SIGN_SET_ON, (on), NULL)

/*
 * A content format, MTLS_SIGN_, that both programs have agreed on by other
 * means: the hello extension is not looked at. -1: it is. Before the first I/O.
 */
#define BIO_tls_sign_set_format(b, format) \
    BIO_ctrl((b), BIO_CTRL_MTLS_SIGN_SET_FORMAT, (format), NULL)

/* The content format in use; -1: none, or the handshake is not done. */
#define BIO_tls_sign_get_format(b) \
    ((int)BIO_ctrl((b), BIO_CTRL_MTLS_SIGN_GET_FORMAT, 0, NULL))

/*
 * Certificate (X509 *), key (EVP_PKEY *) and chain (STACK_OF(X509) *, without
 * the certificate) to sign with: those of the SSL unless set. Before the first
 * I/O. A key needs no more than that EVP_PKEY_sign() works with it.
 */
#define BIO_tls_sign_set1_certificate(b, cert) \
    BIO_ctrl((b), BIO_CTRL_MTLS_SIGN_SET_CERT, 0, (cert))
#define BIO_tls_sign_set1_key(b, key) \
    BIO_ctrl((b), BIO_CTRL_MTLS_SIGN_SET_KEY, 0, (key))
#define BIO_tls_sign_set1_chain(b, chain) \
    BIO_ctrl((b), BIO_CTRL_MTLS_SIGN_SET_CHAIN, 0, (chain))

/*
 * Sets key, certificate and chain from what a URI names: a file, or a token
 * (pkcs11:...) where a provider has it. |ui| asks for a passphrase, NULL: as
 * OpenSSL does. The first key counts, the certificate is that which fits.
 */
int BIO_tls_sign_load(BIO *b, const char *uri, const UI_METHOD *ui,
                      void *ui_data);

/*
 * Whom the peer's signers must chain to, an X509_STORE *, with its parameters:
 * CRLs are looked at if its flags say so. The store that the SSL verifies with,
 * and the flags that it does it with, unless set. Before the first I/O.
 */
#define BIO_tls_sign_set1_trust(b, store) \
    BIO_ctrl((b), BIO_CTRL_MTLS_SIGN_SET_TRUST, 0, (store))

/* Whether messages written from now on ask for a receipt. Off unless set. */
#define BIO_tls_sign_set_receipt(b, on) \
    BIO_ctrl((b), BIO_CTRL_MTLS_SIGN_SET_RECEIPT, (on), NULL)

/*
 * The file of an evidence log, made if it is not there: all objects are
 * appended, those sent before they are, those received before their data can be
 * read. NULL: none. 1, or 0 with a reason.
 */
#define BIO_tls_sign_set_log(b, file) \
    BIO_ctrl((b), BIO_CTRL_MTLS_SIGN_SET_LOG, 0, (void *)(file))

/*
 * What a crash had left unfinished at the end of the log, if this BIO or a copy
 * of it has found that: its octets, and in *file, a char *, the name of the
 * file that they were moved to, for OPENSSL_free(). 0: nothing; -1: an error.
 */
#define BIO_tls_sign_get1_torn(b, file) \
    BIO_ctrl((b), BIO_CTRL_MTLS_SIGN_GET_TORN, 0, (file))

/* The peer's name in the log: its address and its certificate unless set. */
#define BIO_tls_sign_set_peer(b, text) \
    BIO_ctrl((b), BIO_CTRL_MTLS_SIGN_SET_PEER, 0, (void *)(text))

/* What tells the time: of signatures, of the log, to judge certificates at. */
typedef struct mtls_sign_clock_st {
    time_t (*now)(void *arg);
    void *arg;
} MTLS_SIGN_CLOCK;

/* A const MTLS_SIGN_CLOCK *, copied; NULL: the system's. */
#define BIO_tls_sign_set_clock(b, clock) \
    BIO_ctrl((b), BIO_CTRL_MTLS_SIGN_SET_CLOCK, 0, (void *)(clock))

/* The longest message, either way: 64 MiB unless set, 512 MiB at most. */
#define BIO_tls_sign_set_max(b, octets) \
    BIO_ctrl((b), BIO_CTRL_MTLS_SIGN_SET_MAX, (octets), NULL)

/* --- facts -----------------------------------------------------------------
 */

/* Whether the data that was read last was signed: 1 or 0. */
#define BIO_tls_sign_is_signed(b) \
    ((int)BIO_ctrl((b), BIO_CTRL_MTLS_SIGN_IS_SIGNED, 0, NULL))

/* The certificate of who signed the message or receipt that came last, lent
 * until the next read; NULL: nothing signed has come. */
#define BIO_tls_sign_get0_signer(b) \
    ((X509 *)BIO_ptr_ctrl((b), BIO_CTRL_MTLS_SIGN_GET_SIGNER, 0))

/* How many receipts were asked for and have not come. */
#define BIO_tls_sign_receipts_missing(b) \
    BIO_ctrl((b), BIO_CTRL_MTLS_SIGN_MISSING, 0, NULL)

/*
 * Waits for them: 1 none is missing; 0 data came before them and is to be read
 * first; -1 with BIO_should_retry(), or an error.
 */
#define BIO_tls_sign_wait_receipts(b) \
    BIO_ctrl((b), BIO_CTRL_MTLS_SIGN_WAIT, 0, NULL)

#ifdef __cplusplus
}
#endif
#endif
