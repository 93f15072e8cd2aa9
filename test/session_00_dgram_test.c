/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * mtls-00 over DTLS, in the session: streams that begin and end, frames that
 * are lost, late or doubled, and ends that nobody hears.
 */
#include "core_00.h"

#include "session_local.h"

#include <mtls/mtls_err.h>

#define SECOND 1000000ull
#define MS 1000ull
#define FORGOTTEN (300 * SECOND) /* Q16 */

/* --- a stream's life --- */

START_TEST(one_write_is_one_frame_and_one_read)
{
    struct mtls_channel *c, *s;

    core_00_open(NULL);
    c = core_00_channel(53);
    core_path_pass(&core_00.path, 20 * MS);
    ck_assert_uint_eq(core_00.path.sent, 0); /* nothing to be said yet */
    core_00_write(c, "query");
    core_00_write(c, "again");
    s = core_00_accept();
    ck_assert_uint_eq(core_00.path.sent, 2);
    ck_assert_str_eq(mtls_channel_source(s), "0.0.0.0:7");
    ck_assert_str_eq(mtls_channel_port(s), "53");
    core_00_expect(s, "query");
    core_00_expect(s, "again");
    core_00_write(s, "answer");
    core_path_pass(&core_00.path, 20 * MS);
    core_00_expect(c, "answer");
    mtls_session_release(c);
    core_path_pass(&core_00.path, 20 * MS);
    ck_assert(core_at_end(s, MTLS_RX_ENDED));
    ck_assert(!mtls_session_write_datagram(s, "x", 1));
    ck_assert_uint_eq(s->tx_reason, MTLS_R_CLOSED_BY_PEER);
    mtls_session_release(s);
    core_path_pass(&core_00.path, 20 * MS);
    ck_assert_uint_eq(core_00.path.sent, 4); /* an end is not answered */
    core_00_close();
}
END_TEST

START_TEST(either_end_may_end_a_stream)
{
    struct mtls_channel *c, *s;

    core_00_open(NULL);
    c = core_00_channel(53);
    core_00_write(c, "query");
    s = core_00_accept();
    core_00_write(s, "answer");
    mtls_session_release(s);
    core_path_pass(&core_00.path, 20 * MS);
    core_00_expect(c, "answer"); /* what arrived comes first */
    ck_assert(core_at_end(c, MTLS_RX_ENDED));
    mtls_session_release(c);
    core_00_close();
}
END_TEST

START_TEST(of_what_was_never_used_the_peer_hears_nothing)
{
    core_00_open(NULL);
    mtls_session_release(core_00_channel(53));
    core_path_pass(&core_00.path, 20 * MS);
    ck_assert_uint_eq(core_00.path.sent, 0);
    core_00_close();
}
END_TEST

START_TEST(an_end_that_is_lost_costs_nothing_but_time)
{
    struct mtls_channel *c, *s;

    core_00_open(NULL);
    c = core_00_channel(53);
    core_00_write(c, "query");
    s = core_00_accept();
    core_00_expect(s, "query");
    core_00.path.lose = 100;
    mtls_session_release(c); /* the server does not hear of it */
    core_path_pass(&core_00.path, 20 * MS);
    ck_assert_uint_eq(core_00_stats(core_00.client).channels, 0);
    core_00.path.lose = 0;
    c = core_00_channel(53); /* the same pair of ports: so it goes on there */
    core_00_write(c, "another");
    core_path_pass(&core_00.path, 20 * MS);
    core_00_expect(s, "another");
    core_00.path.lose = 100;
    mtls_session_release(s);
    core_path_pass(&core_00.path, 20 * MS);
    core_00.path.lose = 0;
    core_00_write(c, "and now");
    s = core_00_accept();
    core_00_expect(s, "and now");
    core_00_write(s, "answer");
    core_path_pass(&core_00.path, 20 * MS);
    core_00_expect(c, "answer");
    mtls_session_release(c);
    mtls_session_release(s);
    core_00_close();
}
END_TEST

START_TEST(what_the_peer_has_opened_and_left_is_forgotten)
{
    struct mtls_channel *c[2], *s[2];
    uint64_t first;

    core_00_open(NULL);
    ck_assert(mtls_session_deadline(core_00.server) == MTLS_NEVER);
    for (int i = 0; i < 2; i++) {
        c[i] = core_00_channel((uint16_t)(53 + i));
        core_00_write(c[i], "query");
        s[i] = core_00_accept();
        core_00_expect(s[i], "query");
    }
    first = mtls_session_deadline(core_00.server);
    ck_assert(first > core_00.path.link.now + FORGOTTEN - SECOND);
    core_00.path.link.now = first - SECOND;
    core_00_write(c[0], "still here");
    core_path_pass(&core_00.path, 20 * MS);
    core_00_expect(s[0], "still here");
    ck_assert(mtls_session_deadline(core_00.server) > first);
    core_00.path.link.now = first + SECOND;
    core_path_pass(&core_00.path, MS);
    ck_assert(core_at_end(s[1], MTLS_RX_ENDED));
    ck_assert_int_eq(s[0]->rx, MTLS_RX_OPEN);
    core_00_write(s[0], "so am I"); /* counts as well */
    ck_assert(mtls_session_deadline(core_00.server) >=
              core_00.path.link.now + FORGOTTEN);
    core_path_pass(&core_00.path, 20 * MS);
    core_00_expect(c[0], "so am I");
    ck_assert(mtls_session_deadline(core_00.client) == MTLS_NEVER);
    core_00_write(c[1], "back again"); /* its opener need not know */
    mtls_session_release(s[1]);
    s[1] = core_00_accept();
    core_00_expect(s[1], "back again");
    for (int i = 0; i < 2; i++) {
        mtls_session_release(c[i]);
        mtls_session_release(s[i]);
    }
    core_00_close();
}
END_TEST

/* One that nobody has taken yet, too; then it is over when it is. */
START_TEST(what_nobody_took_is_forgotten_with_its_data_kept)
{
    struct mtls_channel *s;

    core_00_open(NULL);
    core_00_say(7, 53, "one");
    core_00_say(7, 53, "two");
    core_00.path.link.now += FORGOTTEN;
    mtls_session_tick(core_00.server);
    ck_assert(mtls_session_deadline(core_00.server) == MTLS_NEVER);
    core_00_say(7, 53, "three"); /* so this is another stream */
    ck_assert_uint_eq(mtls_session_backlog(core_00.server), 2);
    s = mtls_session_next_asked(core_00.server);
    ck_assert(mtls_session_accept(s));
    core_00_expect(s, "one");
    core_00_expect(s, "two");
    ck_assert(core_at_end(s, MTLS_RX_ENDED));
    mtls_session_release(s);
    core_00_silent();
    core_00_say(7, 53, "four"); /* the pair is the other's still */
    s = mtls_session_next_asked(core_00.server);
    ck_assert(mtls_session_accept(s));
    core_00_expect(s, "three");
    core_00_expect(s, "four");
    mtls_session_release(s);
    core_00_hear(53, 7, "");
    core_00_silent();
    core_00_close();
}
END_TEST

/* An empty datagram can't be told from an end, and so it is one that is lost.
 */
START_TEST(an_empty_datagram_is_not_sent)
{
    struct mtls_channel *c, *s;

    core_00_open(NULL);
    c = core_00_channel(53);
    core_00_write(c, "");
    core_00_write(c, "query");
    s = core_00_accept();
    ck_assert_uint_eq(core_00_stats(core_00.client).datagrams_dropped, 1);
    core_00_expect(s, "query");
    core_00_write(s, "");
    core_path_pass(&core_00.path, 20 * MS);
    ck_assert_int_eq(c->rx, MTLS_RX_OPEN);
    mtls_session_release(c);
    mtls_session_release(s);
    core_00_close();
}
END_TEST

/* --- readers that stall --- */

START_TEST(W7_a_reader_that_stalls_loses_datagrams_and_holds_up_nobody)
{
    struct mtls_channel *c[2], *s[2];
    char data[1000] = "";
    unsigned int n = 0;
    size_t len;

    core_00_open(NULL);
    for (int i = 0; i < 2; i++) {
        c[i] = core_00_channel((uint16_t)(53 + i));
        core_00_write(c[i], "query");
        s[i] = core_00_accept();
        core_00_expect(s[i], "query");
    }
    for (int i = 0; i < 10000; i++) {
        core_must(mtls_session_write_datagram(c[0], data, sizeof(data)));
        core_path_send(&core_00.path);
        core_path_pass(&core_00.path, MS);
        core_must(core_held(core_00.server) <= 2 * 65536 + 8192);
    }
    ck_assert_uint_gt(core_00_stats(core_00.server).datagrams_dropped, 9900);
    core_00_write(c[1], "beside it");
    core_path_pass(&core_00.path, 20 * MS);
    core_00_expect(s[1], "beside it");
    for (; mtls_session_next_datagram(s[0], &len); n++)
        core_must(mtls_session_read_datagram(s[0], data, sizeof(data)) == 1000);
    ck_assert_uint_eq(n, 65536 / 1002);
    core_00_write(c[0], "goes on");
    core_path_pass(&core_00.path, 20 * MS);
    core_00_expect(s[0], "goes on");
    for (int i = 0; i < 2; i++) {
        mtls_session_release(c[i]);
        mtls_session_release(s[i]);
    }
    core_00_close();
}
END_TEST

/* However small a window is asked for, the longest datagram fits (Q17). */
START_TEST(W8_with_all_memory_in_use_streams_are_refused)
{
    struct mtls_session_config config;
    static char longest[16384];
    struct mtls_channel *c, *s[3];

    mtls_session_config_default(&config);
    config.window = config.max_window = 512;
    config.session_memory = 3 * 16384;
    core_00_open(&config);
    mtls_session_set_path_limit(core_00.client, 16384);
    c = core_00_channel(53);
    ck_assert_uint_eq(mtls_session_datagram_limit(c), 16378);
    ck_assert(!mtls_session_write_datagram(c, longest, 16379));
    ck_assert(mtls_session_write_datagram(c, longest, 16378));
    {
        size_t len;
        const unsigned char *p =
            mtls_session_datagram_out(core_00.client, &len);

        ck_assert_uint_eq(len, 16384);
        mtls_session_datagram_in(core_00.server, p, len);
        mtls_session_datagram_sent(core_00.client);
    }
    core_00_say(8, 53, "x");
    core_00_say(9, 53, "x");
    core_00_say(10, 53, "x");
    ck_assert_uint_eq(mtls_session_backlog(core_00.server), 3);
    core_00_hear(53, 10, "");
    for (int i = 0; i < 3; i++) {
        s[i] = mtls_session_next_asked(core_00.server);
        ck_assert(mtls_session_accept(s[i]));
    }
    ck_assert_uint_eq(
        mtls_session_read_datagram(s[0], longest, sizeof(longest)), 16378);
    for (int i = 0; i < 3; i++)
        mtls_session_release(s[i]);
    mtls_session_release(c);
    core_00_close();
}
END_TEST

/* --- bad paths --- */

#define SERVED 5000
static struct mtls_channel *served[SERVED]; /* the server's streams */
static size_t serving;

/* The server takes the streams that begin, answers, and frees those at end. */
static void serve(void)
{
    static char got[16384];
    struct mtls_channel *s;
    size_t len;

    while ((s = mtls_session_next_asked(core_00.server)) != NULL) {
        core_must(mtls_session_accept(s));
        core_must(serving < SERVED);
        served[serving++] = s;
    }
    for (size_t i = 0; i < serving; i++) {
        while (mtls_session_next_datagram(served[i], &len)) {
            len = mtls_session_read_datagram(served[i], got, sizeof(got));
            mtls_session_write_datagram(served[i], got, len);
            core_path_send(&core_00.path);
        }
        if (served[i]->rx != MTLS_RX_OPEN) {
            mtls_session_release(served[i]);
            served[i--] = served[--serving];
        }
    }
}

/* Streams begin, are written, read and ended, and at last all is free. */
START_TEST(U1_on_a_bad_path_streams_do_not_wedge)
{
    struct core_random random = core_random_of(core_seed(7));
    struct mtls_channel *c[20] = {NULL}, *s;
    unsigned int questions = 0, answers = 0;
    char data[1400] = "", got[16384];

    core_00_open(NULL);
    core_00.path.lose = 30;
    core_00.path.twice = 10;
    core_00.path.jitter = 40 * MS;
    for (int turn = 0; turn < 6000; turn++) {
        struct mtls_channel **at = &c[core_below(&random, 20)];
        size_t len;

        if (*at == NULL)
            *at = core_00_channel((uint16_t)(53 + core_below(&random, 2)));
        core_must((*at)->rx == MTLS_RX_OPEN);
        questions += (unsigned int)mtls_session_write_datagram(
            *at, data, 1 + core_below(&random, sizeof(data)));
        while (mtls_session_next_datagram(*at, &len))
            answers += mtls_session_read_datagram(*at, got, sizeof(got)) != 0;
        if (core_chance(&random, 10)) {
            mtls_session_release(*at);
            *at = NULL;
        }
        core_path_pass(&core_00.path, MS);
        serve();
    }
    ck_assert_uint_gt(questions, 3000);
    ck_assert_uint_gt(answers, questions / 5);
    for (int i = 0; i < 20; i++)
        if (c[i] != NULL)
            mtls_session_release(c[i]);
    core_path_pass(&core_00.path, SECOND);
    core_00.path.link.now += FORGOTTEN;
    core_path_pass(&core_00.path, MS);
    while ((s = mtls_session_next_asked(core_00.server)) != NULL) {
        ck_assert(mtls_session_accept(s)); /* what came after its end */
        served[serving++] = s;
    }
    for (size_t i = 0; i < serving; i++) {
        ck_assert_int_eq(served[i]->rx, MTLS_RX_ENDED);
        mtls_session_release(served[i]);
    }
    ck_assert_uint_eq(core_00_stats(core_00.client).channels, 0);
    ck_assert_uint_eq(core_00_stats(core_00.server).channels, 0);
    core_00_close();
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        one_write_is_one_frame_and_one_read,
        either_end_may_end_a_stream,
        of_what_was_never_used_the_peer_hears_nothing,
        an_end_that_is_lost_costs_nothing_but_time,
        what_the_peer_has_opened_and_left_is_forgotten,
        what_nobody_took_is_forgotten_with_its_data_kept,
        an_empty_datagram_is_not_sent,
        W7_a_reader_that_stalls_loses_datagrams_and_holds_up_nobody,
        W8_with_all_memory_in_use_streams_are_refused,
        U1_on_a_bad_path_streams_do_not_wedge};

    return core_run("session_00_dgram", tests, core_count(tests));
}
