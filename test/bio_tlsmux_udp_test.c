/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* BIO_f_tlsmux after UDP ASSOCIATE: one read or write is one datagram. */
#include "stacks.h"
#include "tlsmux_ends.h"

#include <netinet/in.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define HEADER "\0\0\0\1\x7f\0\0\1\0\x35" /* 127.0.0.1:53 */

static const int versions[] = {0, TLS1_2_VERSION, TLS1_3_VERSION};

static struct ends udp_ends(int version, const char *host_port)
{
    return ends_open(version, MTLS_TLSMUX_UDP_ASSOCIATE, host_port);
}

static char room[70000];

static void receives(BIO *b, const char *text)
{
    size_t n = 99;

    ck_assert(BIO_read_ex(b, room, sizeof(room), &n));
    ck_assert_uint_eq(n, strlen(text));
    ck_assert_mem_eq(room, text, n);
}

static void waits(BIO *b)
{
    ck_assert_int_eq(BIO_read(b, room, sizeof(room)), -1);
    ck_assert(BIO_should_read(b));
}

START_TEST(the_association_is_that_of_the_rfc)
{
    struct ends e = ends_new(TLS1_3_VERSION, 0);

    ends_shake(&e);
    BIO_tlsmux_set_command(e.client, MTLS_TLSMUX_UDP_ASSOCIATE);
    BIO_set_conn_hostname(e.client, "127.0.0.1:53");
    BIO_do_handshake(e.client);
    raw_hear(e.server, "\5\1\0");
    raw_say(e.server, "\5\0");
    BIO_do_handshake(e.client);
    raw_hear(e.server, "\5\3\0\1\0\0\0\0\0\0");
    raw_say(e.server, "\5\0\0\1\0\0\0\0\0\0");
    ck_assert_int_eq(BIO_do_handshake(e.client), 1);
    ck_assert_int_eq(BIO_puts(e.client, "query"), 5);
    raw_hear(e.server, "\0\x0f" HEADER "query");
    raw_say(e.server, "\0\x10\0\0\0\4abcdefghijklmnop\0\1");
    ends_free(&e);
}
END_TEST

START_TEST(a_server_that_names_an_address_is_refused)
{
    struct ends e = ends_new(0, 0);

    BIO_tlsmux_set_command(e.client, MTLS_TLSMUX_UDP_ASSOCIATE);
    ends_ask(&e);
    ck_assert_str_eq(BIO_get_conn_hostname(e.server), "0.0.0.0");
    ck_assert_str_eq(BIO_get_conn_port(e.server), "0");
    ck_assert_int_eq(BIO_tlsmux_grant(e.server, "127.0.0.1:53"), 1);
    ends_fail(e.client, MTLS_R_UDP_OUTSIDE_TLS);
    ends_free(&e);
}
END_TEST

START_TEST(datagrams_go_both_ways)
{
    static const size_t sizes[] = {1, 0, 512, 1472, 9000, 65507, 65525};
    static char data[65525];

    for (size_t i = 0; i < COUNT(versions); i++) {
        struct ends e = udp_ends(versions[i], "127.0.0.1:53");

        for (size_t j = 0; j < COUNT(sizes); j++) {
            struct ends way = j % 2 ? (struct ends){e.server, e.client} : e;
            size_t n = 0;
            int r = 0;

            memset(data, 'a' + (int)j, sizes[j]);
            ck_assert(BIO_write_ex(way.client, data, sizes[j], &n));
            ck_assert_uint_eq(n, sizes[j]);
            for (int turn = 0; turn < 1000 && !r; turn++) {
                r = BIO_read_ex(way.server, room, sizeof(room), &n);
                ck_assert(r || BIO_should_retry(way.server));
                BIO_flush(way.client);
            }
            ck_assert(r);
            ck_assert_uint_eq(n, sizes[j]);
            ck_assert_mem_eq(room, data, n);
            waits(way.server);
            if (j == 0) /* whom the server is to answer for */
                ck_assert_str_eq(BIO_tlsmux_get_peer(e.server), "127.0.0.1:53");
        }
        ends_free(&e);
    }
}
END_TEST

START_TEST(two_datagrams_stay_two)
{
    struct ends e = udp_ends(TLS1_3_VERSION, "127.0.0.1:53");

    BIO_puts(e.client, "first");
    BIO_puts(e.client, "second");
    BIO_write_ex(e.client, "", 0, &(size_t){0});
    BIO_puts(e.client, "third");
    receives(e.server, "first");
    ck_assert_int_gt(BIO_pending(e.server), 0);
    receives(e.server, "second");
    ck_assert_int_eq(BIO_read(e.server, room, sizeof(room)), 0);
    ck_assert_int_eq(BIO_eof(e.server), 0); /* it was an empty one */
    receives(e.server, "third");
    waits(e.server);
    ends_free(&e);
}
END_TEST

/* --- addresses --- */

START_TEST(each_datagram_has_its_own_address)
{
    struct ends e = udp_ends(TLS1_3_VERSION, "ns.example:53");
    BIO_ADDR *a = BIO_ADDR_new(), *b = BIO_ADDR_new();
    char *host;

    BIO_puts(e.client, "one");
    receives(e.server, "one");
    ck_assert_str_eq(BIO_tlsmux_get_peer(e.server), "ns.example:53");
    ck_assert_int_eq(BIO_dgram_get_peer(e.server, a), 0); /* has no names */
    ck_assert_int_eq(BIO_set_conn_hostname(e.client, "[::1]:5353"), 1);
    BIO_puts(e.client, "two");
    receives(e.server, "two");
    ck_assert_str_eq(BIO_tlsmux_get_peer(e.server), "[::1]:5353");
    ck_assert_int_gt(BIO_dgram_get_peer(e.server, a), 0);
    host = BIO_ADDR_hostname_string(a, 1);
    ck_assert_str_eq(host, "::1");
    OPENSSL_free(host);
    BIO_ADDR_rawmake(b, AF_INET, "\x7f\0\0\2", 4, htons(99));
    ck_assert_int_eq(BIO_dgram_set_peer(e.client, b), 1);
    BIO_puts(e.client, "three");
    receives(e.server, "three");
    ck_assert_str_eq(BIO_tlsmux_get_peer(e.server), "127.0.0.2:99");
    ck_assert_str_eq(BIO_get_conn_hostname(e.client), "127.0.0.2");
    BIO_ADDR_free(a);
    BIO_ADDR_free(b);
    ends_free(&e);
}
END_TEST

/* As a socket does that is not connected, and one that is. */
START_TEST(an_answer_goes_where_the_question_came_from)
{
    struct ends e = udp_ends(TLS1_3_VERSION, "127.0.0.1:53");

    ck_assert_int_eq(BIO_puts(e.server, "unasked"), -1);
    ck_reason(MTLS_R_BAD_DESTINATION);
    BIO_puts(e.client, "question");
    receives(e.server, "question");
    BIO_puts(e.server, "answer");
    receives(e.client, "answer");
    ck_assert_str_eq(BIO_tlsmux_get_peer(e.client), "127.0.0.1:53");
    BIO_set_conn_hostname(e.server, "127.0.0.1:99");
    BIO_puts(e.server, "from elsewhere");
    receives(e.client, "from elsewhere");
    ck_assert_str_eq(BIO_tlsmux_get_peer(e.client), "127.0.0.1:99");
    BIO_puts(e.client, "question");
    receives(e.server, "question");
    ck_assert_str_eq(BIO_tlsmux_get_peer(e.server), "127.0.0.1:53");
    ends_free(&e);
}
END_TEST

/* --- a relay's view: the header too --- */

START_TEST(with_the_header_it_is_a_relays)
{
    struct ends e = udp_ends(TLS1_3_VERSION, NULL);

    BIO_tlsmux_set_udp_header(e.client, 1);
    ck_assert_int_eq(BIO_write(e.client, HEADER "query", 15), 15);
    receives(e.server, "query");
    ck_assert_str_eq(BIO_tlsmux_get_peer(e.server), "127.0.0.1:53");
    BIO_puts(e.server, "answer");
    ck_assert_int_eq(BIO_read(e.client, room, sizeof(room)), 16);
    ck_assert_mem_eq(room, HEADER "answer", 16);
    ck_assert_str_eq(BIO_tlsmux_get_peer(e.client), "127.0.0.1:53");
    ends_free(&e);
}
END_TEST

START_TEST(K5_what_a_relay_must_not_relay_is_dropped)
{
    struct ends e = udp_ends(0, NULL);

    BIO_tlsmux_set_udp_header(e.client, 1);
    ck_assert_int_eq(BIO_write(e.client, "\0\0\1\1\x7f\0\0\1\0\x35?", 11), 11);
    ck_assert_int_eq(BIO_write(e.client, "\0\0\0\1\x7f\0\0\1\0", 9), 9);
    ck_assert_int_eq(BIO_write(e.client, "\0\1\0\1\x7f\0\0\1\0\x35?", 11), 11);
    ck_assert_int_eq(BIO_write(e.client, "\0\0\0\5\x7f\0\0\1\0\x35?", 11), 11);
    ck_assert_int_eq(BIO_tlsmux_get_dropped(e.client), 4);
    waits(e.server);
    ck_assert_int_eq(BIO_tlsmux_get_dropped(e.server), 0);
    ends_free(&e);
}
END_TEST

/* --- what is dropped, cut and refused --- */

START_TEST(K5_what_is_malformed_is_dropped_and_counted)
{
    for (size_t i = 0; i < COUNT(versions); i++) {
        struct ends e = udp_ends(versions[i], "127.0.0.1:53");

        raw_say(e.client, "\0\x0b\0\0\1\1\x7f\0\0\1\0\x35?");
        raw_say(e.client, "\0\x0b\0\0\xff\1\x7f\0\0\1\0\x35?");
        raw_say(e.client, "\0\x0b\1\0\0\1\x7f\0\0\1\0\x35?");
        raw_say(e.client, "\0\x0b\0\0\0\0\x7f\0\0\1\0\x35?");
        raw_say(e.client, "\0\0");
        raw_say(e.client, "\0\x09\0\0\0\1\x7f\0\0\1\0");
        raw_say(e.client, "\0\x0a\0\0\0\3\0\0\x35"
                          "abc");
        raw_say(e.client, "\0\x0b" HEADER "!");
        receives(e.server, "!");
        ck_assert_int_eq(BIO_tlsmux_get_dropped(e.server), 7);
        waits(e.server);
        ends_free(&e);
    }
}
END_TEST

/* A flood is not read in one call: others have their turn. */
START_TEST(K5_a_flood_of_what_is_dropped_has_breaks)
{
    struct ends e = udp_ends(0, "127.0.0.1:53");
    char flood[3000] = {0};

    raw_write(e.client, flood, sizeof(flood));
    raw_say(e.client, "\0\x0b" HEADER "!");
    ck_assert_int_eq(BIO_read(e.server, room, sizeof(room)), -1);
    ck_assert(BIO_should_read(e.server));
    ck_assert_int_eq(BIO_tlsmux_get_dropped(e.server), 1000);
    ck_assert_int_gt(BIO_pending(e.server), 0); /* no need to poll */
    receives(e.server, "!");
    ck_assert_int_eq(BIO_tlsmux_get_dropped(e.server), 1500);
    ends_free(&e);
}
END_TEST

START_TEST(K5_what_is_too_long_is_refused)
{
    struct ends e = udp_ends(0, "127.0.0.1:53");
    static char data[65536];

    ck_assert_int_eq(BIO_write(e.client, data, 65526), -1);
    ck_assert(!BIO_should_retry(e.client));
    ck_reason(MTLS_R_DATAGRAM_TOO_LONG);
    ck_assert_int_eq(BIO_puts(e.client, "fits"), 4);
    receives(e.server, "fits");
    ends_free(&e);
}
END_TEST

START_TEST(what_does_not_fit_into_the_buffer_is_lost)
{
    struct ends e = udp_ends(0, "127.0.0.1:53");

    BIO_puts(e.client, "long one");
    BIO_puts(e.client, "next");
    ck_assert_int_eq(BIO_read(e.server, room, 4), 4);
    ck_assert_mem_eq(room, "long", 4);
    receives(e.server, "next");
    ends_free(&e);
}
END_TEST

START_TEST(a_cut_is_told_from_an_end)
{
    static const char frame[] = "\0\x0b" HEADER "!";
    const size_t whole = sizeof(frame) - 1;

    for (size_t cut = 0; cut <= whole; cut++) {
        struct ends e = udp_ends(0, "127.0.0.1:53");

        if (cut > 0)
            raw_write(e.client, frame, cut);
        ck_assert_int_eq(BIO_shutdown_wr(e.client), 1);
        if (cut == whole)
            receives(e.server, "!");
        if (cut == 0 || cut == whole) {
            ck_assert_int_eq(BIO_read(e.server, room, 10), 0);
            ck_assert(!BIO_should_retry(e.server));
            ck_assert_int_eq(BIO_eof(e.server), 1);
        } else {
            ck_assert_int_eq(BIO_read(e.server, room, 10), -1);
            ck_assert(!BIO_should_retry(e.server));
            ck_reason(MTLS_R_SOCKS_CUT);
        }
        ends_free(&e);
    }
}
END_TEST

START_TEST(datagrams_have_no_lines)
{
    struct ends e = udp_ends(0, "127.0.0.1:53");

    BIO_puts(e.client, "line\n");
    ck_assert_int_eq(BIO_gets(e.server, room, sizeof(room)), -2);
    ck_reason(MTLS_R_WRONG_STATE);
    receives(e.server, "line\n");
    ends_free(&e);
}
END_TEST

/* --- a transport that takes a little at a time --- */

START_TEST(T1_datagrams_over_a_slow_transport)
{
    static const struct fault_plan plans[] = {
        {.most = 1}, {.retry = 2}, {.most = 1, .retry = 2}, {.most = 7}};

    for (size_t i = 0; i < COUNT(plans); i++) {
        struct fault_plan c = plans[i], s = plans[i];
        struct ends e = ends_with(0, &c, &s);
        int sent = 1, got = 1;

        BIO_tlsmux_set_command(e.client, MTLS_TLSMUX_UDP_ASSOCIATE);
        BIO_set_conn_hostname(e.client, "127.0.0.1:53");
        ends_ask(&e);
        BIO_tlsmux_grant(e.server, NULL);
        ends_finish(&e);
        for (int turn = 0; turn < 100000 && got < 50; turn++) {
            char text[50];
            int n;

            memset(text, sent, sizeof(text));
            n = sent < 50 ? BIO_write(e.client, text, sent)
                          : (int)BIO_flush(e.client);
            ck_assert(n > 0 || BIO_should_retry(e.client));
            if (n > 0)
                sent++;
            n = BIO_read(e.server, room, sizeof(room));
            ck_assert(n > 0 || BIO_should_retry(e.server));
            if (n < 0)
                continue;
            ck_assert_int_eq(n, got);
            for (int j = 0; j < n; j++)
                ck_assert_int_eq(room[j], got);
            got++;
        }
        ck_assert_int_eq(got, 50);
        ck_assert(!c.broken_retry);
        ends_free(&e);
    }
}
END_TEST

/* Reading is not held up by what waits to be written. */
START_TEST(while_writing_waits_reading_goes_on)
{
    struct fault_plan plan = {0};
    struct ends e = ends_with(0, &plan, NULL);

    BIO_tlsmux_set_command(e.client, MTLS_TLSMUX_UDP_ASSOCIATE);
    BIO_set_conn_hostname(e.client, "127.0.0.1:53");
    ends_ask(&e);
    BIO_tlsmux_grant(e.server, NULL);
    ends_finish(&e);
    BIO_set_conn_hostname(e.server, "127.0.0.1:53");
    BIO_puts(e.server, "one");
    BIO_shutdown_wr(e.server);
    plan.retry_write = 1;
    ck_assert_int_eq(BIO_puts(e.client, "query"), 5);
    receives(e.client, "one");
    ck_assert(!BIO_should_retry(e.client));
    ck_assert_int_eq(BIO_read(e.client, room, 10), 0);
    ck_assert(!BIO_should_retry(e.client));
    ends_free(&e);
}
END_TEST

/* The rest of a datagram goes with the next call, be it a read. */
START_TEST(the_rest_of_a_datagram_is_sent_by_any_call)
{
    for (int how = 0; how < 3; how++) {
        struct fault_plan plan = {0};
        struct ends e = ends_with(0, &plan, NULL);

        BIO_tlsmux_set_command(e.client, MTLS_TLSMUX_UDP_ASSOCIATE);
        BIO_set_conn_hostname(e.client, "127.0.0.1:53");
        ends_ask(&e);
        BIO_tlsmux_grant(e.server, NULL);
        ends_finish(&e);
        plan.retry = 1; /* each */
        ck_assert_int_eq(BIO_puts(e.client, "query"), 5);
        ck_assert(!BIO_should_retry(e.client));
        ck_assert_int_eq(BIO_wpending(e.client),
                         17 + BIO_wpending(BIO_next(e.client)));
        ck_assert_int_eq(BIO_puts(e.client, "next"), -1);
        ck_assert(BIO_should_write(e.client));
        ck_assert_int_eq(BIO_flush(e.client), -1);
        ck_assert(BIO_should_write(e.client));
        ck_assert_int_eq(BIO_read(e.client, room, 10), -1);
        ck_assert(BIO_should_write(e.client));
        ck_assert(BIO_should_read(e.client));
        waits(e.server);
        plan.retry = 0;
        if (how == 0)
            ck_assert_int_eq(BIO_flush(e.client), 1);
        else if (how == 1)
            waits(e.client);
        else
            ck_assert_int_eq(BIO_shutdown_wr(e.client), 1);
        ck_assert_int_eq(BIO_wpending(e.client),
                         BIO_wpending(BIO_next(e.client)));
        receives(e.server, "query");
        ends_free(&e);
    }
}
END_TEST

START_TEST(what_has_come_is_read_though_writing_failed)
{
    struct fault_plan plan = {0};
    struct ends e = ends_with(0, &plan, NULL);

    BIO_tlsmux_set_command(e.client, MTLS_TLSMUX_UDP_ASSOCIATE);
    BIO_set_conn_hostname(e.client, "127.0.0.1:53");
    ends_ask(&e);
    BIO_tlsmux_grant(e.server, NULL);
    ends_finish(&e);
    BIO_set_conn_hostname(e.server, "127.0.0.1:53");
    BIO_puts(e.server, "last words");
    plan.fail_write = 1;
    ck_assert_int_eq(BIO_puts(e.client, "query"), -1);
    ck_assert(!BIO_should_retry(e.client));
    receives(e.client, "last words");
    ends_free(&e);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {the_association_is_that_of_the_rfc,
                                  a_server_that_names_an_address_is_refused,
                                  datagrams_go_both_ways,
                                  two_datagrams_stay_two,
                                  each_datagram_has_its_own_address,
                                  an_answer_goes_where_the_question_came_from,
                                  with_the_header_it_is_a_relays,
                                  K5_what_a_relay_must_not_relay_is_dropped,
                                  K5_what_is_malformed_is_dropped_and_counted,
                                  K5_a_flood_of_what_is_dropped_has_breaks,
                                  K5_what_is_too_long_is_refused,
                                  what_does_not_fit_into_the_buffer_is_lost,
                                  a_cut_is_told_from_an_end,
                                  datagrams_have_no_lines,
                                  T1_datagrams_over_a_slow_transport,
                                  while_writing_waits_reading_goes_on,
                                  the_rest_of_a_datagram_is_sent_by_any_call,
                                  what_has_come_is_read_though_writing_failed};

    return ends_run("bio_tlsmux_udp", tests, COUNT(tests));
}
