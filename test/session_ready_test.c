/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* Readiness: levels, rounds and interest; and whose turn it is to write. */
#include "core_link.h"

#include <string.h>

static struct core_link link;
static unsigned char big[100000];

enum {
    MANY = 8
};
static struct mtls_channel *a[MANY], *b[MANY];

static void begin(int n)
{
    core_link_open(&link, NULL);
    for (int i = 0; i < n; i++)
        core_pair(&link, &a[i], &b[i]);
}

static void end(int n)
{
    for (int i = 0; i < n; i++) {
        mtls_session_release(a[i]);
        mtls_session_release(b[i]);
    }
    core_settle(&link);
    core_link_close(&link);
}

/* What the next round tells of |c|. */
static unsigned int told(struct core_end *e, const struct mtls_channel *c)
{
    struct mtls_channel *ready;
    unsigned int events, sum = 0;

    mtls_session_new_round(e->session);
    while ((ready = mtls_session_next_ready(e->session, &events)) != NULL) {
        ck_assert_uint_ne(events, 0);
        if (ready == c) {
            ck_assert_uint_eq(sum, 0); /* once a round */
            sum |= events;
        }
    }
    return sum;
}

/* --- levels and interest --- */

START_TEST(opened_is_told_once)
{
    begin(1);
    ck_assert_uint_eq(told(&link.client, a[0]), MTLS_OPENED);
    ck_assert_uint_eq(told(&link.client, a[0]), 0);
    end(1);
}
END_TEST

START_TEST(readable_is_told_as_long_as_octets_wait)
{
    begin(1);
    core_write(a[0], "octets");
    core_settle(&link);
    ck_assert_uint_eq(told(&link.server, b[0]), MTLS_READABLE);
    ck_assert_uint_eq(told(&link.server, b[0]), MTLS_READABLE);
    core_expect(b[0], "octets");
    ck_assert_uint_eq(told(&link.server, b[0]), 0);
    core_write(a[0], "more");
    core_settle(&link);
    ck_assert_uint_eq(told(&link.server, b[0]), MTLS_READABLE);
    end(1);
}
END_TEST

START_TEST(the_end_is_readable_until_the_reader_was_told)
{
    begin(1);
    mtls_session_end_data(a[0]);
    core_settle(&link);
    ck_assert_uint_eq(told(&link.server, b[0]), MTLS_READABLE);
    ck_assert_uint_eq(told(&link.server, b[0]), MTLS_READABLE);
    mtls_session_told(b[0]);
    ck_assert_uint_eq(told(&link.server, b[0]), 0);
    end(1);
}
END_TEST

START_TEST(a_close_is_told_once_and_its_end_until_seen)
{
    begin(1);
    mtls_session_reset(a[0]);
    core_settle(&link);
    ck_assert_uint_eq(told(&link.server, b[0]), MTLS_OVER | MTLS_READABLE);
    ck_assert_uint_eq(told(&link.server, b[0]), MTLS_READABLE);
    mtls_session_told(b[0]);
    ck_assert_uint_eq(told(&link.server, b[0]), 0);
    end(1);
}
END_TEST

START_TEST(what_is_of_no_interest_is_kept_until_it_is)
{
    begin(1);
    mtls_session_set_interest(b[0], MTLS_WRITABLE);
    core_write(a[0], "octets");
    core_settle(&link);
    ck_assert_uint_eq(told(&link.server, b[0]), 0);
    mtls_session_reset(a[0]);
    core_settle(&link);
    ck_assert_uint_eq(told(&link.server, b[0]), 0);
    mtls_session_set_interest(b[0], MTLS_READABLE | MTLS_OVER);
    ck_assert_uint_eq(told(&link.server, b[0]), MTLS_READABLE | MTLS_OVER);
    end(1);
}
END_TEST

START_TEST(a_released_channel_is_not_told_of)
{
    begin(2);
    core_write(b[0], "octets");
    core_settle(&link);
    mtls_session_release(a[0]);
    core_settle(&link);
    ck_assert_uint_eq(told(&link.client, a[0]), 0);
    a[0] = core_open(&link.client, "x");
    end(2);
}
END_TEST

START_TEST(a_channel_that_becomes_ready_during_a_round_is_told_next_round)
{
    struct mtls_channel *ready;
    unsigned int events;

    begin(2);
    core_write(a[0], "x");
    core_settle(&link);
    mtls_session_new_round(link.server.session);
    ready = mtls_session_next_ready(link.server.session, &events);
    ck_assert_ptr_eq(ready, b[0]);
    core_write(a[0], "y");
    core_settle(&link);
    ck_assert_uint_eq(told(&link.server, b[0]), MTLS_READABLE);
    core_expect(b[0], "xy");
    ck_assert_uint_eq(told(&link.server, b[0]), 0);
    end(2);
}
END_TEST

/* --- a writer that was refused hears when it may write --- */

/* Fills what may wait to be sent; then |c| is refused. */
static void fill_queue(struct mtls_channel *by)
{
    while (mtls_session_write(by, big, 16375) != 0)
        ;
}

START_TEST(a_channel_that_never_tried_to_write_is_not_writable)
{
    begin(1);
    told(&link.client, a[0]);
    core_write(a[0], "x");
    core_settle(&link);
    ck_assert_uint_eq(told(&link.client, a[0]), 0);
    end(1);
}
END_TEST

START_TEST(a_writer_without_room_is_told_when_there_is)
{
    begin(2);
    told(&link.client, a[1]);
    fill_queue(a[0]);
    ck_assert_uint_eq(core_write(a[1], "x"), 0);
    ck_assert_uint_eq(told(&link.client, a[1]), 0);
    core_settle(&link);
    core_discard(b[0]);
    mtls_session_end_data(a[0]); /* which gives up its place */
    ck_assert_uint_eq(told(&link.client, a[1]), MTLS_WRITABLE);
    ck_assert_uint_eq(core_write(a[1], "x"), 1);
    ck_assert_uint_eq(told(&link.client, a[1]), 0);
    end(2);
}
END_TEST

START_TEST(a_writer_without_credit_is_told_when_it_comes)
{
    begin(1);
    told(&link.client, a[0]);
    do {
        core_settle(&link);
    } while (mtls_session_write(a[0], big, sizeof(big)) != 0);
    ck_assert_uint_eq(told(&link.client, a[0]), 0);
    core_discard(b[0]);
    core_settle(&link);
    ck_assert_uint_eq(told(&link.client, a[0]), MTLS_WRITABLE);
    end(1);
}
END_TEST

/* Credit that comes while there is no room must not be forgotten. */
START_TEST(credit_that_comes_while_the_queue_is_full_is_told_later)
{
    begin(2);
    do {
        core_settle(&link);
    } while (mtls_session_write(a[0], big, sizeof(big)) != 0);
    told(&link.client, a[0]);
    core_discard(b[0]);
    core_collect(&link.server);
    fill_queue(a[1]);
    core_deliver(&link.server.out, link.client.session, SIZE_MAX);
    ck_assert_uint_eq(told(&link.client, a[0]), 0); /* credit, but no room */
    core_settle(&link);
    mtls_session_end_data(a[1]);
    ck_assert_uint_eq(told(&link.client, a[0]), MTLS_WRITABLE);
    end(2);
}
END_TEST

START_TEST(a_writer_is_told_that_the_channel_is_over)
{
    begin(2);
    fill_queue(a[0]);
    ck_assert_uint_eq(core_write(a[1], "x"), 0);
    mtls_session_reset(b[1]);
    core_collect(&link.server);
    core_deliver(&link.server.out, link.client.session, SIZE_MAX);
    ck_assert(told(&link.client, a[1]) & MTLS_WRITABLE);
    ck_assert_uint_eq(core_write(a[1], "x"), 0);
    end(2);
}
END_TEST

/* --- turns --- */

START_TEST(writers_take_turns)
{
    size_t sent[MANY] = {0};

    begin(MANY);
    for (int round = 0; round < 400; round++) {
        for (int i = 0; i < MANY; i++)
            sent[i] += mtls_session_write(a[i], big, sizeof(big));
        core_move(&link);
        for (int i = 0; i < MANY; i++)
            core_discard(b[i]);
    }
    for (int i = 1; i < MANY; i++) {
        ck_assert_uint_gt(sent[i] * 10, sent[0] * 8);
        ck_assert_uint_gt(sent[0] * 10, sent[i] * 8);
    }
    end(MANY);
}
END_TEST

/* Level-triggered, as the tool does it: only who is told writes. */
START_TEST(no_writer_starves_among_those_that_write_when_told)
{
    size_t sent[MANY] = {0};
    struct mtls_channel *ready;
    unsigned int events;

    begin(MANY);
    for (int i = 0; i < MANY; i++)
        sent[i] += mtls_session_write(a[i], big, sizeof(big));
    for (int round = 0; round < 2000; round++) {
        mtls_session_new_round(link.client.session);
        while ((ready = mtls_session_next_ready(link.client.session,
                                                &events)) != NULL)
            for (int i = 0; i < MANY; i++)
                if (ready == a[i] && (events & MTLS_WRITABLE))
                    sent[i] += mtls_session_write(a[i], big, sizeof(big));
        core_move(&link);
        for (int i = 0; i < MANY; i++)
            core_discard(b[i]);
    }
    for (int i = 0; i < MANY; i++)
        ck_assert_uint_gt(sent[i], 1000000);
    end(MANY);
}
END_TEST

START_TEST(a_writer_that_gave_up_does_not_hold_its_place)
{
    begin(3);
    fill_queue(a[0]);
    ck_assert_uint_eq(core_write(a[1], "x"), 0); /* and never again */
    ck_assert_uint_eq(core_write(a[2], "x"), 0);
    core_settle(&link);
    mtls_session_end_data(a[0]);
    for (int round = 0; round < 10; round++)
        if (told(&link.client, a[2]) & MTLS_WRITABLE)
            break;
    ck_assert_uint_eq(core_write(a[2], "x"), 1);
    end(3);
}
END_TEST

/* Nobody asks who is ready: writers simply try again. */
START_TEST(a_writer_that_gave_up_does_not_hold_up_those_that_retry)
{
    int tries = 0;

    begin(2);
    fill_queue(a[0]);
    core_settle(&link);
    while (core_write(a[1], "x") == 0)
        ck_assert_int_lt(++tries, 5);
    end(2);
}
END_TEST

/* It was refused, and so is to be told, though others drove it out. */
START_TEST(a_writer_that_missed_its_turn_is_told_again)
{
    unsigned int sum = 0;

    begin(3);
    fill_queue(a[0]);
    ck_assert_uint_eq(core_write(a[1], "x"), 0);
    ck_assert_uint_eq(core_write(a[2], "x"), 0);
    core_settle(&link);
    mtls_session_end_data(a[0]);
    told(&link.client, a[1]); /* the program is slow */
    for (int i = 0; mtls_session_write(a[2], big, sizeof(big)) == 0; i++)
        ck_assert_int_lt(i, 5);
    sum |= told(&link.client, a[1]);
    core_settle(&link);
    mtls_session_end_data(a[2]);
    for (int round = 0; round < 5; round++) {
        core_settle(&link);
        sum |= told(&link.client, a[1]);
    }
    ck_assert(sum & MTLS_WRITABLE);
    ck_assert_uint_eq(core_write(a[1], "x"), 1);
    end(3);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        opened_is_told_once,
        readable_is_told_as_long_as_octets_wait,
        the_end_is_readable_until_the_reader_was_told,
        a_close_is_told_once_and_its_end_until_seen,
        what_is_of_no_interest_is_kept_until_it_is,
        a_released_channel_is_not_told_of,
        a_channel_that_becomes_ready_during_a_round_is_told_next_round,
        a_channel_that_never_tried_to_write_is_not_writable,
        a_writer_without_room_is_told_when_there_is,
        a_writer_without_credit_is_told_when_it_comes,
        credit_that_comes_while_the_queue_is_full_is_told_later,
        a_writer_is_told_that_the_channel_is_over,
        writers_take_turns,
        no_writer_starves_among_those_that_write_when_told,
        a_writer_that_gave_up_does_not_hold_its_place,
        a_writer_that_gave_up_does_not_hold_up_those_that_retry,
        a_writer_that_missed_its_turn_is_told_again};

    return core_run("session_ready", tests, core_count(tests));
}
