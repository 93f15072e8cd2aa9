/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* The records under construction: packed, sealed, sent in order. */
#include "core_suite.h"
#include "record.h"

#include <string.h>

static struct mtls_records records;

static void begin(void)
{
    memset(&records, 0, sizeof(records));
}

static void end(void)
{
    mtls_records_cleanup(&records);
    ck_assert_ptr_null(records.head);
    ck_assert_ptr_null(records.tail);
    ck_assert_uint_eq(records.count, 0);
}

/* Puts |n| octets in, in one piece; returns where, or NULL. */
static unsigned char *put(size_t n, unsigned int limit, int value)
{
    size_t room;
    int has = mtls_records_has_room(&records, n, limit);
    unsigned char *p = mtls_records_room(&records, n, limit, &room);

    ck_assert_int_eq(has, p != NULL);
    if (p == NULL)
        return NULL;
    ck_assert_uint_ge(room, n);
    memset(p, value, n);
    mtls_records_filled(&records, n);
    return p;
}

static size_t peek(const unsigned char **p)
{
    size_t len;

    *p = mtls_records_peek(&records, &len);
    ck_assert_int_eq(*p == NULL, len == 0);
    return len;
}

START_TEST(nothing_is_to_be_sent_at_first)
{
    const unsigned char *p;

    begin();
    ck_assert_uint_eq(peek(&p), 0);
    ck_assert_uint_eq(mtls_records_waiting(&records), 0);
    end();
}
END_TEST

START_TEST(what_fits_shares_a_record)
{
    const unsigned char *p;

    begin();
    put(10000, 4, 1);
    put(6384, 4, 2);
    ck_assert_uint_eq(records.count, 1);
    put(1, 4, 3);
    ck_assert_uint_eq(records.count, 2);
    ck_assert_uint_eq(mtls_records_waiting(&records), MTLS_RECORD_SIZE + 1);
    ck_assert_uint_eq(peek(&p), MTLS_RECORD_SIZE);
    ck_assert_uint_eq(p[9999], 1);
    ck_assert_uint_eq(p[10000], 2);
    mtls_records_sent(&records, MTLS_RECORD_SIZE);
    ck_assert_uint_eq(peek(&p), 1);
    ck_assert_uint_eq(p[0], 3);
    mtls_records_sent(&records, 1);
    ck_assert_uint_eq(peek(&p), 0);
    end();
}
END_TEST

START_TEST(what_was_shown_stays_the_same_until_sent)
{
    const unsigned char *p, *again;

    begin();
    put(100, 4, 1);
    ck_assert_uint_eq(peek(&p), 100);
    put(100, 4, 2);
    ck_assert_uint_eq(records.count, 2);
    ck_assert_uint_eq(peek(&again), 100);
    ck_assert_ptr_eq(again, p);
    mtls_records_sent(&records, 30);
    ck_assert_uint_eq(peek(&again), 70);
    ck_assert_ptr_eq(again, p + 30);
    put(10, 4, 3);
    ck_assert_uint_eq(records.count, 2);
    mtls_records_sent(&records, 70);
    ck_assert_uint_eq(peek(&p), 110);
    ck_assert_uint_eq(p[0], 2);
    ck_assert_uint_eq(p[100], 3);
    ck_assert_uint_eq(records.sent, 100);
    ck_assert_uint_eq(records.queued, 210);
    end();
}
END_TEST

START_TEST(the_limit_of_records_holds)
{
    begin();
    for (int i = 0; i < 4; i++)
        ck_assert_ptr_nonnull(put(MTLS_RECORD_SIZE, 4, i));
    ck_assert_ptr_null(put(1, 4, 9));
    ck_assert_ptr_nonnull(put(MTLS_RECORD_SIZE - 5, 5, 4));
    ck_assert_ptr_null(put(6, 5, 9));
    ck_assert_ptr_null(put(5, 4, 9)); /* it fits, but is over that limit */
    ck_assert_ptr_nonnull(put(5, 5, 5));
    ck_assert_uint_eq(records.count, 5);
    end();
}
END_TEST

START_TEST(the_last_record_allowed_may_be_filled_but_not_once_sealed)
{
    const unsigned char *p;

    begin();
    put(10, 1, 1);
    ck_assert_ptr_nonnull(put(10, 1, 2));
    peek(&p);
    ck_assert_ptr_null(put(10, 1, 3));
    end();
}
END_TEST

START_TEST(one_record_is_kept_to_spare)
{
    const unsigned char *p;
    struct mtls_record *first;

    begin();
    put(10, 4, 1);
    first = records.head;
    peek(&p);
    mtls_records_sent(&records, 10);
    ck_assert_ptr_eq(records.spare, first);
    put(10, 4, 2);
    ck_assert_ptr_eq(records.head, first);
    ck_assert_uint_eq(peek(&p), 10);
    ck_assert_uint_eq(p[0], 2);
    end();
}
END_TEST

START_TEST(a_record_may_be_filled_outside_and_added)
{
    struct mtls_record *record;
    const unsigned char *p;

    begin();
    put(10, 4, 1);
    record = mtls_records_take(&records);
    ck_assert_ptr_nonnull(record);
    memset(record->data, 2, 20);
    record->end = 20;
    ck_assert_uint_eq(records.queued, 10);
    mtls_records_add(&records, record);
    ck_assert_uint_eq(records.count, 2);
    ck_assert_uint_eq(records.queued, 30);
    put(5, 4, 3); /* goes behind it, not before */
    ck_assert_uint_eq(records.count, 2);
    peek(&p);
    mtls_records_sent(&records, 10);
    ck_assert_uint_eq(peek(&p), 25);
    ck_assert_uint_eq(p[19], 2);
    ck_assert_uint_eq(p[20], 3);
    end();
}
END_TEST

START_TEST(a_record_given_back_is_used_again_or_freed)
{
    struct mtls_record *one, *two;

    begin();
    one = mtls_records_take(&records);
    two = mtls_records_take(&records);
    ck_assert_ptr_ne(one, two);
    mtls_records_give_back(&records, one);
    mtls_records_give_back(&records, two); /* a leak, if it is not freed */
    ck_assert_ptr_eq(mtls_records_take(&records), one);
    mtls_records_give_back(&records, one);
    end();
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        nothing_is_to_be_sent_at_first,
        what_fits_shares_a_record,
        what_was_shown_stays_the_same_until_sent,
        the_limit_of_records_holds,
        the_last_record_allowed_may_be_filled_but_not_once_sealed,
        one_record_is_kept_to_spare,
        a_record_may_be_filled_outside_and_added,
        a_record_given_back_is_used_again_or_freed};

    return core_run("record", tests, core_count(tests));
}
