/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * Sessions whose channels carry datagrams, over paths that lose, double,
 * reorder and cut: U1, U5 and U6 of the attacks, as far as the core goes.
 */
#include "core_dgram.h"

#include "session_local.h"

#include <string.h>

#define SECOND 1000000ull
#define MS 1000ull

static struct core_path path;
static struct mtls_channel *a, *b;
static unsigned char got[16384];

static void begin(uint32_t window)
{
    struct mtls_session_config config;

    mtls_session_config_default(&config);
    config.window = config.max_window = window;
    core_path_open(&path, &config);
    path.delay = 5 * MS;
    core_pair(&path.link, &a, &b);
}

static void finish(void)
{
    if (a != NULL)
        mtls_session_release(a);
    if (b != NULL)
        mtls_session_release(b);
    core_settle(&path.link);
    core_must(path.link.client.session->stats.window_memory == 0);
    core_must(path.link.server.session->stats.window_memory == 0);
    core_path_close(&path);
}

/* A datagram that shows, whatever became of others, that it is whole. */
static int write_marked(struct mtls_channel *c, uint32_t number)
{
    unsigned char data[1400];
    size_t len = 4 + number * 37 % 1300;

    memset(data, (int)(number & 0xff), len);
    data[0] = (unsigned char)(number >> 16 & 0xff);
    data[1] = (unsigned char)(number >> 8 & 0xff);
    data[2] = (unsigned char)(number & 0xff);
    return mtls_session_write_datagram(c, data, len);
}

static uint32_t read_marked(struct mtls_channel *c)
{
    size_t n = mtls_session_read_datagram(c, got, sizeof(got));
    uint32_t number = (uint32_t)got[0] << 16 | (uint32_t)got[1] << 8 | got[2];

    core_must(n == 4 + number * 37 % 1300);
    for (size_t i = 3; i < n; i++)
        core_must(got[i] == (number & 0xff));
    return number;
}

static unsigned int read_all(struct mtls_channel *c)
{
    unsigned int n = 0;
    size_t len;

    while (mtls_session_next_datagram(c, &len)) {
        read_marked(c);
        n++;
    }
    return n;
}

/* Writes as long as it can, at all times; returns how many were read. */
static unsigned int traffic(uint64_t time)
{
    static uint32_t number;
    unsigned int n = 0;

    for (uint64_t until = path.link.now + time; path.link.now < until;) {
        while (write_marked(a, number)) {
            number++;
            core_path_send(&path);
        }
        core_path_pass(&path, MS);
        n += read_all(b);
    }
    return n;
}

START_TEST(U1_with_30_percent_lost_it_never_stands_still)
{
    for (uint32_t window = 1500; window <= 65536; window *= 6) {
        begin(window);
        path.lose = 30;
        for (int i = 0; i < 20; i++) /* no six seconds without traffic */
            ck_assert_uint_gt(traffic(6 * SECOND), 10);
        ck_assert_uint_gt(path.lost, path.sent / 5);
        finish();
    }
}
END_TEST

START_TEST(U1_doubled_and_reordered_each_is_whole)
{
    begin(65536);
    path.twice = 20;
    path.jitter = 40 * MS;
    ck_assert_uint_gt(traffic(20 * SECOND), 1000);
    finish();
}
END_TEST

/* However long nothing gets through: it goes on within a probe interval. */
START_TEST(U1_after_an_outage_it_goes_on_within_a_probe_interval)
{
    static const uint64_t outages[] = {1, 10, 100};

    begin(20000);
    for (size_t i = 0; i < core_count(outages); i++) {
        path.lose = 100;
        traffic(20 * MS); /* what is on its way */
        ck_assert_uint_eq(traffic(outages[i] * SECOND), 0);
        path.lose = 0;
        ck_assert_uint_gt(traffic(5 * SECOND + 100 * MS), 0);
    }
    finish();
}
END_TEST

START_TEST(U1_malformed_datagrams_are_dropped_and_counted)
{
    unsigned char p[64];
    struct mtls_session *s;
    size_t n, len;
    uint32_t id;

    begin(65536);
    s = path.link.server.session;
    id = mtls_channel_id(b);
    n = core_octets(p, "144 111", CORE_DATA, 3, id, 'a', 'b', 'c');
    for (len = 0; len < n; len++)
        mtls_session_datagram_in(s, p, len);
    p[n] = 'd';
    mtls_session_datagram_in(s, p, n + 1); /* two in one are not one */
    ck_assert_uint_eq(s->stats.malformed, n + 1);
    ck_assert_uint_eq(s->stats.datagrams_dropped, n + 1);
    for (unsigned int type = 0; type < 256; type++) {
        p[0] = (unsigned char)type;
        if (type != CORE_DATA)
            mtls_session_datagram_in(s, p, n);
    }
    core_octets(p, "144", CORE_DATA, 3, id ^ 0x40004);
    mtls_session_datagram_in(s, p, n);
    ck_assert_uint_eq(s->stats.datagrams_dropped, n + 1 + 255 + 1);
    ck_assert(!mtls_session_next_datagram(b, &len));
    ck_assert_int_eq(b->life, MTLS_OPEN);
    core_octets(p, "144", CORE_DATA, 3, id);
    mtls_session_datagram_in(s, p, n);
    ck_assert_uint_eq(mtls_session_read_datagram(b, got, sizeof(got)), 3);
    core_settle(&path.link);
    ck_assert_int_eq(a->life, MTLS_OPEN);
    finish();
}
END_TEST

START_TEST(U1_what_overruns_the_buffer_is_dropped)
{
    unsigned int n = 0;

    begin(10000);
    a->out.credit = UINT32_MAX; /* a sender that does not keep to it */
    for (uint32_t i = 0; i < 1000; i++) {
        ck_assert(write_marked(a, i));
        core_path_send(&path);
        core_path_pass(&path, 10 * MS);
    }
    ck_assert_uint_le(b->buffer.length, 10000);
    ck_assert_uint_gt(path.link.server.session->stats.datagrams_dropped, 900);
    n = read_all(b);
    ck_assert_uint_gt(n, 5);
    core_path_pass(&path, 100 * MS);
    ck_assert_uint_le(a->out.credit, 10000); /* it was told again */
    finish();
}
END_TEST

/* What is announced fits, also where windows are the smallest (P3). */
START_TEST(the_longest_that_a_small_window_announces_arrives)
{
    unsigned char data[512] = "";

    begin(512);
    ck_assert_uint_eq(mtls_session_datagram_limit(a), 511);
    for (int i = 0; i < 3; i++) {
        ck_assert(mtls_session_write_datagram(a, data, 511));
        core_path_pass(&path, 50 * MS);
        ck_assert_uint_eq(mtls_session_read_datagram(b, got, sizeof(got)), 511);
        core_path_pass(&path, 50 * MS);
    }
    finish();
}
END_TEST

/* Credit is what is free, whatever was lost before. */
START_TEST(half_a_window_that_was_read_makes_an_absolute_acknowledgment)
{
    unsigned char data[1000] = "";

    begin(10000);
    path.lose = 100;
    for (int i = 0; i < 4; i++) {
        ck_assert(mtls_session_write_datagram(a, data, sizeof(data)));
        core_path_send(&path);
    }
    path.lose = 0;
    for (int i = 0; i < 5; i++) {
        ck_assert_uint_eq(a->out.credit, 6000 - 1000 * (unsigned int)i);
        ck_assert(mtls_session_write_datagram(a, data, sizeof(data)));
        core_path_pass(&path, 20 * MS);
        mtls_session_read_datagram(b, got, sizeof(got));
        core_path_pass(&path, 20 * MS);
    }
    ck_assert_uint_eq(a->out.credit, 10000);
    finish();
}
END_TEST

static unsigned int probes_sent(void)
{
    return (unsigned int)path.link.client.session->stats.packets_out;
}

START_TEST(probes_go_after_200_ms_and_then_ever_less_often_up_to_5_s)
{
    static const uint64_t after[] = {200,  400,  800,  1600,
                                     3200, 5000, 5000, 5000};
    unsigned char data[1000] = "";
    unsigned int before;

    begin(2000);
    while (mtls_session_write_datagram(a, data, sizeof(data)))
        core_path_send(&path);
    path.link.now = 10 * SECOND;
    a->wants_room = 0;
    mtls_dgram_ack(a, 0);
    ck_assert(!mtls_session_write_datagram(a, data, sizeof(data)));
    path.link.now = mtls_session_deadline(path.link.client.session) - 200 * MS;
    before = probes_sent();
    for (size_t i = 0; i < core_count(after); i++) {
        struct mtls_session *s = path.link.client.session;

        path.link.now += after[i] * MS - 20 * MS;
        mtls_session_tick(s);
        core_collect(&path.link.client);
        ck_assert_uint_eq(probes_sent(), before);
        path.link.now += 20 * MS;
        ck_assert_uint_le(mtls_session_deadline(s), path.link.now);
        mtls_session_tick(s);
        core_collect(&path.link.client);
        ck_assert_uint_eq(probes_sent(), ++before);
    }
    core_settle(&path.link); /* they are answered at last */
    ck_assert_uint_ge(a->out.credit, 1000);
    ck_assert_uint_eq(mtls_session_deadline(path.link.client.session),
                      MTLS_NEVER);
    finish();
}
END_TEST

START_TEST(a_reader_that_does_not_read_stops_the_sender_and_then_not)
{
    begin(10000);
    for (int i = 0; i < 10; i++) {
        while (write_marked(a, 30))
            core_path_send(&path);
        core_path_pass(&path, 2 * SECOND);
        ck_assert_uint_le(a->out.credit, 10000 - b->buffer.length + 100);
        ck_assert(!write_marked(a, 30));
    }
    ck_assert_uint_gt(read_all(b), 0);
    core_path_pass(&path, 20 * MS);
    ck_assert(mtls_session_events(a) & MTLS_WRITABLE);
    ck_assert(write_marked(a, 30));
    finish();
}
END_TEST

START_TEST(a_window_that_starves_its_sender_grows)
{
    struct mtls_session_config config;

    mtls_session_config_default(&config);
    config.window = 4000;
    config.max_window = 32000;
    core_path_open(&path, &config);
    path.delay = 5 * MS;
    core_pair(&path.link, &a, &b);
    path.lose = 60; /* less than half a window gets there */
    traffic(60 * SECOND);
    ck_assert_uint_eq(b->in.window, 32000);
    finish();
}
END_TEST

START_TEST(U5_data_before_its_success_is_held_within_a_bound)
{
    unsigned int held = 0;
    struct mtls_channel *c, *s;
    size_t len;

    begin(65536);
    c = core_open(&path.link.client, "early");
    core_settle(&path.link);
    s = core_accept(&path.link.server);
    core_collect(&path.link.server); /* on its way: the Success */
    for (uint32_t i = 0; i < 200; i++) {
        ck_assert(write_marked(s, i % 2));
        core_path_send(&path);
        path.link.now += 100 * MS;
        for (unsigned int f = 0; f < path.count; f++)
            mtls_session_datagram_in(path.flights[f].to, path.flights[f].octets,
                                     path.flights[f].len);
        path.count = 0;
    }
    ck_assert(!mtls_session_next_datagram(c, &len));
    core_settle(&path.link);
    ck_assert_int_eq(c->life, MTLS_OPEN);
    held = read_all(c);
    ck_assert_uint_eq(held, 64);
    ck_assert_uint_eq(path.link.client.session->stats.datagrams_dropped,
                      200 - 64);
    mtls_session_release(c);
    mtls_session_release(s);
    finish();
}
END_TEST

/* What is held for a Request that is refused goes with it. */
START_TEST(U5_a_refused_channel_leaves_nothing_held)
{
    unsigned char p[64];
    struct mtls_channel *c, *s;
    size_t n, len;

    begin(65536);
    c = core_open(&path.link.client, "refused");
    core_settle(&path.link);
    n = core_octets(p, "144 1", CORE_DATA, 1,
                    (unsigned int)c->own_half << 16 | 0x7777, 'x');
    mtls_session_datagram_in(path.link.client.session, p, n);
    ck_assert_uint_eq(path.link.client.session->stats.datagrams_dropped, 0);
    s = mtls_session_next_asked(path.link.server.session);
    mtls_session_reject(s, "prohibited: no");
    mtls_session_release(s);
    core_settle(&path.link);
    ck_assert_uint_eq(path.link.client.session->stats.datagrams_dropped, 1);
    ck_assert(!mtls_session_next_datagram(c, &len));
    mtls_session_release(c);
    finish();
}
END_TEST

START_TEST(U5_data_after_close_is_dropped)
{
    size_t len;

    begin(65536);
    path.delay = 50 * MS;
    ck_assert(write_marked(a, 1));
    core_path_send(&path);
    mtls_session_release(a); /* the CloseRequest is faster */
    a = NULL;
    core_path_pass(&path, 10 * MS);
    ck_assert_int_eq(b->rx, MTLS_RX_ENDED);
    core_path_pass(&path, 100 * MS);
    ck_assert(!mtls_session_next_datagram(b, &len));
    ck_assert_uint_eq(path.link.server.session->stats.datagrams_dropped, 1);
    finish();
}
END_TEST

START_TEST(U6_a_flood_of_probes_gets_one_answer_an_interval)
{
    struct mtls_session *s;
    struct core_link link;
    struct core_packet packet;
    unsigned int answers = 0;
    struct mtls_channel *c;
    uint64_t from;
    uint32_t id;

    core_raw_open(&link, NULL);
    s = link.server.session;
    ck_assert(mtls_session_set_datagrams(s));
    c = core_raw_accepted(&link, 0, &id);
    from = link.now;
    for (int i = 0; i < 5000; i++) { /* a millisecond each */
        core_say(&link, "124 4", CORE_NEW_MAX, 11, id, 1000);
        while (core_hear(&link, &packet) != 0) {
            ck_assert_uint_eq(packet.type, CORE_ACK);
            ck_assert_uint_eq(packet.value, 65536);
            answers++;
        }
    }
    ck_assert_uint_le(answers, (link.now - from) / (100 * MS) + 1);
    ck_assert_uint_ge(answers, (link.now - from) / (100 * MS) - 1);
    mtls_session_reset(c);
    mtls_session_release(c);
    core_link_close(&link);
}
END_TEST

START_TEST(data_on_the_control_connection_is_ignored)
{
    struct core_link link;
    struct mtls_channel *c;
    uint32_t id;
    size_t len;

    core_raw_open(&link, NULL);
    ck_assert(mtls_session_set_datagrams(link.server.session));
    c = core_raw_accepted(&link, 0, &id);
    core_say_data(&link, id, 5000);
    core_say(&link, "144", CORE_DATA, 0, id); /* nor is it a half-close */
    ck_assert(!mtls_session_next_datagram(c, &len));
    ck_assert_int_eq(c->life, MTLS_OPEN);
    ck_assert_int_eq(c->rx, MTLS_RX_OPEN);
    ck_assert_uint_eq(link.server.session->stats.ignored, 2);
    core_silent(&link);
    mtls_session_reset(c);
    mtls_session_release(c);
    core_link_close(&link);
}
END_TEST

START_TEST(there_is_no_half_close_and_the_end_is_the_close)
{
    begin(65536);
    ck_assert(!mtls_session_end_data(a));
    ck_assert(write_marked(a, 5));
    core_path_pass(&path, 50 * MS);
    mtls_session_release(a);
    a = NULL;
    core_settle(&path.link);
    ck_assert_int_eq(b->rx, MTLS_RX_ENDED);
    ck_assert_uint_eq(read_marked(b), 5);
    ck_assert_uint_eq(path.link.server.session->stats.ignored, 0);
    finish();
}
END_TEST

START_TEST(an_empty_datagram_arrives)
{
    size_t len = 1;

    begin(65536);
    ck_assert(mtls_session_write_datagram(a, "", 0));
    core_path_pass(&path, 50 * MS);
    ck_assert(mtls_session_next_datagram(b, &len));
    ck_assert_uint_eq(len, 0);
    ck_assert_uint_eq(mtls_session_read_datagram(b, got, sizeof(got)), 0);
    ck_assert(!mtls_session_next_datagram(b, &len));
    ck_assert_int_eq(b->rx, MTLS_RX_OPEN);
    finish();
}
END_TEST

/* One that the transport has not taken yet holds up those that follow. */
START_TEST(writers_that_found_no_room_are_all_told)
{
    struct mtls_channel *c, *d;

    begin(65536);
    core_pair(&path.link, &c, &d);
    ck_assert(write_marked(a, 1));
    ck_assert(!write_marked(a, 2));
    ck_assert(!write_marked(c, 3));
    ck_assert(!(mtls_session_events(a) & MTLS_WRITABLE));
    mtls_session_datagram_sent(path.link.client.session);
    ck_assert(mtls_session_events(a) & MTLS_WRITABLE);
    ck_assert(mtls_session_events(c) & MTLS_WRITABLE);
    ck_assert(write_marked(c, 3));
    ck_assert(!(mtls_session_events(a) & MTLS_WRITABLE));
    mtls_session_datagram_sent(path.link.client.session);
    mtls_session_release(c);
    mtls_session_release(d);
    finish();
}
END_TEST

/* Its credit comes while another's datagram waits for the transport. */
START_TEST(a_writer_that_starved_is_told_of_room_that_comes_later)
{
    struct mtls_session *s;
    struct mtls_channel *c, *d;
    unsigned int events;

    begin(65536);
    s = path.link.client.session;
    core_pair(&path.link, &c, &d);
    for (int i = 0; i < 2; i++) { /* until they have been told of the opening */
        mtls_session_new_round(s);
        while (mtls_session_next_ready(s, &events) != NULL)
            ;
    }
    a->out.credit = 0;
    ck_assert(!write_marked(a, 2));
    ck_assert(write_marked(c, 3));
    ck_assert(mtls_dgram_ack(a, 65536));
    mtls_session_settle(a);
    mtls_session_new_round(s);
    ck_assert_ptr_null(mtls_session_next_ready(s, &events));
    mtls_session_datagram_sent(s);
    mtls_session_new_round(s);
    ck_assert_ptr_eq(mtls_session_next_ready(s, &events), a);
    ck_assert(events & MTLS_WRITABLE);
    mtls_session_release(c);
    mtls_session_release(d);
    finish();
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        U1_with_30_percent_lost_it_never_stands_still,
        U1_doubled_and_reordered_each_is_whole,
        U1_after_an_outage_it_goes_on_within_a_probe_interval,
        U1_malformed_datagrams_are_dropped_and_counted,
        U1_what_overruns_the_buffer_is_dropped,
        the_longest_that_a_small_window_announces_arrives,
        half_a_window_that_was_read_makes_an_absolute_acknowledgment,
        probes_go_after_200_ms_and_then_ever_less_often_up_to_5_s,
        a_reader_that_does_not_read_stops_the_sender_and_then_not,
        a_window_that_starves_its_sender_grows,
        U5_data_before_its_success_is_held_within_a_bound,
        U5_a_refused_channel_leaves_nothing_held,
        U5_data_after_close_is_dropped,
        U6_a_flood_of_probes_gets_one_answer_an_interval,
        data_on_the_control_connection_is_ignored,
        there_is_no_half_close_and_the_end_is_the_close,
        an_empty_datagram_arrives,
        writers_that_found_no_room_are_all_told,
        a_writer_that_starved_is_told_of_room_that_comes_later};

    return core_run("session_dgram", tests, core_count(tests));
}
