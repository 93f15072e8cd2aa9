/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "sign_reader.h"

#include <mtls/mtls_err.h>
#include <stdlib.h>
#include <string.h>

#define KEPT 65536 /* octets of memory that stay for the next message */

void mtls_sign_reader_init(struct mtls_sign_reader *r, size_t limit)
{
    memset(r, 0, sizeof(*r));
    r->limit = limit;
}

void mtls_sign_reader_cleanup(struct mtls_sign_reader *r)
{
    free(r->data);
    mtls_sign_reader_init(r, r->limit);
}

static int grow(struct mtls_sign_reader *r)
{
    size_t need = r->len + r->due, room = 2 * r->room;
    unsigned char *data;

    if (need <= r->room)
        return 1;
    if (room < need)
        room = need;
    data = realloc(r->data, room);
    if (data == NULL)
        return 0;
    r->data = data;
    r->room = room;
    return 1;
}

unsigned char *mtls_sign_reader_in(struct mtls_sign_reader *r, size_t *room)
{
    if (r->head_len < MTLS_SIGN_HEADER) {
        *room = MTLS_SIGN_HEADER - r->head_len;
        return r->head + r->head_len;
    }
    if (!grow(r))
        return NULL;
    *room = r->due;
    return r->data + r->len;
}

static int stop(struct mtls_sign_reader *r, int reason)
{
    r->reason = reason;
    return -1;
}

/* A later piece is of the same message in all but M. */
static int follows(const struct mtls_sign_header *first,
                   const struct mtls_sign_header *h)
{
    return h->type == first->type && h->version == first->version &&
           (h->flags & ~MTLS_SIGN_MORE) == (first->flags & ~MTLS_SIGN_MORE);
}

static int fits(const struct mtls_sign_reader *r, size_t len)
{
    if (r->header.type == MTLS_SIGN_CERTIFICATE && len > MTLS_SIGN_CERTS_MAX)
        return 0;
    return len <= r->limit;
}

/* 1: nothing of the piece is due any more. */
static int piece_ended(struct mtls_sign_reader *r)
{
    r->head_len = 0;
    if (r->header.flags & MTLS_SIGN_MORE) {
        r->begun = 1;
        return 0;
    }
    r->begun = 0;
    r->whole = 1;
    return 1;
}

static int header_came(struct mtls_sign_reader *r)
{
    struct mtls_sign_header h;

    if (!mtls_sign_get_header(r->head, &h) ||
        (r->begun && !follows(&r->header, &h)))
        return stop(r, MTLS_R_SIGN_MALFORMED);
    r->header = h;
    if (h.version != MTLS_SIGN_UNSIGNED && !fits(r, r->len + h.length))
        return stop(r, MTLS_R_SIGN_TOO_LONG);
    r->due = h.length;
    return r->due == 0 ? piece_ended(r) : 0;
}

int mtls_sign_reader_received(struct mtls_sign_reader *r, size_t n)
{
    if (r->reason != 0)
        return -1;
    if (r->head_len < MTLS_SIGN_HEADER) {
        r->head_len += n;
        return r->head_len == MTLS_SIGN_HEADER ? header_came(r) : 0;
    }
    r->len += n;
    r->due -= n;
    return r->due == 0 ? piece_ended(r) : 0;
}

void mtls_sign_reader_next(struct mtls_sign_reader *r)
{
    r->whole = 0;
    r->len = 0;
    if (r->room > KEPT) {
        free(r->data);
        r->data = NULL;
        r->room = 0;
    }
}

int mtls_sign_reader_amid(const struct mtls_sign_reader *r)
{
    return r->begun || r->head_len != 0;
}
