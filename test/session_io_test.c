/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* Two sessions: channels opened, used, half-closed and closed. */
#include "core_link.h"
#include "session_local.h"

#include <mtls/mtls_err.h>
#include <stdlib.h>
#include <string.h>

static struct core_link link;

/* The session has nothing left of what it had. */
static void is_empty(const struct core_end *end)
{
    struct mtls_session_stats stats;

    mtls_session_stats(end->session, &stats);
    ck_assert_uint_eq(stats.channels, 0);
    ck_assert_uint_eq(stats.closing, 0);
    ck_assert_uint_eq(stats.window_memory, 0);
    ck_assert(!mtls_session_wants_write(end->session));
    ck_assert_ptr_null(end->session->tune.watched);
}

static void both_empty(void)
{
    core_settle(&link);
    is_empty(&link.client);
    is_empty(&link.server);
}

/* --- opening --- */

START_TEST(the_acceptor_learns_who_asks_for_what)
{
    const struct mtls_address to = {"db.example", 10, 5432};
    const struct mtls_address from = {"2001:db8::1", 11, 60000};
    struct mtls_channel *a, *b;

    core_link_open(&link, NULL);
    a = mtls_channel_new(link.client.session, NULL);
    ck_assert_ptr_null(mtls_channel_host(a));
    ck_assert(mtls_channel_set_names(a, &to, &from));
    ck_assert_int_eq(mtls_session_open(a), 0);
    core_settle(&link);
    ck_assert_int_eq(a->life, MTLS_OPENING);
    ck_assert_ptr_null(link.server.changed);
    ck_assert_uint_eq(mtls_session_backlog(link.server.session), 1);
    b = mtls_session_next_asked(link.server.session);
    ck_assert_ptr_nonnull(b);
    ck_assert_uint_eq(mtls_session_backlog(link.server.session), 0);
    ck_assert_str_eq(mtls_channel_host(b), "db.example");
    ck_assert_str_eq(mtls_channel_port(b), "5432");
    ck_assert_str_eq(mtls_channel_source_host(b), "2001:db8::1");
    ck_assert_str_eq(mtls_channel_source(b), "[2001:db8::1]:60000");
    ck_assert(mtls_session_accept(b));
    ck_assert(!mtls_session_accept(b));
    core_settle(&link);
    ck_assert_int_eq(a->life, MTLS_OPEN);
    ck_assert_uint_eq(mtls_channel_id(a), mtls_channel_id(b));
    ck_assert_uint_eq(mtls_session_events(a), MTLS_OPENED);
    mtls_session_release(a);
    mtls_session_release(b);
    both_empty();
    core_link_close(&link);
}
END_TEST

START_TEST(initiator_halves_are_even_for_the_client_and_odd_for_the_server)
{
    struct mtls_channel *a[3], *b[3];

    core_link_open(&link, NULL);
    for (int i = 0; i < 3; i++) {
        a[i] = core_open(&link.client, "x");
        b[i] = core_open(&link.server, "y");
        ck_assert_uint_eq(a[i]->own_half % 2, 0);
        ck_assert_uint_eq(b[i]->own_half % 2, 1);
    }
    core_settle(&link);
    for (int i = 0; i < 3; i++) { /* acceptors use the other parity */
        struct mtls_channel *c = core_accept(&link.client);
        struct mtls_channel *d = core_accept(&link.server);

        ck_assert_uint_eq(c->own_half % 2, 1);
        ck_assert_uint_eq(d->own_half % 2, 0);
        mtls_session_release(c);
        mtls_session_release(d);
        mtls_session_release(a[i]);
        mtls_session_release(b[i]);
    }
    both_empty();
    core_link_close(&link);
}
END_TEST

START_TEST(a_refusal_carries_its_text)
{
    struct mtls_channel *a, *b;

    core_link_open(&link, NULL);
    a = core_open(&link.client, "secret");
    core_settle(&link);
    b = mtls_session_next_asked(link.server.session);
    ck_assert(mtls_session_reject(b, "prohibited: not for \x1b[1myou"));
    ck_assert(!mtls_session_reject(b, "twice"));
    mtls_session_release(b);
    core_settle(&link);
    ck_assert_int_eq(a->life, MTLS_CLOSED);
    ck_assert_int_eq(a->rx_reason, MTLS_R_CHANNEL_REFUSED);
    ck_assert_str_eq(a->echec, "prohibited: not for \\x1b[1myou");
    ck_assert(mtls_session_events(a) & MTLS_OVER);
    mtls_session_release(a);
    both_empty();
    core_link_close(&link);
}
END_TEST

START_TEST(a_channel_needs_names_and_is_opened_once)
{
    const struct mtls_address bad = {"a\nb", 3, 80}, good = {"a", 1, 80};
    struct mtls_channel *a;

    core_link_open(&link, NULL);
    a = mtls_channel_new(link.client.session, NULL);
    ck_assert_int_eq(mtls_session_open(a), MTLS_R_BAD_DESTINATION);
    ck_assert(!mtls_channel_set_names(a, &bad, &good));
    ck_assert(!mtls_channel_set_names(a, &good, &bad));
    ck_assert(mtls_channel_set_names(a, &good, &good));
    ck_assert_int_eq(mtls_session_open(a), 0);
    ck_assert_int_eq(mtls_session_open(a), MTLS_R_WRONG_STATE);
    mtls_session_release(a);
    both_empty(); /* nothing was asked */
    core_link_close(&link);
}
END_TEST

START_TEST(an_opening_given_up_is_closed_when_it_is_answered)
{
    struct mtls_channel *a, *b;

    core_link_open(&link, NULL);
    a = core_open(&link.client, "slow");
    core_settle(&link);
    mtls_session_release(a);
    b = core_accept(&link.server);
    core_settle(&link);
    ck_assert_int_eq(b->life, MTLS_CLOSED);
    ck_assert(core_at_end(b, MTLS_RX_ENDED));
    mtls_session_release(b);
    both_empty();
    core_link_close(&link);
}
END_TEST

/* --- data --- */

START_TEST(data_goes_both_ways)
{
    struct mtls_channel *a, *b;

    core_link_open(&link, NULL);
    core_pair(&link, &a, &b);
    ck_assert_uint_eq(core_write(a, "ping"), 4);
    ck_assert_uint_eq(core_write(b, "pong!"), 5);
    core_settle(&link);
    core_expect(b, "ping");
    core_expect(a, "pong!");
    mtls_session_release(a);
    mtls_session_release(b);
    both_empty();
    core_link_close(&link);
}
END_TEST

START_TEST(data_may_follow_the_success_at_once)
{
    struct mtls_channel *a, *b;

    core_link_open(&link, NULL);
    a = core_open(&link.client, "greeter");
    core_settle(&link);
    b = core_accept(&link.server);
    ck_assert_uint_eq(core_write(b, "welcome"), 7);
    ck_assert(mtls_session_end_data(b));
    core_settle(&link);
    core_expect(a, "welcome");
    ck_assert(core_at_end(a, MTLS_RX_ENDED));
    mtls_session_release(a);
    mtls_session_release(b);
    both_empty();
    core_link_close(&link);
}
END_TEST

/* As much as a window, and more as it is read. */
START_TEST(credit_bounds_what_is_sent_until_it_is_read)
{
    static char octets[200000];
    struct mtls_channel *a, *b;
    size_t sent = 0, n;

    core_link_open(&link, NULL);
    core_pair(&link, &a, &b);
    while ((n = mtls_session_write(a, octets, sizeof(octets))) != 0) {
        sent += n;
        core_settle(&link);
    }
    ck_assert_uint_eq(sent, 65536);
    ck_assert(mtls_session_stuck(b));
    ck_assert_uint_eq(mtls_session_guarantee(a), 0);
    ck_assert_uint_eq(core_discard(b), 65536);
    core_settle(&link);
    ck_assert_uint_ge(a->out.credit, 32768);
    ck_assert(mtls_session_write(a, octets, 1));
    mtls_session_release(a);
    mtls_session_release(b);
    both_empty();
    core_link_close(&link);
}
END_TEST

/*
 * What a reader lends is filled first, in order, and counts as read; the rest,
 * and what comes for others, waits as usual. Whatever the pieces are.
 */
START_TEST(what_a_reader_lends_is_filled_instead_of_the_buffer)
{
    static const size_t pieces[] = {0, 1, 7, 64, 1000};
    static unsigned char octets[30000], got[40000];
    struct mtls_channel *a, *b, *c, *d;

    for (size_t i = 0; i < sizeof(octets); i++)
        octets[i] = (unsigned char)(i * 7 + i / 251);
    for (size_t i = 0; i < core_count(pieces); i++) {
        core_link_open(&link, NULL);
        core_pair(&link, &a, &b);
        core_pair(&link, &c, &d);
        link.piece = pieces[i];
        mtls_session_write(a, octets, 20000);
        mtls_session_write(c, "other", 5);
        mtls_session_write(a, octets + 20000, 10000);
        mtls_session_lend(b, got, 25000);
        core_settle(&link);
        ck_assert_uint_eq(mtls_session_lent(b), 25000);
        ck_assert_uint_eq(mtls_session_lent(d), 0);
        ck_assert_uint_eq(mtls_session_take_back(link.server.session), 25000);
        ck_assert_uint_eq(mtls_session_take_back(link.server.session), 0);
        ck_assert_uint_eq(mtls_session_read(b, got + 25000, 10000), 5000);
        ck_assert_mem_eq(got, octets, sizeof(octets));
        core_expect(d, "other");
        ck_assert_uint_eq(b->in.freed, 30000); /* as if it had been read */
        mtls_session_write(a, "be", 2);
        core_settle(&link);
        mtls_session_lend(b, got, 10); /* not before what waits */
        mtls_session_write(a, "fore", 4);
        core_settle(&link);
        ck_assert_uint_eq(mtls_session_take_back(link.server.session), 0);
        core_expect(b, "before");
        mtls_session_release(a);
        mtls_session_release(b);
        mtls_session_release(c);
        mtls_session_release(d);
        both_empty();
        core_link_close(&link);
    }
}
END_TEST

/* A reader that keeps up with a fast writer; how wide its window became. */
static uint32_t grown_window(const struct mtls_session_config *config)
{
    static char octets[65536];
    struct mtls_channel *a, *b;
    uint32_t window;

    core_link_open(&link, config);
    core_pair(&link, &a, &b);
    for (int i = 0; i < 40; i++) {
        while (mtls_session_write(a, octets, sizeof(octets)) != 0)
            core_collect(&link.client);
        core_move(&link); /* which checks the sum of the windows */
        core_discard(b);
    }
    window = b->in.window;
    mtls_session_release(a);
    mtls_session_release(b);
    both_empty();
    core_link_close(&link);
    return window;
}

START_TEST(a_window_grows_for_a_reader_that_keeps_up)
{
    struct mtls_session_config config;

    ck_assert_uint_eq(grown_window(NULL), 16 * 1024 * 1024);
    mtls_session_config_default(&config);
    config.max_window = 100000;
    ck_assert_uint_eq(grown_window(&config), 100000);
}
END_TEST

/* Half of it is kept back, for the channels that may still come. */
START_TEST(a_window_grows_into_half_of_the_sessions_memory)
{
    struct mtls_session_config config;

    mtls_session_config_default(&config);
    config.session_memory = 500000;
    ck_assert_uint_eq(grown_window(&config), 250000);
}
END_TEST

static void move_after(uint64_t microseconds)
{
    link.now += microseconds - 1000; /* which core_move() adds */
    core_move(&link);
}

/* Data comes |idle| after an Acknowledgment, and is read |busy| later. */
static void go_round(struct mtls_channel *from, struct mtls_channel *to,
                     uint64_t idle, uint64_t busy)
{
    static char octets[MTLS_RECORD_SIZE];

    while (mtls_session_write(from, octets, sizeof(octets)) != 0)
        core_collect(&link.client);
    move_after(idle);
    link.now += busy;
    core_discard(to);
    move_after(0);
}

/* How often the window grows of a reader that has nothing for |idle| of 1000
 * microseconds. */
static int growths(uint64_t idle, int rounds)
{
    struct mtls_channel *a, *b;
    uint32_t window;
    int n = 0;

    core_link_open(&link, NULL);
    core_pair(&link, &a, &b);
    for (int i = 0; i < 2; i++)
        go_round(a, b, 1, 5000); /* the least round trip */
    for (int i = 0; i < rounds; i++) {
        window = b->in.window;
        go_round(a, b, idle, 1000 - idle);
        n += b->in.window != window;
    }
    mtls_session_release(a);
    mtls_session_release(b);
    both_empty();
    core_link_close(&link);
    return n;
}

START_TEST(a_window_grows_when_its_reader_stands_idle_for_long)
{
    ck_assert_int_eq(growths(499, 12), 0);
    ck_assert_int_eq(growths(500, 2), 0);
    ck_assert_int_gt(growths(500, 12), 1);
    ck_assert_int_lt(growths(500, 12), 6);
}
END_TEST

/* --- ends --- */

START_TEST(a_half_closed_channel_still_carries_the_other_way)
{
    struct mtls_channel *a, *b;

    core_link_open(&link, NULL);
    core_pair(&link, &a, &b);
    core_write(a, "request");
    ck_assert(mtls_session_end_data(a));
    ck_assert(mtls_session_end_data(a)); /* again is nothing */
    ck_assert_uint_eq(core_write(a, "more"), 0);
    core_settle(&link);
    core_expect(b, "request");
    ck_assert(core_at_end(b, MTLS_RX_ENDED));
    core_write(b, "answer");
    ck_assert(mtls_session_end_data(b));
    core_settle(&link);
    core_expect(a, "answer");
    ck_assert(core_at_end(a, MTLS_RX_ENDED));
    ck_assert_int_eq(a->life, MTLS_OPEN);
    mtls_session_release(a);
    mtls_session_release(b);
    both_empty();
    core_link_close(&link);
}
END_TEST

START_TEST(a_half_close_before_the_answer_goes_after_it)
{
    struct mtls_channel *a, *b;

    core_link_open(&link, NULL);
    a = core_open(&link.client, "x");
    ck_assert(mtls_session_end_data(a));
    core_settle(&link);
    b = core_accept(&link.server);
    core_settle(&link);
    ck_assert(core_at_end(b, MTLS_RX_ENDED));
    ck_assert_int_eq(b->life, MTLS_OPEN);
    mtls_session_release(a);
    mtls_session_release(b);
    both_empty();
    core_link_close(&link);
}
END_TEST

START_TEST(what_was_written_before_a_release_arrives_in_good_order)
{
    struct mtls_channel *a, *b;

    core_link_open(&link, NULL);
    core_pair(&link, &a, &b);
    core_write(a, "last words");
    mtls_session_release(a);
    core_settle(&link);
    core_expect(b, "last words");
    ck_assert(core_at_end(b, MTLS_RX_ENDED));
    ck_assert_int_eq(b->tx_reason, MTLS_R_CLOSED_BY_PEER);
    ck_assert_uint_eq(core_write(b, "too late"), 0);
    is_empty(&link.client);
    mtls_session_release(b);
    both_empty();
    core_link_close(&link);
}
END_TEST

START_TEST(a_reset_is_told_from_a_good_end)
{
    struct mtls_channel *a, *b;

    core_link_open(&link, NULL);
    core_pair(&link, &a, &b);
    core_write(a, "some");
    core_write(b, "never read");
    core_settle(&link);
    mtls_session_reset(a);
    ck_assert_uint_eq(a->buffer.length, 0);
    ck_assert_int_eq(a->rx_reason, MTLS_R_CHANNEL_RESET);
    core_settle(&link);
    core_expect(b, "some");
    ck_assert(core_at_end(b, MTLS_RX_CUT));
    mtls_session_release(a);
    mtls_session_release(b);
    both_empty();
    core_link_close(&link);
}
END_TEST

START_TEST(closes_that_cross_leave_nothing_behind)
{
    static const struct {
        int reset_a, reset_b, write;
    } rows[] = {{0, 0, 0}, {0, 1, 0}, {1, 0, 0}, {1, 1, 0}, {0, 0, 1}};

    core_link_open(&link, NULL);
    for (size_t i = 0; i < core_count(rows); i++) {
        struct mtls_channel *a, *b;

        core_pair(&link, &a, &b);
        if (rows[i].write) {
            core_write(a, "in flight");
            core_write(b, "in flight");
        }
        if (rows[i].reset_a)
            mtls_session_reset(a);
        if (rows[i].reset_b)
            mtls_session_reset(b);
        mtls_session_release(a);
        mtls_session_release(b);
        core_collect(&link.client);
        core_collect(&link.server);
        both_empty();
    }
    core_link_close(&link);
}
END_TEST

START_TEST(all_halves_can_be_used_again_and_again)
{
    struct mtls_session_config config;
    struct mtls_channel *a, *b;

    mtls_session_config_default(&config);
    config.max_channels = 1;
    core_link_open(&link, &config);
    for (int i = 0; i < 33000; i++) { /* more than there are even halves */
        if (i % 1000 != 0) {
            mtls_session_release(core_open(&link.client, "x"));
            continue;
        }
        core_pair(&link, &a, &b);
        mtls_session_release(i % 2000 ? a : b);
        core_settle(&link);
        mtls_session_release(i % 2000 ? b : a);
        core_settle(&link);
    }
    both_empty();
    core_link_close(&link);
}
END_TEST

START_TEST(a_session_closed_in_good_order_ends_its_channels_so)
{
    struct mtls_channel *a, *b, *opening, *asked;

    core_link_open(&link, NULL);
    core_pair(&link, &a, &b);
    opening = core_open(&link.client, "x");
    core_write(b, "unread");
    core_settle(&link);
    asked = core_open(&link.server, "y");
    core_settle(&link);
    core_write(a, "bye");
    mtls_session_close(link.client.session);
    ck_assert_uint_eq(core_write(a, "no"), 0);
    ck_assert_uint_eq(mtls_session_backlog(link.client.session), 0);
    core_settle(&link);
    core_expect(b, "bye");
    ck_assert(core_at_end(b, MTLS_RX_ENDED));
    core_expect(a, "unread");
    ck_assert_int_eq(asked->rx_reason, MTLS_R_CHANNEL_REFUSED);
    mtls_session_release(asked);
    mtls_session_release(a);
    mtls_session_release(b);
    mtls_session_release(opening);
    mtls_session_release(mtls_session_next_asked(link.server.session));
    both_empty();
    core_link_close(&link);
}
END_TEST

START_TEST(a_session_that_ends_cuts_its_channels_short)
{
    struct mtls_channel *a, *b, *opening, *asked, *ended;

    core_link_open(&link, NULL);
    core_pair(&link, &a, &b);
    core_pair(&link, &ended, &asked);
    mtls_session_end_data(asked);
    opening = core_open(&link.client, "x");
    core_write(b, "prefix");
    core_settle(&link);
    mtls_session_end(link.client.session);
    ck_assert_int_eq(opening->rx_reason, MTLS_R_SESSION_ENDED);
    ck_assert_int_eq(a->rx_reason, MTLS_R_TRUNCATED);
    ck_assert_int_eq(a->tx_reason, MTLS_R_SESSION_ENDED);
    ck_assert_int_eq(ended->rx, MTLS_RX_ENDED); /* D14 */
    core_expect(a, "prefix");
    ck_assert_uint_eq(core_write(a, "no"), 0);
    ck_assert(!mtls_session_can_receive(link.client.session));
    mtls_session_release(a);
    mtls_session_release(ended);
    mtls_session_release(opening);
    is_empty(&link.client);
    mtls_session_end(link.server.session);
    mtls_session_release(b);
    mtls_session_release(asked);
    is_empty(&link.server); /* and so has the Request that nobody took */
    core_link_close(&link);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        the_acceptor_learns_who_asks_for_what,
        initiator_halves_are_even_for_the_client_and_odd_for_the_server,
        a_refusal_carries_its_text,
        a_channel_needs_names_and_is_opened_once,
        an_opening_given_up_is_closed_when_it_is_answered,
        data_goes_both_ways,
        data_may_follow_the_success_at_once,
        credit_bounds_what_is_sent_until_it_is_read,
        what_a_reader_lends_is_filled_instead_of_the_buffer,
        a_window_grows_for_a_reader_that_keeps_up,
        a_window_grows_into_half_of_the_sessions_memory,
        a_window_grows_when_its_reader_stands_idle_for_long,
        a_half_closed_channel_still_carries_the_other_way,
        a_half_close_before_the_answer_goes_after_it,
        what_was_written_before_a_release_arrives_in_good_order,
        a_reset_is_told_from_a_good_end,
        closes_that_cross_leave_nothing_behind,
        all_halves_can_be_used_again_and_again,
        a_session_closed_in_good_order_ends_its_channels_so,
        a_session_that_ends_cuts_its_channels_short};

    return core_run("session_io", tests, core_count(tests));
}
