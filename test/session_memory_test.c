/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * Each allocation fails in turn (attack T2): a channel may fail for it, with a
 * reason; the session and the others go on, and nothing is lost or leaked.
 */
#include "core_link.h"
#include "out_of_memory.h"
#include "session_00.h"

#include <mtls/mtls_err.h>
#include <stdlib.h>
#include <string.h>

/* --- a scenario in which anything may fail --- */

static struct core_link link;
static int v00; /* whether it is mtls-00 that is spoken */
static unsigned char big[60000];

static struct mtls_channel *try_open(struct core_end *end)
{
    const struct mtls_address to = {"there", 5, 80}, from = {"here", 4, 0};
    struct mtls_channel *c = mtls_channel_new(end->session, NULL);

    if (c == NULL)
        return NULL;
    if (mtls_channel_set_names(c, &to, &from) && mtls_session_open(c) == 0)
        return c;
    mtls_session_release(c);
    return NULL;
}

/* Moves octets; a session that had no memory for them is asked again. */
static void move(void)
{
    for (int i = 0; i < 8; i++)
        core_move(&link);
}

static void try_write(struct mtls_channel *c)
{
    size_t room;
    unsigned char *p;

    if (c == NULL)
        return;
    mtls_session_write(c, big, 1000);
    mtls_session_write(c, big, sizeof(big));
    p = mtls_session_write_room(c, &room);
    if (p != NULL) {
        memset(p, 'd', room < 300 ? room : 300);
        mtls_session_wrote(c, room < 300 ? room : 300);
    }
}

static struct mtls_channel *held[8];

static void scenario(void)
{
    struct mtls_channel *refused;

    held[0] = try_open(&link.client);
    held[1] = try_open(&link.server);
    held[2] = try_open(&link.client);
    held[3] = try_open(&link.client);
    move();
    refused = mtls_session_next_asked(link.server.session);
    if (refused != NULL) {
        mtls_session_reject(refused, "prohibited: a long enough text");
        mtls_session_release(refused);
    }
    for (int i = 4; i < 7; i++) {
        struct core_end *end = i == 4 ? &link.client : &link.server;

        held[i] = mtls_session_next_asked(end->session);
        if (held[i] != NULL)
            mtls_session_accept(held[i]);
    }
    move();
    for (int i = 0; i < 7; i++)
        try_write(held[i]);
    mtls_session_send_drafts(link.client.session);
    mtls_session_send_drafts(link.server.session);
    move();
    for (int i = 0; i < 7; i++)
        if (held[i] != NULL)
            core_discard(held[i]);
    move();
    for (int i = 0; i < 7; i += 2)
        try_write(held[i]);
    if (held[5] != NULL)
        mtls_session_reset(held[5]);
    move();
}

/* A channel is well, or it says why not. */
static void each_is_well_or_says_why(void)
{
    for (int i = 0; i < 7; i++) {
        const struct mtls_channel *c = held[i];

        if (c == NULL || c->life <= MTLS_OPEN)
            continue;
        core_must(c->rx != MTLS_RX_OPEN);
        core_must(c->tx_reason != 0);
        core_must(c->rx != MTLS_RX_FAILED || c->rx_reason != 0);
    }
}

static void release_all(void)
{
    for (int i = 0; i < 7; i++)
        if (held[i] != NULL)
            mtls_session_release(held[i]);
}

static void all_goes_on(void)
{
    struct mtls_session_stats stats;
    struct mtls_channel *a, *b, *c;

    core_settle(&link);
    /* There a stream that can't even be refused ends the session (Q11). */
    if (v00 && mtls_session_ended(link.server.session)) {
        release_all();
        return;
    }
    for (int which = 0; which < 2; which++) {
        struct core_end *end = which == 0 ? &link.client : &link.server;

        core_must(!mtls_session_ended(end->session));
        while ((c = mtls_session_next_asked(end->session)) != NULL)
            mtls_session_release(c);
    }
    release_all();
    core_settle(&link);
    core_pair(&link, &a, &b);
    core_write(a, "after all");
    core_settle(&link);
    core_expect(b, "after all");
    mtls_session_release(a);
    mtls_session_release(b);
    core_settle(&link);
    for (int which = 0; which < 2; which++) {
        mtls_session_stats(
            which == 0 ? link.client.session : link.server.session, &stats);
        core_must(stats.channels == 0 && stats.window_memory == 0);
    }
}

/* Runs it with |n| allocations failing from the |from|th on; 0: none did. */
static int run(unsigned int from, unsigned int n)
{
    static unsigned char room[400000];

    memset(held, 0, sizeof(held));
    core_link_open(&link, NULL);
    core_pipe_put(&link.client.out, room, sizeof(room)); /* the helper's own */
    core_pipe_put(&link.server.out, room, sizeof(room));
    link.client.out.start = link.client.out.end;
    link.server.out.start = link.server.out.end;
    if (v00) {
        core_must(mtls_session_speak_00(link.client.session));
        core_must(mtls_session_speak_00(link.server.session));
        mtls_session_allow_all(link.client.session);
        mtls_session_allow_all(link.server.session);
    }
    memory.counted = 0;
    memory.fail_from = from;
    memory.fail_count = n;
    memory.armed = 1;
    scenario();
    memory.armed = 0;
    each_is_well_or_says_why();
    all_goes_on();
    core_link_close(&link);
    return memory.counted >= from;
}

START_TEST(T2_each_allocation_fails_once)
{
    unsigned int n = 1;

    while (run(n, 1))
        n++;
    ck_assert_uint_gt(n, 20);
}
END_TEST

START_TEST(T2_some_allocations_in_a_row_fail)
{
    for (unsigned int row = 2; row < 30; row += 3)
        for (unsigned int n = 1; run(n, row); n++)
            ;
}
END_TEST

START_TEST(T2_in_mtls00_too)
{
    v00 = 1;
    for (unsigned int row = 1; row < 20; row += 3) {
        unsigned int n = 1;

        while (run(n, row))
            n++;
        ck_assert_uint_gt(n, 10);
    }
    v00 = 0;
}
END_TEST

START_TEST(T2_no_session_without_memory)
{
    const struct mtls_session_hooks hooks = {NULL, NULL, NULL};
    struct mtls_session_config config;
    struct mtls_session *session;

    mtls_session_config_default(&config);
    memory.counted = 0;
    memory.fail_from = memory.fail_count = 1;
    memory.armed = 1;
    session = mtls_session_new(&config, &hooks, NULL);
    memory.armed = 0;
    ck_assert_ptr_null(session);
    mtls_session_free(NULL);
}
END_TEST

/* After these, nothing is to be told that does not happen later. */
static void hear_all(void)
{
    unsigned int events;

    for (int round = 0; round < 3; round++) {
        mtls_session_new_round(link.client.session);
        while (mtls_session_next_ready(link.client.session, &events) != NULL)
            ;
    }
}

/* A writer that found no memory is told to try again: nobody else would. */
START_TEST(T2_a_writer_without_memory_is_told)
{
    for (int draft = 0; draft < 2; draft++) {
        struct mtls_channel *a, *b;
        unsigned int events, sum = 0;
        size_t room;

        core_link_open(&link, NULL);
        core_pair(&link, &a, &b);
        hear_all();
        core_write(a, "x"); /* a record is spare, and another is in use */
        memory.counted = 0;
        memory.fail_from = 1;
        memory.fail_count = 100;
        memory.armed = 1;
        if (draft)
            mtls_session_write_room(a, &room);
        else
            mtls_session_write(a, big, sizeof(big));
        memory.armed = 0;
        ck_assert_uint_gt(memory.counted, 0);
        core_settle(&link);
        mtls_session_new_round(link.client.session);
        while (mtls_session_next_ready(link.client.session, &events) != NULL)
            sum |= events;
        ck_assert(sum & MTLS_WRITABLE);
        mtls_session_release(a);
        mtls_session_release(b);
        core_settle(&link);
        core_link_close(&link);
    }
}
END_TEST

START_TEST(T2_a_draft_without_memory_and_nothing_to_send)
{
    struct mtls_channel *a, *b, *c, *d, *ready;
    unsigned int events, sum = 0;
    unsigned char *p;
    size_t room;

    core_link_open(&link, NULL);
    core_pair(&link, &a, &b);
    core_pair(&link, &c, &d);
    hear_all();
    ck_assert_ptr_nonnull(mtls_session_write_room(c, &room)); /* the spare */
    memory.counted = 0;
    memory.fail_from = 1;
    memory.fail_count = 100;
    memory.armed = 1;
    p = mtls_session_write_room(a, &room);
    memory.armed = 0;
    ck_assert_ptr_null(p);
    mtls_session_new_round(link.client.session);
    while ((ready = mtls_session_next_ready(link.client.session, &events)) !=
           NULL)
        sum |= ready == a ? events : 0;
    ck_assert(sum & MTLS_WRITABLE);
    mtls_session_release(a);
    mtls_session_release(b);
    mtls_session_release(c);
    mtls_session_release(d);
    core_settle(&link);
    core_link_close(&link);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        T2_each_allocation_fails_once,
        T2_some_allocations_in_a_row_fail,
        T2_in_mtls00_too,
        T2_no_session_without_memory,
        T2_a_writer_without_memory_is_told,
        T2_a_draft_without_memory_and_nothing_to_send};

    return core_run("session_memory", tests, core_count(tests));
}
