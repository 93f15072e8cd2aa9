/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* Whether datagrams still get through (P15): asked when none has come for some
 * time, which also keeps a NAT from forgetting the path. */
#include "session_dgram_local.h"

#include <string.h>

#define KEEP_ID 0xffff0000u /* of no channel of ours: P2 */
#define KEEP_SIZE (MTLS_DATA_HEADER_SIZE + 1)

enum {
    ANSWER,
    QUESTION
}; /* the octet; and 1 << that, what is owed */

void mtls_session_set_keepalive(struct mtls_session *s, uint64_t interval)
{
    struct mtls_keep *k = &s->dgram->keep;

    k->interval = interval;
    k->heard_at = k->asked_at = 0;
    k->unheard = 0;
}

uint64_t mtls_session_keepalive(const struct mtls_session *s)
{
    return s->dgram->keep.interval;
}

unsigned int mtls_session_unheard(const struct mtls_session *s)
{
    const struct mtls_keep *k = &s->dgram->keep;

    return k->answers ? k->unheard : 0;
}

uint64_t mtls_keep_deadline(const struct mtls_session *s)
{
    const struct mtls_keep *k = &s->dgram->keep;

    if (k->interval == 0)
        return MTLS_NEVER;
    if (k->heard_at == 0)
        return 0; /* it begins now */
    return (k->heard_at > k->asked_at ? k->heard_at : k->asked_at) +
           k->interval;
}

void mtls_keep_tick(struct mtls_session *s, uint64_t now)
{
    struct mtls_keep *k = &s->dgram->keep;

    if (now < mtls_keep_deadline(s))
        return;
    if (k->heard_at == 0) {
        k->heard_at = now != 0 ? now : 1;
        return;
    }
    k->asked_at = now;
    k->unheard++;
    k->owed |= 1u << QUESTION;
}

void mtls_keep_heard(struct mtls_session *s)
{
    struct mtls_keep *k = &s->dgram->keep;

    if (k->interval == 0)
        return;
    k->heard_at = s->hooks.now(s->app);
    k->unheard = 0;
}

int mtls_keep_in(struct mtls_session *s, uint32_t id, const unsigned char *data,
                 size_t len)
{
    struct mtls_keep *k = &s->dgram->keep;

    if (id != KEEP_ID || len != 1 || *data > QUESTION)
        return 0;
    if (*data == QUESTION)
        k->owed |= 1u << ANSWER;
    else
        k->answers = 1;
    return 1;
}

void mtls_keep_out(struct mtls_session *s)
{
    struct mtls_dgram *d = s->dgram;
    unsigned int what = d->keep.owed & 1u << ANSWER ? ANSWER : QUESTION;

    if (d->keep.owed == 0)
        return;
    d->keep.owed &= (uint8_t) ~(1u << what);
    if (mtls_session_find(s, KEEP_ID) != NULL) /* a peer with other habits */
        return;
    mtls_wire_put_data_header(d->out, MTLS_DATA_HEADER_SIZE, KEEP_ID, 1);
    d->out[MTLS_DATA_HEADER_SIZE] = (unsigned char)what;
    d->out_len = KEEP_SIZE;
    s->stats.packets_out++;
    mtls_session_say_data(s, d->out, MTLS_DATA_HEADER_SIZE, 1);
}
