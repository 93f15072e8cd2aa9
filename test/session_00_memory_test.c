/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * Each allocation fails in turn (attack T2) in sessions of mtls-00: a stream is
 * refused for it or fails, a datagram is lost; the others go on, and all memory
 * is given back.
 */
#include "core_00.h"
#include "out_of_memory.h"
#include "session_00.h"
#include "session_local.h"

#include <string.h>

static void arm(unsigned int nth)
{
    memory.counted = 0;
    memory.fail_from = nth;
    memory.fail_count = 1;
    memory.armed = 1;
}

/* A stream's channel, or NULL. */
static struct mtls_channel *try_open(struct mtls_session *client, uint16_t port)
{
    const struct mtls_address to = {"localhost", 9, port};
    const struct mtls_address from = {"0.0.0.0", 7, 7};
    struct mtls_channel *c = mtls_channel_new(client, NULL);

    if (c == NULL)
        return NULL;
    if (mtls_channel_set_names(c, &to, &from) && mtls_session_open(c) == 0)
        return c;
    mtls_session_release(c);
    return NULL;
}

static void release(struct mtls_channel *c)
{
    if (c != NULL)
        mtls_session_release(c);
}

/* --- streams --- */

static struct core_link link;

static void begin_streams(void)
{
    static unsigned char room[200000];
    struct core_end *ends[] = {&link.client, &link.server};

    core_link_open(&link, NULL);
    for (int i = 0; i < 2; i++) {
        core_pipe_put(&ends[i]->out, room, sizeof(room)); /* its own memory */
        ends[i]->out.start = ends[i]->out.end;
        ck_assert(mtls_session_speak_00(ends[i]->session));
        mtls_session_allow_all(ends[i]->session);
    }
}

/* 0: none failed. */
static int run_streams(unsigned int nth)
{
    static char data[30000];
    struct mtls_channel *c[20], *s;

    begin_streams();
    arm(nth);
    for (uint16_t i = 0; i < 20; i++) {
        c[i] = try_open(link.client.session, (uint16_t)(80 + i));
        if (c[i] != NULL)
            mtls_session_write(c[i], data, sizeof(data) / (i + 1u));
        core_settle(&link);
    }
    memory.armed = 0;
    core_settle(&link);
    while ((s = mtls_session_next_asked(link.server.session)) != NULL) {
        core_must(mtls_session_accept(s));
        core_discard(s);
        core_settle(&link);
        core_discard(s);
        mtls_session_release(s);
    }
    for (int i = 0; i < 20; i++)
        release(c[i]);
    core_settle(&link);
    if (!mtls_session_ended(link.server.session)) {
        c[0] = try_open(link.client.session, 80);
        core_must(c[0] != NULL);
        core_must(mtls_session_write(c[0], "works", 5) == 5);
        core_settle(&link);
        s = core_accept(&link.server);
        core_expect(s, "works");
        release(c[0]);
        release(s);
        core_settle(&link);
    }
    core_must(link.client.session->stats.window_memory == 0);
    core_must(link.server.session->stats.window_memory == 0);
    core_link_close(&link);
    return memory.counted >= nth;
}

START_TEST(T2_each_allocation_of_streams_fails)
{
    unsigned int n = 1;

    while (run_streams(n))
        n++;
    ck_assert_uint_gt(n, 20);
}
END_TEST

/* --- datagrams --- */

static int run_datagrams(unsigned int nth)
{
    struct mtls_channel *c[20], *s;
    char got[100];

    core_00_open(NULL);
    arm(nth);
    for (uint16_t i = 0; i < 20; i++) {
        c[i] = try_open(core_00.client, 53 + i % 2);
        for (int k = 0; c[i] != NULL && k < 3; k++) {
            mtls_session_write_datagram(c[i], "whole", 5);
            core_path_send(&core_00.path);
        }
        core_path_pass(&core_00.path, 10000);
    }
    memory.armed = 0;
    core_path_pass(&core_00.path, 10000);
    while ((s = mtls_session_next_asked(core_00.server)) != NULL) {
        size_t len;

        core_must(mtls_session_accept(s));
        while (mtls_session_next_datagram(s, &len)) {
            core_must(mtls_session_read_datagram(s, got, sizeof(got)) == 5);
            core_must(memcmp(got, "whole", 5) == 0);
        }
        mtls_session_release(s);
    }
    for (int i = 0; i < 20; i++)
        release(c[i]);
    core_path_pass(&core_00.path, 20000);
    c[0] = core_00_channel(53);
    core_00_write(c[0], "works");
    s = core_00_accept();
    core_00_expect(s, "works");
    release(c[0]);
    release(s);
    core_00_close();
    return memory.counted >= nth;
}

START_TEST(T2_each_allocation_of_datagrams_fails)
{
    unsigned int n = 1;

    while (run_datagrams(n))
        n++;
    ck_assert_uint_gt(n, 20);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {T2_each_allocation_of_streams_fails,
                                  T2_each_allocation_of_datagrams_fails};

    return core_run("session_00_memory", tests, core_count(tests));
}
