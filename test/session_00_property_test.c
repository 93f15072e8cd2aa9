/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * mtls-00, two sessions back to back, any schedule: what is read is what was
 * written, however often readers stall it, and in the end nothing is left.
 */
#include "core_link.h"
#include "session_00.h"

#include <string.h>

#define STREAMS 24
#define MOST 6000 /* octets a direction */

static struct core_link link;
static struct core_random rnd;

/* One direction, as its writer and its reader see it. */
struct way {
    size_t written, read;
    int ended; /* by its writer */
};

struct stream {
    struct mtls_channel *end[2]; /* the client's, the server's */
    struct way way[2];           /* from that end */
    uint32_t id;
};

static struct stream streams[STREAMS];

static unsigned char octet(const struct stream *s, int from, size_t at)
{
    return (unsigned char)(s->id * 31 + (uint32_t)from * 7 + at * 13 +
                           at / 251);
}

/* What a session took before it stalled is looked at again, too. */
static void move(void)
{
    size_t room;

    mtls_session_recv_buf(link.client.session, &room);
    mtls_session_recv_buf(link.server.session, &room);
    core_move(&link);
}

static void open_one(struct stream *s)
{
    memset(s, 0, sizeof(*s));
    s->end[0] = core_open(&link.client, "there");
    s->id = mtls_session_id(s->end[0]);
}

/* The server finds out which one it is by its id. */
static void accept_one(void)
{
    struct mtls_channel *c = mtls_session_next_asked(link.server.session);

    if (c == NULL)
        return;
    for (int i = 0; i < STREAMS; i++) {
        struct stream *s = &streams[i];

        if (s->id == c->stream && s->end[1] == NULL && s->end[0] != NULL) {
            s->end[1] = c;
            core_must(mtls_session_accept(c));
            return;
        }
    }
    mtls_session_release(c); /* its opener has freed it already */
}

static void write_some(struct stream *s, int from)
{
    struct way *way = &s->way[from];
    unsigned char octets[3000];
    size_t n = core_below(&rnd, sizeof(octets)) + 1;

    if (s->end[from] == NULL || way->ended)
        return;
    if (n > MOST - way->written)
        n = MOST - way->written;
    for (size_t i = 0; i < n; i++)
        octets[i] = octet(s, from, way->written + i);
    way->written += mtls_session_write(s->end[from], octets, n);
    if (way->written == MOST || core_chance(&rnd, 10)) {
        way->ended = 1;
        core_must(mtls_session_end_data(s->end[from]));
    }
}

static void read_some(struct stream *s, int from)
{
    struct mtls_channel *reader = s->end[1 - from];
    struct way *way = &s->way[from];
    unsigned char octets[1000];
    size_t n;

    if (reader == NULL)
        return;
    n = mtls_session_read(reader, octets, core_below(&rnd, 1000) + 1);
    for (size_t i = 0; i < n; i++)
        core_must(octets[i] == octet(s, from, way->read + i));
    way->read += n;
}

/* A direction has come through: all of it, or as much as its writer said. */
static int came(const struct stream *s, int from)
{
    const struct mtls_channel *reader = s->end[1 - from];

    if (reader == NULL || reader->buffer.length != 0 ||
        reader->rx != MTLS_RX_ENDED)
        return 0;
    core_must(s->way[from].read == s->way[from].written);
    return 1;
}

static void release(struct stream *s, int which)
{
    if (s->end[which] == NULL)
        return;
    mtls_session_release(s->end[which]);
    s->end[which] = NULL;
}

/* Freed when both ends have it all; now and then one lets go before that. */
static void maybe_release(struct stream *s)
{
    if (s->end[0] == NULL || s->end[1] == NULL)
        return;
    if (came(s, 0) && came(s, 1)) {
        release(s, 0);
        release(s, 1);
    } else if (core_chance(&rnd, 400)) {
        release(s, (int)core_below(&rnd, 2));
    }
}

/* Who is left alone by the other end reads on to its end. */
static void maybe_follow(struct stream *s)
{
    for (int which = 0; which < 2; which++) {
        if (s->end[which] == NULL || s->end[1 - which] != NULL)
            continue;
        read_some(s, 1 - which);
        if (came(s, 1 - which))
            release(s, which);
    }
}

static void act(void)
{
    struct stream *s = &streams[core_below(&rnd, STREAMS)];
    int from = (int)core_below(&rnd, 2);

    if (s->end[0] == NULL && s->end[1] == NULL)
        open_one(s);
    else if (core_chance(&rnd, 3))
        read_some(s, from);
    else
        write_some(s, from);
    maybe_release(s);
    if (s->end[1] != NULL)
        maybe_follow(s);
    if (core_chance(&rnd, 2))
        accept_one();
    if (core_chance(&rnd, 4))
        move();
}

/* All say that they have ended, and read on until nothing comes. */
static void finish(void)
{
    struct mtls_session_stats stats;

    for (int round = 0; round < 4000; round++) {
        accept_one();
        for (int i = 0; i < STREAMS; i++) {
            struct stream *s = &streams[i];

            for (int from = 0; from < 2; from++) {
                if (s->end[from] != NULL && !s->way[from].ended) {
                    s->way[from].ended = 1;
                    mtls_session_end_data(s->end[from]);
                }
                read_some(s, from);
            }
            maybe_release(s);
            if (s->end[1] != NULL)
                maybe_follow(s);
        }
        move();
    }
    for (int i = 0; i < STREAMS; i++) {
        release(&streams[i], 0);
        release(&streams[i], 1);
    }
    for (int i = 0; i < 100; i++) {
        accept_one();
        move();
    }
    core_settle(&link);
    mtls_session_stats(link.client.session, &stats);
    core_must(stats.channels == 0 && stats.window_memory == 0);
    mtls_session_stats(link.server.session, &stats);
    core_must(stats.channels == 0 && stats.window_memory == 0);
}

START_TEST(any_schedule_brings_each_stream_what_was_written)
{
    struct mtls_session_config config;
    size_t moved = 0;

    mtls_session_config_default(&config);
    config.window = 700;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        rnd = core_random_of(core_seed(seed));
        memset(streams, 0, sizeof(streams));
        core_link_open(&link, &config);
        core_must(mtls_session_speak_00(link.client.session));
        core_must(mtls_session_speak_00(link.server.session));
        mtls_session_allow_all(link.client.session);
        mtls_session_allow_all(link.server.session);
        link.piece = 1 + core_below(&rnd, 3000);
        link.random = &rnd;
        for (int i = 0; i < 4000; i++)
            act();
        finish();
        moved += (size_t)mtls_session_sent(link.server.session);
        core_link_close(&link);
    }
    ck_assert_uint_gt(moved, 1000000);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        any_schedule_brings_each_stream_what_was_written};

    return core_run("session_00_property", tests, core_count(tests));
}
