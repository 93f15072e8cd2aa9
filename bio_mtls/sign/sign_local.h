/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* What the files of BIO_f_tls_sign() share, and nobody else sees. */
#ifndef MTLS_SIGN_LOCAL_H
#define MTLS_SIGN_LOCAL_H

#include "evidence.h"
#include "sign_object.h"
#include "sign_reader.h"

#include <mtls/tls_sign.h>

#define MTLS_SIGN_MAX_DEFAULT (64L << 20)
#define MTLS_SIGN_MAX_MOST (512L << 20)
#define MTLS_SIGN_RECEIPTS_MAX 4096 /* that may be missing */

/* What the program has chosen; a copy of the BIO begins with the same. */
struct mtls_sign_settings {
    int require, on, receipt;
    int format; /* -1: what the hello extension says */
    size_t max;
    X509 *cert;
    EVP_PKEY *key;
    STACK_OF(X509) * chain;
    X509_STORE *trust;
    struct mtls_evidence_log *log;
    MTLS_SIGN_CLOCK clock;
    char *peer;
};

/* A message that a receipt is to come for. */
struct mtls_sign_asked {
    uint64_t sequence;
    unsigned char digest[MTLS_SIGN_DIGEST];
};

/* Octets for the BIO below, kept over retries. */
struct mtls_sign_queue {
    unsigned char *p;
    size_t len, room, done;
};

struct mtls_sign_filter {
    struct mtls_sign_settings set;

    /* The session, from the handshake on. */
    int up;
    int plain;  /* not agreed on: octets go through as they are */
    int direct; /* the SSL is ours alone, not that of a session of MTLS */
    SSL *ssl;
    uint8_t format;
    uint8_t direction; /* of what is written: MTLS_SIGN_FROM_ */
    unsigned char binding[MTLS_SIGN_BINDING];
    X509_STORE *trust;
    X509 *cert;
    EVP_PKEY *key;
    STACK_OF(X509) * chain;
    char *peer;

    /* Out. */
    int said_on, said_end;
    int ended_below; /* the BIO below was told too */
    uint64_t out_sequence;
    struct mtls_sign_queue out;
    int refused; /* a part of |out|: it stays where it is, for TLS to retry */
    struct mtls_sign_queue later;  /* what has come behind it */
    unsigned int owed;             /* receipts in |later| */
    struct mtls_sign_asked *asked; /* a ring */
    unsigned int asked_room, asked_first, asked_count;

    /* In. */
    struct mtls_sign_reader reader;
    int peer_on;
    int may_name; /* a CertificateSign may come */
    int claimed;  /* |in_sequence| is known: the peer's first has come */
    uint64_t in_sequence;
    X509 *peer_cert; /* whose signatures are taken */
    STACK_OF(X509) * peer_chain;
    X509 *signer; /* of what came last */
    unsigned char *data;
    size_t len, at;
    int is_signed;
    int eof;  /* the peer has said its last message */
    int over; /* the BIO below has ended */

    /* The end of it. */
    int reason;
    char why[120];
};

/* --- the session (sign_session.c) --- */

/* mtls_sign_ready: the handshake: 1, or -1 with retry flags or an error. */
int mtls_sign_ready(BIO *b, struct mtls_sign_filter *f);

/* mtls_sign_forget: all but the settings begins anew. */
void mtls_sign_forget(struct mtls_sign_filter *f);

/* mtls_sign_failed leaves the reason of a filter that can't go on: -1. */
int mtls_sign_failed(const struct mtls_sign_filter *f);

/*
 * mtls_sign_fail ends it: the peer gets the alert (0: none), what has been
 * queued before it first. -1, with the reason on the queue.
 */
int mtls_sign_fail(BIO *b, struct mtls_sign_filter *f, int alert, int reason,
                   const char *why);

time_t mtls_sign_now(const struct mtls_sign_filter *f);

/* --- out (sign_out.c) --- */

/* mtls_sign_push sends what is queued: 1 all, -1 with retry or an error. */
int mtls_sign_push(BIO *b, struct mtls_sign_filter *f);

/* mtls_sign_queued: the octets that are. */
size_t mtls_sign_queued(const struct mtls_sign_filter *f);

/* mtls_sign_enqueue adds a message: 1, 0 no memory. */
int mtls_sign_enqueue(struct mtls_sign_filter *f, enum mtls_sign_type type,
                      uint8_t flags, uint16_t version, const void *data,
                      size_t len);

/* mtls_sign_say_on queues TLSSignOnOff and CertificateSign: 1, 0. */
int mtls_sign_say_on(struct mtls_sign_filter *f, int on);

int mtls_sign_write(BIO *b, struct mtls_sign_filter *f, const char *data,
                    size_t len, size_t *n);

/*
 * mtls_sign_end says that nothing more is written (N17), and ends the BIO below
 * once nothing can be owed any more: 1, or -1 with retry or an error.
 */
int mtls_sign_end(BIO *b, struct mtls_sign_filter *f);

/* mtls_sign_end_below does the latter, where it is time: 1, or -1. */
int mtls_sign_end_below(BIO *b, struct mtls_sign_filter *f);

/* mtls_sign_send_rest sends what is queued, the end below too if it was said:
 * 1 all, -1 with retry or an error. */
int mtls_sign_send_rest(BIO *b, struct mtls_sign_filter *f);

/* mtls_sign_put_receipt signs one for the message |s|, and queues it: 1, 0. */
int mtls_sign_put_receipt(struct mtls_sign_filter *f,
                          const struct mtls_signed *s);

/* mtls_sign_first_asked: the message whose receipt is due next, or NULL. */
const struct mtls_sign_asked *
mtls_sign_first_asked(const struct mtls_sign_filter *f);
void mtls_sign_drop_asked(struct mtls_sign_filter *f);

/* --- in (sign_in.c) --- */

/*
 * mtls_sign_fill reads until there is data, or with |receipts| until none is
 * missing: 1, 0 end-of-file, -1 with retry or an error.
 */
int mtls_sign_fill(BIO *b, struct mtls_sign_filter *f, int receipts);
int mtls_sign_read(BIO *b, struct mtls_sign_filter *f, char *data, size_t len,
                   size_t *n);
int mtls_sign_gets(BIO *b, struct mtls_sign_filter *f, char *line, size_t size);

/* mtls_sign_take judges a whole message: 1, or -1 (sign_judge.c). */
int mtls_sign_take(BIO *b, struct mtls_sign_filter *f);

/* --- the log (sign_log.c): 1, or 0 --- */

/* mtls_sign_name_peer makes the text that the log has for the peer. */
int mtls_sign_name_peer(BIO *b, struct mtls_sign_filter *f);

/* mtls_sign_log appends an object, if there is a log; 0 leaves a reason. */
int mtls_sign_log(struct mtls_sign_filter *f, enum mtls_evidence_kind kind,
                  const struct mtls_sign_context *context, X509 *signer,
                  STACK_OF(X509) * chain, const unsigned char *object,
                  size_t len);

/* --- settings (sign_settings.c), as controls return them --- */

void mtls_sign_settings_init(struct mtls_sign_settings *set);
void mtls_sign_settings_cleanup(struct mtls_sign_settings *set);
int mtls_sign_settings_copy(struct mtls_sign_settings *to,
                            const struct mtls_sign_settings *from);
long mtls_sign_set(struct mtls_sign_filter *f, int cmd, long num, void *ptr);

#endif
