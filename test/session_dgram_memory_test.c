/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * Each allocation fails in turn (attack T2), where channels carry datagrams: a
 * datagram may be lost for it, no octet of one, and no channel stands still.
 */
#include "core_dgram.h"
#include "out_of_memory.h"
#include "session_local.h"

#include <stdlib.h>
#include <string.h>

/* --- a scenario in which anything may fail --- */

static struct core_path path;
static struct mtls_channel *a, *b;
static unsigned char data[1400], got[16384];

static void begin(void)
{
    static unsigned char room[400000];

    memset(data, 'd', sizeof(data));
    core_path_open(&path, NULL);
    core_pipe_put(&path.link.client.out, room, sizeof(room)); /* its own */
    core_pipe_put(&path.link.server.out, room, sizeof(room));
    path.link.client.out.start = path.link.client.out.end;
    path.link.server.out.start = path.link.server.out.end;
    core_pair(&path.link, &a, &b);
}

static void read_all(void)
{
    size_t len;

    while (mtls_session_next_datagram(b, &len)) {
        size_t n = mtls_session_read_datagram(b, got, sizeof(got));

        core_must(n == len);
        core_must(n == 0 || memcmp(got, data, n) == 0);
    }
}

static void write_some(void)
{
    for (size_t i = 0; i < 60; i++) {
        mtls_session_write_datagram(a, data, i * 131 % 1400);
        core_path_send(&path);
        if (i % 20 == 19)
            core_path_pass(&path, 2000);
    }
    core_path_pass(&path, 2000);
}

static void open_early(void)
{
    const struct mtls_address to = {"there", 5, 80}, from = {"here", 4, 0};
    struct mtls_channel *c = mtls_channel_new(path.link.client.session, NULL);
    unsigned char p[16];
    size_t n;

    if (c == NULL)
        return;
    if (mtls_channel_set_names(c, &to, &from) && mtls_session_open(c) == 0) {
        core_collect(&path.link.client);
        n = core_octets(p, "144 1", CORE_DATA, 1,
                        (unsigned int)c->own_half << 16 | 0x7777, 'x');
        mtls_session_datagram_in(path.link.client.session, p, n);
    }
    mtls_session_release(c);
}

/* 0: none failed. */
static int run(unsigned int from, unsigned int n)
{
    struct mtls_channel *asked;

    begin();
    memory.counted = 0;
    memory.fail_from = from;
    memory.fail_count = n;
    memory.armed = 1;
    write_some();
    open_early();
    read_all();
    memory.armed = 0;
    core_path_pass(&path, 10000000); /* whoever waits asks again */
    while ((asked = mtls_session_next_asked(path.link.server.session)) != NULL)
        mtls_session_release(asked);
    read_all();
    core_must(mtls_session_write_datagram(a, data, 1000));
    core_path_pass(&path, 10000);
    core_must(mtls_session_read_datagram(b, got, sizeof(got)) == 1000);
    mtls_session_release(a);
    mtls_session_release(b);
    core_path_pass(&path, 10000);
    core_must(path.link.server.session->stats.window_memory == 0);
    core_path_close(&path);
    return memory.counted >= from;
}

START_TEST(T2_each_allocation_fails_once)
{
    unsigned int n = 1;

    while (run(n, 1))
        n++;
    ck_assert_uint_gt(n, 5);
}
END_TEST

START_TEST(T2_all_fail_for_a_while)
{
    for (unsigned int row = 2; row < 20; row += 3)
        for (unsigned int n = 1; run(n, row); n++)
            ;
}
END_TEST

START_TEST(T2_no_datagrams_without_memory)
{
    const struct mtls_session_hooks hooks = {NULL, NULL, NULL};
    struct mtls_session_config config;
    struct mtls_session *session;

    mtls_session_config_default(&config);
    session = mtls_session_new(&config, &hooks, NULL);
    ck_assert_ptr_nonnull(session);
    memory.counted = 0;
    memory.fail_from = memory.fail_count = 1;
    memory.armed = 1;
    ck_assert(!mtls_session_set_datagrams(session));
    memory.armed = 0;
    ck_assert(!mtls_session_has_datagrams(session));
    mtls_session_free(session);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {T2_each_allocation_fails_once,
                                  T2_all_fail_for_a_while,
                                  T2_no_datagrams_without_memory};

    return core_run("session_dgram_memory", tests, core_count(tests));
}
