/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * mtls-00 in the session, against frames written by hand: openings, ends,
 * refusals, and the readers that stall it.
 */
#include "core_link.h"
#include "session_00.h"

#include <mtls/mtls_err.h>
#include <stdlib.h>
#include <string.h>

#define WINDOW 1000

static struct core_link link;
static struct mtls_session *server;

/* A server that allows port 80 and port 6379; the client's end is by hand. */
static void begin(void)
{
    struct mtls_session_config config;

    mtls_session_config_default(&config);
    config.window = WINDOW;
    core_raw_open(&link, &config);
    server = link.server.session;
    ck_assert(mtls_session_speak_00(server));
    ck_assert(mtls_session_allow_port(server, 80));
    ck_assert(mtls_session_allow_port(server, 6379));
}

static void end(void)
{
    core_link_close(&link);
}

static struct mtls_session_stats stats(void)
{
    struct mtls_session_stats stats;

    mtls_session_stats(server, &stats);
    return stats;
}

/* Delivers a frame; how many octets of it were taken. */
static size_t say(uint16_t source, uint16_t destination, const char *text)
{
    unsigned char octets[20000];
    size_t n = strlen(text);

    core_octets(octets, "222", source, destination, (unsigned int)n);
    memcpy(octets + 6, text, n);
    return core_say_octets(&link, octets, 6 + n);
}

static void hear(uint16_t source, uint16_t destination, const char *text)
{
    struct core_pipe *out = &link.server.out;
    unsigned char head[6];
    size_t n = strlen(text);

    core_collect(&link.server);
    core_octets(head, "222", source, destination, (unsigned int)n);
    ck_assert_uint_ge(out->end - out->start, 6 + n);
    ck_assert_mem_eq(out->octets + out->start, head, 6);
    ck_assert_mem_eq(out->octets + out->start + 6, text, n);
    out->start += 6 + n;
}

/* --- a stream's life --- */

START_TEST(the_first_frame_opens_a_stream_and_is_its_first_data)
{
    struct mtls_channel *c;

    begin();
    say(40000, 80, "GET");
    ck_assert_uint_eq(mtls_session_backlog(server), 1);
    c = mtls_session_next_asked(server);
    ck_assert_str_eq(mtls_channel_host(c), "localhost");
    ck_assert_str_eq(mtls_channel_port(c), "80");
    ck_assert_str_eq(mtls_channel_source(c), "0.0.0.0:40000");
    ck_assert(mtls_session_accept(c));
    core_silent(&link); /* nobody answers */
    ck_assert_uint_eq(mtls_session_id(c), 40000u << 16 | 80);
    core_expect(c, "GET");
    say(40000, 80, " /");
    core_expect(c, " /");
    core_write(c, "200");
    hear(80, 40000, "200");
    core_silent(&link);
    mtls_session_release(c);
    end();
}
END_TEST

START_TEST(an_empty_first_frame_opens_and_another_ends)
{
    struct mtls_channel *c;

    begin();
    say(40000, 80, "");
    c = core_accept(&link.server);
    core_write(c, "220 hello");
    hear(80, 40000, "220 hello");
    ck_assert_int_eq(c->rx, MTLS_RX_OPEN);
    say(40000, 80, "");
    ck_assert(core_at_end(c, MTLS_RX_ENDED));
    core_write(c, "bye");
    ck_assert(mtls_session_end_data(c));
    hear(80, 40000, "bye");
    hear(80, 40000, "");
    core_silent(&link);
    ck_assert_int_eq(c->life, MTLS_CLOSED);
    ck_assert_uint_eq(stats().channels, 0);
    mtls_session_release(c);
    core_silent(&link);
    end();
}
END_TEST

/* The pair of both ports is the name, in both of its parts. */
START_TEST(streams_with_one_port_in_common_are_not_mixed_up)
{
    struct mtls_channel *a, *b, *c;

    begin();
    say(5, 80, "a");
    say(6, 80, "b");
    say(5, 6379, "c");
    a = core_accept(&link.server);
    b = core_accept(&link.server);
    c = core_accept(&link.server);
    say(6, 80, "B");
    say(5, 6379, "C");
    say(5, 80, "A");
    core_expect(a, "aA");
    core_expect(b, "bB");
    core_expect(c, "cC");
    core_write(c, "x");
    hear(6379, 5, "x");
    mtls_session_release(a);
    hear(80, 5, "");
    mtls_session_release(b);
    mtls_session_release(c);
    end();
}
END_TEST

START_TEST(a_pair_is_free_again_once_both_have_ended)
{
    begin();
    for (int i = 0; i < 300; i++) {
        struct mtls_channel *c;

        say(40000, 80, "x");
        c = core_accept(&link.server);
        core_expect(c, "x");
        if (i % 2 == 0)
            say(40000, 80, "");
        mtls_session_release(c);
        hear(80, 40000, "");
        if (i % 2 != 0) { /* what it still says is nobody's */
            say(40000, 80, "late");
            say(40000, 80, "");
        }
        ck_assert_uint_eq(stats().channels, 0);
        ck_assert_uint_eq(stats().window_memory, 0);
    }
    core_silent(&link);
    ck_assert_uint_eq(stats().ignored, 150);
    end();
}
END_TEST

START_TEST(what_was_sent_before_the_end_is_read_before_it)
{
    struct mtls_channel *c;

    begin();
    say(40000, 80, "all of it");
    say(40000, 80, "");
    c = mtls_session_next_asked(server); /* and both are there already */
    core_expect(c, "all of it");
    ck_assert(core_at_end(c, MTLS_RX_ENDED));
    mtls_session_release(c);
    hear(80, 40000, "");
    ck_assert_uint_eq(stats().window_memory, 0);
    end();
}
END_TEST

/* --- what is refused --- */

START_TEST(a_port_that_was_not_negotiated_is_ended_at_once)
{
    struct mtls_channel *c;

    begin();
    say(40000, 81, "x");
    hear(81, 40000, "");
    say(40000, 0, "x");
    hear(0, 40000, "");
    ck_assert_uint_eq(mtls_session_backlog(server), 0);
    ck_assert_uint_eq(stats().refused, 2);
    say(40000, 80, "x");
    c = core_accept(&link.server);
    core_expect(c, "x");
    mtls_session_release(c);
    end();
}
END_TEST

START_TEST(the_program_refuses_by_the_same_frame)
{
    struct mtls_channel *c;

    begin();
    say(40000, 80, "x");
    c = mtls_session_next_asked(server);
    ck_assert(mtls_session_reject(c, "prohibited: it can't be told"));
    mtls_session_release(c);
    hear(80, 40000, "");
    say(40000, 80, "y"); /* it may not have heard yet */
    core_silent(&link);
    ck_assert_uint_eq(stats().channels, 1);
    say(40000, 80, "");
    ck_assert_uint_eq(stats().channels, 0);
    end();
}
END_TEST

/* What a refused stream goes on to say does not open it again. */
START_TEST(O8_a_stream_over_the_limits_stays_refused_until_it_ends)
{
    struct mtls_channel *c;

    begin();
    mtls_session_config(server)->max_channels = 1;
    say(1, 80, "x");
    c = core_accept(&link.server);
    say(2, 80, "beginning");
    hear(80, 2, "");
    mtls_session_release(c);
    hear(80, 1, "");
    say(1, 80, "");
    ck_assert_uint_eq(stats().channels, 0);
    say(2, 80, "middle");
    core_silent(&link);
    ck_assert_uint_eq(mtls_session_backlog(server), 0);
    say(2, 80, "");
    say(2, 80, "anew");
    c = core_accept(&link.server);
    core_expect(c, "anew");
    mtls_session_release(c);
    end();
}
END_TEST

START_TEST(O8_too_many_refused_streams_end_the_session)
{
    begin();
    mtls_session_config(server)->backlog = 0;
    for (unsigned int port = 0; port < 4096; port++) {
        say((uint16_t)port, 80, "x");
        hear(80, (uint16_t)port, "");
    }
    ck_assert(!mtls_session_ended(server));
    say(5000, 80, "x");
    ck_assert(mtls_session_broken(server));
    end();
}
END_TEST

START_TEST(O7_answers_that_nobody_reads_stop_the_reading)
{
    unsigned char frame[7];
    unsigned int taken = 0;

    begin();
    for (unsigned int i = 0; i < 100000; i++) {
        size_t room;

        core_octets(frame, "2221", i & 0xffff, 81, 1, 'x');
        if (mtls_session_recv_buf(server, &room) == NULL)
            break;
        taken += core_say_octets(&link, frame, 7) == 7;
        mtls_session_send_buf(server, &room); /* which is not sent */
    }
    ck_assert_uint_lt(taken, 20000);
    ck_assert_uint_gt(taken, 128);
    core_check(server);
    end();
}
END_TEST

START_TEST(data_after_its_end_fails_a_stream_alone)
{
    struct mtls_channel *a, *b;

    begin();
    say(1, 80, "a");
    say(2, 80, "b");
    a = core_accept(&link.server);
    b = core_accept(&link.server);
    say(1, 80, "");
    say(1, 80, "more");
    core_expect(a, "a");
    ck_assert_int_eq(a->rx, MTLS_RX_FAILED);
    ck_assert_int_eq(a->rx_reason, MTLS_R_DATA_AFTER_END);
    hear(80, 1, "");
    ck_assert_uint_eq(stats().channels_reset, 1);
    say(2, 80, "");
    say(2, 80, ""); /* twice says no more than once */
    ck_assert_uint_eq(stats().ignored, 1);
    core_expect(b, "b");
    ck_assert(core_at_end(b, MTLS_RX_ENDED));
    mtls_session_release(a);
    mtls_session_release(b);
    end();
}
END_TEST

/* --- readers that stall --- */

START_TEST(W7_a_full_buffer_stalls_the_session_and_reading_resumes_it)
{
    static char text[15 * WINDOW + 1];
    struct mtls_channel *a, *b;
    size_t taken, room;
    char head[10];
    int changes;

    begin();
    memset(text, 'x', sizeof(text) - 1);
    say(1, 80, "");
    say(2, 80, "");
    a = core_accept(&link.server);
    b = core_accept(&link.server);
    taken = say(1, 80, text);
    ck_assert(mtls_session_stalled(server));
    ck_assert(!mtls_session_can_receive(server));
    ck_assert_ptr_null(mtls_session_recv_buf(server, &room));
    ck_assert_uint_eq(a->buffer.length, WINDOW);
    ck_assert_uint_le(core_held(server), 2 * MTLS_CHUNK_LARGE);
    ck_assert_uint_eq(core_write(b, "out"), 3); /* the other way goes on */
    hear(80, 2, "out");
    changes = link.server.changes;
    ck_assert_uint_eq(mtls_session_read(a, head, 10), 10);
    ck_assert_int_gt(link.server.changes, changes);
    ck_assert(!mtls_session_stalled(server));
    for (size_t got = 10; got < 15 * WINDOW;) {
        mtls_session_recv_buf(server, &room); /* what is there already */
        taken += core_say_octets(&link, "", 0);
        ck_assert_uint_le(a->buffer.length, WINDOW);
        ck_assert_uint_ge(a->buffer.length, 1);
        got += core_discard(a);
    }
    ck_assert_uint_eq(taken, 6 + 15 * WINDOW);
    say(2, 80, "at last");
    core_expect(b, "at last");
    mtls_session_release(a);
    mtls_session_release(b);
    end();
}
END_TEST

START_TEST(W7_a_stalled_stream_that_is_closed_stalls_no_more)
{
    static char text[2 * WINDOW + 1];
    struct mtls_channel *a;

    for (int how = 0; how < 2; how++) {
        begin();
        memset(text, 'x', sizeof(text) - 1);
        say(1, 80, text);
        a = how == 0 ? core_accept(&link.server)
                     : mtls_session_next_asked(server);
        ck_assert(mtls_session_stalled(server));
        mtls_session_release(a);
        ck_assert(!mtls_session_stalled(server));
        hear(80, 1, "");
        say(1, 80, "");
        ck_assert_uint_eq(stats().window_memory, 0);
        ck_assert_uint_eq(stats().channels, 0);
        end();
    }
}
END_TEST

START_TEST(the_session_memory_is_met_by_smaller_buffers)
{
    struct mtls_channel *c[40];
    int n = 0;

    begin();
    mtls_session_config(server)->session_memory = 16384;
    mtls_session_config(server)->max_channels = 40;
    for (uint16_t i = 0; i < 40; i++) {
        say(i, 80, "");
        c[n] = mtls_session_next_asked(server);
        n += c[n] != NULL;
        core_check(server);
    }
    ck_assert_int_ge(n, 16);
    ck_assert_int_lt(n, 40);
    ck_assert_uint_eq(stats().refused, 40 - (uint64_t)n);
    while (n > 0)
        mtls_session_release(c[--n]);
    end();
}
END_TEST

/* --- cut anywhere --- */

START_TEST(F1_frames_may_come_octet_by_octet)
{
    unsigned char octets[64];
    struct mtls_channel *c;
    size_t n;

    begin();
    n = core_octets(octets, "222 11 222 1 222", 7, 80, 2, 'h', 'i', 7, 80, 1,
                    '!', 7, 80, 0);
    for (size_t i = 0; i < n; i++)
        ck_assert_uint_eq(core_say_octets(&link, octets + i, 1), 1);
    c = core_accept(&link.server);
    core_expect(c, "hi!");
    ck_assert(core_at_end(c, MTLS_RX_ENDED));
    mtls_session_release(c);
    end();
}
END_TEST

/* D14 holds for it, too: what was not ended was cut. */
START_TEST(F2_the_end_of_the_session_cuts_what_has_not_ended)
{
    struct mtls_channel *a, *b;

    begin();
    say(1, 80, "a");
    say(2, 80, "b");
    say(2, 80, "");
    a = core_accept(&link.server);
    b = core_accept(&link.server);
    mtls_session_end(server);
    core_expect(a, "a");
    ck_assert(core_at_end(a, MTLS_RX_FAILED));
    ck_assert_int_eq(a->rx_reason, MTLS_R_TRUNCATED);
    core_expect(b, "b");
    ck_assert(core_at_end(b, MTLS_RX_ENDED));
    mtls_session_release(a);
    mtls_session_release(b);
    end();
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        the_first_frame_opens_a_stream_and_is_its_first_data,
        an_empty_first_frame_opens_and_another_ends,
        streams_with_one_port_in_common_are_not_mixed_up,
        a_pair_is_free_again_once_both_have_ended,
        what_was_sent_before_the_end_is_read_before_it,
        a_port_that_was_not_negotiated_is_ended_at_once,
        the_program_refuses_by_the_same_frame,
        O8_a_stream_over_the_limits_stays_refused_until_it_ends,
        O8_too_many_refused_streams_end_the_session,
        O7_answers_that_nobody_reads_stop_the_reading,
        data_after_its_end_fails_a_stream_alone,
        W7_a_full_buffer_stalls_the_session_and_reading_resumes_it,
        W7_a_stalled_stream_that_is_closed_stalls_no_more,
        the_session_memory_is_met_by_smaller_buffers,
        F1_frames_may_come_octet_by_octet,
        F2_the_end_of_the_session_cuts_what_has_not_ended};

    return core_run("session_00", tests, core_count(tests));
}
