/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* Octets <-> messages of SOCKS 5 (RFC 1928), whole, cut, followed, forbidden */
#include "core_suite.h"
#include "socks5.h"

#include <stdlib.h>
#include <string.h>

#define MORE MTLS_SOCKS5_MORE
#define DONE MTLS_SOCKS5_DONE
#define BAD MTLS_SOCKS5_BAD

/* --- messages, and the octets that RFC 1928 gives them --- */

enum kind {
    GREETING,
    CHOICE,
    REQUEST,
    REPLY
};

struct row {
    const char *name;
    enum kind kind;
    struct mtls_socks5_greeting greeting;
    struct mtls_socks5_message message; /* of a choice: its code */
    const char *octets;
    size_t size;
};

#define OCTETS(literal) .octets = (literal), .size = sizeof(literal) - 1
#define METHODS(literal) \
    .greeting = {(const unsigned char *)(literal), sizeof(literal) - 1}
#define ADDRESS(type, port, literal)                 \
    {                                                \
        (type), sizeof(literal) - 1, (port), literal \
    }

static const struct row rows[] = {
    {.name = "greeting", .kind = GREETING, METHODS("\0"), OCTETS("\5\1\0")},
    {.name = "greeting with more methods",
     .kind = GREETING,
     METHODS("\x02\x00\x80\xfe"),
     OCTETS("\5\4\x02\x00\x80\xfe")},
    {.name = "choice", .kind = CHOICE, OCTETS("\5\0")},
    {.name = "choice of none",
     .kind = CHOICE,
     .message.code = 0xff,
     OCTETS("\5\xff")},
    {.name = "CONNECT to IPv4",
     .kind = REQUEST,
     .message = {1, ADDRESS(1, 80, "\x7f\0\0\1")},
     OCTETS("\5\1\0\1\x7f\0\0\1\0\x50")},
    {.name = "BIND for a name",
     .kind = REQUEST,
     .message = {2, ADDRESS(3, 65535, "mail.example")},
     OCTETS("\5\2\0\3\x0cmail.example\xff\xff")},
    {.name = "UDP ASSOCIATE from nowhere",
     .kind = REQUEST,
     .message = {3, ADDRESS(1, 0, "\0\0\0\0")},
     OCTETS("\5\3\0\1\0\0\0\0\0\0")},
    {.name = "CONNECT to IPv6",
     .kind = REQUEST,
     .message = {1,
                 ADDRESS(4, 0x1234, "\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1")},
     OCTETS("\5\1\0\4\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1\x12\x34")},
    {.name = "CONNECT to the shortest name",
     .kind = REQUEST,
     .message = {1, ADDRESS(3, 1, "a")},
     OCTETS("\5\1\0\3\1a\0\1")},
    {.name = "success",
     .kind = REPLY,
     .message = {0, ADDRESS(1, 0x0102, "\x7f\0\0\1")},
     OCTETS("\5\0\0\1\x7f\0\0\1\1\2")},
    {.name = "refusal with a name",
     .kind = REPLY,
     .message = {8, ADDRESS(3, 0, "b")},
     OCTETS("\5\x08\0\3\1b\0\0")},
    {.name = "refusal by an unassigned code, with IPv6",
     .kind = REPLY,
     .message = {0xff, ADDRESS(4, 1, "abcdefghijklmnop")},
     OCTETS("\5\xff\0\4abcdefghijklmnop\0\1")}};

/* The octets alone in memory, so that reading past them is seen. */
static unsigned char *alone(const void *octets, size_t len)
{
    unsigned char *copy = malloc(len == 0 ? 1 : len);

    ck_assert_ptr_nonnull(copy);
    if (len != 0)
        memcpy(copy, octets, len);
    return copy;
}

static size_t put(const struct row *row, unsigned char *out, size_t room)
{
    switch (row->kind) {
    case GREETING:
        return mtls_socks5_put_greeting(out, room, &row->greeting);
    case CHOICE:
        return mtls_socks5_put_choice(out, room, row->message.code);
    default:
        return mtls_socks5_put_message(out, room, &row->message);
    }
}

/* What was decoded last. */
static struct mtls_socks5_greeting greeting;
static struct mtls_socks5_message message;
static uint8_t earned;

static enum mtls_socks5_answer get(enum kind kind, const unsigned char *in,
                                   size_t len, size_t *due)
{
    memset(&message, 0xee, sizeof(message));
    switch (kind) {
    case GREETING:
        return mtls_socks5_get_greeting(in, len, due, &greeting);
    case CHOICE:
        return mtls_socks5_get_choice(in, len, due, &message.code);
    case REQUEST:
        return mtls_socks5_get_request(in, len, due, &message, &earned);
    default:
        return mtls_socks5_get_reply(in, len, due, &message);
    }
}

static void same(const struct row *row)
{
    const struct mtls_socks5_address *a = &message.address,
                                     *b = &row->message.address;

    if (row->kind == GREETING) {
        ck_assert_uint_eq(greeting.count, row->greeting.count);
        ck_assert_mem_eq(greeting.methods, row->greeting.methods,
                         greeting.count);
        return;
    }
    ck_assert_uint_eq(message.code, row->message.code);
    if (row->kind == CHOICE)
        return;
    ck_assert_uint_eq(a->type, b->type);
    ck_assert_uint_eq(a->port, b->port);
    ck_assert_uint_eq(a->len, b->len);
    ck_assert_mem_eq(a->octets, b->octets, b->len);
}

START_TEST(messages_become_the_octets_of_the_rfc)
{
    for (size_t i = 0; i < core_count(rows); i++) {
        unsigned char out[64];

        memset(out, 0xee, sizeof(out));
        ck_assert_uint_eq(put(&rows[i], out, sizeof(out)), rows[i].size);
        ck_assert_msg(memcmp(out, rows[i].octets, rows[i].size) == 0, "%s",
                      rows[i].name);
        ck_assert_uint_eq(out[rows[i].size], 0xee);
    }
}
END_TEST

START_TEST(octets_become_the_message_again)
{
    for (size_t i = 0; i < core_count(rows); i++) {
        unsigned char *in = alone(rows[i].octets, rows[i].size);
        size_t due = 0;

        ck_assert_msg(get(rows[i].kind, in, rows[i].size, &due) == DONE, "%s",
                      rows[i].name);
        ck_assert_uint_eq(due, rows[i].size);
        same(&rows[i]);
        free(in);
    }
}
END_TEST

START_TEST(a_message_is_not_put_where_it_does_not_fit)
{
    for (size_t i = 0; i < core_count(rows); i++) {
        for (size_t room = 0; room < rows[i].size; room++) {
            unsigned char *out = alone(rows[i].octets, room);

            ck_assert_uint_eq(put(&rows[i], out, room), 0);
            free(out);
        }
    }
}
END_TEST

START_TEST(K1_a_message_cut_at_any_octet_waits_for_its_own_octets)
{
    for (size_t i = 0; i < core_count(rows); i++) {
        for (size_t len = 0; len < rows[i].size; len++) {
            unsigned char *in = alone(rows[i].octets, len);
            size_t due = 0;

            ck_assert_msg(get(rows[i].kind, in, len, &due) == MORE, "%s at %zu",
                          rows[i].name, len);
            ck_assert_uint_gt(due, len);
            ck_assert_uint_le(due, rows[i].size);
            free(in);
        }
    }
}
END_TEST

/* Who reads what is due, and no more, gets to its end in a few steps. */
START_TEST(what_is_due_ends_with_the_message)
{
    for (size_t i = 0; i < core_count(rows); i++) {
        size_t due = 0, len = 0;
        int steps = 0;

        while (get(rows[i].kind, (const void *)rows[i].octets, len, &due) ==
               MORE) {
            len = due;
            steps++;
        }
        ck_assert_uint_eq(len, rows[i].size);
        ck_assert_int_le(steps, 3);
    }
}
END_TEST

START_TEST(what_follows_a_message_is_not_its_own)
{
    for (size_t i = 0; i < core_count(rows); i++) {
        unsigned char *in = calloc(1, rows[i].size + 300);
        size_t due = 0;

        ck_assert_ptr_nonnull(in);
        memset(in, 0x05, rows[i].size + 300);
        memcpy(in, rows[i].octets, rows[i].size);
        ck_assert_int_eq(get(rows[i].kind, in, rows[i].size + 300, &due), DONE);
        ck_assert_uint_eq(due, rows[i].size);
        same(&rows[i]);
        free(in);
    }
}
END_TEST

/* --- what RFC 1928 forbids, and the reply that it earns --- */

/* Of each kind: 256 values of one octet, all but |good| of them bad. */
static void one_octet(enum kind kind, const char *octets, size_t size,
                      size_t at, unsigned int lowest, unsigned int highest,
                      size_t certain, uint8_t code)
{
    for (unsigned int value = 0; value < 256; value++) {
        int good = value >= lowest && value <= highest;
        unsigned char *in = alone(octets, size);
        size_t due;

        in[at] = (unsigned char)value;
        for (size_t len = 0; len < certain; len++)
            core_must(get(kind, in, len, &due) == MORE && due > len);
        if (get(kind, in, certain, &due) != (!good             ? BAD
                                             : certain == size ? DONE
                                                               : MORE))
            ck_abort_msg("value %u at octet %zu of kind %d", value, at, kind);
        if (!good && kind == REQUEST)
            ck_assert_uint_eq(earned, code);
        free(in);
    }
}

START_TEST(K1_each_version_but_5_is_refused_at_its_octet)
{
    one_octet(GREETING, "\5\1\0", 3, 0, 5, 5, 1, 0);
    one_octet(CHOICE, "\5\0", 2, 0, 5, 5, 1, 0);
    one_octet(REQUEST, "\5\1\0\1\x7f\0\0\1\0\x50", 10, 0, 5, 5, 1, 0x01);
    one_octet(REPLY, "\5\0\0\1\x7f\0\0\1\0\x50", 10, 0, 5, 5, 1, 0);
}
END_TEST

START_TEST(K2_each_command_but_1_to_3_earns_07)
{
    one_octet(REQUEST, "\5\1\0\1\x7f\0\0\1\0\x50", 10, 1, 1, 3, 10, 0x07);
    one_octet(REQUEST, "\5\1\0\3\2ab\0\x50", 9, 1, 1, 3, 9, 0x07);
}
END_TEST

START_TEST(a_reserved_octet_that_is_not_0_earns_01)
{
    one_octet(REQUEST, "\5\1\0\1\x7f\0\0\1\0\x50", 10, 2, 0, 0, 10, 0x01);
    one_octet(REPLY, "\5\0\0\1\x7f\0\0\1\0\x50", 10, 2, 0, 0, 10, 0);
}
END_TEST

/* Its extent can't be known: it is refused as soon as the type is here. */
START_TEST(K2_each_address_type_but_1_3_and_4_earns_08)
{
    for (unsigned int type = 0; type < 256; type++) {
        unsigned char in[4] = {5, 1, 0, (unsigned char)type};
        size_t due;
        int good = type == 1 || type == 3 || type == 4;

        ck_assert_int_eq(get(REQUEST, in, 3, &due), MORE);
        ck_assert_uint_eq(due, 4);
        ck_assert_int_eq(get(REQUEST, in, 4, &due), good ? MORE : BAD);
        ck_assert_uint_eq(earned, good ? 0 : 0x08);
        in[1] = 0;
        ck_assert_int_eq(get(REPLY, in, 4, &due), good ? MORE : BAD);
        ck_assert_int_eq(get(REQUEST, in, 4, &due), good ? MORE : BAD);
        ck_assert_uint_eq(earned, good ? 0 : 0x07); /* the first that is bad */
    }
}
END_TEST

static void name_request(unsigned char *in, size_t len)
{
    memcpy(in, "\5\1\0\3", 4);
    in[4] = (unsigned char)len;
    memset(in + 5, 'a', len);
    memcpy(in + 5 + len, "\0\x50", 2);
}

/* RFC 1035 2.3.4: the longest is 253, or 254 with the dot at its end. */
START_TEST(K2_names_have_1_to_254_octets)
{
    unsigned char in[MTLS_SOCKS5_MESSAGE_MAX];
    size_t due;

    for (size_t len = 0; len < 256; len++) {
        int good = len >= 1 && len <= 254;

        name_request(in, len);
        ck_assert_int_eq(get(REQUEST, in, len + 6, &due), MORE);
        ck_assert_uint_eq(due, len + 7);
        ck_assert_int_eq(get(REQUEST, in, len + 7, &due), good ? DONE : BAD);
        ck_assert_uint_eq(earned, good ? 0 : 0x01);
        in[1] = 0;
        ck_assert_int_eq(get(REPLY, in, len + 7, &due), good ? DONE : BAD);
    }
    ck_assert_uint_eq(due, MTLS_SOCKS5_MESSAGE_MAX);
}
END_TEST

START_TEST(K2_names_have_no_control_characters)
{
    unsigned char in[MTLS_SOCKS5_MESSAGE_MAX];
    size_t due;

    for (unsigned int octet = 0; octet < 256; octet++) {
        for (size_t at = 0; at < 5; at++) {
            int good = octet >= 0x20 && octet != 0x7f;

            name_request(in, 5);
            in[5 + at] = (unsigned char)octet;
            core_must(get(REQUEST, in, 12, &due) == (good ? DONE : BAD));
            core_must(earned == (good ? 0 : 0x01));
        }
    }
}
END_TEST

/* Some clients have literals for names; a path or a scope is neither. */
START_TEST(K2_a_name_with_a_colon_is_an_ipv6_literal)
{
    static const struct {
        const char *name;
        int good;
    } cases[] = {{"::1", 1},        {"::ffff:127.0.0.1", 1},
                 {"FE80::abcd", 1}, {"127.0.0.1", 1},
                 {"unix/run", 1},   {"unix:/run/socket", 0},
                 {"fe80::1%lo", 0}, {"[::1]", 0},
                 {"host:80", 0}};

    for (size_t i = 0; i < core_count(cases); i++) {
        unsigned char in[MTLS_SOCKS5_MESSAGE_MAX];
        size_t due, len = strlen(cases[i].name);

        name_request(in, len);
        memcpy(in + 5, cases[i].name, len);
        ck_assert_int_eq(get(REQUEST, in, len + 7, &due),
                         cases[i].good ? DONE : BAD);
        ck_assert_uint_eq(earned, cases[i].good ? 0 : 0x01);
    }
}
END_TEST

START_TEST(what_cannot_be_said_is_not_put)
{
    struct mtls_socks5_message m = {1, ADDRESS(3, 1, "name")};
    struct mtls_socks5_greeting none = {NULL, 0};
    unsigned char out[MTLS_SOCKS5_MESSAGE_MAX];

    ck_assert_uint_eq(mtls_socks5_put_greeting(out, sizeof(out), &none), 0);
    ck_assert_uint_eq(mtls_socks5_put_message(out, sizeof(out), &m), 11);
    m.address.octets[2] = '\0';
    ck_assert_uint_eq(mtls_socks5_put_message(out, sizeof(out), &m), 0);
    ck_assert_uint_eq(mtls_socks5_put_udp(out, sizeof(out), &m.address), 0);
    memset(m.address.octets, 'n', sizeof(m.address.octets));
    m.address.len = 254;
    ck_assert_uint_eq(mtls_socks5_put_message(out, sizeof(out), &m), 261);
    m.address.len = 255;
    ck_assert_uint_eq(mtls_socks5_put_message(out, sizeof(out), &m), 0);
    m.address.len = 0;
    ck_assert_uint_eq(mtls_socks5_put_message(out, sizeof(out), &m), 0);
    for (unsigned int type = 0; type < 256; type++) {
        m.address.type = (uint8_t)type;
        m.address.len = 5;
        ck_assert_uint_eq(mtls_socks5_put_message(out, sizeof(out), &m),
                          type == 3 ? 12 : 0);
    }
}
END_TEST

/* --- methods --- */

START_TEST(K1_the_greeting_has_1_to_255_methods)
{
    unsigned char in[MTLS_SOCKS5_GREETING_MAX] = {5};
    size_t due;

    memset(in + 2, 0x80, 255);
    for (size_t count = 0; count < 256; count++) {
        in[1] = (unsigned char)count;
        ck_assert_int_eq(get(GREETING, in, count + 1, &due), MORE);
        ck_assert_uint_eq(due, count == 0 ? 2 : count + 2);
        ck_assert_int_eq(get(GREETING, in, count + 2, &due),
                         count == 0 ? BAD : DONE);
        ck_assert_uint_eq(due, count + 2);
    }
}
END_TEST

START_TEST(K1_anonymous_is_chosen_where_it_is_offered)
{
    unsigned char methods[255];
    struct mtls_socks5_greeting g = {methods, 255};

    for (size_t i = 0; i < 255; i++)
        methods[i] = (unsigned char)(i + 1); /* all others */
    ck_assert_uint_eq(mtls_socks5_choose(&g), 0xff);
    for (size_t i = 0; i < 255; i++) {
        methods[i] = 0;
        ck_assert_uint_eq(mtls_socks5_choose(&g), 0x00);
        methods[i] = 0xff;
        ck_assert_uint_eq(mtls_socks5_choose(&g), 0xff);
    }
    g.count = 1;
    ck_assert_uint_eq(mtls_socks5_choose(&g), 0xff);
}
END_TEST

/* --- the rest --- */

START_TEST(none_is_all_zeros_of_either_family)
{
    static const struct {
        struct mtls_socks5_address address;
        int none;
    } cases[] = {{ADDRESS(1, 0, "\0\0\0\0"), 1},
                 {ADDRESS(4, 0, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"), 1},
                 {ADDRESS(1, 1, "\0\0\0\0"), 0},
                 {ADDRESS(1, 0, "\0\0\0\1"), 0},
                 {ADDRESS(4, 0, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1"), 0},
                 {ADDRESS(3, 0, "0.0.0.0"), 0}};

    for (size_t i = 0; i < core_count(cases); i++)
        ck_assert_int_eq(mtls_socks5_is_none(&cases[i].address), cases[i].none);
}
END_TEST

START_TEST(each_code_has_a_text)
{
    ck_assert_str_eq(mtls_socks5_text(0x02),
                     "connection not allowed by ruleset");
    ck_assert_str_eq(mtls_socks5_text(0x08), "address type not supported");
    for (unsigned int code = 9; code < 256; code++)
        ck_assert_str_eq(mtls_socks5_text((uint8_t)code),
                         "unassigned reply code");
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        messages_become_the_octets_of_the_rfc,
        octets_become_the_message_again,
        a_message_is_not_put_where_it_does_not_fit,
        K1_a_message_cut_at_any_octet_waits_for_its_own_octets,
        what_is_due_ends_with_the_message,
        what_follows_a_message_is_not_its_own,
        K1_each_version_but_5_is_refused_at_its_octet,
        K2_each_command_but_1_to_3_earns_07,
        a_reserved_octet_that_is_not_0_earns_01,
        K2_each_address_type_but_1_3_and_4_earns_08,
        K2_names_have_1_to_254_octets,
        K2_names_have_no_control_characters,
        K2_a_name_with_a_colon_is_an_ipv6_literal,
        what_cannot_be_said_is_not_put,
        K1_the_greeting_has_1_to_255_methods,
        K1_anonymous_is_chosen_where_it_is_offered,
        none_is_all_zeros_of_either_family,
        each_code_has_a_text};

    return core_run("socks5", tests, core_count(tests));
}
