/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* BIO_s_mtls_channel as a socket BIO: calls, retry flags, ends, errors. */
#include "stacks.h"

#include <check.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

static struct stacks st;

static void set_up(void)
{
    st = stacks_new(STACKS_PAIR, 0);
}

static void tear_down(void)
{
    ck_assert_uint_eq(ERR_peek_error(), 0);
    stacks_free(&st); /* SSL_shutdown() may complain of the other end */
    ERR_clear_error();
}

static void free_both(struct channels *ch)
{
    BIO_free(ch->c);
    BIO_free(ch->s);
}

START_TEST(request_names_destination_and_source)
{
    BIO *c = BIO_new_mtls_channel(st.client, "[2001:db8::1]:8080"), *s;

    ck_assert_ptr_nonnull(c);
    ck_assert(BIO_mtls_set_source(c, "192.0.2.7:99"));
    ck_assert_int_eq(BIO_mtls_get_channel_id(c), -1);
    ck_assert_int_le(BIO_do_connect(c), 0);
    s = BIO_mtls_accept_channel(st.server);
    ck_assert_ptr_nonnull(s);
    ck_assert_str_eq(BIO_get_conn_hostname(s), "2001:db8::1");
    ck_assert_str_eq(BIO_get_conn_port(s), "8080");
    ck_assert_str_eq(BIO_mtls_get_source(s), "192.0.2.7:99");
    BIO_free(c);
    BIO_free(s);
}
END_TEST

START_TEST(destination_in_the_words_of_bio_connect)
{
    static const struct {
        const char *text, *host, *port;
    } rows[] = {
        {"localhost:80", "localhost", "80"},
        {"10.0.0.1:65535", "10.0.0.1", "65535"},
        {"[::1]:7", "::1", "7"},
        {"unix:/run/a:b", "unix:/run/a:b", "0"},
        {"default", "default", "0"},
        {"localhost:http", "localhost", "80"},
    };
    static const char *const bad[] = {"localhost:65536", "localhost:no-such",
                                      "a\nb:1", "[::1:7"};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        BIO *c = BIO_new_mtls_channel(st.client, rows[i].text);

        ck_assert_ptr_nonnull(c);
        ck_assert_str_eq(BIO_get_conn_hostname(c), rows[i].host);
        ck_assert_str_eq(BIO_get_conn_port(c), rows[i].port);
        BIO_free(c);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ck_assert_ptr_null(BIO_new_mtls_channel(st.client, bad[i]));
        ck_reason(MTLS_R_BAD_DESTINATION);
    }
}
END_TEST

START_TEST(host_and_port_one_by_one)
{
    BIO *c = BIO_new_mtls_channel(st.client, NULL);

    ck_assert_ptr_nonnull(c);
    ck_assert_int_gt(BIO_set_conn_hostname(c, "host"), 0);
    ck_assert_int_gt(BIO_set_conn_port(c, "25"), 0);
    ck_assert_str_eq(BIO_get_conn_hostname(c), "host");
    ck_assert_str_eq(BIO_get_conn_port(c), "25");
    BIO_free(c);
}
END_TEST

START_TEST(channel_without_a_session)
{
    BIO *c = BIO_new(BIO_s_mtls_channel());
    char octet;

    ck_assert_ptr_nonnull(c);
    ck_assert_int_lt(BIO_read(c, &octet, 1), 0);
    ck_assert(!BIO_should_retry(c));
    ERR_clear_error();
    ck_assert(BIO_mtls_set_session(c, st.client));
    ck_assert_int_le(BIO_do_connect(c), 0);
    ck_assert(!BIO_should_retry(c));
    ck_reason(MTLS_R_BAD_DESTINATION);
    ck_assert_int_gt(BIO_set_conn_hostname(c, "default"), 0);
    ck_assert_int_le(BIO_do_connect(c), 0);
    ck_assert(BIO_should_retry(c));
    BIO_free(c);
}
END_TEST

START_TEST(open_waits_with_connect_and_accept_with_accept)
{
    BIO *c = BIO_new_mtls_channel(st.client, "default");

    ck_assert_ptr_null(BIO_mtls_accept_channel(st.server));
    ck_assert(BIO_should_io_special(st.server));
    ck_assert_int_eq(BIO_get_retry_reason(st.server), BIO_RR_ACCEPT);
    ck_assert_int_eq(BIO_do_connect(c), -1);
    ck_assert(BIO_should_retry(c));
    ck_assert(BIO_should_io_special(c));
    ck_assert_int_eq(BIO_get_retry_reason(c), BIO_RR_CONNECT);
    ck_assert(BIO_should_read(c)); /* for programs that poll() by these */
    ck_assert(!BIO_should_write(c));
    BIO_free(c);
}
END_TEST

START_TEST(io_opens_and_accepts)
{
    BIO *c = BIO_new_mtls_channel(st.client, "default"), *s;
    char text[16];

    ck_assert_int_eq(BIO_write(c, "ping", 4), -1);
    ck_assert(BIO_should_retry(c));
    s = BIO_mtls_accept_channel(st.server);
    ck_assert_ptr_nonnull(s);
    ck_assert_int_eq(BIO_read(s, text, sizeof(text)), -1);
    ck_assert(BIO_should_read(s));
    ck_assert_int_eq(BIO_write(c, "ping", 4), 4);
    ck_assert_int_eq(BIO_read(s, text, sizeof(text)), 4);
    ck_assert_mem_eq(text, "ping", 4);
    ck_assert_int_eq(BIO_puts(s, "pong"), 4);
    ck_assert_int_eq(BIO_read(c, text, sizeof(text)), 4);
    ck_assert_int_eq(BIO_mtls_get_channel_id(c), BIO_mtls_get_channel_id(s));
    BIO_free(c);
    BIO_free(s);
}
END_TEST

START_TEST(rejection_is_an_error_with_the_peers_text)
{
    BIO *c = BIO_new_mtls_channel(st.client, "secret:1"), *s;
    const char *data;
    int flags;

    BIO_do_connect(c);
    s = BIO_mtls_accept_channel(st.server);
    ck_assert(BIO_mtls_reject_channel(s, "prohibited: \033[2J"));
    ck_assert(!BIO_mtls_reject_channel(s, "again"));
    ck_reason(MTLS_R_WRONG_STATE);
    BIO_free(s);
    ck_assert_int_eq(BIO_do_connect(c), -1);
    ck_assert(!BIO_should_retry(c));
    ERR_peek_last_error_data(&data, &flags);
    ck_assert_str_eq(data, "prohibited: \\x1b[2J");
    ck_reason(MTLS_R_CHANNEL_REFUSED);
    ck_assert_str_eq(BIO_mtls_get_error_text(c), "prohibited: \\x1b[2J");
    BIO_free(c);
}
END_TEST

START_TEST(freeing_an_undecided_channel_refuses_it)
{
    BIO *c = BIO_new_mtls_channel(st.client, "h:1");

    BIO_do_connect(c);
    BIO_free(BIO_mtls_accept_channel(st.server));
    ck_assert_int_eq(BIO_do_connect(c), -1);
    ck_reason(MTLS_R_CHANNEL_REFUSED);
    ck_assert_ptr_nonnull(strstr(BIO_mtls_get_error_text(c), "prohibited:"));
    BIO_free(c);
}
END_TEST

START_TEST(half_close_is_end_of_file_one_way)
{
    struct channels ch = stacks_open(&st, "default");
    char text[8];

    ck_assert_int_eq(BIO_write(ch.c, "last", 4), 4);
    ck_assert_int_eq(BIO_shutdown_wr(ch.c), 1);
    ck_assert_int_eq(BIO_shutdown_wr(ch.c), 1);
    ck_assert_int_eq(BIO_write(ch.c, "more", 4), -1);
    ck_reason(MTLS_R_WRITE_AFTER_SHUTDOWN);
    ck_assert(!BIO_eof(ch.s));
    ck_assert_int_eq(BIO_read(ch.s, text, sizeof(text)), 4);
    ck_assert_int_eq(BIO_read(ch.s, text, sizeof(text)), 0);
    ck_assert(!BIO_should_retry(ch.s));
    ck_assert(BIO_eof(ch.s));
    ck_assert(!BIO_mtls_was_reset(ch.s));
    ck_assert_int_eq(BIO_write(ch.s, "answer", 6), 6);
    ck_assert_int_eq(BIO_read(ch.c, text, sizeof(text)), 6);
    free_both(&ch);
}
END_TEST

START_TEST(free_closes_in_good_order_after_its_data)
{
    struct channels ch = stacks_open(&st, "default");
    MTLS_COUNTERS counters;
    char text[8];

    ck_assert_int_eq(BIO_write(ch.c, "bye", 3), 3);
    BIO_free(ch.c);
    ck_assert_int_eq(BIO_read(ch.s, text, sizeof(text)), 3);
    ck_assert_int_eq(BIO_read(ch.s, text, sizeof(text)), 0);
    ck_assert(!BIO_mtls_was_reset(ch.s));
    ck_assert_int_eq(BIO_write(ch.s, "x", 1), -1);
    ck_assert(!BIO_should_retry(ch.s));
    ck_reason(MTLS_R_CLOSED_BY_PEER);
    stacks_turn(&st);
    BIO_mtls_get_counters(st.client, &counters);
    ck_assert_uint_eq(counters.channels, 0);
    BIO_mtls_get_counters(st.server, &counters);
    ck_assert_uint_eq(counters.channels, 0);
    ck_assert_uint_eq(counters.window_memory, 0);
    BIO_free(ch.s);
}
END_TEST

START_TEST(reset_can_be_told_from_an_end)
{
    struct channels ch = stacks_open(&st, "default");
    char text[8];

    ck_assert_int_eq(BIO_write(ch.c, "part", 4), 4);
    ck_assert(BIO_mtls_reset_channel(ch.c));
    ck_assert_int_eq(BIO_write(ch.c, "x", 1), -1);
    ck_reason(MTLS_R_CHANNEL_RESET);
    ck_assert_int_eq(BIO_read(ch.c, text, 1), -1);
    ck_reason(MTLS_R_CHANNEL_RESET);
    ck_assert_int_eq(BIO_read(ch.s, text, sizeof(text)), 4);
    ck_assert_int_eq(BIO_read(ch.s, text, sizeof(text)), 0);
    ck_assert(BIO_mtls_was_reset(ch.s));
    free_both(&ch);
}
END_TEST

START_TEST(gets_takes_whole_lines_only)
{
    struct channels ch = stacks_open(&st, "default");
    char line[16];

    BIO_write(ch.c, "abc", 3);
    ck_assert_int_eq(BIO_gets(ch.s, line, sizeof(line)), -1);
    ck_assert(BIO_should_read(ch.s));
    BIO_write(ch.c, "def\nsecond line is long\nend", 27);
    ck_assert_int_eq(BIO_gets(ch.s, line, sizeof(line)), 7);
    ck_assert_str_eq(line, "abcdef\n");
    ck_assert_int_eq(BIO_gets(ch.s, line, sizeof(line)), 15);
    ck_assert_str_eq(line, "second line is ");
    ck_assert_int_eq(BIO_gets(ch.s, line, sizeof(line)), 5);
    ck_assert_str_eq(line, "long\n");
    ck_assert_int_eq(BIO_gets(ch.s, line, sizeof(line)), -1);
    BIO_shutdown_wr(ch.c);
    ck_assert_int_eq(BIO_gets(ch.s, line, sizeof(line)), 3);
    ck_assert_str_eq(line, "end");
    ck_assert_int_eq(BIO_gets(ch.s, line, sizeof(line)), 0);
    free_both(&ch);
}
END_TEST

START_TEST(gets_gives_what_there_is_when_no_more_can_come)
{
    struct channels ch;
    char *line = malloc(9000), data[4096];
    int n = 0;

    BIO_mtls_set_max_window(st.server, 4096);
    ch = stacks_open(&st, "default");
    memset(data, 'x', sizeof(data));
    while (n < 4096)
        n += BIO_write(ch.c, data, (int)sizeof(data) - n);
    stacks_turn(&st);
    ck_assert_int_eq(BIO_gets(ch.s, line, 9000), 4096);
    free(line);
    free_both(&ch);
}
END_TEST

/* What a whole line needs is acknowledged, lest it be taken in parts. */
START_TEST(gets_does_not_split_a_line_that_fits)
{
    struct channels ch;
    char text[1100], line[1024];
    int lens[2] = {0, 0}, sent = 0;

    BIO_mtls_set_window(st.server, 1024);
    BIO_mtls_set_max_window(st.server, 1024);
    ch = stacks_open(&st, "default");
    memset(text, 'x', sizeof(text));
    text[500 - 1] = text[500 + 600 - 1] = '\n';
    for (int i = 0, had = 0; had < 2 && i < 20; i++) {
        int n = sent < 1100 ? BIO_write(ch.c, text + sent, 1100 - sent) : 0;

        sent += n > 0 ? n : 0;
        stacks_turn(&st);
        n = BIO_gets(ch.s, line, sizeof(line));
        if (n > 0)
            lens[had++] = n;
        else
            ck_assert(BIO_should_read(ch.s));
    }
    ck_assert_int_eq(lens[0], 500);
    ck_assert_int_eq(lens[1], 600);
    free_both(&ch);
}
END_TEST

START_TEST(truncation_is_no_end_of_file)
{
    struct channels ch = stacks_open(&st, "default");
    char text[8];

    ck_assert_int_eq(BIO_write(ch.c, "part", 4), 4);
    stacks_turn(&st);
    BIO_shutdown_wr(BIO_next(st.client)); /* end-of-file below */
    ck_assert_int_eq(BIO_read(ch.s, text, sizeof(text)), 4);
    ck_assert(!BIO_eof(ch.s));
    ck_assert_int_eq(BIO_read(ch.s, text, sizeof(text)), -1);
    ck_assert(!BIO_should_retry(ch.s));
    ck_reason(MTLS_R_TRUNCATED);
    ck_assert(!BIO_eof(ch.s));
    free_both(&ch);
}
END_TEST

/* All that a session queues, as long as nobody else waits for his turn. */
START_TEST(guaranteed_octets_are_all_taken)
{
    static char data[4 * 16375 + 1];
    struct channels ch = stacks_open(&st, "default");
    BIO *others[2];

    BIO_mtls_set_cork(st.client, 1);
    ck_assert_int_eq(BIO_write(ch.c, data, 1000), 1000);
    ck_assert_int_eq(BIO_get_write_guarantee(ch.c), 3 * 16375);
    ck_assert_int_eq(BIO_write(ch.c, data, 3 * 16375), 3 * 16375);
    ck_assert_int_eq(BIO_get_write_guarantee(ch.c), 16384 - 1000 - 3 * 9);
    stacks_turn(&st);
    ck_assert_int_eq(BIO_pending(ch.s), 1000 + 3 * 16375);
    BIO_mtls_set_cork(st.client, 0);
    free_both(&ch);

    BIO_mtls_set_cork(st.server, 1); /* with Success yet to be sent */
    others[0] = BIO_new_mtls_channel(st.client, "default");
    ck_assert_int_le(BIO_do_connect(others[0]), 0);
    others[1] = BIO_mtls_accept_channel(st.server);
    ck_assert_ptr_nonnull(others[1]);
    ck_assert_int_eq(BIO_do_handshake(others[1]), 1);
    ck_assert_int_eq(BIO_get_write_guarantee(others[1]), 4 * 16375 - 15);
    ck_assert_int_eq(BIO_write(others[1], data, 4 * 16375 - 15),
                     4 * 16375 - 15);
    stacks_turn(&st);
    ck_assert_int_eq(BIO_pending(others[0]), 4 * 16375 - 15);
    BIO_mtls_set_cork(st.server, 0);
    BIO_free(others[0]);
    BIO_free(others[1]);
}
END_TEST

START_TEST(write_without_credit_waits_for_input)
{
    struct channels ch;
    char data[8192];
    int n;

    BIO_mtls_set_max_window(st.server, 1000);
    ch = stacks_open(&st, "default");
    memset(data, 'x', sizeof(data));
    ck_assert_int_eq(BIO_get_write_guarantee(ch.c), 1000 - 1);
    ck_assert_int_eq(BIO_write(ch.c, data, sizeof(data)), 1000);
    ck_assert_int_eq(BIO_write(ch.c, data, sizeof(data)), -1);
    ck_assert(BIO_should_read(ch.c));
    ck_assert(!BIO_should_write(ch.c));
    ck_assert_int_eq(BIO_get_write_guarantee(ch.c), 0);
    n = BIO_read(ch.s, data, sizeof(data));
    ck_assert_int_gt(n, 500);
    ck_assert_int_gt(BIO_write(ch.c, data, sizeof(data)), 0);
    free_both(&ch);
}
END_TEST

/* Both by copying and in lent memory. */
START_TEST(credit_that_has_come_keeps_a_packet_whole)
{
    MTLS_COUNTERS counters;
    struct channels ch;
    char data[700], *lent;

    BIO_mtls_set_max_window(st.server, 1000);
    ch = stacks_open(&st, "default");
    memset(data, 'x', sizeof(data));
    ck_assert_int_eq(BIO_write(ch.c, data, 700), 700);
    ck_assert_int_eq(BIO_read(ch.s, data, 700), 700);
    ck_assert_int_eq(BIO_write(ch.c, data, 600), 600); /* not 300 and 300 */
    ck_assert_int_eq(BIO_read(ch.s, data, 700), 600);
    ck_assert_int_eq(BIO_nwrite0(ch.c, &lent), 999); /* not 400 */
    ck_assert_int_eq(BIO_mtls_get_counters(ch.c, &counters), 1);
    ck_assert_uint_eq(counters.packets_out, 2);
    free_both(&ch);
}
END_TEST

START_TEST(write_to_a_full_transport_waits_for_output)
{
    struct channels ch = stacks_open(&st, "default");
    static char data[200000];
    int n = 0, r;

    while ((r = BIO_write(ch.c, data, sizeof(data))) > 0)
        n += r;
    ck_assert(BIO_should_retry(ch.c));
    ck_assert(BIO_should_write(ch.c));
    ck_assert_int_gt(BIO_wpending(ch.c), 0);
    ck_assert_int_le(BIO_wpending(ch.c), 6 * 16384);
    ck_assert_int_eq(BIO_flush(ch.c), -1);
    ck_assert(BIO_should_write(ch.c));
    while (n > 0 && (r = BIO_read(ch.s, data, sizeof(data))) > 0) {
        n -= r;
        BIO_flush(ch.c);
    }
    ck_assert_int_eq(n, 0);
    ck_assert_int_eq(BIO_wpending(ch.c), 0);
    ck_assert_int_eq(BIO_flush(ch.c), 1);
    free_both(&ch);
}
END_TEST

START_TEST(empty_and_negative_lengths)
{
    struct channels ch = stacks_open(&st, "default");
    char octet;
    size_t n;

    ck_assert_int_eq(BIO_write(ch.c, "", 0), 0);
    ck_assert_int_eq(BIO_write_ex(ch.c, "", 0, &n), 1);
    ck_assert_int_lt(BIO_write(ch.c, "x", -1), 1);
    ck_assert_int_lt(BIO_read(ch.s, &octet, -1), 1);
    ERR_clear_error();
    ck_assert_int_eq(BIO_read(ch.s, &octet, 1), -1);
    ck_assert(BIO_should_retry(ch.s));
    free_both(&ch);
}
END_TEST

START_TEST(pending_is_what_a_read_would_give)
{
    struct channels ch = stacks_open(&st, "default");
    char text[8];

    BIO_write(ch.c, "12345", 5);
    stacks_turn(&st);
    ck_assert_int_eq(BIO_pending(ch.s), 5);
    ck_assert_int_eq(BIO_read(ch.s, text, 2), 2);
    ck_assert_int_eq(BIO_pending(ch.s), 3);
    free_both(&ch);
}
END_TEST

START_TEST(a_channel_is_not_duplicated)
{
    struct channels ch = stacks_open(&st, "default");

    ck_assert_ptr_null(BIO_dup_chain(ch.c));
    ERR_clear_error();
    free_both(&ch);
}
END_TEST

START_TEST(any_order_of_freeing)
{
    struct channels a = stacks_open(&st, "default");
    struct channels b = stacks_open(&st, "default");
    char text[8];

    BIO_free(a.s);
    BIO_free_all(st.client); /* before its channels */
    st.client = NULL;
    ck_assert_int_eq(BIO_write(b.c, "still", 5), 5);
    ck_assert_int_eq(BIO_read(b.s, text, sizeof(text)), 5);
    BIO_free_all(st.server);
    st.server = NULL;
    ck_assert_int_eq(BIO_write(b.s, "here", 4), 4);
    ck_assert_int_eq(BIO_read(b.c, text, sizeof(text)), 4);
    BIO_free(a.c);
    BIO_free(b.c);
    BIO_free(b.s);
}
END_TEST

START_TEST(many_channels_share_the_transport)
{
    struct channels ch[50];

    for (int i = 0; i < 50; i++)
        ch[i] = stacks_open(&st, "default");
    for (int i = 0; i < 50; i++)
        stacks_move(i % 2 ? ch[i].c : ch[i].s, i % 2 ? ch[i].s : ch[i].c,
                    (size_t)(i * 1000 + 1));
    for (int i = 0; i < 50; i++)
        free_both(&ch[i]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("bio_channel");
    TCase *tc = tcase_create("channel");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, request_names_destination_and_source);
    tcase_add_test(tc, destination_in_the_words_of_bio_connect);
    tcase_add_test(tc, host_and_port_one_by_one);
    tcase_add_test(tc, channel_without_a_session);
    tcase_add_test(tc, open_waits_with_connect_and_accept_with_accept);
    tcase_add_test(tc, io_opens_and_accepts);
    tcase_add_test(tc, rejection_is_an_error_with_the_peers_text);
    tcase_add_test(tc, freeing_an_undecided_channel_refuses_it);
    tcase_add_test(tc, half_close_is_end_of_file_one_way);
    tcase_add_test(tc, free_closes_in_good_order_after_its_data);
    tcase_add_test(tc, reset_can_be_told_from_an_end);
    tcase_add_test(tc, gets_takes_whole_lines_only);
    tcase_add_test(tc, gets_gives_what_there_is_when_no_more_can_come);
    tcase_add_test(tc, gets_does_not_split_a_line_that_fits);
    tcase_add_test(tc, truncation_is_no_end_of_file);
    tcase_add_test(tc, guaranteed_octets_are_all_taken);
    tcase_add_test(tc, write_without_credit_waits_for_input);
    tcase_add_test(tc, credit_that_has_come_keeps_a_packet_whole);
    tcase_add_test(tc, write_to_a_full_transport_waits_for_output);
    tcase_add_test(tc, empty_and_negative_lengths);
    tcase_add_test(tc, pending_is_what_a_read_would_give);
    tcase_add_test(tc, a_channel_is_not_duplicated);
    tcase_add_test(tc, any_order_of_freeing);
    tcase_add_test(tc, many_channels_share_the_transport);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
