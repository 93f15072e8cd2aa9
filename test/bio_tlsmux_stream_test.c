/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* BIO_f_tlsmux as a BIO among others: settings, lines, ends, copies, layers. */
#include "stacks.h"
#include "tlsmux_ends.h"

#include <netinet/in.h>
#include <openssl/err.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const int versions[] = {0, TLS1_2_VERSION, TLS1_3_VERSION};

/* --- settings --- */

static void refuses(BIO *b, const char *host_port)
{
    ck_assert_int_le(BIO_set_conn_hostname(b, host_port), 0);
    ck_reason(MTLS_R_BAD_DESTINATION);
}

START_TEST(bad_destinations_are_refused)
{
    struct ends e = ends_new(0, 0);
    char name[300];

    refuses(e.client, NULL);
    refuses(e.client, "[fe80::1%lo]:80");
    refuses(e.client, "[::g]:80");
    refuses(e.client, "host:65536");
    refuses(e.client, "host:-1");
    refuses(e.client, "host:no such service");
    refuses(e.client, "ho\nst:80");
    memset(name, 'n', sizeof(name));
    memcpy(name + 255, ":80", 4);
    refuses(e.client, name);
    memcpy(name + 254, ":80", 4);
    ck_assert_int_eq(BIO_set_conn_hostname(e.client, name), 1);
    ck_assert_int_le(BIO_set_conn_port(e.client, "99999"), 0);
    ck_assert_uint_eq(strlen(BIO_get_conn_hostname(e.client)), 254);
    ck_assert_str_eq(BIO_get_conn_port(e.client), "80");
    ends_free(&e);
}
END_TEST

START_TEST(a_destination_may_come_in_two_parts)
{
    struct ends e = ends_new(0, 0);

    ends_fail(e.client, MTLS_R_BAD_DESTINATION);
    ck_assert_ptr_null(BIO_get_conn_hostname(e.client));
    ck_assert_int_eq(BIO_set_conn_hostname(e.client, "[::1]"), 1);
    ends_fail(e.client, MTLS_R_BAD_DESTINATION); /* no port */
    ck_assert_int_eq(BIO_set_conn_port(e.client, "443"), 1);
    ends_ask(&e);
    ck_assert_str_eq(BIO_get_conn_hostname(e.server), "::1");
    ck_assert_str_eq(BIO_get_conn_port(e.server), "443");
    ends_free(&e);
}
END_TEST

START_TEST(a_port_alone_is_one_of_the_server_itself)
{
    struct ends e = ends_new(0, 0);

    ck_assert_int_eq(BIO_set_conn_port(e.client, "25"), 1);
    ends_ask(&e);
    ck_assert_str_eq(BIO_get_conn_hostname(e.server), "localhost");
    ck_assert_str_eq(BIO_get_conn_port(e.server), "25");
    ends_free(&e);
}
END_TEST

START_TEST(addresses_of_openssl_are_taken_and_given)
{
    static const unsigned char v6[16] = {0x20, 1, 0xd, 0xb8, [15] = 7};
    struct ends e = ends_new(0, 0);
    BIO_ADDR *a = BIO_ADDR_new();
    const BIO_ADDR *got;
    char *host;

    ck_assert_int_le(BIO_set_conn_address(e.client, a), 0);
    ck_reason(MTLS_R_BAD_DESTINATION);
    ck_assert(BIO_ADDR_rawmake(a, AF_INET6, v6, 16, htons(80)));
    ck_assert_int_eq(BIO_set_conn_address(e.client, a), 1);
    ends_ask(&e);
    ck_assert_str_eq(BIO_get_conn_hostname(e.server), "2001:db8::7");
    got = BIO_get_conn_address(e.server);
    ck_assert_ptr_nonnull(got);
    host = BIO_ADDR_hostname_string(got, 1);
    ck_assert_str_eq(host, "2001:db8::7");
    ck_assert_uint_eq(BIO_ADDR_rawport(got), htons(80));
    OPENSSL_free(host);
    BIO_ADDR_free(a);
    ends_free(&e);
    e = ends_new(0, 0);
    BIO_set_conn_hostname(e.client, "name:80");
    ends_ask(&e);
    ck_assert_ptr_null(BIO_get_conn_address(e.server));
    ends_free(&e);
}
END_TEST

START_TEST(what_comes_too_late_or_makes_no_sense_is_refused)
{
    struct ends e = ends_new(0, 0);

    ck_assert_int_le(BIO_tlsmux_set_role(e.client, 3), 0);
    ck_reason(MTLS_R_INVALID_VALUE);
    ck_assert_int_le(BIO_tlsmux_set_command(e.client, 0), 0);
    ck_reason(MTLS_R_INVALID_VALUE);
    ck_assert_int_le(BIO_tlsmux_set_command(e.client, 4), 0);
    ck_reason(MTLS_R_INVALID_VALUE);
    ck_assert_int_le(BIO_tlsmux_grant(e.server, NULL), 0);
    ck_reason(MTLS_R_WRONG_STATE);
    ck_assert_int_le(BIO_tlsmux_refuse(e.server, 1), 0);
    ck_reason(MTLS_R_WRONG_STATE);
    BIO_set_conn_hostname(e.client, "host:80");
    ends_ask(&e);
    ck_assert_int_le(BIO_set_conn_hostname(e.client, "other:80"), 0);
    ck_reason(MTLS_R_WRONG_STATE);
    ck_assert_int_le(BIO_tlsmux_set_command(e.client, 2), 0);
    ck_reason(MTLS_R_WRONG_STATE);
    ck_assert_int_le(BIO_tlsmux_set_role(e.server, MTLS_ROLE_CLIENT), 0);
    ck_reason(MTLS_R_WRONG_STATE);
    ck_assert_int_le(BIO_tlsmux_grant(e.client, NULL), 0);
    ck_reason(MTLS_R_WRONG_STATE);
    ck_assert_int_le(BIO_tlsmux_refuse(e.server, 0), 0);
    ck_reason(MTLS_R_INVALID_VALUE);
    ck_assert_int_le(BIO_tlsmux_refuse(e.server, 9), 0);
    ck_reason(MTLS_R_INVALID_VALUE);
    ck_assert_int_le(BIO_tlsmux_grant(e.server, "[::x]:1"), 0);
    ck_reason(MTLS_R_BAD_DESTINATION);
    ck_assert_int_eq(BIO_tlsmux_grant(e.server, NULL), 1);
    ends_finish(&e);
    ck_assert_int_le(BIO_tlsmux_grant(e.server, NULL), 0);
    ck_reason(MTLS_R_WRONG_STATE);
    ends_free(&e);
}
END_TEST

START_TEST(alone_it_does_nothing)
{
    BIO *b = BIO_new(BIO_f_tlsmux());
    char octet;

    ck_assert_int_eq(BIO_do_handshake(b), -1);
    ck_reason(MTLS_R_NOT_ATTACHED);
    ck_assert_int_eq(BIO_read(b, &octet, 1), -1);
    ck_reason(MTLS_R_NOT_ATTACHED);
    ck_assert_int_eq(BIO_write(b, "x", 1), -1);
    ck_reason(MTLS_R_NOT_ATTACHED);
    ck_assert_int_eq(BIO_gets(b, &octet, 1), -1);
    ck_reason(MTLS_R_NOT_ATTACHED);
    ck_assert_int_eq(BIO_flush(b), 0);
    ck_assert_int_eq(BIO_pending(b), 0);
    ck_assert_int_eq(BIO_eof(b), 0);
    ck_assert_int_le(BIO_shutdown_wr(b), 0);
    ck_reason(MTLS_R_NOT_ATTACHED);
    BIO_free(b);
}
END_TEST

/* "goto err" programs leave errors; SSL_get_error() would see one of ours. */
START_TEST(stale_errors_do_no_harm)
{
    for (size_t i = 0; i < COUNT(versions); i++) {
        struct ends e = ends_new(versions[i], 0);

        ends_shake(&e);
        for (int j = 0; j < 2; j++) {
            ERR_raise(ERR_LIB_USER, 1);
            ck_assert_int_eq(BIO_do_handshake(e.server), -1);
            ck_assert(BIO_should_read(e.server));
        }
        BIO_set_conn_hostname(e.client, "host:80");
        for (int j = 0; j < 20 && !BIO_should_io_special(e.server); j++) {
            ERR_raise(ERR_LIB_USER, 1);
            BIO_do_handshake(e.client);
            ck_assert(BIO_should_retry(e.client));
            ERR_raise(ERR_LIB_USER, 1);
            BIO_do_handshake(e.server);
            ck_assert(BIO_should_retry(e.server));
        }
        ck_assert(BIO_should_io_special(e.server));
        ends_free(&e);
    }
}
END_TEST

/* --- octets, lines and what waits --- */

START_TEST(lines_are_whole_also_when_they_come_in_parts)
{
    for (size_t i = 0; i < COUNT(versions); i++) {
        struct ends e = ends_open(versions[i], 1, "host:80");
        char line[300];

        ck_assert_int_eq(BIO_gets(e.client, line, sizeof(line)), -1);
        ck_assert(BIO_should_retry(e.client));
        ck_assert_int_eq(BIO_puts(e.server, "220 rea"), 7);
        ck_assert_int_eq(BIO_gets(e.client, line, sizeof(line)), -1);
        ck_assert(BIO_should_retry(e.client));
        ck_assert_int_eq(BIO_pending(e.client), 7);
        ck_assert_int_eq(BIO_eof(e.client), 0);
        ck_assert_int_eq(BIO_puts(e.server, "dy\r\n\nthird\nla"), 13);
        ck_assert_int_eq(BIO_gets(e.client, line, sizeof(line)), 11);
        ck_assert_str_eq(line, "220 ready\r\n");
        ck_assert_int_eq(BIO_gets(e.client, line, 1), 0);
        ck_assert_int_eq(BIO_gets(e.client, line, sizeof(line)), 1);
        ck_assert_str_eq(line, "\n");
        ck_assert_int_eq(BIO_gets(e.client, line, 4), 3);
        ck_assert_str_eq(line, "thi");
        ck_assert_int_eq(BIO_gets(e.client, line, sizeof(line)), 3);
        ck_assert_str_eq(line, "rd\n");
        ck_assert_int_eq(BIO_gets(e.client, line, sizeof(line)), -1);
        ck_assert_int_eq(BIO_puts(e.server, "st"), 2);
        ck_assert_int_eq(BIO_gets(e.client, line, sizeof(line)), -1);
        ck_assert_int_eq(BIO_shutdown_wr(e.server), 1);
        ck_assert_int_eq(BIO_eof(e.client), 0);
        ck_assert_int_eq(BIO_gets(e.client, line, sizeof(line)), 4);
        ck_assert_str_eq(line, "last");
        ck_assert_int_eq(BIO_gets(e.client, line, sizeof(line)), 0);
        ck_assert_int_eq(BIO_eof(e.client), 1);
        ends_free(&e);
    }
}
END_TEST

START_TEST(reading_goes_on_where_a_line_was_begun)
{
    struct ends e = ends_open(TLS1_3_VERSION, 1, "host:80");
    char text[1000];

    memset(text, 't', sizeof(text));
    ck_assert_int_eq(BIO_write(e.server, text, 700), 700);
    ck_assert_int_eq(BIO_gets(e.client, text, 1000), -1);
    ck_assert_int_eq(BIO_puts(e.server, "rest"), 4);
    ck_assert_int_eq(BIO_read(e.client, text, 699), 699);
    ck_assert_int_eq(BIO_gets(e.client, text, 3), 2);
    ck_assert_str_eq(text, "tr");
    ck_assert_int_eq(BIO_read(e.client, text, 10), 3);
    ck_assert_mem_eq(text, "est", 3);
    ends_free(&e);
}
END_TEST

START_TEST(what_waits_is_told)
{
    for (size_t i = 0; i < COUNT(versions); i++) {
        struct ends e = ends_open(versions[i], 1, "host:80");
        char text[10];

        ck_assert_int_eq(BIO_pending(e.client), 0);
        ck_assert_int_eq(BIO_puts(e.server, "12345"), 5);
        ck_assert_int_eq(BIO_read(e.client, text, 2), 2);
        ck_assert_int_eq(BIO_pending(e.client), 3);
        ck_assert_int_eq(BIO_flush(e.server), 1);
        ck_assert_int_eq(BIO_eof(e.client), 0);
        ck_assert_int_eq(BIO_read(e.client, text, 0), 0);
        ck_assert_int_eq(BIO_read(e.client, text, 10), 3);
        ck_assert_int_eq(BIO_read(e.client, text, 10), -1);
        ck_assert(BIO_should_read(e.client));
        ends_free(&e);
    }
}
END_TEST

/* --- ends --- */

START_TEST(one_direction_ends_and_the_other_goes_on)
{
    for (size_t i = 0; i < COUNT(versions); i++) {
        struct ends e = ends_open(versions[i], 1, "host:80");
        char text[20];

        ck_assert_int_eq(BIO_puts(e.client, "question"), 8);
        ck_assert_int_eq(BIO_shutdown_wr(e.client), 1);
        ck_assert_int_eq(BIO_shutdown_wr(e.client), 1);
        ck_assert_int_eq(BIO_write(e.client, "x", 1), -1);
        ck_assert(!BIO_should_retry(e.client));
        ck_reason(MTLS_R_WRITE_AFTER_SHUTDOWN);
        ck_assert_int_eq(BIO_read(e.server, text, sizeof(text)), 8);
        ck_assert_int_eq(BIO_read(e.server, text, sizeof(text)), 0);
        ck_assert(!BIO_should_retry(e.server));
        ck_assert_int_eq(BIO_eof(e.server), 1);
        ck_assert_int_eq(BIO_puts(e.server, "answer"), 6);
        ck_assert_int_eq(BIO_shutdown_wr(e.server), 1);
        ck_assert_int_eq(BIO_read(e.client, text, sizeof(text)), 6);
        ck_assert_int_eq(BIO_read(e.client, text, sizeof(text)), 0);
        ends_free(&e);
    }
}
END_TEST

/* Without close_notify what has come may not be all. */
START_TEST(a_cut_is_no_end)
{
    for (size_t i = 0; i < COUNT(versions); i++) {
        struct ends e = ends_new(versions[i], 0);
        int plain = versions[i] == 0; /* where the end is all that there is */
        BIO *last = e.server;
        char text[10];

        BIO_set_conn_hostname(e.client, "host:80");
        ends_ask(&e);
        BIO_tlsmux_grant(e.server, NULL);
        ends_finish(&e);
        BIO_puts(e.server, "half");
        while (BIO_next(last) != NULL)
            last = BIO_next(last);
        BIO_shutdown_wr(last);
        ck_assert_int_eq(BIO_read(e.client, text, sizeof(text)), 4);
        ERR_clear_error();
        ck_assert_int_eq(BIO_read(e.client, text, sizeof(text)),
                         plain ? 0 : -1);
        ck_assert(!BIO_should_retry(e.client));
        ck_assert_int_eq(ERR_peek_error() == 0, plain);
        ERR_clear_error();
        ends_free(&e);
    }
}
END_TEST

/* The octets below are too many for the pair: the end has to wait. */
START_TEST(the_end_waits_for_its_turn)
{
    struct ends e = ends_new(TLS1_3_VERSION, 300);
    char text[300] = {0};
    int n, r = 0, total = 0;

    BIO_set_conn_hostname(e.client, "host:80");
    ends_ask(&e);
    BIO_tlsmux_grant(e.server, NULL);
    ends_finish(&e);
    ck_assert_int_eq(BIO_write(e.client, text, 270), 270);
    ck_assert_int_eq(BIO_shutdown_wr(e.client), -1);
    ck_assert(BIO_should_write(e.client));
    for (int i = 0; i < 10 && r <= 0; i++) {
        while ((n = BIO_read(e.server, text, sizeof(text))) > 0)
            total += n;
        r = (int)BIO_shutdown_wr(e.client);
    }
    ck_assert_int_eq(r, 1);
    ck_assert_int_eq(total, 270);
    ck_assert_int_eq(BIO_read(e.server, text, sizeof(text)), 0);
    ends_free(&e);
}
END_TEST

/* --- other BIOs --- */

static void buffer_below(BIO *b)
{
    BIO *below = BIO_pop(b);

    BIO_push(b, BIO_push(BIO_new(BIO_f_buffer()), below));
}

START_TEST(a_buffer_below_is_flushed)
{
    for (size_t i = 0; i < COUNT(versions); i++) {
        struct ends e = ends_new(versions[i], 0);
        char text[10];

        buffer_below(e.client);
        buffer_below(e.server);
        BIO_set_conn_hostname(e.client, "host:80");
        ends_ask(&e);
        BIO_tlsmux_grant(e.server, NULL);
        ends_finish(&e);
        ck_assert_int_eq(BIO_puts(e.client, "end"), 3);
        ck_assert_int_eq(BIO_read(e.server, text, sizeof(text)), -1);
        ck_assert(BIO_should_read(e.server));
        ck_assert_int_eq(BIO_wpending(e.client), 3);
        ck_assert_int_eq(BIO_shutdown_wr(e.client), 1);
        ck_assert_int_eq(BIO_read(e.server, text, sizeof(text)), 3);
        ck_assert_int_eq(BIO_read(e.server, text, sizeof(text)), 0);
        ends_free(&e);
    }
}
END_TEST

static int calls;

static long count_calls(BIO *b, int op, const char *data, size_t len, int cmd,
                        long num, int r, size_t *n)
{
    (void)b, (void)data, (void)len, (void)cmd, (void)num, (void)n;
    calls += op == (BIO_CB_READ | BIO_CB_RETURN);
    return r;
}

static int told(BIO *b, int cmd, int r)
{
    (void)b, (void)cmd;
    calls++;
    return r;
}

START_TEST(callbacks_are_called)
{
    struct ends e = ends_open(0, 1, "host:80");
    char text[10];

    calls = 0;
    BIO_set_callback_ex(e.client, count_calls);
    BIO_puts(e.server, "x");
    ck_assert_int_eq(BIO_read(e.client, text, sizeof(text)), 1);
    ck_assert_int_eq(calls, 1);
    ck_assert_uint_eq(BIO_number_read(e.client), 1);
    ck_assert_uint_eq(BIO_number_written(e.server), 1);
    BIO_set_callback_ex(e.client, NULL);
    ends_free(&e);
}
END_TEST

/* The info callback is that of whoever below has one: here, another filter. */
START_TEST(the_info_callback_goes_down)
{
    BIO *filter = BIO_push(BIO_new(BIO_f_tlsmux()), BIO_new(BIO_f_mtls()));

    ck_assert_int_eq((int)BIO_set_info_callback(filter, told), 1);
    BIO_free_all(filter);
    filter = BIO_new(BIO_f_tlsmux());
    ck_assert_int_eq((int)BIO_set_info_callback(filter, told), 0);
    BIO_free(filter);
}
END_TEST

/* What an accept BIO does with the chain of BIO_set_accept_bios(). */
START_TEST(a_copy_begins_with_the_same_settings)
{
    struct ends e = ends_new(0, 0);
    BIO *filter = BIO_new(BIO_f_tlsmux()), *copy;

    BIO_tlsmux_set_role(filter, MTLS_ROLE_CLIENT);
    BIO_tlsmux_set_command(filter, MTLS_TLSMUX_BIND);
    BIO_set_conn_hostname(filter, "copied:80");
    copy = BIO_dup_chain(filter);
    ck_assert_ptr_nonnull(copy);
    BIO_free(filter);
    copy = BIO_push(copy, BIO_pop(e.client));
    BIO_free(e.client);
    e.client = copy;
    ends_ask(&e);
    ck_assert_int_eq(BIO_tlsmux_get_command(e.server), MTLS_TLSMUX_BIND);
    ck_assert_str_eq(BIO_get_conn_hostname(e.server), "copied");
    ends_free(&e);
}
END_TEST

START_TEST(popped_or_reset_it_begins_anew)
{
    struct ends e = ends_open(0, 1, "first:80"), other = ends_new(0, 0);
    BIO *below = BIO_pop(e.client), *theirs = BIO_pop(e.server);

    ck_assert_int_eq(BIO_tlsmux_get_reply(e.client), -1);
    BIO_free(BIO_pop(other.client));
    BIO_free(BIO_pop(other.server));
    ends_free(&other);
    BIO_push(e.client, below);
    BIO_push(e.server, theirs);
    BIO_set_conn_hostname(e.client, "second:80");
    ends_ask(&e);
    ck_assert_str_eq(BIO_get_conn_hostname(e.server), "second");
    BIO_tlsmux_grant(e.server, NULL);
    ends_finish(&e);
    BIO_reset(e.client);
    BIO_reset(e.server);
    BIO_set_conn_hostname(e.client, "third:80");
    ends_ask(&e);
    ck_assert_str_eq(BIO_get_conn_hostname(e.server), "third");
    ends_free(&e);
}
END_TEST

/* The role can't be asked of the SSL there: a channel's opener is either. */
START_TEST(it_works_in_a_channel_of_mtls)
{
    struct stacks st = stacks_new(STACKS_TLS13_PAIR, 0);
    struct channels ch;
    struct ends e;

    ck_assert_ptr_null(BIO_mtls_accept_channel(st.server));
    ch = stacks_open(&st, "socks");
    e.client = BIO_push(BIO_new(BIO_f_tlsmux()), ch.s); /* the other way */
    e.server = BIO_push(BIO_new(BIO_f_tlsmux()), ch.c);
    ck_assert_int_eq(BIO_tlsmux_set_role(e.client, MTLS_ROLE_CLIENT), 1);
    ck_assert_int_eq(BIO_tlsmux_set_role(e.server, MTLS_ROLE_SERVER), 1);
    BIO_set_conn_hostname(e.client, "host:80");
    ends_ask(&e);
    BIO_tlsmux_grant(e.server, NULL);
    ends_finish(&e);
    stacks_move(e.client, e.server, 100000);
    ck_assert_int_eq(BIO_shutdown_wr(e.client), 1);
    stacks_turn(&st);
    stacks_move(e.server, e.client, 100000); /* the session goes on */
    ends_free(&e);
    stacks_free(&st);
    ERR_clear_error();
}
END_TEST

/* close_notify of that session is not the end of this stream's direction. */
START_TEST(it_works_in_the_default_channel_of_mtls)
{
    struct stacks st = stacks_new(STACKS_TLS13_PAIR, 0);
    struct ends e = {BIO_push(BIO_new(BIO_f_tlsmux()), st.client),
                     BIO_push(BIO_new(BIO_f_tlsmux()), st.server)};

    BIO_set_conn_hostname(e.client, "host:80");
    ends_ask(&e);
    BIO_tlsmux_grant(e.server, NULL);
    ends_finish(&e);
    stacks_move(e.client, e.server, 1000);
    ck_assert_int_eq(BIO_shutdown_wr(e.client), 1);
    stacks_turn(&st);
    ck_assert_int_eq(BIO_read(e.server, &(char){0}, 1), 0);
    stacks_move(e.server, e.client, 1000);
    ends_free(&e);
}
END_TEST

START_TEST(tls_to_the_service_goes_through)
{
    struct ends e = ends_open(TLS1_3_VERSION, 1, "host:443");
    SSL_CTX *c = stacks_client_ctx(TLS1_3_VERSION);
    SSL_CTX *s = stacks_server_ctx(TLS1_3_VERSION);

    e.client = BIO_push(BIO_new_ssl(c, 1), e.client);
    e.server = BIO_push(BIO_new_ssl(s, 0), e.server);
    stacks_move(e.client, e.server, 50000);
    stacks_move(e.server, e.client, 50000);
    ends_free(&e);
    SSL_CTX_free(c);
    SSL_CTX_free(s);
}
END_TEST

/* Zero-copy calls would go around what a line has left here. */
START_TEST(zero_copy_is_of_the_bare_stream_alone)
{
    struct ends e = ends_open(0, 1, "host:80");
    char *p, line[10];

    BIO_puts(e.server, "abc");
    ck_assert_int_eq(BIO_gets(e.client, line, sizeof(line)), -1);
    BIO_puts(e.server, "def");
    ck_assert_int_le(BIO_nread0(e.client, &p), 0);
    ck_assert_int_eq(BIO_read(e.client, line, sizeof(line)), 3);
    ck_assert_int_eq(BIO_nread(e.client, &p, 10), 3);
    ck_assert_mem_eq(p, "def", 3);
    ends_free(&e);
    e = ends_new(0, 0);
    ck_assert_int_eq(BIO_get_write_guarantee(e.client), 0);
    ends_free(&e);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        bad_destinations_are_refused,
        a_destination_may_come_in_two_parts,
        a_port_alone_is_one_of_the_server_itself,
        addresses_of_openssl_are_taken_and_given,
        what_comes_too_late_or_makes_no_sense_is_refused,
        alone_it_does_nothing,
        stale_errors_do_no_harm,
        lines_are_whole_also_when_they_come_in_parts,
        reading_goes_on_where_a_line_was_begun,
        what_waits_is_told,
        one_direction_ends_and_the_other_goes_on,
        a_cut_is_no_end,
        the_end_waits_for_its_turn,
        a_buffer_below_is_flushed,
        callbacks_are_called,
        the_info_callback_goes_down,
        a_copy_begins_with_the_same_settings,
        popped_or_reset_it_begins_anew,
        it_works_in_a_channel_of_mtls,
        it_works_in_the_default_channel_of_mtls,
        tls_to_the_service_goes_through,
        zero_copy_is_of_the_bare_stream_alone};

    return ends_run("bio_tlsmux_stream", tests, COUNT(tests));
}
