/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* mtls-00 over TLS, in the session: peers that mean harm, or go on for long. */
#include "core_link.h"
#include "session_00.h"
#include "session_local.h"

#include <mtls/mtls_err.h>
#include <string.h>

static struct core_link link;
static struct mtls_session *server;

static void begin(void)
{
    core_raw_open(&link, NULL);
    server = link.server.session;
    ck_assert(mtls_session_speak_00(server));
    mtls_session_allow_all(server);
}

/* One frame; an answer to it, if there is any, is of no interest. */
static void say(uint16_t source, uint16_t destination, size_t len)
{
    static unsigned char octets[6 + 100];
    size_t n = 6 + len;

    core_octets(octets, "222", source, destination, (unsigned int)len);
    core_pipe_put(&link.client.out, octets, n); /* a million: not checked */
    core_must(core_deliver(&link.client.out, server, n) == n);
    core_collect(&link.server);
    link.server.out.start = link.server.out.end;
}

static void accept_and_release(void)
{
    struct mtls_channel *c = mtls_session_next_asked(server);

    core_must(c != NULL && mtls_session_accept(c));
    mtls_session_release(c);
}

/* Any octets are frames: what they open is bounded, and so is what is kept. */
START_TEST(F11_16_MiB_of_random_octets_do_no_harm)
{
    struct core_random random = core_random_of(core_seed(3));
    static unsigned char octets[4096];

    begin();
    for (int i = 0; i < 4096 && !mtls_session_ended(server); i++) {
        struct mtls_channel *c;

        for (size_t at = 0; at < sizeof(octets); at += 8) {
            uint64_t next = core_next(&random);

            memcpy(octets + at, &next, 8);
        }
        core_say_octets(&link, octets, sizeof(octets));
        core_collect(&link.server);
        link.server.out.start = link.server.out.end;
        while ((c = mtls_session_next_asked(server)) != NULL) {
            mtls_session_accept(c);
            core_discard(c);
            mtls_session_release(c);
        }
    }
    core_check(server);
    ck_assert_uint_le(server->stats.channels, 65536);
    core_link_close(&link);
}
END_TEST

START_TEST(F12_a_million_empty_frames_are_one_stream)
{
    begin();
    for (int i = 0; i < 1000000; i++)
        say(40000, 80, 0);
    ck_assert_uint_eq(mtls_session_backlog(server), 1);
    ck_assert_uint_eq(server->stats.channels, 1);
    ck_assert_uint_eq(server->stats.ignored, 1000000 - 2);
    accept_and_release();
    core_collect(&link.server);
    ck_assert_uint_eq(server->stats.channels, 0);
    core_link_close(&link);
}
END_TEST

START_TEST(O9_streams_that_open_and_end_at_once_leave_nothing)
{
    begin();
    for (int i = 0; i < 100000; i++) {
        uint16_t source = (uint16_t)(i % 1000 + 1);

        say(source, 80, 10);
        say(source, 80, 0);
        accept_and_release();
        core_collect(&link.server);
    }
    link.server.out.start = link.server.out.end;
    ck_assert_uint_eq(server->stats.channels, 0);
    ck_assert_uint_eq(server->stats.window_memory, 0);
    ck_assert_uint_le(server->v00->streams.capacity, 16);
    core_link_close(&link);
}
END_TEST

static struct mtls_channel *open_one(uint8_t *reason)
{
    const struct mtls_address to = {"localhost", 9, 80};
    const struct mtls_address from = {"0.0.0.0", 7, 0};
    struct mtls_channel *c = mtls_channel_new(link.client.session, NULL);

    core_must(c != NULL && mtls_channel_set_names(c, &to, &from));
    *reason = mtls_session_open(c);
    return c;
}

/* A source port is one of 65,535. */
START_TEST(O10_when_all_ports_are_in_use_another_is_an_error)
{
    static struct mtls_channel *c[65535];
    struct mtls_channel *more;
    uint8_t reason;

    core_link_open(&link, NULL);
    ck_assert(mtls_session_speak_00(link.client.session));
    mtls_session_allow_all(link.client.session);
    for (size_t i = 0; i < core_count(c); i++) {
        c[i] = open_one(&reason);
        core_must(reason == 0);
    }
    more = open_one(&reason);
    ck_assert_uint_eq(reason, MTLS_R_NO_HALF_FREE);
    mtls_session_release(more);
    mtls_session_reset(c[777]); /* which the peer has not heard of */
    mtls_session_release(c[777]);
    c[777] = open_one(&reason);
    ck_assert_uint_eq(reason, 0);
    ck_assert_uint_eq(mtls_session_id(c[777]) & 0xffff, 80);
    for (size_t i = 0; i < core_count(c); i++)
        mtls_session_release(c[i]);
    core_link_close(&link);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        F11_16_MiB_of_random_octets_do_no_harm,
        F12_a_million_empty_frames_are_one_stream,
        O9_streams_that_open_and_end_at_once_leave_nothing,
        O10_when_all_ports_are_in_use_another_is_an_error};

    return core_run("session_00_hostile", tests, core_count(tests));
}
