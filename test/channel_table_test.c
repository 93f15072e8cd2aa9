/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* Which halves are in use: all 65,536 of them (wire format, D2 and D3). */
#include "channel_table.h"
#include "core_suite.h"

#include <string.h>

static struct mtls_channel_table table;
static char channels[2]; /* only their addresses are used */

static struct mtls_channel *channel(int which)
{
    return (void *)&channels[which];
}

static void begin(void)
{
    memset(&table, 0, sizeof(table));
}

static void end(void)
{
    mtls_channel_table_cleanup(&table);
    ck_assert_ptr_null(mtls_channel_table_at(&table, 0));
}

static int reserve(int parity, int initiator, uint16_t *half)
{
    return mtls_channel_table_reserve(&table, channel(0), parity, initiator,
                                      half);
}

START_TEST(an_empty_table_has_no_channel)
{
    begin();
    for (unsigned int half = 0; half < MTLS_HALVES; half++)
        ck_assert_ptr_null(mtls_channel_table_at(&table, (uint16_t)half));
    end();
}
END_TEST

START_TEST(each_parity_has_32768_halves_and_no_more)
{
    static unsigned char seen[MTLS_HALVES];
    uint16_t half;

    begin();
    for (int parity = 0; parity < 2; parity++) {
        for (unsigned int i = 0; i < MTLS_HALVES / 2; i++) {
            core_must(reserve(parity, parity, &half) == 1);
            core_must((half & 1) == parity);
            core_must(seen[half] == 0);
            seen[half] = 1;
            core_must(mtls_channel_table_at(&table, half) == channel(0));
        }
        core_must(reserve(parity, parity, &half) == 0);
        core_must(reserve(parity, !parity, &half) == 0);
    }
    end();
}
END_TEST

START_TEST(a_released_half_can_be_had_again)
{
    uint16_t half;

    begin();
    for (unsigned int i = 0; i < MTLS_HALVES / 2; i++)
        core_must(reserve(1, 1, &half) == 1);
    for (unsigned int wanted = 1; wanted < MTLS_HALVES; wanted += 4094) {
        mtls_channel_table_release(&table, (uint16_t)wanted);
        ck_assert_ptr_null(mtls_channel_table_at(&table, (uint16_t)wanted));
        core_must(reserve(1, 1, &half) == 1);
        core_must(half == wanted);
        core_must(reserve(1, 1, &half) == 0);
    }
    end();
}
END_TEST

START_TEST(a_half_just_released_is_the_last_to_come_again)
{
    uint16_t first, half;

    begin();
    reserve(0, 1, &first);
    mtls_channel_table_release(&table, first);
    for (unsigned int i = 1; i < MTLS_HALVES / 2; i++) {
        reserve(0, 1, &half);
        core_must(half != first);
    }
    reserve(0, 1, &half);
    core_must(half == first);
    end();
}
END_TEST

/* Else id (a, b) could name our channel and the peer's (D3). */
START_TEST(an_initiator_avoids_the_halves_that_the_peer_initiates_with)
{
    uint16_t half;

    begin();
    ck_assert(mtls_half_set_add(&table.peer_initiator, 0));
    ck_assert(mtls_half_set_add(&table.peer_initiator, 4));
    reserve(0, 1, &half);
    ck_assert_uint_eq(half, 2);
    reserve(0, 1, &half);
    ck_assert_uint_eq(half, 6);
    mtls_half_set_remove(&table.peer_initiator, 4);
    for (unsigned int i = 3; i < MTLS_HALVES / 2; i++)
        ck_assert_int_eq(reserve(0, 1, &half), 1);
    ck_assert_uint_eq(half, 4);
    ck_assert_int_eq(reserve(0, 1, &half), 0); /* 0 is free, but not for it */
    ck_assert_int_eq(reserve(0, 0, &half), 1);
    ck_assert_uint_eq(half, 0);
    end();
}
END_TEST

START_TEST(an_acceptor_need_not_avoid_them)
{
    uint16_t half;

    begin();
    ck_assert(mtls_half_set_add(&table.peer_initiator, 1));
    reserve(1, 0, &half);
    ck_assert_uint_eq(half, 1);
    end();
}
END_TEST

START_TEST(a_set_holds_each_half_by_itself)
{
    static struct mtls_half_set *set = &table.peer_acceptor;

    begin();
    for (unsigned int half = 0; half < MTLS_HALVES; half += 3) {
        core_must(!mtls_half_set_has(set, (uint16_t)half));
        core_must(mtls_half_set_add(set, (uint16_t)half));
    }
    for (unsigned int half = 0; half < MTLS_HALVES; half++)
        core_must(mtls_half_set_has(set, (uint16_t)half) == (half % 3 == 0));
    for (unsigned int half = 0; half < MTLS_HALVES; half += 6)
        mtls_half_set_remove(set, (uint16_t)half);
    for (unsigned int half = 0; half < MTLS_HALVES; half++)
        core_must(mtls_half_set_has(set, (uint16_t)half) == (half % 6 == 3));
    end();
}
END_TEST

START_TEST(removing_what_a_set_never_had_is_nothing)
{
    begin();
    mtls_half_set_remove(&table.peer_acceptor, 77);
    ck_assert(!mtls_half_set_has(&table.peer_acceptor, 77));
    end();
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        an_empty_table_has_no_channel,
        each_parity_has_32768_halves_and_no_more,
        a_released_half_can_be_had_again,
        a_half_just_released_is_the_last_to_come_again,
        an_initiator_avoids_the_halves_that_the_peer_initiates_with,
        an_acceptor_need_not_avoid_them,
        a_set_holds_each_half_by_itself,
        removing_what_a_set_never_had_is_nothing};

    return core_run("channel_table", tests, core_count(tests));
}
