/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* What a hostile or faulty peer may do about credit and closing. */
#include "core_attacked.h"

#include <mtls/mtls_err.h>
#include <string.h>

static unsigned char big[200000];

/* Data of 16,000 octets each, up to |len| in all. */
static void say_much(size_t len)
{
    for (size_t n; len > 0; len -= n) {
        n = len < 16000 ? len : 16000;
        core_say_data(&at.link, at.id, n);
    }
}

/* --- credit --- */

START_TEST(W1_one_octet_over_the_credit)
{
    core_attacked_begin();
    say_much(65536);
    ck_assert_uint_eq(at.ch->buffer.length, 65536);
    core_say_data(&at.link, at.id, 1);
    ck_assert_int_eq(at.ch->rx, MTLS_RX_FAILED);
    ck_assert_uint_eq(core_discard(at.ch), 65536); /* what came before */
    core_attacked_failed(MTLS_R_CREDIT_OVERRUN);
    core_attacked_end();
}
END_TEST

START_TEST(W1_one_octet_over_max_packet)
{
    core_attacked_begin();
    core_say_data(&at.link, at.id, 16375);
    ck_assert_int_eq(at.ch->life, MTLS_OPEN);
    core_say_data(&at.link, at.id, 16376);
    ck_assert_uint_eq(at.ch->buffer.length, 16375);
    core_attacked_failed(MTLS_R_PACKET_TOO_LONG);
    core_attacked_end();
}
END_TEST

START_TEST(W2_acknowledgments_past_32_bits)
{
    core_attacked_begin();
    core_say(&at.link, "124 4", CORE_ACK, 11, at.id, UINT32_MAX - 65536);
    ck_assert_uint_eq(at.ch->out.credit, UINT32_MAX);
    core_say(&at.link, "124 4", CORE_ACK, 11, at.id, 1);
    core_attacked_failed(MTLS_R_WINDOW_OVERFLOW);
    core_attacked_end();
}
END_TEST

START_TEST(W2_a_million_acknowledgments)
{
    core_attacked_begin();
    for (int i = 0; i < 1000000; i++)
        core_say(&at.link, "124 4", CORE_ACK, 11, at.id, i < 500000);
    ck_assert_uint_eq(at.ch->out.credit, 65536 + 500000);
    ck_assert_uint_eq(core_attacked_stats().ignored, 500000);
    core_silent(&at.link);
    core_healthy(&at.link);
    core_attacked_end();
}
END_TEST

START_TEST(W3_values_for_unknown_and_closing_channels)
{
    core_attacked_begin();
    for (unsigned int type = CORE_NEW_MAX; type <= CORE_ACK; type++) {
        core_say(&at.link, "124 4", type, 11, 0x12345678, 0);
        core_say(&at.link, "124 4", type, 11, at.id ^ 1, UINT32_MAX);
    }
    ck_assert_uint_eq(core_attacked_stats().ignored, 4);
    mtls_session_reset(at.ch);
    core_hear_only(&at.link, CORE_CLOSE);
    for (unsigned int type = CORE_NEW_MAX; type <= CORE_ACK; type++)
        core_say(&at.link, "124 4", type, 11, at.id, 0);
    ck_assert_uint_eq(core_attacked_stats().ignored, 6);
    core_say(&at.link, "124", CORE_CONFIRMATION, 7, at.id);
    for (unsigned int type = CORE_NEW_MAX; type <= CORE_ACK; type++)
        core_say(&at.link, "124 4", type, 11, at.id, 0);
    ck_assert_uint_eq(core_attacked_stats().ignored, 8);
    core_silent(&at.link);
    core_healthy(&at.link);
    core_attacked_end();
}
END_TEST

START_TEST(W4_new_max_packet_0)
{
    core_attacked_begin();
    core_say(&at.link, "124 4", CORE_NEW_MAX, 11, at.id, 0);
    core_attacked_failed(MTLS_R_ZERO_MAX_PACKET);
    core_attacked_end();
}
END_TEST

START_TEST(W4_new_max_packets)
{
    struct core_packet packet;
    size_t sum = 0;

    core_attacked_begin();
    for (unsigned int i = 0; i < 100000; i++)
        core_say(&at.link, "124 4", CORE_NEW_MAX, 11, at.id, i + 1);
    core_silent(&at.link);
    core_say(&at.link, "124 4", CORE_NEW_MAX, 11, at.id, UINT32_MAX);
    ck_assert_uint_gt(mtls_session_write(at.ch, big, sizeof(big)), 0);
    core_say(&at.link, "124 4", CORE_NEW_MAX, 11, at.id, 10);
    while (core_hear(&at.link, &packet) != 0)
        sum += packet.len;
    while (mtls_session_write(at.ch, big, 100) != 0)
        while (core_hear(&at.link, &packet) != 0) {
            ck_assert_uint_le(packet.len, 10);
            sum += packet.len;
        }
    ck_assert_uint_eq(sum, 65536);
    core_healthy(&at.link);
    core_attacked_end();
}
END_TEST

START_TEST(W5_a_peer_that_never_acknowledges)
{
    struct core_packet packet;
    struct mtls_channel *other;
    size_t sent = 0, n;
    uint32_t its;

    core_attacked_begin();
    while ((n = mtls_session_write(at.ch, big, sizeof(big))) != 0) {
        sent += n;
        while (core_hear(&at.link, &packet) != 0)
            ;
    }
    ck_assert_uint_eq(sent, 65536);
    other = core_raw_accepted(&at.link, 0x102, &its);
    core_write(other, "goes on");
    ck_assert_uint_eq(core_hear_only(&at.link, CORE_DATA).id, its);
    ck_assert_uint_eq(mtls_session_write(at.ch, big, 1), 0);
    core_silent(&at.link);
    mtls_session_reset(other);
    mtls_session_release(other);
    core_hear_only(&at.link, CORE_CLOSE);
    core_healthy(&at.link);
    core_attacked_end();
}
END_TEST

START_TEST(W6_credit_of_one_octet_at_a_time)
{
    struct core_packet packet;
    int got = 0;

    core_attacked_begin();
    while (mtls_session_write(at.ch, big, sizeof(big)) != 0)
        while (core_hear(&at.link, &packet) != 0)
            ;
    for (int i = 0; i < 1000; i++) {
        core_say(&at.link, "124 4", CORE_ACK, 11, at.id, 1);
        ck_assert(mtls_session_events(at.ch) & MTLS_WRITABLE);
        ck_assert_uint_eq(mtls_session_write(at.ch, big, 100), 1);
        ck_assert_uint_eq(mtls_session_write(at.ch, big, 100), 0);
        ck_assert(!(mtls_session_events(at.ch) & MTLS_WRITABLE));
        packet = core_hear_only(&at.link, CORE_DATA);
        got += (int)packet.len;
    }
    ck_assert_int_eq(got, 1000);
    core_healthy(&at.link);
    core_attacked_end();
}
END_TEST

/* Acknowledged by halves of a window, however little is read at a time. */
START_TEST(W6_reading_one_octet_at_a_time)
{
    struct core_packet packet;
    unsigned char octet;
    int acks = 0;

    core_attacked_begin();
    say_much(65536);
    for (int i = 0; i < 65536; i++) {
        core_must(mtls_session_read(at.ch, &octet, 1) == 1);
        while (core_hear(&at.link, &packet) != 0)
            acks += packet.type == CORE_ACK;
    }
    ck_assert_int_eq(acks, 2);
    core_healthy(&at.link);
    core_attacked_end();
}
END_TEST

START_TEST(W7_a_reader_that_stops)
{
    struct mtls_channel *other;
    uint32_t its;

    core_attacked_begin();
    say_much(65536);
    ck_assert(mtls_session_stuck(at.ch));
    for (int i = 0; i < 1000; i++) { /* others go on meanwhile */
        other = core_raw_accepted(&at.link, 0x102, &its);
        core_say_data(&at.link, its, 1000);
        core_must(core_discard(other) == 1000);
        mtls_session_reset(other);
        mtls_session_release(other);
        core_hear_only(&at.link, CORE_CLOSE);
        core_say(&at.link, "124", CORE_CONFIRMATION, 7, its);
    }
    core_silent(&at.link);
    ck_assert_uint_eq(core_discard(at.ch), 65536);
    ck_assert_uint_eq(core_hear_only(&at.link, CORE_ACK).value, 65536);
    core_healthy(&at.link);
    core_attacked_end();
}
END_TEST

START_TEST(W8_every_channel_filled_and_nobody_reads)
{
    static struct mtls_channel *all[2000];
    static uint32_t ids[2000];
    struct mtls_session_config config;
    struct core_packet packet;
    size_t count = 0;

    mtls_session_config_default(&config);
    config.session_memory = 1024 * 1024;
    config.max_channels = 3000;
    core_raw_open(&at.link, &config);
    for (; count < core_count(all); count++) {
        uint16_t half = (uint16_t)(count * 2);

        core_say_request(&at.link, half, 1000);
        all[count] = mtls_session_next_asked(at.link.server.session);
        if (all[count] == NULL)
            break;
        mtls_session_accept(all[count]);
        packet = core_hear_only(&at.link, CORE_SUCCESS);
        ids[count] = (uint32_t)half << 16 | packet.answer;
        for (uint32_t n; packet.window > 0; packet.window -= n) {
            n = packet.window < packet.max ? packet.window : packet.max;
            core_say_data(&at.link, ids[count], n);
        }
        ck_assert_int_eq(all[count]->life, MTLS_OPEN);
    }
    ck_assert_uint_gt(count, 1000);
    packet = core_hear_only(&at.link, CORE_ECHEC);
    ck_assert_mem_eq(packet.p, "resource-shortage:", 18);
    ck_assert_uint_le(core_attacked_stats().window_memory, 1024 * 1024);
    ck_assert_uint_le(core_held(at.link.server.session), 1024 * 1024 + 65536);
    core_say(&at.link, "124", CORE_CLOSE, 7, 0x12341234); /* still answered */
    core_hear_only(&at.link, CORE_CONFIRMATION);
    for (size_t i = 0; i < count; i++)
        mtls_session_release(all[i]);
    ck_assert_uint_eq(core_held(at.link.server.session), 0);
    ck_assert_uint_eq(core_attacked_stats().window_memory, 0);
    while (core_hear(&at.link, &packet) != 0)
        ;
    core_healthy(&at.link);
    core_link_close(&at.link);
}
END_TEST

START_TEST(W9_after_the_half_close)
{
    for (unsigned int length = 0; length < 2; length++) {
        core_attacked_begin();
        core_say_data(&at.link, at.id, 0);
        core_say(&at.link, "124 4", CORE_ACK, 11, at.id, 10); /* fine */
        ck_assert_uint_eq(at.ch->out.credit, 65546);
        ck_assert_uint_eq(core_write(at.ch, "still"), 5);
        core_hear_only(&at.link, CORE_DATA);
        core_say_data(&at.link, at.id, length);
        core_attacked_failed(MTLS_R_DATA_AFTER_END);
        core_attacked_end();
    }
}
END_TEST

/* --- closing --- */

START_TEST(C1_a_close_for_an_unknown_channel_is_confirmed)
{
    core_attacked_begin();
    core_say(&at.link, "124", CORE_CLOSE, 7, 0x12345678);
    ck_assert_uint_eq(core_hear_only(&at.link, CORE_CONFIRMATION).id,
                      0x12345678);
    core_say(&at.link, "124", CORE_CONFIRMATION, 7, 0x12345678);
    core_say(&at.link, "124", CORE_CONFIRMATION, 7,
             at.id); /* without a Close */
    core_silent(&at.link);
    ck_assert_uint_eq(core_attacked_stats().ignored, 2);
    ck_assert_int_eq(at.ch->life, MTLS_OPEN);
    core_healthy(&at.link);
    core_attacked_end();
}
END_TEST

START_TEST(C1_a_close_twice_is_confirmed_twice)
{
    core_attacked_begin();
    core_say(&at.link, "124", CORE_CLOSE, 7, at.id);
    core_say(&at.link, "124", CORE_CLOSE, 7, at.id);
    core_hear_only(&at.link, CORE_CONFIRMATION);
    core_hear_only(&at.link, CORE_CONFIRMATION);
    core_silent(&at.link);
    core_say(&at.link, "124", CORE_CLOSE, 7, at.id);
    ck_assert_uint_eq(core_hear_only(&at.link, CORE_CONFIRMATION).id, at.id);
    core_healthy(&at.link);
    core_attacked_end();
}
END_TEST

START_TEST(C1_closes_that_cross)
{
    core_attacked_begin();
    mtls_session_reset(at.ch);
    core_hear_only(&at.link, CORE_CLOSE);
    core_say(&at.link, "124", CORE_CLOSE, 7, at.id);
    core_hear_only(&at.link, CORE_CONFIRMATION);
    ck_assert_uint_eq(core_attacked_stats().channels, 1); /* not free yet */
    core_say_request(&at.link, 0x100, 1000);
    core_hear_only(&at.link, CORE_ECHEC);
    core_say(&at.link, "124", CORE_CONFIRMATION, 7, at.id);
    ck_assert_uint_eq(core_attacked_stats().channels, 0);
    core_silent(&at.link);
    core_healthy(&at.link);
    core_attacked_end();
}
END_TEST

START_TEST(C2_data_after_our_close)
{
    core_attacked_begin();
    mtls_session_reset(at.ch);
    core_hear_only(&at.link, CORE_CLOSE);
    for (int i = 0; i < 100; i++)
        core_say_data(&at.link, at.id, 16375);
    core_say_data(&at.link, at.id, 0);
    core_say_data(&at.link, at.id, 5); /* after its own half-close, too */
    core_silent(&at.link);
    ck_assert_uint_eq(at.ch->buffer.length, 0);
    core_say(&at.link, "124", CORE_CONFIRMATION, 7, at.id);
    ck_assert_int_eq(at.ch->life, MTLS_CLOSED);
    core_say_data(&at.link, at.id, 5); /* unknown by now */
    core_silent(&at.link);
    core_healthy(&at.link);
    core_attacked_end();
}
END_TEST

START_TEST(C2_a_close_amid_a_packet)
{
    core_attacked_begin();
    core_say(&at.link, "144 11", CORE_DATA, 1000, at.id, 'a', 'b');
    mtls_session_reset(at.ch);
    core_hear_only(&at.link, CORE_CLOSE);
    core_say_octets(&at.link, big, 998);
    ck_assert_uint_eq(at.ch->buffer.length, 0);
    core_healthy(&at.link);
    core_attacked_end();
}
END_TEST

START_TEST(C2_a_release_amid_a_packet)
{
    core_attacked_begin();
    core_say(&at.link, "144 11", CORE_DATA, 1000, at.id, 'a', 'b');
    mtls_session_release(at.ch);
    core_say_octets(&at.link, big, 500);
    core_hear_only(&at.link, CORE_DATA);
    core_hear_only(&at.link, CORE_CLOSE);
    core_say_octets(&at.link, big, 498);
    core_say(&at.link, "124", CORE_CONFIRMATION, 7, at.id);
    ck_assert_uint_eq(core_attacked_stats().channels, 0);
    core_healthy(&at.link);
    core_link_close(&at.link);
}
END_TEST

START_TEST(C3_a_peer_that_never_confirms)
{
    struct mtls_session_config config;
    struct mtls_address to = {"x", 1, 1};
    struct mtls_channel *c;
    uint32_t its;

    mtls_session_config_default(&config);
    config.max_channels = 10;
    core_raw_open(&at.link, &config);
    for (uint16_t i = 0; i < 10; i++) {
        c = core_raw_accepted(&at.link, (uint16_t)(i * 2), &its);
        mtls_session_reset(c);
        mtls_session_release(c);
        core_hear_only(&at.link, CORE_CLOSE);
    }
    ck_assert_uint_eq(core_attacked_stats().closing, 10);
    ck_assert_uint_eq(core_attacked_stats().window_memory, 0);
    core_say_request(&at.link, 100, 1000);
    core_hear_only(&at.link, CORE_ECHEC);
    c = mtls_channel_new(at.link.server.session, NULL);
    mtls_channel_set_names(c, &to, &to);
    ck_assert_int_eq(mtls_session_open(c), MTLS_R_RESOURCE_SHORTAGE);
    mtls_session_release(c);
    core_link_close(&at.link);
}
END_TEST

START_TEST(C4_a_close_with_unread_data)
{
    core_attacked_begin();
    say_much(30000);
    core_say(&at.link, "124", CORE_CLOSE, 7, at.id);
    core_hear_only(&at.link, CORE_CONFIRMATION);
    ck_assert_uint_eq(core_attacked_stats().channels, 0);
    ck_assert_uint_eq(core_attacked_stats().window_memory, 30000);
    core_healthy(&at.link);
    ck_assert_uint_eq(core_discard(at.ch), 30000);
    ck_assert(core_at_end(at.ch, MTLS_RX_CUT));
    ck_assert_uint_eq(core_attacked_stats().window_memory, 0);
    core_silent(&at.link);
    core_attacked_end();
}
END_TEST

START_TEST(C4_unread_data_and_the_id_used_again)
{
    struct mtls_channel *other;
    uint32_t its;

    core_attacked_begin();
    core_say(&at.link, "144 111", CORE_DATA, 3, at.id, 'o', 'l', 'd');
    core_say(&at.link, "124", CORE_CLOSE, 7, at.id);
    core_hear_only(&at.link, CORE_CONFIRMATION);
    other = core_raw_accepted(&at.link, 0x100, &its);
    core_say(&at.link, "144 111", CORE_DATA, 3, its, 'n', 'e', 'w');
    core_expect(at.ch, "old");
    core_expect(other, "new");
    mtls_session_release(other);
    core_hear_only(&at.link, CORE_DATA);
    core_hear_only(&at.link, CORE_CLOSE);
    core_healthy(&at.link);
    core_attacked_end();
}
END_TEST

START_TEST(C5_a_close_while_a_writer_waits)
{
    struct core_packet packet;

    core_attacked_begin();
    while (mtls_session_write(at.ch, big, sizeof(big)) != 0)
        while (core_hear(&at.link, &packet) != 0)
            ;
    core_say(&at.link, "124", CORE_CLOSE, 7, at.id);
    ck_assert(mtls_session_events(at.ch) & MTLS_WRITABLE);
    ck_assert_uint_eq(mtls_session_write(at.ch, big, 1), 0);
    ck_assert_int_eq(at.ch->tx_reason, MTLS_R_CLOSED_BY_PEER);
    core_hear_only(&at.link, CORE_CONFIRMATION);
    core_healthy(&at.link);
    core_attacked_end();
}
END_TEST

START_TEST(C6_the_session_ends_at_each_step)
{
    for (int step = 0; step < 4; step++) {
        int clean = step == 2;

        core_attacked_begin();
        core_say(&at.link, "144 11", CORE_DATA, 2, at.id, 'h', 'i');
        if (step == 1) /* amid a packet */
            core_say(&at.link, "144 1", CORE_DATA, 2, at.id, '!');
        if (step == 2)
            core_say_data(&at.link, at.id, 0);
        if (step == 3)
            core_write(at.ch, "not sent");
        mtls_session_end(at.link.server.session);
        core_expect(at.ch, step == 1 ? "hi!" : "hi");
        ck_assert(core_at_end(at.ch, clean ? MTLS_RX_ENDED : MTLS_RX_FAILED));
        ck_assert_int_eq(at.ch->rx_reason, clean ? 0 : MTLS_R_TRUNCATED);
        ck_assert_int_eq(at.ch->tx_reason, MTLS_R_SESSION_ENDED);
        core_attacked_end();
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        W1_one_octet_over_the_credit,
        W1_one_octet_over_max_packet,
        W2_acknowledgments_past_32_bits,
        W2_a_million_acknowledgments,
        W3_values_for_unknown_and_closing_channels,
        W4_new_max_packet_0,
        W4_new_max_packets,
        W5_a_peer_that_never_acknowledges,
        W6_credit_of_one_octet_at_a_time,
        W6_reading_one_octet_at_a_time,
        W7_a_reader_that_stops,
        W8_every_channel_filled_and_nobody_reads,
        W9_after_the_half_close,
        C1_a_close_for_an_unknown_channel_is_confirmed,
        C1_a_close_twice_is_confirmed_twice,
        C1_closes_that_cross,
        C2_data_after_our_close,
        C2_a_close_amid_a_packet,
        C2_a_release_amid_a_packet,
        C3_a_peer_that_never_confirms,
        C4_a_close_with_unread_data,
        C4_unread_data_and_the_id_used_again,
        C5_a_close_while_a_writer_waits,
        C6_the_session_ends_at_each_step};

    return core_run("session_hostile_credit", tests, core_count(tests));
}
