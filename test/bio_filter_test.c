/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* The filter alone: a program that only adds the push speaks MTLS. */
#include "stacks.h"

#include <check.h>
#include <openssl/err.h>
#include <string.h>

static struct stacks st;

static void set_up(void)
{
    st = stacks_new(STACKS_TLS13_PAIR, 0);
}

static void tear_down(void)
{
    ck_assert_uint_eq(ERR_peek_error(), 0);
    stacks_free(&st); /* SSL_shutdown() may complain of the other end */
    ERR_clear_error();
}

/* Both ends try until the client's text is there. */
static void say(BIO *from, BIO *to, const char *text)
{
    char got[100];
    int n = -1, len = (int)strlen(text), wrote = -1;

    for (int i = 0; n < 0 && i < 100; i++) {
        if (wrote < 0)
            wrote = BIO_write(from, text, len);
        if (wrote < 0)
            ck_assert(BIO_should_retry(from));
        n = BIO_read(to, got, sizeof(got));
        if (n < 0)
            ck_assert(BIO_should_retry(to));
    }
    ck_assert_int_eq(wrote, len);
    ck_assert_int_eq(n, len);
    ck_assert_mem_eq(got, text, (size_t)len);
}

START_TEST(first_io_opens_and_takes_the_default_channel)
{
    say(st.client, st.server, "hello");
    say(st.server, st.client, "hello yourself");
    ck_assert_int_eq(BIO_pending(st.client), 0);
    ck_assert_int_eq(BIO_flush(st.client), 1);
}
END_TEST

START_TEST(client_may_read_first)
{
    char text[8];
    int n = -1;

    for (int i = 0; n < 0 && i < 100; i++) {
        n = BIO_read(st.client, text, sizeof(text));
        BIO_write(st.server, "banner", 6);
    }
    ck_assert_int_eq(n, 6);
}
END_TEST

START_TEST(line_calls)
{
    char line[32];

    say(st.client, st.server, "x");
    ck_assert_int_eq(BIO_puts(st.client, "one\ntwo\n"), 8);
    ck_assert_int_eq(BIO_gets(st.server, line, sizeof(line)), 4);
    ck_assert_str_eq(line, "one\n");
    ck_assert_int_eq(BIO_pending(st.server), 4);
}
END_TEST

START_TEST(end_is_end_of_file)
{
    char text[8];

    say(st.client, st.server, "x");
    ck_assert_int_eq(BIO_shutdown_wr(st.client), 1);
    ck_assert_int_eq(BIO_read(st.server, text, sizeof(text)), 0);
    ck_assert(!BIO_should_retry(st.server));
    ck_assert(BIO_eof(st.server));
    say(st.server, st.client, "answer");
}
END_TEST

START_TEST(freeing_all_ends_in_good_order)
{
    struct stacks plain = stacks_new(STACKS_NBIO_SOCKETS, 0);
    char text[8];

    say(plain.client, plain.server, "x");
    BIO_free_all(plain.client);
    ck_assert_int_eq(BIO_read(plain.server, text, sizeof(text)), 0);
    ck_assert(!BIO_should_retry(plain.server));
    ck_assert_uint_eq(ERR_peek_error(), 0);
    BIO_free_all(plain.server);
}
END_TEST

START_TEST(off_means_that_the_filter_is_no_channel)
{
    char octet;

    ck_assert(
        BIO_mtls_set_default_channel_mode(st.client, MTLS_DEFAULT_CHANNEL_OFF));
    ck_assert_int_eq(BIO_write(st.client, "x", 1), -1);
    ck_assert(!BIO_should_retry(st.client));
    ck_reason(MTLS_R_NO_DEFAULT_CHANNEL);
    ck_assert_ptr_null(BIO_mtls_accept_channel(st.server));
    ck_assert_int_eq(BIO_read(st.server, &octet, 1), -1);
    ck_reason(MTLS_R_NO_DEFAULT_CHANNEL);
    ck_assert(!BIO_mtls_set_default_channel_mode(st.client, 7));
    ck_reason(MTLS_R_INVALID_VALUE);
}
END_TEST

START_TEST(a_program_without_channels_refuses_more)
{
    BIO *c;

    say(st.client, st.server, "x");
    c = BIO_new_mtls_channel(st.client, "default");
    ck_assert_int_eq(BIO_do_connect(c), -1);
    ck_assert(BIO_should_retry(c));
    say(st.client, st.server, "y");
    say(st.server, st.client, "z");
    ck_assert_int_eq(BIO_do_connect(c), -1);
    ck_reason(MTLS_R_CHANNEL_REFUSED);
    BIO_free(c);
}
END_TEST

START_TEST(default_and_other_channels_side_by_side)
{
    struct channels ch;

    say(st.client, st.server, "x");
    ck_assert_ptr_null(BIO_mtls_accept_channel(st.server));
    ch = stacks_open(&st, "h:1");
    stacks_move(ch.c, ch.s, 10000);
    say(st.client, st.server, "still here");
    BIO_free(ch.c);
    BIO_free(ch.s);
}
END_TEST

START_TEST(without_a_bio_below)
{
    BIO *m = BIO_new(BIO_f_mtls());
    char octet;

    ck_assert_int_eq(BIO_read(m, &octet, 1), -1);
    ck_assert(!BIO_should_retry(m));
    ck_reason(MTLS_R_NOT_ATTACHED);
    ck_assert_int_eq(BIO_flush(m), 1);
    BIO_free(m);
}
END_TEST

START_TEST(popped_the_channels_fail_and_the_rest_stays_usable)
{
    struct stacks plain = stacks_new(STACKS_PAIR, 0);
    struct channels ch = stacks_open(&plain, "default");
    BIO *below;
    char text[8];

    below = BIO_pop(plain.client);
    ck_assert_ptr_nonnull(below);
    ck_assert_int_eq(BIO_read(ch.c, text, 1), -1);
    ck_reason(MTLS_R_TRUNCATED);
    ck_assert_int_eq(BIO_write(ch.c, text, 1), -1);
    ck_reason(MTLS_R_SESSION_ENDED);
    ck_assert_int_eq(BIO_write(below, "raw", 3), 3);
    BIO_free(ch.c);
    BIO_free(ch.s);
    BIO_free(plain.client);
    BIO_free_all(below);
    BIO_free_all(plain.server);
    ERR_clear_error();
}
END_TEST

START_TEST(a_copy_of_the_chain_is_a_session_of_its_own)
{
    BIO *m = BIO_new(BIO_f_mtls()), *copy;
    struct mtls_counters_st counters;

    ck_assert(BIO_mtls_set_window(m, 12345));
    copy = BIO_dup_chain(m);
    ck_assert_ptr_nonnull(copy);
    ck_assert(BIO_mtls_get_counters(copy, &counters));
    BIO_free(m);
    BIO_free(copy);
}
END_TEST

START_TEST(values_out_of_range_are_refused)
{
    ck_assert(!BIO_mtls_set_window(st.client, 0));
    ck_reason(MTLS_R_INVALID_VALUE);
    ck_assert(!BIO_mtls_set_max_packet(st.client, 0));
    ck_reason(MTLS_R_INVALID_VALUE);
    ck_assert(!BIO_mtls_set_max_channels(st.client, 65537));
    ck_reason(MTLS_R_INVALID_VALUE);
    ck_assert(!BIO_mtls_set_session_memory(st.client, 0));
    ck_reason(MTLS_R_INVALID_VALUE);
    ck_assert(!BIO_mtls_set_role(st.client, 9));
    ck_reason(MTLS_R_INVALID_VALUE);
    ck_assert(BIO_mtls_set_backlog(st.client, 5));
    ck_assert(BIO_mtls_set_max_opening(st.client, 5));
}
END_TEST

static unsigned int seen_sent, seen_received;

static long count_packets(BIO *b, int type, int len)
{
    (void)b;
    ck_assert_int_gt(len, 2);
    if (type & MTLS_INFO_SENT)
        seen_sent |= 1u << (type & 0xff);
    else
        seen_received |= 1u << type;
    return 1;
}

static int info_callback(BIO *b, int type, int len)
{
    return (int)count_packets(b, type, len);
}

START_TEST(callbacks_see_each_packet)
{
    BIO *out = BIO_new(BIO_s_mem());
    struct channels ch;
    char *text;
    long len;

    seen_sent = seen_received = 0;
    ck_assert_int_gt(BIO_set_info_callback(st.client, info_callback), 0);
    ck_assert(BIO_mtls_set_msg_callback(st.server, BIO_mtls_trace, out));
    ck_assert_ptr_null(BIO_mtls_accept_channel(st.server));
    ch = stacks_open(&st, "some.host:80");
    BIO_write(ch.c, "data", 4);
    stacks_turn(&st);
    BIO_free(ch.c);
    stacks_turn(&st);
    ck_assert_uint_eq(seen_sent, 1u << 1 | 1u << 6 | 1u << 4);
    ck_assert_uint_eq(seen_received, 1u << 2 | 1u << 5);
    BIO_write(out, "", 1);
    len = BIO_get_mem_data(out, &text);
    ck_assert_int_gt(len, 100);
    ck_assert_ptr_nonnull(strstr(text, "<<< MTLS ChannelEstablishmentRequest"));
    ck_assert_ptr_nonnull(strstr(text, "destination \"some.host\" port 80"));
    ck_assert_ptr_nonnull(strstr(text, "<<< MTLS MTLSPlaintext [length 4]"));
    ck_assert_ptr_nonnull(strstr(text, "end of data"));
    ck_assert_ptr_nonnull(strstr(text, ">>> MTLS ChannelCloseConfirmation"));
    BIO_free(ch.s);
    BIO_mtls_set_msg_callback(st.server, NULL, NULL);
    BIO_free(out);
}
END_TEST

START_TEST(corked_writes_share_a_record)
{
    struct channels ch;
    MTLS_COUNTERS before, after;

    ck_assert_ptr_null(BIO_mtls_accept_channel(st.server));
    ch = stacks_open(&st, "default");
    BIO_mtls_get_counters(st.client, &before);
    ck_assert(BIO_mtls_set_cork(st.client, 1));
    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(BIO_write(ch.c, "0123456789", 10), 10);
    BIO_mtls_get_counters(st.client, &after);
    ck_assert_uint_eq(after.octets_out, before.octets_out);
    ck_assert_int_eq(BIO_wpending(ch.c), 100 * 19);
    ck_assert(BIO_mtls_set_cork(st.client, 0));
    ck_assert_int_eq(BIO_wpending(ch.c), 0);
    BIO_free(ch.c);
    BIO_free(ch.s);
}
END_TEST

static uint64_t octets_out(BIO *m)
{
    MTLS_COUNTERS counters;

    BIO_mtls_get_counters(m, &counters);
    return counters.octets_out;
}

/* Neither a new channel nor a read that finds nothing lets go of the cork. */
START_TEST(corked_opens_wait_for_the_flush)
{
    struct channels ch;
    BIO *more[3];
    uint64_t before;
    char octet;

    ck_assert_ptr_null(BIO_mtls_accept_channel(st.server));
    ch = stacks_open(&st, "default");
    BIO_mtls_set_cork(st.client, 1);
    before = octets_out(st.client);
    for (int i = 0; i < 3; i++) {
        more[i] = BIO_new_mtls_channel(st.client, "more:1");
        ck_assert_int_le(BIO_do_connect(more[i]), 0);
        ck_assert_int_eq(BIO_get_retry_reason(more[i]), BIO_RR_CONNECT);
    }
    ck_assert_int_eq(BIO_write(ch.c, "x", 1), 1);
    ck_assert_int_eq(BIO_read(ch.c, &octet, 1), -1);
    ck_assert(BIO_should_read(ch.c));
    ck_assert_uint_eq(octets_out(st.client), before);
    ck_assert_int_eq(BIO_flush(st.client), 1);
    ck_assert_uint_gt(octets_out(st.client), before);
    stacks_turn(&st);
    for (int i = 0; i < 3; i++) {
        BIO *accepted = BIO_mtls_accept_channel(st.server);

        ck_assert_int_eq(BIO_do_handshake(accepted), 1);
        ck_assert_int_eq(BIO_do_connect(more[i]), 1);
        BIO_free(accepted);
        BIO_free(more[i]);
    }
    BIO_free(ch.c);
    BIO_free(ch.s);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("bio_filter");
    TCase *tc = tcase_create("filter");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, first_io_opens_and_takes_the_default_channel);
    tcase_add_test(tc, client_may_read_first);
    tcase_add_test(tc, line_calls);
    tcase_add_test(tc, end_is_end_of_file);
    tcase_add_test(tc, freeing_all_ends_in_good_order);
    tcase_add_test(tc, off_means_that_the_filter_is_no_channel);
    tcase_add_test(tc, a_program_without_channels_refuses_more);
    tcase_add_test(tc, default_and_other_channels_side_by_side);
    tcase_add_test(tc, without_a_bio_below);
    tcase_add_test(tc, popped_the_channels_fail_and_the_rest_stays_usable);
    tcase_add_test(tc, a_copy_of_the_chain_is_a_session_of_its_own);
    tcase_add_test(tc, values_out_of_range_are_refused);
    tcase_add_test(tc, callbacks_see_each_packet);
    tcase_add_test(tc, corked_writes_share_a_record);
    tcase_add_test(tc, corked_opens_wait_for_the_flush);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
