/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* The way out: packing, drafts, what a retry must find again. */
#include "core_link.h"
#include "record.h"

#include <stdlib.h>
#include <string.h>

static struct core_link link;
static unsigned char big[100000];

static void begin(struct mtls_channel **a, struct mtls_channel **b)
{
    core_link_open(&link, NULL);
    core_pair(&link, a, b);
}

static void end(struct mtls_channel *a, struct mtls_channel *b)
{
    mtls_session_release(a);
    mtls_session_release(b);
    core_settle(&link);
    ck_assert(!mtls_session_wants_write(link.client.session));
    core_link_close(&link);
}

/* What the client would send next, as one record. */
static size_t peek(const unsigned char **p)
{
    size_t len;

    *p = mtls_session_send_buf(link.client.session, &len);
    return *p == NULL ? 0 : len;
}

/* --- packing --- */

START_TEST(small_writes_share_a_record)
{
    struct mtls_channel *a, *b;
    const unsigned char *p;

    begin(&a, &b);
    for (int i = 0; i < 100; i++)
        ck_assert_uint_eq(core_write(a, "0123456789"), 10);
    ck_assert_uint_eq(peek(&p), 1900);
    core_settle(&link);
    ck_assert_uint_eq(b->buffer.length, 1000);
    end(a, b);
}
END_TEST

START_TEST(writes_of_several_channels_share_a_record)
{
    struct mtls_channel *a[5], *b[5];
    const unsigned char *p;

    core_link_open(&link, NULL);
    for (int i = 0; i < 5; i++)
        core_pair(&link, &a[i], &b[i]);
    for (int i = 0; i < 5; i++)
        core_write(a[i], "0123456789");
    ck_assert_uint_eq(peek(&p), 95);
    core_settle(&link);
    for (int i = 0; i < 5; i++) {
        core_expect(b[i], "0123456789");
        mtls_session_release(a[i]);
        mtls_session_release(b[i]);
    }
    core_settle(&link);
    core_link_close(&link);
}
END_TEST

START_TEST(a_large_write_fills_records_and_no_header_is_alone)
{
    struct mtls_channel *a, *b;
    struct core_packet packet;
    const unsigned char *p;

    begin(&a, &b);
    ck_assert_uint_eq(mtls_session_write(a, big, sizeof(big)),
                      4 * (MTLS_RECORD_SIZE - 9));
    for (int i = 0; i < 4; i++) {
        size_t len = peek(&p);

        ck_assert_uint_eq(len, MTLS_RECORD_SIZE);
        ck_assert_uint_eq(core_packet_read(p, len, &packet), len);
        ck_assert_uint_eq(packet.len, MTLS_RECORD_SIZE - 9);
        core_pipe_put(&link.client.out, p, len);
        mtls_session_send_ack(link.client.session, len);
    }
    ck_assert_uint_eq(peek(&p), 0);
    end(a, b);
}
END_TEST

/* Whatever room is left, each packet lies whole in its record. */
START_TEST(a_packet_does_not_straddle_records)
{
    struct core_random random = core_random_of(core_seed(4));
    struct mtls_channel *a, *b;
    struct core_packet packet;
    const unsigned char *p;

    begin(&a, &b);
    for (int i = 0; i < 500; i++) {
        for (int k = 0; k < 10; k++)
            mtls_session_write(a, big, 1 + core_below(&random, 9000));
        for (size_t len; (len = peek(&p)) != 0;) {
            for (size_t at = 0; at < len;) {
                long n = core_packet_read(p + at, len - at, &packet);

                ck_assert_int_gt(n, 0);
                ck_assert(packet.type != CORE_DATA || packet.len > 0);
                at += (size_t)n;
            }
            core_pipe_put(&link.client.out, p, len);
            mtls_session_send_ack(link.client.session, len);
        }
        core_settle(&link);
        core_discard(b);
        core_settle(&link);
    }
    end(a, b);
}
END_TEST

START_TEST(a_record_on_offer_stays_as_it_is_until_it_is_sent)
{
    struct mtls_channel *a, *b;
    const unsigned char *p, *again;
    unsigned char copy[MTLS_RECORD_SIZE];
    size_t len;

    begin(&a, &b);
    core_write(a, "first");
    len = peek(&p);
    memcpy(copy, p, len);
    core_write(a, "second");
    mtls_session_end_data(a);
    ck_assert_uint_eq(peek(&again), len);
    ck_assert_ptr_eq(again, p);
    ck_assert_mem_eq(p, copy, len);
    core_pipe_put(&link.client.out, p, 3); /* the transport took three */
    mtls_session_send_ack(link.client.session, 3);
    ck_assert_uint_eq(peek(&again), len - 3);
    ck_assert_ptr_eq(again, p + 3);
    core_settle(&link);
    core_expect(b, "firstsecond");
    ck_assert(core_at_end(b, MTLS_RX_ENDED));
    end(a, b);
}
END_TEST

START_TEST(the_transport_may_take_one_octet_at_a_time)
{
    struct mtls_channel *a, *b;
    const unsigned char *p;

    begin(&a, &b);
    mtls_session_write(a, big, 3000);
    mtls_session_end_data(a);
    while (peek(&p) != 0) {
        core_pipe_put(&link.client.out, p, 1);
        mtls_session_send_ack(link.client.session, 1);
        if (link.client.out.end % 1000 == 0)
            mtls_session_write(a, big, 1); /* refused: it has ended */
    }
    core_settle(&link);
    ck_assert_uint_eq(core_discard(b), 3000);
    ck_assert(core_at_end(b, MTLS_RX_ENDED));
    end(a, b);
}
END_TEST

START_TEST(what_waits_to_be_sent_is_bounded)
{
    struct mtls_channel *a[50], *b[50];
    uint64_t queued;

    core_link_open(&link, NULL);
    for (int i = 0; i < 50; i++)
        core_pair(&link, &a[i], &b[i]);
    queued = mtls_session_queued(link.client.session);
    for (int i = 0; i < 50; i++)
        mtls_session_write(a[i], big, sizeof(big));
    core_check(link.client.session);
    ck_assert_uint_le(mtls_session_queued(link.client.session) - queued,
                      4 * MTLS_RECORD_SIZE);
    for (int i = 0; i < 50; i++) {
        mtls_session_release(a[i]);
        mtls_session_release(b[i]);
    }
    core_settle(&link);
    core_link_close(&link);
}
END_TEST

/* --- drafts --- */

START_TEST(a_draft_is_filled_in_place_and_sent)
{
    struct mtls_channel *a, *b;
    unsigned char *p;
    size_t room;

    begin(&a, &b);
    p = mtls_session_write_room(a, &room);
    ck_assert_ptr_nonnull(p);
    ck_assert_uint_eq(room, MTLS_RECORD_SIZE - 9);
    memcpy(p, "draft", 5);
    mtls_session_wrote(a, 5);
    core_settle(&link);
    ck_assert_uint_eq(b->buffer.length, 0);
    mtls_session_send_drafts(link.client.session);
    core_settle(&link);
    core_expect(b, "draft");
    end(a, b);
}
END_TEST

START_TEST(a_draft_may_be_filled_after_wrote_until_the_next_call)
{
    struct mtls_channel *a, *b;
    unsigned char *p;
    size_t room;

    begin(&a, &b);
    p = mtls_session_write_room(a, &room);
    mtls_session_wrote(a, 5);
    core_settle(&link); /* others' business */
    memcpy(p, "later", 5);
    core_write(a, " and more");
    core_settle(&link);
    core_expect(b, "later and more");
    p = mtls_session_write_room(a, &room);
    mtls_session_wrote(a, 3);
    memcpy(p, "end", 3);
    mtls_session_end_data(a);
    core_settle(&link);
    core_expect(b, "end");
    ck_assert(core_at_end(b, MTLS_RX_ENDED));
    end(a, b);
}
END_TEST

START_TEST(room_lent_and_not_used_sends_nothing)
{
    struct mtls_channel *a, *b;
    size_t room;
    unsigned char *p;

    begin(&a, &b);
    p = mtls_session_write_room(a, &room);
    ck_assert_ptr_eq(mtls_session_write_room(a, &room), p);
    mtls_session_wrote(a, 0);
    mtls_session_send_drafts(link.client.session);
    core_write(a, "x");
    core_settle(&link);
    core_expect(b, "x");
    end(a, b);
}
END_TEST

START_TEST(drafts_keep_to_credit_and_are_counted)
{
    struct mtls_channel *a, *b;
    size_t room, sum = 0;

    begin(&a, &b);
    while (mtls_session_write_room(a, &room) != NULL) {
        mtls_session_wrote(a, room);
        mtls_session_send_drafts(link.client.session);
        core_settle(&link);
        sum += room;
    }
    ck_assert_uint_eq(sum, 65536);
    ck_assert_uint_eq(b->buffer.length, 65536);
    ck_assert_uint_eq(a->out.credit, 0);
    end(a, b);
}
END_TEST

START_TEST(drafts_of_many_channels_are_bounded)
{
    struct mtls_channel *a[20], *b[20];
    size_t room;
    int lent = 0;

    core_link_open(&link, NULL);
    for (int i = 0; i < 20; i++)
        core_pair(&link, &a[i], &b[i]);
    for (int i = 0; i < 20; i++) {
        if (mtls_session_write_room(a[i], &room) != NULL) {
            mtls_session_wrote(a[i], room);
            lent++;
        }
    }
    ck_assert_int_eq(lent, 4);
    mtls_session_send_drafts(link.client.session);
    core_check(link.client.session);
    for (int i = 0; i < 20; i++) {
        mtls_session_release(a[i]);
        mtls_session_release(b[i]);
    }
    core_settle(&link);
    core_link_close(&link);
}
END_TEST

START_TEST(a_long_draft_goes_as_its_own_record_and_a_short_one_is_packed)
{
    struct mtls_channel *a, *b;
    const unsigned char *p;
    size_t room;

    begin(&a, &b);
    core_write(a, "x");
    mtls_session_write_room(a, &room);
    mtls_session_wrote(a, 10);
    mtls_session_send_drafts(link.client.session);
    mtls_session_write_room(a, &room);
    mtls_session_wrote(a, 10000);
    mtls_session_send_drafts(link.client.session);
    ck_assert_uint_eq(peek(&p), 29);
    core_settle(&link);
    ck_assert_uint_eq(core_discard(b), 10011);
    end(a, b);
}
END_TEST

/* What was lent is the program's until the channel's next call. */
static void lose_channel(struct mtls_channel *a, struct mtls_channel *b,
                         size_t wrote)
{
    unsigned char *p;
    size_t room;

    p = mtls_session_write_room(a, &room);
    mtls_session_wrote(a, wrote);
    mtls_session_reset(b);
    core_settle(&link);
    ck_assert_int_eq(a->life, MTLS_CLOSED);
    memset(p, 1, room); /* a use after free, had it been taken away */
}

START_TEST(room_lent_outlives_the_peers_close)
{
    struct mtls_channel *a, *b, *c, *d;

    for (size_t wrote = 0; wrote < 10; wrote += 5) {
        begin(&a, &b);
        core_pair(&link, &c, &d);
        lose_channel(a, b, wrote);
        mtls_session_send_drafts(link.client.session);
        core_write(c, "unharmed");
        core_settle(&link);
        core_expect(d, "unharmed");
        mtls_session_release(c);
        mtls_session_release(d);
        end(a, b);
    }
}
END_TEST

START_TEST(room_lent_is_not_shared_with_another_record)
{
    struct mtls_channel *a, *b, *c, *d;
    unsigned char *p;
    size_t room;

    begin(&a, &b);
    core_pair(&link, &c, &d);
    p = mtls_session_write_room(a, &room);
    mtls_session_reset(b);
    core_settle(&link);
    core_write(c, "unharmed");
    memset(p, 1, room);
    core_settle(&link);
    core_expect(d, "unharmed");
    mtls_session_release(c);
    mtls_session_release(d);
    end(a, b);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        small_writes_share_a_record,
        writes_of_several_channels_share_a_record,
        a_large_write_fills_records_and_no_header_is_alone,
        a_packet_does_not_straddle_records,
        a_record_on_offer_stays_as_it_is_until_it_is_sent,
        the_transport_may_take_one_octet_at_a_time,
        what_waits_to_be_sent_is_bounded,
        a_draft_is_filled_in_place_and_sent,
        a_draft_may_be_filled_after_wrote_until_the_next_call,
        room_lent_and_not_used_sends_nothing,
        drafts_keep_to_credit_and_are_counted,
        drafts_of_many_channels_are_bounded,
        a_long_draft_goes_as_its_own_record_and_a_short_one_is_packed,
        room_lent_outlives_the_peers_close,
        room_lent_is_not_shared_with_another_record};

    return core_run("session_write", tests, core_count(tests));
}
