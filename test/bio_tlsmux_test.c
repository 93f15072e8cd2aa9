/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* BIO_f_tlsmux: what is asked for, granted and refused, and then the stream. */
#include "stacks.h"
#include "tlsmux_ends.h"

#include <check.h>
#include <openssl/err.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const int versions[] = {0, TLS1_2_VERSION, TLS1_3_VERSION};

/* --- CONNECT --- */

START_TEST(connect_is_granted_and_then_a_stream)
{
    for (size_t i = 0; i < COUNT(versions); i++) {
        struct ends e = ends_new(versions[i], 0);

        ck_assert_int_eq(BIO_set_conn_hostname(e.client, "localhost:25"), 1);
        ends_ask(&e);
        ck_assert_int_eq(BIO_tlsmux_get_command(e.server), MTLS_TLSMUX_CONNECT);
        ck_assert_str_eq(BIO_get_conn_hostname(e.server), "localhost");
        ck_assert_str_eq(BIO_get_conn_port(e.server), "25");
        ck_assert_int_eq(BIO_tlsmux_get_reply(e.server), -1);
        ck_assert_ptr_null(BIO_tlsmux_get_bound(e.server));
        ck_assert_int_eq(BIO_tlsmux_grant(e.server, "127.0.0.1:3456"), 1);
        ends_finish(&e);
        ck_assert_int_eq(BIO_tlsmux_get_reply(e.client), 0);
        ck_assert_int_eq(BIO_tlsmux_get_reply(e.server), 0);
        ck_assert_str_eq(BIO_tlsmux_get_bound(e.client), "127.0.0.1:3456");
        ck_assert_str_eq(BIO_tlsmux_get_bound(e.server), "127.0.0.1:3456");
        ck_assert_ptr_null(BIO_tlsmux_get_peer(e.client));
        stacks_move(e.client, e.server, 100000);
        stacks_move(e.server, e.client, 100000);
        ck_assert_int_eq(BIO_do_handshake(e.client), 1);
        ends_free(&e);
    }
}
END_TEST

START_TEST(destinations_arrive_as_they_were_meant)
{
    static const struct {
        const char *host_port, *host, *port, *raw;
        size_t len;
    } rows[] = {
#define ROW(host_port, host, port, raw) \
    {host_port, host, port, raw, sizeof(raw) - 1}
        ROW("127.0.0.1:80", "127.0.0.1", "80", "\5\1\0\1\x7f\0\0\1\0\x50"),
        ROW("[::1]:8080", "::1", "8080",
            "\5\1\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\x1f\x90"),
        ROW("mail.example:25", "mail.example", "25",
            "\5\1\0\3\x0cmail.example\0\x19"),
        ROW("::ffff:127.0.0.1:80", NULL, NULL, ""),
        ROW("[::ffff:127.0.0.1]:80", "::ffff:127.0.0.1", "80",
            "\5\1\0\4\0\0\0\0\0\0\0\0\0\0\xff\xff\x7f\0\0\1\0\x50"),
        ROW("2130706433:80", "2130706433", "80",
            "\5\1\0\3\x0a"
            "2130706433\0\x50"),
        ROW("a:65535", "a", "65535", "\5\1\0\3\1a\xff\xff"),
        ROW("localhost:http", "localhost", "80", "\5\1\0\3\x09localhost\0\x50"),
        ROW("localhost:0", "localhost", "0", "\5\1\0\3\x09localhost\0\0")};

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct ends e = ends_new(0, 0), raw = ends_new(0, 0);

        if (rows[i].host == NULL) {
            ck_assert_int_le(BIO_set_conn_hostname(e.client, rows[i].host_port),
                             0);
        } else {
            ck_assert_int_eq(
                BIO_set_conn_hostname(raw.client, rows[i].host_port), 1);
            BIO_do_handshake(raw.client);
            raw_hear(raw.server, "\5\1\0");
            raw_say(raw.server, "\5\0");
            BIO_do_handshake(raw.client);
            raw_read(raw.server, rows[i].raw, rows[i].len, __LINE__);
            ck_assert_int_eq(BIO_set_conn_hostname(e.client, rows[i].host_port),
                             1);
            ck_assert_str_eq(BIO_get_conn_hostname(e.client), rows[i].host);
            ck_assert_str_eq(BIO_get_conn_port(e.client), rows[i].port);
            ends_ask(&e);
            ck_assert_str_eq(BIO_get_conn_hostname(e.server), rows[i].host);
            ck_assert_str_eq(BIO_get_conn_port(e.server), rows[i].port);
        }
        ends_free(&e);
        ends_free(&raw);
    }
}
END_TEST

START_TEST(each_refusal_is_heard)
{
    for (size_t i = 0; i < COUNT(versions); i++) {
        for (int code = 1; code <= 8; code++) {
            struct ends e = ends_new(versions[i], 0);
            char octet;

            BIO_set_conn_hostname(e.client, "localhost:25");
            ends_ask(&e);
            ck_assert_int_eq(BIO_tlsmux_refuse(e.server, code), 1);
            ck_assert_int_eq(BIO_flush(e.server), 1);
            ck_assert_int_eq(BIO_tlsmux_get_reply(e.server), code);
            ends_fail(e.server, MTLS_R_SOCKS_REFUSED);
            ck_assert_int_eq(BIO_do_handshake(e.client), -1);
            ck_assert_int_eq(BIO_tlsmux_get_reply(e.client), code);
            ends_fail(e.client, MTLS_R_SOCKS_REFUSED); /* and again */
            ck_assert_int_eq(BIO_write(e.client, "x", 1), -1);
            ck_assert(!BIO_should_retry(e.client));
            ck_reason(MTLS_R_SOCKS_REFUSED);
            ck_assert_int_eq(BIO_read(e.server, &octet, 1), -1);
            ck_reason(MTLS_R_SOCKS_REFUSED);
            ends_free(&e);
        }
    }
}
END_TEST

START_TEST(a_refusal_says_why)
{
    struct ends e = ends_new(0, 0);
    const char *data = NULL;
    int flags = 0;

    BIO_set_conn_hostname(e.client, "10.0.0.1:25");
    ends_ask(&e);
    BIO_tlsmux_refuse(e.server, MTLS_TLSMUX_NOT_ALLOWED);
    ck_assert_int_eq(BIO_do_handshake(e.client), -1);
    ERR_peek_last_error_data(&data, &flags);
    ck_assert_str_eq(data, "connection not allowed by ruleset");
    ends_free(&e);
}
END_TEST

START_TEST(reading_and_writing_do_the_exchange)
{
    for (size_t i = 0; i < COUNT(versions); i++) {
        struct ends e = ends_new(versions[i], 0);
        char got[10];
        int sent = -1, n = -1, asked = 0;

        BIO_set_conn_hostname(e.client, "localhost:7");
        for (int turn = 0; turn < 1000 && n < 0; turn++) {
            if (sent < 0)
                sent = BIO_write(e.client, "hello", 5);
            ck_assert(sent > 0 || BIO_should_retry(e.client));
            n = BIO_read(e.server, got, sizeof(got));
            ck_assert(n > 0 || BIO_should_retry(e.server));
            if (n < 0 && BIO_should_io_special(e.server) && !asked++)
                ck_assert_int_eq(BIO_tlsmux_grant(e.server, NULL), 1);
        }
        ck_assert_int_eq(sent, 5);
        ck_assert_int_eq(n, 5);
        ck_assert_mem_eq(got, "hello", 5);
        ends_free(&e);
    }
}
END_TEST

/* --- what hostile and other peers say --- */

START_TEST(K1_K2_a_malformed_message_gets_its_reply)
{
    static const struct {
        const char *say, *hear;
        size_t say_len, hear_len;
        int reason;
    } rows[] = {
#define TURN(say, hear, reason) \
    {say, hear, sizeof(say) - 1, sizeof(hear) - 1, reason}
        TURN("\4\1\0\x50\x7f\0\0\1\0", "\5\xff", MTLS_R_SOCKS_VERSION),
        TURN("\0", "\5\xff", MTLS_R_SOCKS_VERSION),
        TURN("\xff\1\0", "\5\xff", MTLS_R_SOCKS_VERSION),
        TURN("GET / HTTP/1.0\r\n\r\n", "\5\xff", MTLS_R_SOCKS_VERSION),
        TURN("\5\0", "\5\xff", MTLS_R_SOCKS_MALFORMED),
        TURN("\5\1\xff", "\5\xff", MTLS_R_SOCKS_NO_METHOD),
        TURN("\5\2\1\2", "\5\xff", MTLS_R_SOCKS_NO_METHOD),
        TURN("\5\1\0\4\1\0\1\x7f\0\0\1\0\x50", "\5\0\5\1\0\1\0\0\0\0\0\0",
             MTLS_R_SOCKS_VERSION),
        TURN("\5\1\0\5\x09\0\1\x7f\0\0\1\0\x50", "\5\0\5\7\0\1\0\0\0\0\0\0",
             MTLS_R_SOCKS_MALFORMED),
        TURN("\5\1\0\5\1\0\5", "\5\0\5\x08\0\1\0\0\0\0\0\0",
             MTLS_R_SOCKS_MALFORMED),
        TURN("\5\1\0\5\1\0\3\0\0\x50", "\5\0\5\1\0\1\0\0\0\0\0\0",
             MTLS_R_SOCKS_MALFORMED),
        TURN("\5\1\0\5\1\0\3\3a\0b\0\x50", "\5\0\5\1\0\1\0\0\0\0\0\0",
             MTLS_R_SOCKS_MALFORMED),
        TURN("\5\1\0\5\1\x80\1\x7f\0\0\1\0\x50", "\5\0\5\1\0\1\0\0\0\0\0\0",
             MTLS_R_SOCKS_MALFORMED)};

    for (size_t i = 0; i < COUNT(versions); i++) {
        for (size_t j = 0; j < COUNT(rows); j++) {
            struct ends e = ends_new(versions[i], 0);
            char got[100];
            size_t n = 0;

            ends_shake(&e);
            raw_write(e.client, rows[j].say, rows[j].say_len);
            ends_fail(e.server, rows[j].reason);
            while (BIO_read(BIO_next(e.client), got + n, 1) == 1)
                n++;
            ck_assert_msg(n == rows[j].hear_len &&
                              memcmp(got, rows[j].hear, n) == 0,
                          "row %zu", j);
            ends_fail(e.server, rows[j].reason);
            ends_free(&e);
        }
    }
}
END_TEST

START_TEST(K2_a_name_of_255_octets_earns_01)
{
    struct ends e = ends_new(TLS1_3_VERSION, 0);
    char request[4 + 1 + 255 + 2];

    ends_shake(&e);
    memset(request, 'n', sizeof(request));
    memcpy(request, "\5\1\0\3\xff", 5);
    raw_say(e.client, "\5\1\0");
    raw_write(e.client, request, sizeof(request));
    ends_fail(e.server, MTLS_R_SOCKS_MALFORMED);
    raw_hear(e.client, "\5\0");
    raw_hear(e.client, "\5\1\0\1\0\0\0\0\0\0");
    ends_free(&e);
}
END_TEST

START_TEST(a_malformed_server_is_told_of)
{
    static const struct {
        const char *first, *second;
        size_t first_len, second_len;
        int reason, code;
    } rows[] = {
#define ANSWER(first, second, reason, code) \
    {first, second, sizeof(first) - 1, sizeof(second) - 1, reason, code}
        ANSWER("\4\0", "", MTLS_R_SOCKS_VERSION, -1),
        ANSWER("220 mail.example ESMTP", "", MTLS_R_SOCKS_VERSION, -1),
        ANSWER("\5\xff", "", MTLS_R_SOCKS_NO_METHOD, -1),
        ANSWER("\5\2", "", MTLS_R_SOCKS_MALFORMED, -1),
        ANSWER("\5\0", "\4\0\0\1\0\0\0\0\0\0", MTLS_R_SOCKS_VERSION, -1),
        ANSWER("\5\0", "\5\0\0\0", MTLS_R_SOCKS_MALFORMED, -1),
        ANSWER("\5\0", "\5\0\1\1\0\0\0\0\0\0", MTLS_R_SOCKS_MALFORMED, -1),
        ANSWER("\5\0", "\5\0\0\3\0\0\0", MTLS_R_SOCKS_MALFORMED, -1),
        ANSWER("\5\0", "\5\x09\0\1\0\0\0\0\0\0", MTLS_R_SOCKS_REFUSED, 9),
        ANSWER("\5\0", "\5\xff\0\1\0\0\0\0\0\0", MTLS_R_SOCKS_REFUSED, 255)};

    for (size_t i = 0; i < COUNT(versions); i++) {
        for (size_t j = 0; j < COUNT(rows); j++) {
            struct ends e = ends_new(versions[i], 0);

            ends_shake(&e);
            BIO_set_conn_hostname(e.client, "localhost:1");
            ck_assert_int_eq(BIO_do_handshake(e.client), -1);
            raw_hear(e.server, "\5\1\0");
            raw_write(e.server, rows[j].first, rows[j].first_len);
            if (rows[j].second_len != 0) {
                ck_assert_int_eq(BIO_do_handshake(e.client), -1);
                raw_hear(e.server, "\5\1\0\3\x09localhost\0\1");
                raw_write(e.server, rows[j].second, rows[j].second_len);
            }
            ends_fail(e.client, rows[j].reason);
            ck_assert_int_eq(BIO_tlsmux_get_reply(e.client), rows[j].code);
            ends_free(&e);
        }
    }
}
END_TEST

START_TEST(K4_what_was_sent_before_the_reply_is_kept)
{
    for (size_t i = 0; i < COUNT(versions); i++) {
        for (int granted = 0; granted < 2; granted++) {
            struct ends e = ends_new(versions[i], 0);
            char got[10];

            ends_shake(&e);
            raw_say(e.client, "\5\1\0\5\1\0\3\1h\0\x50GET /");
            ck_assert_int_eq(BIO_do_handshake(e.server), -1);
            ck_assert(BIO_should_io_special(e.server));
            ck_assert_int_eq(BIO_pending(e.server), 0);
            ck_assert_int_eq(BIO_read(e.server, got, sizeof(got)), -1);
            ck_assert(BIO_should_io_special(e.server));
            if (granted) {
                ck_assert_int_eq(BIO_tlsmux_grant(e.server, NULL), 1);
                ck_assert_int_eq(BIO_read(e.server, got, sizeof(got)), 5);
                ck_assert_mem_eq(got, "GET /", 5);
            } else {
                ck_assert_int_eq(BIO_tlsmux_refuse(e.server, 2), 1);
                ck_assert_int_eq(BIO_read(e.server, got, sizeof(got)), -1);
                ck_reason(MTLS_R_SOCKS_REFUSED);
            }
            ends_free(&e);
        }
    }
}
END_TEST

/* Popped, the filter leaves what is below as if SOCKS had not been. */
START_TEST(nothing_is_read_ahead)
{
    for (size_t i = 0; i < COUNT(versions); i++) {
        struct ends e = ends_new(versions[i], 0);
        char got[40];
        BIO *below;

        ends_shake(&e);
        BIO_set_conn_hostname(e.client, "localhost:1");
        BIO_do_handshake(e.client);
        raw_hear(e.server, "\5\1\0");
        raw_say(e.server, "\5\0\5\0\0\1\0\0\0\0\0\0 220 ready");
        ck_assert_int_eq(BIO_do_handshake(e.client), 1);
        below = BIO_pop(e.client);
        ck_assert_int_eq(BIO_read(below, got, sizeof(got)), 10);
        ck_assert_mem_eq(got, " 220 ready", 10);
        ck_assert_int_eq(BIO_read(e.client, got, 1), -1);
        ck_reason(MTLS_R_NOT_ATTACHED);
        BIO_free(e.client);
        e.client = below;
        ends_free(&e);
    }
}
END_TEST

/* Each end is cut off at each octet that the other has to say. */
START_TEST(K1_an_exchange_that_is_cut_is_told_of)
{
    static const char asks[] = "\5\2\0\1\5\1\0\3\4host\0\x50";
    static const char answers[] = "\5\0\5\0\0\4abcdefghijklmnop\0\1";

    for (size_t cut = 0; cut < sizeof(asks) - 1; cut++) {
        struct ends e = ends_new(0, 0);

        if (cut > 0)
            raw_write(e.client, asks, cut);
        BIO_shutdown_wr(BIO_next(e.client));
        ends_fail(e.server, MTLS_R_SOCKS_CUT);
        ends_free(&e);
    }
    for (size_t cut = 0; cut < sizeof(answers) - 1; cut++) {
        struct ends e = ends_new(0, 0);

        BIO_set_conn_hostname(e.client, "localhost:1");
        if (cut > 0)
            raw_write(e.server, answers, cut);
        BIO_shutdown_wr(BIO_next(e.server));
        ends_fail(e.client, MTLS_R_SOCKS_CUT);
        ends_free(&e);
    }
}
END_TEST

START_TEST(close_notify_amid_the_exchange_is_told_of)
{
    for (size_t i = 1; i < COUNT(versions); i++) {
        struct ends e = ends_new(versions[i], 0);
        SSL *ssl = NULL;

        ends_shake(&e);
        raw_say(e.client, "\5\1\0\5");
        BIO_get_ssl(e.client, &ssl);
        SSL_shutdown(ssl);
        ends_fail(e.server, MTLS_R_SOCKS_CUT);
        ends_free(&e);
    }
}
END_TEST

/* --- BIND --- */

static struct ends bind_ends(int version)
{
    struct ends e = ends_new(version, 0);

    ck_assert_int_eq(BIO_tlsmux_set_command(e.client, MTLS_TLSMUX_BIND), 1);
    ck_assert_int_eq(BIO_set_conn_hostname(e.client, "127.0.0.1:21"), 1);
    ends_ask(&e);
    ck_assert_int_eq(BIO_tlsmux_get_command(e.server), MTLS_TLSMUX_BIND);
    ck_assert_str_eq(BIO_get_conn_hostname(e.server), "127.0.0.1");
    return e;
}

START_TEST(bind_listens_and_then_connects)
{
    for (size_t i = 0; i < COUNT(versions); i++) {
        struct ends e = bind_ends(versions[i]);

        ck_assert_int_eq(BIO_tlsmux_grant(e.server, "[::1]:2020"), 1);
        ends_finish(&e);
        ck_assert_str_eq(BIO_tlsmux_get_bound(e.client), "[::1]:2020");
        ck_assert_ptr_null(BIO_tlsmux_get_peer(e.client));
        ck_assert_int_eq(BIO_do_handshake(e.client), -1);
        ck_assert(BIO_should_read(e.client));
        ck_assert_int_eq(BIO_do_handshake(e.server), -1);
        ck_assert(BIO_should_io_special(e.server));
        ck_assert_int_eq(BIO_get_retry_reason(e.server), BIO_RR_ACCEPT);
        ck_assert_int_eq(BIO_tlsmux_grant(e.server, "127.0.0.1:40000"), 1);
        ends_finish(&e);
        ck_assert_str_eq(BIO_tlsmux_get_bound(e.client), "[::1]:2020");
        ck_assert_str_eq(BIO_tlsmux_get_peer(e.client), "127.0.0.1:40000");
        ck_assert_str_eq(BIO_tlsmux_get_peer(e.server), "127.0.0.1:40000");
        stacks_move(e.client, e.server, 20000);
        stacks_move(e.server, e.client, 20000);
        ends_free(&e);
    }
}
END_TEST

START_TEST(reading_waits_for_the_connection)
{
    struct ends e = bind_ends(TLS1_3_VERSION);
    char got[10];

    ck_assert_int_eq(BIO_tlsmux_grant(e.server, "127.0.0.1:2020"), 1);
    ck_assert_int_eq(BIO_read(e.client, got, sizeof(got)), -1);
    ck_assert(BIO_should_read(e.client));
    ck_assert_str_eq(BIO_tlsmux_get_bound(e.client), "127.0.0.1:2020");
    ck_assert_int_eq(BIO_write(e.server, "x", 1), -1);
    ck_assert_int_eq(BIO_get_retry_reason(e.server), BIO_RR_ACCEPT);
    ck_assert_int_eq(BIO_tlsmux_grant(e.server, "127.0.0.1:40000"), 1);
    ck_assert_int_eq(BIO_write(e.server, "x", 1), 1);
    ck_assert_int_eq(BIO_read(e.client, got, sizeof(got)), 1);
    ends_free(&e);
}
END_TEST

START_TEST(K6_a_connection_that_never_comes_is_refused)
{
    struct ends e = bind_ends(TLS1_3_VERSION);

    BIO_tlsmux_grant(e.server, "127.0.0.1:2020");
    ends_finish(&e);
    ck_assert_int_eq(BIO_tlsmux_refuse(e.server, MTLS_TLSMUX_TTL_EXPIRED), 1);
    ends_fail(e.client, MTLS_R_SOCKS_REFUSED);
    ck_assert_int_eq(BIO_tlsmux_get_reply(e.client), MTLS_TLSMUX_TTL_EXPIRED);
    ends_free(&e);
}
END_TEST

START_TEST(bind_needs_no_destination)
{
    struct ends e = ends_new(0, 0);

    BIO_tlsmux_set_command(e.client, MTLS_TLSMUX_BIND);
    ends_ask(&e);
    ck_assert_str_eq(BIO_get_conn_hostname(e.server), "0.0.0.0");
    ck_assert_str_eq(BIO_get_conn_port(e.server), "0");
    ends_free(&e);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {connect_is_granted_and_then_a_stream,
                                  destinations_arrive_as_they_were_meant,
                                  each_refusal_is_heard,
                                  a_refusal_says_why,
                                  reading_and_writing_do_the_exchange,
                                  K1_K2_a_malformed_message_gets_its_reply,
                                  K2_a_name_of_255_octets_earns_01,
                                  a_malformed_server_is_told_of,
                                  K4_what_was_sent_before_the_reply_is_kept,
                                  nothing_is_read_ahead,
                                  K1_an_exchange_that_is_cut_is_told_of,
                                  close_notify_amid_the_exchange_is_told_of,
                                  bind_listens_and_then_connects,
                                  reading_waits_for_the_connection,
                                  K6_a_connection_that_never_comes_is_refused,
                                  bind_needs_no_destination};

    return ends_run("bio_tlsmux", tests, COUNT(tests));
}
