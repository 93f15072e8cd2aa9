/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "core_referee.h"

#include "core_packet.h"
#include "core_suite.h"

#include <string.h>

enum {
    CHANNELS = 1024,
    BUFFER = 40000
};

/* What one end has said about one channel. */
struct half {
    uint64_t credit; /* that it may still use */
    uint32_t max_packet;
    int ended, closed; /* its empty packet, its CloseRequest */
    int confirmed;     /* it has confirmed the other's CloseRequest */
};

struct match {
    int used, answered, initiator; /* which end asked */
    uint16_t half;
    uint32_t id;
    struct half by[2];
};

static struct match matches[CHANNELS];
static struct {
    unsigned char octets[BUFFER];
    size_t len;
} ends[2];
static uint64_t heard;

void core_referee_begin(void)
{
    memset(matches, 0, sizeof(matches));
    memset(ends, 0, sizeof(ends));
    heard = 0;
}

uint64_t core_referee_octets(void)
{
    return heard;
}

/* The channel that |id| names; none is not a fault of ours. */
static struct match *by_id(uint32_t id)
{
    for (int i = 0; i < CHANNELS; i++)
        if (matches[i].used && matches[i].answered && matches[i].id == id)
            return &matches[i];
    return NULL;
}

static struct match *by_half(int initiator, uint16_t half)
{
    for (int i = 0; i < CHANNELS; i++)
        if (matches[i].used && !matches[i].answered &&
            matches[i].initiator == initiator && matches[i].half == half)
            return &matches[i];
    return NULL;
}

/* --- each packet --- */

static void on_request(int from, const struct core_packet *p)
{
    int at = 0;

    for (int i = 0; i < CHANNELS; i++) /* D2: its halves are its own */
        core_must(!(matches[i].used && matches[i].initiator == from &&
                    matches[i].half == p->half));
    core_must(p->half % 2 == (unsigned int)from); /* D3 */
    core_must(p->max > 0);
    while (matches[at].used)
        core_must(++at < CHANNELS);
    memset(&matches[at], 0, sizeof(matches[at]));
    matches[at].used = 1;
    matches[at].initiator = from;
    matches[at].half = p->half;
    matches[at].by[!from].credit = p->window;
    matches[at].by[!from].max_packet = p->max;
}

static void on_success(int from, const struct core_packet *p)
{
    struct match *m = by_half(!from, p->half);
    uint32_t id = (uint32_t)p->half << 16 | p->answer;

    core_must(m != NULL);
    core_must(by_id(id) == NULL);
    core_must(p->max > 0);
    m->answered = 1;
    m->id = id;
    m->by[!from].credit = p->window;
    m->by[!from].max_packet = p->max;
}

static void on_data(int from, const struct core_packet *p)
{
    struct match *m = by_id(p->id);
    struct half *mine;

    core_must(m != NULL);
    mine = &m->by[from];
    core_must(!mine->ended && !mine->closed && !mine->confirmed);
    core_must(p->len <= mine->credit);
    core_must(p->len <= mine->max_packet);
    mine->credit -= p->len;
    mine->ended = p->len == 0;
}

static void on_close(int from, const struct core_packet *p)
{
    struct match *m = by_id(p->id);

    core_must(m != NULL);
    core_must(!m->by[from].closed && !m->by[from].confirmed);
    m->by[from].closed = 1;
}

/* The id is free once each CloseRequest on its way was confirmed. */
static void on_confirmation(int from, const struct core_packet *p)
{
    struct match *m = by_id(p->id);

    core_must(m != NULL);
    core_must(m->by[!from].closed && !m->by[from].confirmed);
    m->by[from].confirmed = 1;
    if (!m->by[from].closed || m->by[!from].confirmed)
        m->used = 0;
}

static void on_value(int from, const struct core_packet *p)
{
    struct match *m = by_id(p->id);

    core_must(m != NULL);
    core_must(!m->by[from].closed && !m->by[from].confirmed);
    core_must(p->value > 0);
    if (p->type == CORE_NEW_MAX)
        m->by[!from].max_packet = p->value;
    else
        m->by[!from].credit += p->value;
    core_must(m->by[!from].credit <= UINT32_MAX);
}

static void judge(int from, const struct core_packet *p)
{
    struct match *m;

    switch (p->type) {
    case CORE_REQUEST:
        on_request(from, p);
        break;
    case CORE_SUCCESS:
        on_success(from, p);
        break;
    case CORE_ECHEC:
        m = by_half(!from, p->half);
        core_must(m != NULL && p->len > 0);
        m->used = 0;
        break;
    case CORE_DATA:
        on_data(from, p);
        break;
    case CORE_CLOSE:
        on_close(from, p);
        break;
    case CORE_CONFIRMATION:
        on_confirmation(from, p);
        break;
    default:
        on_value(from, p);
    }
}

void core_referee_hear(int from, const unsigned char *p, size_t n)
{
    struct core_packet packet;
    size_t at = 0;
    long size;

    heard += n;
    core_must(ends[from].len + n <= BUFFER);
    memcpy(ends[from].octets + ends[from].len, p, n);
    ends[from].len += n;
    while ((size = core_packet_read(ends[from].octets + at, ends[from].len - at,
                                    &packet)) > 0) {
        judge(from, &packet);
        at += (size_t)size;
    }
    core_must(size == 0);
    ends[from].len -= at;
    memmove(ends[from].octets, ends[from].octets + at, ends[from].len);
}

void core_referee_all_closed(void)
{
    for (int i = 0; i < CHANNELS; i++)
        core_must(!matches[i].used);
    core_must(ends[0].len == 0 && ends[1].len == 0);
}
