/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* What goes out: messages, receipts, and what is said about signing. */
#include "sign_local.h"

#include "err.h"

#include <string.h>

/* --- the queue --- */

static int send(BIO *b, struct mtls_sign_queue *q)
{
    size_t n;

    while (q->done < q->len) {
        if (!BIO_write_ex(BIO_next(b), q->p + q->done, q->len - q->done, &n)) {
            BIO_copy_next_retry(b);
            return 0;
        }
        q->done += n;
    }
    OPENSSL_free(q->p);
    memset(q, 0, sizeof(*q));
    return 1;
}

int mtls_sign_push(BIO *b, struct mtls_sign_filter *f)
{
    while (f->out.len != 0) {
        f->refused = !send(b, &f->out);
        if (f->refused)
            return -1;
        f->out = f->later;
        memset(&f->later, 0, sizeof(f->later));
        f->owed = 0;
    }
    return 1;
}

size_t mtls_sign_queued(const struct mtls_sign_filter *f)
{
    return f->out.len - f->out.done + f->later.len;
}

static int reserve(struct mtls_sign_queue *q, size_t len)
{
    size_t room = 2 * q->room;
    unsigned char *p;

    if (len <= q->room - q->len)
        return 1;
    if (room < q->len + len)
        room = q->len + len;
    p = OPENSSL_realloc(q->p, room);
    if (p == NULL)
        return 0;
    q->p = p;
    q->room = room;
    return 1;
}

int mtls_sign_enqueue(struct mtls_sign_filter *f, enum mtls_sign_type type,
                      uint8_t flags, uint16_t version, const void *data,
                      size_t len)
{
    struct mtls_sign_queue *q = f->refused ? &f->later : &f->out;
    size_t size = mtls_sign_size(len);

    if (!reserve(q, size))
        return 0;
    mtls_sign_put(q->p + q->len, size, type, flags, version, data, len);
    q->len += size;
    return 1;
}

/* --- TLSSignOnOff, CertificateSign --- */

static int put_cert(unsigned char **p, size_t *len, size_t room, X509 *cert)
{
    unsigned char *at = *p + *len + MTLS_SIGN_CERT_PREFIX;
    int n = i2d_X509(cert, NULL);

    if (n <= 0 || *len + MTLS_SIGN_CERT_PREFIX + (size_t)n > room)
        return 0;
    mtls_sign_put_length(*p + *len, (size_t)n);
    i2d_X509(cert, &at);
    *len += MTLS_SIGN_CERT_PREFIX + (size_t)n;
    return 1;
}

static int say_certificate(struct mtls_sign_filter *f)
{
    unsigned char *p = OPENSSL_malloc(MTLS_SIGN_CERTS_MAX);
    size_t len = MTLS_SIGN_CERT_PREFIX;
    int r = p != NULL && put_cert(&p, &len, MTLS_SIGN_CERTS_MAX, f->cert);

    for (int i = 0; r && i < sk_X509_num(f->chain); i++)
        r = put_cert(&p, &len, MTLS_SIGN_CERTS_MAX, sk_X509_value(f->chain, i));
    if (r) {
        mtls_sign_put_length(p, len - MTLS_SIGN_CERT_PREFIX);
        r = mtls_sign_enqueue(f, MTLS_SIGN_CERTIFICATE, 0, MTLS_SIGN_VERSION, p,
                              len);
    }
    OPENSSL_free(p);
    return r;
}

int mtls_sign_say_on(struct mtls_sign_filter *f, int on)
{
    const unsigned char octet = on ? 1 : 0;

    if (!mtls_sign_enqueue(f, MTLS_SIGN_ON_OFF, 0, MTLS_SIGN_VERSION, &octet,
                           1) ||
        (on && !say_certificate(f)))
        return 0;
    f->said_on = on;
    return 1;
}

/* --- receipts that are to come --- */

const struct mtls_sign_asked *
mtls_sign_first_asked(const struct mtls_sign_filter *f)
{
    return f->asked_count == 0 ? NULL : &f->asked[f->asked_first];
}

void mtls_sign_drop_asked(struct mtls_sign_filter *f)
{
    if (f->asked_count == 0)
        return;
    if (++f->asked_first == f->asked_room)
        f->asked_first = 0;
    f->asked_count--;
}

/* Room for one more, so that nothing can fail once the message is logged. */
static int reserve_asked(struct mtls_sign_filter *f)
{
    unsigned int room = f->asked_room == 0 ? 16 : 2 * f->asked_room;
    struct mtls_sign_asked *asked;

    if (f->asked_count < f->asked_room)
        return 1;
    asked = OPENSSL_malloc(room * sizeof(*asked));
    if (asked == NULL)
        return 0;
    for (unsigned int i = 0; i < f->asked_count; i++) {
        asked[i] = f->asked[f->asked_first];
        if (++f->asked_first == f->asked_room)
            f->asked_first = 0;
    }
    OPENSSL_free(f->asked);
    f->asked = asked;
    f->asked_first = 0;
    f->asked_room = room;
    return 1;
}

static void ask(struct mtls_sign_filter *f, const unsigned char *digest)
{
    unsigned int at = f->asked_first + f->asked_count++;
    struct mtls_sign_asked *a =
        &f->asked[at < f->asked_room ? at : at - f->asked_room];

    a->sequence = f->out_sequence;
    memcpy(a->digest, digest, sizeof(a->digest));
}

/* --- messages --- */

/* Signs, logs and queues: nothing is sent that the log does not have. */
static int put_object(struct mtls_sign_filter *f,
                      const struct mtls_sign_context *context,
                      const unsigned char *data, size_t len)
{
    const int receipt = context->flags & MTLS_SIGN_RECEIPT;
    const struct mtls_sign_parts parts = {
        data, len, *context, mtls_sign_now(f), f->cert, f->key, f->chain};
    unsigned char *object;
    size_t object_len;
    int r;

    if (f->key == NULL) {
        MTLS_raise(MTLS_R_SIGN_NO_KEY);
        return 0;
    }
    if (!mtls_sign_make(f->format, &parts, &object, &object_len))
        return 0;
    r = mtls_sign_log(
        f, receipt ? MTLS_EVIDENCE_RECEIPT_SENT : MTLS_EVIDENCE_MESSAGE_SENT,
        context, f->cert, f->chain, object, object_len);
    if (r && !mtls_sign_enqueue(f, MTLS_SIGN_DATA, (uint8_t)receipt,
                                MTLS_SIGN_VERSION, object, object_len)) {
        MTLS_raise(ERR_R_MALLOC_FAILURE);
        r = 0;
    }
    OPENSSL_free(object);
    return r;
}

static struct mtls_sign_context context_of(const struct mtls_sign_filter *f,
                                           uint8_t flags, uint64_t sequence)
{
    struct mtls_sign_context context = {
        .direction = f->direction, .flags = flags, .sequence = sequence};

    memcpy(context.binding, f->binding, sizeof(context.binding));
    return context;
}

int mtls_sign_put_receipt(struct mtls_sign_filter *f,
                          const struct mtls_signed *s)
{
    const struct mtls_sign_context context =
        context_of(f, MTLS_SIGN_RECEIPT, s->context.sequence);
    unsigned char digest[MTLS_SIGN_DIGEST];

    if (!EVP_Digest(s->data, s->len, digest, NULL, EVP_sha256(), NULL) ||
        !put_object(f, &context, digest, sizeof(digest)))
        return 0;
    f->owed += f->refused;
    return 1;
}

/* 1; 0 an error; -1 receipts must come first. */
static int put_message(struct mtls_sign_filter *f, const unsigned char *data,
                       size_t len)
{
    const uint8_t wants =
        f->set.receipt && len != 0 ? MTLS_SIGN_WANTS_RECEIPT : 0;
    const struct mtls_sign_context context =
        context_of(f, wants, f->out_sequence);
    unsigned char digest[MTLS_SIGN_DIGEST];

    if (wants && f->asked_count == MTLS_SIGN_RECEIPTS_MAX)
        return -1;
    if (wants && (!reserve_asked(f) ||
                  !EVP_Digest(data, len, digest, NULL, EVP_sha256(), NULL))) {
        MTLS_raise(ERR_R_MALLOC_FAILURE);
        return 0;
    }
    if (!put_object(f, &context, data, len))
        return 0;
    if (wants)
        ask(f, digest);
    f->out_sequence++;
    return 1;
}

static int put_unsigned(struct mtls_sign_filter *f, const void *data,
                        size_t *len)
{
    if (*len > MTLS_SIGN_PIECE_MAX)
        *len = MTLS_SIGN_PIECE_MAX;
    if (mtls_sign_enqueue(f, MTLS_SIGN_DATA, 0, MTLS_SIGN_UNSIGNED, data, *len))
        return 1;
    MTLS_raise(ERR_R_MALLOC_FAILURE);
    return 0;
}

/* Through the reader: a blocking program gets all its receipts by waiting. */
static int wait_for_room(BIO *b, struct mtls_sign_filter *f)
{
    int r = mtls_sign_fill(b, f, 1);

    if (r > 0 && f->asked_count == MTLS_SIGN_RECEIPTS_MAX) {
        BIO_set_retry_read(b); /* data is to be read before them */
        return 0;
    }
    return r > 0;
}

int mtls_sign_write(BIO *b, struct mtls_sign_filter *f, const char *data,
                    size_t len, size_t *n)
{
    int r;

    if (len == 0)
        return mtls_sign_send_rest(b, f);
    if (mtls_sign_push(b, f) <= 0)
        return -1;
    if (f->said_end || f->ended_below) {
        MTLS_raise(MTLS_R_WRITE_AFTER_SHUTDOWN);
        return -1;
    }
    if (len > f->set.max && f->said_on) {
        MTLS_raise(MTLS_R_SIGN_TOO_LONG);
        return -1;
    }
    r = f->said_on ? put_message(f, (const unsigned char *)data, len)
                   : put_unsigned(f, data, &len);
    if (r < 0 && wait_for_room(b, f))
        r = put_message(f, (const unsigned char *)data, len);
    if (r <= 0)
        return -1;
    if (mtls_sign_push(b, f) < 0 && !BIO_should_retry(b))
        return -1;
    BIO_clear_retry_flags(b); /* it is taken: the rest goes with the next */
    *n = len;
    return 1;
}

/* --- the end --- */

int mtls_sign_end_below(BIO *b, struct mtls_sign_filter *f)
{
    if (f->ended_below || f->direct ||
        (f->said_on && (!f->said_end || !f->eof || f->asked_count != 0)))
        return 1;
    if (BIO_shutdown_wr(BIO_next(b)) <= 0) {
        BIO_copy_next_retry(b);
        return -1;
    }
    f->ended_below = 1;
    return 1;
}

int mtls_sign_send_rest(BIO *b, struct mtls_sign_filter *f)
{
    if (mtls_sign_push(b, f) < 0)
        return -1;
    return f->said_end ? mtls_sign_end_below(b, f) : 1;
}

/* Behind what has to wait: who was told to call again may flush as well. */
int mtls_sign_end(BIO *b, struct mtls_sign_filter *f)
{
    if (f->said_on && !f->said_end &&
        put_message(f, (const unsigned char *)"", 0) <= 0)
        return -1;
    f->said_end = 1;
    return mtls_sign_send_rest(b, f);
}
