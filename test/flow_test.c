/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* The credit arithmetic of one channel, without a session (MTLS-05 2.2). */
#include "core_suite.h"
#include "flow.h"

#include <string.h>

/* --- what is announced --- */

static struct mtls_flow_tune tune_of(uint32_t rtt)
{
    struct mtls_flow_tune tune = {.rtt = rtt};

    return tune;
}

START_TEST(the_announced_packet_stays_below_the_window)
{
    ck_assert_uint_eq(mtls_flow_max_packet(65536, 16375), 16375);
    ck_assert_uint_eq(mtls_flow_max_packet(16376, 16375), 16375);
    ck_assert_uint_eq(mtls_flow_max_packet(16375, 16375), 16374);
    ck_assert_uint_eq(mtls_flow_max_packet(2, 16375), 1);
}
END_TEST

START_TEST(the_announced_packet_is_never_0)
{
    ck_assert_uint_eq(mtls_flow_max_packet(1, 16375), 1);
    ck_assert_uint_eq(mtls_flow_max_packet(0, 16375), 1);
}
END_TEST

/* --- the receiver --- */

START_TEST(a_packet_takes_its_length_off_the_credit)
{
    struct mtls_flow_rx rx;

    mtls_flow_rx_init(&rx, 1000, 600);
    ck_assert(mtls_flow_rx_packet(&rx, 600));
    ck_assert_uint_eq(rx.granted, 400);
    ck_assert_uint_eq(mtls_flow_rx_waiting(&rx), 600);
    ck_assert(mtls_flow_rx_packet(&rx, 400));
    ck_assert_uint_eq(rx.granted, 0);
}
END_TEST

START_TEST(one_octet_too_many_is_refused_and_takes_nothing)
{
    struct mtls_flow_rx rx;

    mtls_flow_rx_init(&rx, 1000, 600);
    ck_assert(!mtls_flow_rx_packet(&rx, 601));
    ck_assert(!mtls_flow_rx_packet(&rx, UINT32_MAX));
    ck_assert_uint_eq(rx.granted, 1000);
    ck_assert(mtls_flow_rx_packet(&rx, 600));
    ck_assert(!mtls_flow_rx_packet(&rx, 401));
    ck_assert_uint_eq(rx.granted, 400);
}
END_TEST

START_TEST(an_acknowledgment_is_due_once_half_a_window_was_read)
{
    struct mtls_flow_rx rx;

    mtls_flow_rx_init(&rx, 1000, 1000);
    mtls_flow_rx_packet(&rx, 1000);
    mtls_flow_rx_read(&rx, 499);
    ck_assert(!mtls_flow_rx_due(&rx));
    mtls_flow_rx_read(&rx, 1);
    ck_assert(mtls_flow_rx_due(&rx));
    ck_assert_uint_eq(mtls_flow_rx_grant(&rx), 500);
    ck_assert(!mtls_flow_rx_due(&rx));
    ck_assert_uint_eq(rx.granted, 500);
    ck_assert_uint_eq(mtls_flow_rx_waiting(&rx), 500);
}
END_TEST

START_TEST(a_large_window_is_acknowledged_by_parts)
{
    const uint32_t window = 16 * 1024 * 1024;
    struct mtls_flow_rx rx;

    mtls_flow_rx_init(&rx, window, window);
    mtls_flow_rx_packet(&rx, window);
    mtls_flow_rx_read(&rx, 1024 * 1024 - 1);
    ck_assert(!mtls_flow_rx_due(&rx));
    mtls_flow_rx_read(&rx, 1);
    ck_assert(mtls_flow_rx_due(&rx));
}
END_TEST

/* A reader that takes all at once makes one Acknowledgment of it. */
START_TEST(a_whole_window_at_once_may_take_twice_as_long)
{
    struct mtls_flow_tune tune = tune_of(100);
    struct mtls_flow_rx rx;

    mtls_flow_rx_init(&rx, 1000, 1000);
    mtls_flow_rx_packet(&rx, 1000);
    mtls_flow_rx_read(&rx, 1000);
    ck_assert(mtls_flow_tune_prompt(&tune, &rx, 200));
    ck_assert(!mtls_flow_tune_prompt(&tune, &rx, 201));
}
END_TEST

START_TEST(the_least_windows_are_acknowledged_too)
{
    for (uint32_t window = 1; window <= 3; window++) {
        struct mtls_flow_rx rx;

        mtls_flow_rx_init(&rx, window, 1);
        ck_assert(!mtls_flow_rx_due(&rx));
        mtls_flow_rx_packet(&rx, 1);
        ck_assert(!mtls_flow_rx_due(&rx));
        mtls_flow_rx_read(&rx, 1);
        ck_assert(mtls_flow_rx_due(&rx));
        ck_assert_uint_eq(mtls_flow_rx_grant(&rx), 1);
        ck_assert_uint_eq(rx.granted, window);
    }
}
END_TEST

START_TEST(a_wider_window_is_granted_with_the_next_acknowledgment)
{
    struct mtls_flow_rx rx;

    mtls_flow_rx_init(&rx, 1000, 999);
    mtls_flow_rx_packet(&rx, 600);
    mtls_flow_rx_read(&rx, 500);
    mtls_flow_rx_grow(&rx, 1000);
    ck_assert_uint_eq(rx.granted, 400);
    ck_assert_uint_eq(mtls_flow_rx_waiting(&rx), 100);
    ck_assert_uint_eq(mtls_flow_rx_grant(&rx), 1500);
    ck_assert_uint_eq(rx.granted, 1900);
    ck_assert_uint_eq(mtls_flow_rx_waiting(&rx), 100);
}
END_TEST

START_TEST(closing_gives_back_all_but_what_waits_and_draining_the_rest)
{
    struct mtls_flow_rx rx;

    mtls_flow_rx_init(&rx, 1000, 999);
    mtls_flow_rx_packet(&rx, 600);
    mtls_flow_rx_read(&rx, 250);
    ck_assert_uint_eq(mtls_flow_rx_close(&rx), 650);
    ck_assert_uint_eq(mtls_flow_rx_waiting(&rx), 350);
    ck_assert(!mtls_flow_rx_packet(&rx, 1));
    mtls_flow_rx_read(&rx, 50);
    ck_assert_uint_eq(mtls_flow_rx_close(&rx), 50);
    ck_assert_uint_eq(mtls_flow_rx_drain(&rx), 300);
    ck_assert_uint_eq(mtls_flow_rx_close(&rx), 0);
    ck_assert_uint_eq(mtls_flow_rx_drain(&rx), 0);
    ck_assert_uint_eq(rx.window, 0);
}
END_TEST

/* What the header of flow.h promises, whatever happens. */
START_TEST(the_window_is_what_is_granted_freed_and_unread)
{
    struct core_random random = core_random_of(core_seed(1));
    struct mtls_flow_rx rx;
    uint64_t unread = 0, peer_credit = 5000;

    mtls_flow_rx_init(&rx, 5000, 700);
    for (int i = 0; i < 100000; i++) {
        uint32_t n = core_below(&random, 900);

        if (core_chance(&random, 2)) {
            int fits = n <= 700 && n <= peer_credit;

            core_must(mtls_flow_rx_packet(&rx, n) == fits);
            unread += fits ? n : 0;
            peer_credit -= fits ? n : 0;
        } else {
            n = n < unread ? n : (uint32_t)unread;
            mtls_flow_rx_read(&rx, n);
            unread -= n;
        }
        if (core_chance(&random, 1000))
            mtls_flow_rx_grow(&rx, n);
        if (mtls_flow_rx_due(&rx))
            peer_credit += mtls_flow_rx_grant(&rx);
        core_must(rx.granted == peer_credit);
        core_must(mtls_flow_rx_waiting(&rx) == unread);
    }
}
END_TEST

/* --- the sender --- */

START_TEST(credit_adds_up_to_but_not_over_the_limit_of_32_bits)
{
    struct mtls_flow_tx tx = {UINT32_MAX - 10, 5};

    ck_assert(mtls_flow_tx_add(&tx, 10));
    ck_assert_uint_eq(tx.credit, UINT32_MAX);
    ck_assert(mtls_flow_tx_add(&tx, 0));
    ck_assert(!mtls_flow_tx_add(&tx, 1));
    ck_assert(!mtls_flow_tx_add(&tx, UINT32_MAX));
    ck_assert_uint_eq(tx.credit, UINT32_MAX);
}
END_TEST

START_TEST(a_packet_keeps_to_credit_and_max_packet)
{
    struct mtls_flow_tx tx = {100, 200};

    ck_assert_uint_eq(mtls_flow_tx_limit(&tx), 100);
    tx.credit = 300;
    ck_assert_uint_eq(mtls_flow_tx_limit(&tx), 200);
    tx.credit = 0;
    ck_assert_uint_eq(mtls_flow_tx_limit(&tx), 0);
}
END_TEST

/* --- self-tuning --- */

static const char a, b; /* two channels */

static void received(struct mtls_flow_tune *tune, const void *channel,
                     uint64_t offset, uint64_t now)
{
    if (mtls_flow_tune_waits(tune, channel, offset))
        mtls_flow_tune_received(tune, now);
}

START_TEST(a_round_trip_ends_with_data_beyond_the_old_credit)
{
    struct mtls_flow_tune tune = tune_of(0);

    mtls_flow_tune_sent(&tune, &a, 1000, 50);
    received(&tune, &a, 1000, 90);
    ck_assert_uint_eq(tune.rtt, 0);
    received(&tune, &b, 5000, 95);
    ck_assert_uint_eq(tune.rtt, 0);
    received(&tune, &a, 1001, 150);
    ck_assert_uint_eq(tune.rtt, 100);
    ck_assert_ptr_null(tune.watched);
}
END_TEST

START_TEST(the_least_round_trip_counts_and_is_never_0)
{
    struct mtls_flow_tune tune = tune_of(0);

    mtls_flow_tune_sent(&tune, &a, 0, 100);
    received(&tune, &a, 1, 140);
    mtls_flow_tune_sent(&tune, &a, 1, 200);
    received(&tune, &a, 2, 290);
    ck_assert_uint_eq(tune.rtt, 40);
    mtls_flow_tune_sent(&tune, &a, 2, 300);
    received(&tune, &a, 3, 300);
    ck_assert_uint_eq(tune.rtt, 1);
}
END_TEST

START_TEST(one_is_watched_at_a_time_until_it_is_stale_or_gone)
{
    struct mtls_flow_tune tune = tune_of(0);

    mtls_flow_tune_sent(&tune, &a, 10, 100);
    mtls_flow_tune_sent(&tune, &b, 20, 200);
    ck_assert_ptr_eq(tune.watched, &a);
    mtls_flow_tune_forget(&tune, &b);
    ck_assert_ptr_eq(tune.watched, &a);
    mtls_flow_tune_sent(&tune, &b, 20, 100 + 10 * 1000 * 1000);
    ck_assert_ptr_eq(tune.watched, &b);
    mtls_flow_tune_forget(&tune, &b);
    ck_assert_ptr_null(tune.watched);
}
END_TEST

START_TEST(a_window_grows_when_it_alone_holds_the_peer_up)
{
    static const struct {
        uint32_t rtt, window, unread, cap;
        uint32_t elapsed;
        uint32_t wanted;
        const char *why;
    } rows[] = {
        {100, 1000, 0, 16000, 50, 1000, "doubles"},
        {100, 1000, 250, 16000, 100, 1000, "a quarter unread is keeping up"},
        {100, 1000, 251, 16000, 50, 0, "the reader falls behind"},
        {100, 1000, 0, 16000, 101, 0, "the sender is slow"},
        {0, 1000, 0, 16000, 50, 0, "the round trip is unknown"},
        {100, 1000, 0, 1500, 50, 500, "up to the cap"},
        {100, 1000, 0, 1000, 50, 0, "at the cap"},
        {100, 1000, 0, 900, 50, 0, "over the cap"},
        {100, UINT32_MAX - 1, 0, UINT32_MAX, 50, 1, "up to 2^32-1"}};

    for (size_t i = 0; i < core_count(rows); i++) {
        struct mtls_flow_tune tune = tune_of(rows[i].rtt);
        struct mtls_flow_rx rx;
        uint32_t wanted;

        mtls_flow_rx_init(&rx, rows[i].window, rows[i].window);
        mtls_flow_rx_packet(&rx, rows[i].unread);
        mtls_flow_rx_packet(&rx, rows[i].window / 2);
        mtls_flow_rx_read(&rx, rows[i].window / 2);
        wanted = mtls_flow_tune_prompt(&tune, &rx, rows[i].elapsed)
                     ? mtls_flow_rx_wanted(&rx, rows[i].cap, 0)
                     : 0;
        ck_assert_msg(wanted == rows[i].wanted, "%s", rows[i].why);
    }
}
END_TEST

START_TEST(a_small_window_that_is_used_up_fast_grows)
{
    struct mtls_flow_rx rx;

    mtls_flow_rx_init(&rx, 65536, 16375);
    ck_assert(mtls_flow_tune_hurries(&rx, 99));
    ck_assert(!mtls_flow_tune_hurries(&rx, 100));
    mtls_flow_rx_init(&rx, 320 * 1024, 16375);
    ck_assert(!mtls_flow_tune_hurries(&rx, 0));
}
END_TEST

START_TEST(a_reader_that_waits_half_of_the_time_starves)
{
    struct mtls_flow_rx rx;

    ck_assert(mtls_flow_tune_starves(50, 100));
    ck_assert(!mtls_flow_tune_starves(49, 100));
    ck_assert(mtls_flow_tune_starves(UINT32_MAX, UINT32_MAX));
    mtls_flow_rx_init(&rx, 1000, 1000);
    mtls_flow_rx_packet(&rx, 1000);
    ck_assert_uint_eq(mtls_flow_rx_wanted(&rx, 16000, 1), 500);
    ck_assert_uint_eq(mtls_flow_rx_wanted(&rx, 1200, 1), 200);
    ck_assert_uint_eq(mtls_flow_rx_wanted(&rx, 1000, 1), 0);
}
END_TEST

START_TEST(a_window_widens_less_on_a_short_way)
{
    struct mtls_flow_tune tune = {.rtt = 999};

    ck_assert_uint_eq(mtls_flow_tune_most(&tune, 1 << 20, 1), 320 * 1024);
    ck_assert_uint_eq(mtls_flow_tune_most(&tune, 1 << 20, 0), 1 << 20);
    ck_assert_uint_eq(mtls_flow_tune_most(&tune, 1000, 1), 1000);
    tune.rtt = 1000;
    ck_assert_uint_eq(mtls_flow_tune_most(&tune, 1 << 20, 1), 1 << 20);
    tune.rtt = 199;
    ck_assert_uint_eq(mtls_flow_tune_most(&tune, 1 << 20, 0), 320 * 1024);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        the_announced_packet_stays_below_the_window,
        the_announced_packet_is_never_0,
        a_packet_takes_its_length_off_the_credit,
        one_octet_too_many_is_refused_and_takes_nothing,
        an_acknowledgment_is_due_once_half_a_window_was_read,
        a_large_window_is_acknowledged_by_parts,
        a_whole_window_at_once_may_take_twice_as_long,
        the_least_windows_are_acknowledged_too,
        a_wider_window_is_granted_with_the_next_acknowledgment,
        closing_gives_back_all_but_what_waits_and_draining_the_rest,
        the_window_is_what_is_granted_freed_and_unread,
        credit_adds_up_to_but_not_over_the_limit_of_32_bits,
        a_packet_keeps_to_credit_and_max_packet,
        a_round_trip_ends_with_data_beyond_the_old_credit,
        the_least_round_trip_counts_and_is_never_0,
        one_is_watched_at_a_time_until_it_is_stale_or_gone,
        a_window_grows_when_it_alone_holds_the_peer_up,
        a_small_window_that_is_used_up_fast_grows,
        a_reader_that_waits_half_of_the_time_starves,
        a_window_widens_less_on_a_short_way};

    return core_run("flow", tests, core_count(tests));
}
