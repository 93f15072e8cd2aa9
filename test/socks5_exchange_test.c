/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* One SOCKS exchange: each role against octets, and against the other. */
#include "core_suite.h"
#include "socks5_exchange.h"

#include <mtls/mtls_err.h>
#include <string.h>

#define ADDRESS(type, port, literal)                 \
    {                                                \
        (type), sizeof(literal) - 1, (port), literal \
    }
#define SAY(x, literal) say((x), (literal), sizeof(literal) - 1)
#define HEAR(x, literal) hear((x), (literal), sizeof(literal) - 1)

static const struct mtls_socks5_address web = ADDRESS(1, 80, "\x7f\0\0\1");
static const struct mtls_socks5_address name = ADDRESS(3, 25, "localhost");

static struct mtls_exchange client(uint8_t command)
{
    struct mtls_exchange x;

    mtls_exchange_init(&x);
    ck_assert(mtls_exchange_ask(&x, command, &name));
    return x;
}

static struct mtls_exchange server(void)
{
    struct mtls_exchange x;

    mtls_exchange_init(&x);
    mtls_exchange_serve(&x);
    return x;
}

/* The peer says this, octet by octet: how many of them were wanted. */
static size_t say(struct mtls_exchange *x, const char *octets, size_t len)
{
    size_t n, room;

    for (n = 0; n < len; n++) {
        unsigned char *in;

        if (mtls_exchange_want(x) != MTLS_EXCHANGE_RECEIVE)
            break;
        in = mtls_exchange_in(x, &room);
        ck_assert_uint_gt(room, 0);
        *in = (unsigned char)octets[n];
        mtls_exchange_received(x, 1);
    }
    return n;
}

/* The peer hears this, octet by octet, and nothing more. */
static void hear(struct mtls_exchange *x, const char *octets, size_t len)
{
    size_t there;

    for (size_t n = 0; n < len; n++) {
        const unsigned char *out = mtls_exchange_out(x, &there);

        ck_assert_int_eq(mtls_exchange_want(x), MTLS_EXCHANGE_SEND);
        ck_assert_uint_eq(there, len - n);
        ck_assert_uint_eq(*out, (unsigned char)octets[n]);
        mtls_exchange_sent(x, 1);
    }
    ck_assert_int_ne(mtls_exchange_want(x), MTLS_EXCHANGE_SEND);
}

static void failed(const struct mtls_exchange *x, int reason)
{
    ck_assert_int_eq(x->state, MTLS_EXCHANGE_FAILED);
    ck_assert_int_eq(x->reason, reason);
    ck_assert_int_eq(mtls_exchange_want(x), MTLS_EXCHANGE_NOTHING);
}

static void open_now(const struct mtls_exchange *x)
{
    ck_assert_int_eq(x->state, MTLS_EXCHANGE_OPEN);
    ck_assert_int_eq(mtls_exchange_want(x), MTLS_EXCHANGE_NOTHING);
}

/* --- the client against a script --- */

/* A client that has asked, and waits for the reply. */
static struct mtls_exchange asked(uint8_t command)
{
    struct mtls_exchange x = client(command);
    const unsigned char *out;
    size_t len;

    HEAR(&x, "\5\1\0");
    ck_assert_uint_eq(SAY(&x, "\5\0"), 2);
    out = mtls_exchange_out(&x, &len);
    ck_assert_uint_eq(out[1], command);
    ck_assert_uint_eq(len, 16);
    mtls_exchange_sent(&x, len);
    return x;
}

START_TEST(a_client_asks_and_is_granted)
{
    struct mtls_exchange x = client(MTLS_SOCKS5_CONNECT);

    HEAR(&x, "\5\1\0");
    ck_assert_uint_eq(SAY(&x, "\5\0 and more"), 2);
    HEAR(&x, "\5\1\0\3\x09localhost\0\x19");
    ck_assert_int_eq(x.code, -1);
    ck_assert_uint_eq(SAY(&x, "\5\0\0\1\x7f\0\0\1\x04\0220 ready"), 10);
    open_now(&x);
    ck_assert_int_eq(x.code, 0);
    ck_assert_uint_eq(x.bound.port, 0x0412);
}
END_TEST

START_TEST(a_client_hears_each_refusal)
{
    for (int code = 1; code < 256; code++) {
        char reply[] = "\5?\0\1\0\0\0\0\0\0";
        struct mtls_exchange x = asked(1);

        reply[1] = (char)code;
        ck_assert_uint_eq(say(&x, reply, 10), 10);
        failed(&x, MTLS_R_SOCKS_REFUSED);
        ck_assert_int_eq(x.code, code);
    }
}
END_TEST

/* What refuses may be sloppy about the rest. */
START_TEST(a_malformed_refusal_is_a_refusal)
{
    struct mtls_exchange x = asked(1);

    ck_assert_uint_eq(SAY(&x, "\5\2\0\0"), 4);
    failed(&x, MTLS_R_SOCKS_REFUSED);
    ck_assert_int_eq(x.code, 2);
    x = asked(1);
    ck_assert_uint_eq(SAY(&x, "\5\2\1\1\0\0\0\0\0\0"), 10);
    failed(&x, MTLS_R_SOCKS_REFUSED);
}
END_TEST

START_TEST(a_client_takes_no_other_choice)
{
    for (int method = 0; method < 256; method++) {
        char choice[] = "\5?";
        struct mtls_exchange x = client(1);

        HEAR(&x, "\5\1\0");
        choice[1] = (char)method;
        ck_assert_uint_eq(say(&x, choice, 2), 2);
        if (method == 0)
            ck_assert_int_eq(x.state, MTLS_EXCHANGE_REPLY);
        else
            failed(&x, method == 255 ? MTLS_R_SOCKS_NO_METHOD
                                     : MTLS_R_SOCKS_MALFORMED);
    }
}
END_TEST

START_TEST(a_client_takes_no_malformed_message)
{
    static const struct {
        const char *octets;
        size_t len;
        int reason;
    } rows[] = {
        {"\4\0\0\1\0\0\0\0\0\0", 1, MTLS_R_SOCKS_VERSION},
        {"HTTP", 1, MTLS_R_SOCKS_VERSION},
        {"\5\0\1\1\0\0\0\0\0\0", 10, MTLS_R_SOCKS_MALFORMED},
        {"\5\0\0\2\0\0\0\0\0\0", 4, MTLS_R_SOCKS_MALFORMED},
        {"\5\0\0\3\0\0\0", 7, MTLS_R_SOCKS_MALFORMED},
        {"\5\0\0\3\2a\0\0\0", 9, MTLS_R_SOCKS_MALFORMED},
    };

    for (size_t i = 0; i < core_count(rows); i++) {
        struct mtls_exchange x = asked(1);

        ck_assert_uint_eq(say(&x, rows[i].octets, rows[i].len), rows[i].len);
        failed(&x, rows[i].reason);
    }
}
END_TEST

START_TEST(bind_has_two_replies)
{
    struct mtls_exchange x = asked(MTLS_SOCKS5_BIND);

    ck_assert_uint_eq(SAY(&x, "\5\0\0\1\x7f\0\0\1\x10\0\5"), 11);
    ck_assert_int_eq(x.state, MTLS_EXCHANGE_AWAITED);
    ck_assert_uint_eq(x.bound.port, 0x1000);
    ck_assert_uint_eq(SAY(&x, "\0\0\1\x7f\0\0\1\x20\0data"), 9);
    open_now(&x);
    ck_assert_uint_eq(x.bound.port, 0x1000);
    ck_assert_uint_eq(x.peer.port, 0x2000);
}
END_TEST

START_TEST(K6_the_second_reply_may_refuse)
{
    struct mtls_exchange x = asked(MTLS_SOCKS5_BIND);

    ck_assert_uint_eq(SAY(&x, "\5\0\0\1\x7f\0\0\1\x10\0"), 10);
    ck_assert_uint_eq(SAY(&x, "\5\6\0\1\0\0\0\0\0\0"), 10);
    failed(&x, MTLS_R_SOCKS_REFUSED);
    ck_assert_int_eq(x.code, 6);
}
END_TEST

/* S8: a server that names an address would have it in clear. */
START_TEST(a_client_takes_no_udp_outside_tls)
{
    struct mtls_exchange x = asked(MTLS_SOCKS5_UDP);

    SAY(&x, "\5\0\0\1\0\0\0\0\0\0");
    open_now(&x);
    x = asked(MTLS_SOCKS5_UDP);
    SAY(&x, "\5\0\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
    open_now(&x);
    x = asked(MTLS_SOCKS5_UDP);
    SAY(&x, "\5\0\0\1\x7f\0\0\1\0\x35");
    failed(&x, MTLS_R_UDP_OUTSIDE_TLS);
    x = asked(MTLS_SOCKS5_UDP);
    SAY(&x, "\5\0\0\1\0\0\0\0\0\x35");
    failed(&x, MTLS_R_UDP_OUTSIDE_TLS);
}
END_TEST

START_TEST(a_client_does_not_ask_what_cannot_be_said)
{
    struct mtls_socks5_address bad = ADDRESS(3, 1, "na\tme");
    struct mtls_exchange x;

    mtls_exchange_init(&x);
    ck_assert(!mtls_exchange_ask(&x, 1, &bad));
}
END_TEST

/* --- the server against a script --- */

static struct mtls_exchange greeted(void)
{
    struct mtls_exchange x = server();

    ck_assert_uint_eq(SAY(&x, "\5\1\0"), 3);
    HEAR(&x, "\5\0");
    return x;
}

static struct mtls_exchange requested(uint8_t command)
{
    struct mtls_exchange x = greeted();
    char request[] = "\5?\0\1\x7f\0\0\1\0\x50";

    request[1] = (char)command;
    ck_assert_uint_eq(say(&x, request, 10), 10);
    ck_assert_int_eq(mtls_exchange_want(&x), MTLS_EXCHANGE_ANSWER);
    return x;
}

START_TEST(K4_a_server_reads_no_further_than_the_request)
{
    struct mtls_exchange x = greeted();

    ck_assert_uint_eq(SAY(&x, "\5\1\0\3\4host\0\x50GET /"), 11);
    ck_assert_int_eq(mtls_exchange_want(&x), MTLS_EXCHANGE_ANSWER);
    ck_assert_uint_eq(x.command, 1);
    ck_assert_uint_eq(x.destination.type, 3);
    ck_assert_uint_eq(x.destination.port, 80);
    ck_assert_int_eq(x.code, -1);
    ck_assert(mtls_exchange_grant(&x, &web));
    HEAR(&x, "\5\0\0\1\x7f\0\0\1\0\x50");
    open_now(&x);
}
END_TEST

START_TEST(a_server_refuses_with_each_code)
{
    for (int code = 1; code <= 8; code++) {
        char reply[] = "\5?\0\1\0\0\0\0\0\0";
        struct mtls_exchange x = requested(1);

        ck_assert(mtls_exchange_refuse(&x, (uint8_t)code));
        reply[1] = (char)code;
        hear(&x, reply, 10);
        failed(&x, MTLS_R_SOCKS_REFUSED);
        ck_assert_int_eq(x.code, code);
    }
}
END_TEST

START_TEST(answers_that_make_no_sense_are_none)
{
    struct mtls_socks5_address bad = {0};
    struct mtls_exchange x = server();

    ck_assert(!mtls_exchange_grant(&x, &web));
    ck_assert(!mtls_exchange_refuse(&x, 1));
    x = requested(1);
    ck_assert(!mtls_exchange_refuse(&x, 0));
    ck_assert(!mtls_exchange_refuse(&x, 9));
    ck_assert(!mtls_exchange_grant(&x, &bad));
    ck_assert_int_eq(mtls_exchange_want(&x), MTLS_EXCHANGE_ANSWER);
    ck_assert(mtls_exchange_grant(&x, &web));
    ck_assert(!mtls_exchange_grant(&x, &web));
    ck_assert(!mtls_exchange_refuse(&x, 1));
}
END_TEST

START_TEST(K1_a_bad_greeting_gets_ff)
{
    static const struct {
        const char *octets;
        size_t len;
        int reason;
    } rows[] = {{"\4\1\0\x50", 1, MTLS_R_SOCKS_VERSION},
                {"\0", 1, MTLS_R_SOCKS_VERSION},
                {"\xff", 1, MTLS_R_SOCKS_VERSION},
                {"\5\0", 2, MTLS_R_SOCKS_MALFORMED},
                {"\5\1\xff", 3, MTLS_R_SOCKS_NO_METHOD},
                {"\5\1\2", 3, MTLS_R_SOCKS_NO_METHOD}};

    for (size_t i = 0; i < core_count(rows); i++) {
        struct mtls_exchange x = server();

        ck_assert_uint_eq(say(&x, rows[i].octets, rows[i].len), rows[i].len);
        HEAR(&x, "\5\xff");
        failed(&x, rows[i].reason);
    }
}
END_TEST

START_TEST(K1_255_methods_are_read_to_the_end)
{
    struct mtls_exchange x = server();
    char greeting[258];

    memset(greeting, 1, sizeof(greeting));
    memcpy(greeting, "\5\xff", 2);
    greeting[256] = 0;
    ck_assert_uint_eq(say(&x, greeting, sizeof(greeting)), 257);
    HEAR(&x, "\5\0");
    ck_assert_int_eq(x.state, MTLS_EXCHANGE_REQUEST);
}
END_TEST

START_TEST(K2_a_bad_request_gets_the_reply_that_it_earns)
{
    static const struct {
        const char *octets;
        size_t len;
        int code, reason;
    } rows[] = {
        {"\4\1\0\1", 1, 0x01, MTLS_R_SOCKS_VERSION},
        {"\5\0\0\1\x7f\0\0\1\0\x50", 10, 0x07, MTLS_R_SOCKS_MALFORMED},
        {"\5\4\0\1\x7f\0\0\1\0\x50", 10, 0x07, MTLS_R_SOCKS_MALFORMED},
        {"\5\xff\0\3\2ab\0\x50", 9, 0x07, MTLS_R_SOCKS_MALFORMED},
        {"\5\1\0\0", 4, 0x08, MTLS_R_SOCKS_MALFORMED},
        {"\5\1\0\2", 4, 0x08, MTLS_R_SOCKS_MALFORMED},
        {"\5\1\x01\1\x7f\0\0\1\0\x50", 10, 0x01, MTLS_R_SOCKS_MALFORMED},
        {"\5\1\0\3\0\0\x50", 7, 0x01, MTLS_R_SOCKS_MALFORMED},
        {"\5\1\0\3\3a\0b\0\x50", 10, 0x01, MTLS_R_SOCKS_MALFORMED},
        {"\5\1\0\3\3a\nb\0\x50", 10, 0x01, MTLS_R_SOCKS_MALFORMED}};

    for (size_t i = 0; i < core_count(rows); i++) {
        char reply[] = "\5?\0\1\0\0\0\0\0\0";
        struct mtls_exchange x = greeted();

        ck_assert_uint_eq(say(&x, rows[i].octets, rows[i].len), rows[i].len);
        reply[1] = (char)rows[i].code;
        hear(&x, reply, 10);
        failed(&x, rows[i].reason);
        ck_assert_int_eq(x.code, rows[i].code);
    }
}
END_TEST

START_TEST(bind_is_answered_twice)
{
    struct mtls_exchange x = requested(MTLS_SOCKS5_BIND);

    ck_assert(mtls_exchange_grant(&x, &web));
    HEAR(&x, "\5\0\0\1\x7f\0\0\1\0\x50");
    ck_assert_int_eq(mtls_exchange_want(&x), MTLS_EXCHANGE_ANSWER);
    ck_assert(mtls_exchange_grant(&x, &name));
    HEAR(&x, "\5\0\0\3\x09localhost\0\x19");
    open_now(&x);
    x = requested(MTLS_SOCKS5_BIND);
    mtls_exchange_grant(&x, &web);
    ck_assert(mtls_exchange_refuse(&x, 6)); /* though the first waits still */
    HEAR(&x, "\5\0\0\1\x7f\0\0\1\0\x50\5\6\0\1\0\0\0\0\0\0");
    failed(&x, MTLS_R_SOCKS_REFUSED);
}
END_TEST

/* --- both --- */

START_TEST(what_the_driver_loses_is_lost)
{
    struct mtls_exchange x = requested(1);

    mtls_exchange_grant(&x, &web);
    mtls_exchange_lose(&x, MTLS_R_TRANSPORT_FAILED);
    failed(&x, MTLS_R_TRANSPORT_FAILED);
    x = server();
    SAY(&x, "\4");
    mtls_exchange_lose(&x, MTLS_R_TRANSPORT_FAILED);
    failed(&x, MTLS_R_SOCKS_VERSION); /* as it was */
}
END_TEST

/* Octets of |from| to |to|, up to |piece| at a time; whether any moved. */
static int carry(struct mtls_exchange *from, struct mtls_exchange *to,
                 size_t piece)
{
    const unsigned char *out;
    unsigned char *in;
    size_t n, room;

    if (mtls_exchange_want(from) != MTLS_EXCHANGE_SEND ||
        mtls_exchange_want(to) != MTLS_EXCHANGE_RECEIVE)
        return 0;
    out = mtls_exchange_out(from, &n);
    in = mtls_exchange_in(to, &room);
    n = n < piece ? n : piece;
    n = n < room ? n : room;
    memcpy(in, out, n);
    mtls_exchange_sent(from, n);
    mtls_exchange_received(to, n);
    return 1;
}

START_TEST(the_two_roles_understand_each_other)
{
    for (uint8_t command = 1; command <= 3; command++) {
        for (size_t piece = 1; piece < 300; piece += 13) {
            struct mtls_socks5_address none = mtls_exchange_none();
            struct mtls_exchange c = client(command), s = server();

            for (int i = 0; i < 10000; i++) {
                if (!carry(&c, &s, piece) && !carry(&s, &c, piece) &&
                    mtls_exchange_want(&s) == MTLS_EXCHANGE_ANSWER)
                    ck_assert(
                        mtls_exchange_grant(&s, command == 3 ? &none : &web));
            }
            open_now(&c);
            open_now(&s);
            ck_assert_uint_eq(s.command, command);
            ck_assert_uint_eq(s.destination.port, 25);
            ck_assert_mem_eq(s.destination.octets, "localhost", 9);
            ck_assert_uint_eq(c.bound.port, command == 3 ? 0 : 80);
        }
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {a_client_asks_and_is_granted,
                                  a_client_hears_each_refusal,
                                  a_malformed_refusal_is_a_refusal,
                                  a_client_takes_no_other_choice,
                                  a_client_takes_no_malformed_message,
                                  bind_has_two_replies,
                                  K6_the_second_reply_may_refuse,
                                  a_client_takes_no_udp_outside_tls,
                                  a_client_does_not_ask_what_cannot_be_said,
                                  K4_a_server_reads_no_further_than_the_request,
                                  a_server_refuses_with_each_code,
                                  answers_that_make_no_sense_are_none,
                                  K1_a_bad_greeting_gets_ff,
                                  K1_255_methods_are_read_to_the_end,
                                  K2_a_bad_request_gets_the_reply_that_it_earns,
                                  bind_is_answered_twice,
                                  what_the_driver_loses_is_lost,
                                  the_two_roles_understand_each_other};

    return core_run("socks5_exchange", tests, core_count(tests));
}
