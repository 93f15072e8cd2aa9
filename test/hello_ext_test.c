/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* data_multiplexing in handshakes: who agrees on what, and what both see. */
#include "hello.h"
#include "stacks.h"

#include <check.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define ALERT "(alert)"

static const char *const version_names[] = {"TLS 1.2", "TLS 1.3", "DTLS 1.2"};

/* What both ends say in the end; NULL when it is not the same. */
static const char *outcome(const struct hello_ctx *ctx)
{
    static char client[300];
    struct hello hello = hello_new(ctx);
    const char *result = client;

    hello_shake(&hello);
    snprintf(client, sizeof(client), "%s", hello_agreed(hello.client));
    if (!hello.done)
        result = ERR_GET_REASON(ERR_peek_error()) ==
                             SSL_R_TLSV1_UNSUPPORTED_EXTENSION &&
                         !SSL_is_init_finished(hello.server)
                     ? ALERT
                     : NULL;
    else if (strcmp(client, hello_agreed(hello.server)) != 0)
        result = NULL;
    ERR_clear_error();
    hello_free(&hello);
    return result;
}

/* --- the matrix --- */

static const struct row {
    const char *offer;   /* the client's, NULL none */
    const char *support; /* the server's, NULL none */
    int flags;           /* -1: it does not know the extension */
    const char *outcome;
} rows[] = {
    /* A server that does not know it, a client that does not use it. */
    {NULL, NULL, -1, ""},
    {"a:1", NULL, -1, ""},
    {"ALL", NULL, -1, ""},
    {NULL, "a:1", MTLS_EXT_COMMON, ""},
    {NULL, "a:1", MTLS_EXT_COMMON | MTLS_EXT_REFUSE, ""},
    {NULL, NULL, MTLS_EXT_ALL | MTLS_EXT_REFUSE, ""},
    /* What is in both lists. */
    {"a:1", "a:1", MTLS_EXT_COMMON, "a:1"},
    {"a:1", "b:2,a:1", MTLS_EXT_COMMON, "a:1"},
    {"c:3,b:2,a:1", "a:1,b:2", MTLS_EXT_COMMON, "b:2,a:1"},
    {"c:3,b:2", "a:1,b:2", MTLS_EXT_COMMON | MTLS_EXT_REFUSE, "b:2"},
    {"a:2", "a:1", MTLS_EXT_COMMON, ""},
    {"a:2", "a:1", MTLS_EXT_COMMON | MTLS_EXT_REFUSE, ALERT},
    {"ALL", "a:1,b:2", MTLS_EXT_COMMON, "a:1,b:2"},
    {"ALL", "a:1,b:2", MTLS_EXT_COMMON | MTLS_EXT_REFUSE, "a:1,b:2"},
    /* Everything, if anything. */
    {"b:2", "a:1,b:2", MTLS_EXT_EVERYTHING, "a:1,b:2"},
    {"c:3", "a:1,b:2", MTLS_EXT_EVERYTHING, ""},
    {"c:3", "a:1,b:2", MTLS_EXT_EVERYTHING | MTLS_EXT_REFUSE, ALERT},
    {"ALL", "a:1,b:2", MTLS_EXT_EVERYTHING, "a:1,b:2"},
    /* Whatever is asked for. */
    {"c:3,a:1", NULL, MTLS_EXT_ALL, "c:3,a:1"},
    {"ALL", NULL, MTLS_EXT_ALL, "ALL:0"},
    {"ALL", NULL, MTLS_EXT_ALL | MTLS_EXT_REFUSE, "ALL:0"}};

static struct hello_ctx ctx_of(const struct row *row,
                               enum hello_version version)
{
    struct hello_ctx ctx = hello_ctx_new(version);

    if (row->offer != NULL)
        ck_assert_int_eq(MTLS_ext_offer(ctx.client, row->offer), 1);
    if (row->flags >= 0)
        ck_assert_int_eq(MTLS_ext_support(ctx.server, row->support,
                                          (unsigned int)row->flags),
                         1);
    return ctx;
}

START_TEST(lists_and_policies_have_the_outcome_of_the_table)
{
    for (int v = 0; v < HELLO_VERSIONS; v++) {
        for (size_t i = 0; i < COUNT(rows); i++) {
            struct hello_ctx ctx = ctx_of(&rows[i], (enum hello_version)v);
            const char *seen = outcome(&ctx);

            if (seen == NULL || strcmp(seen, rows[i].outcome) != 0)
                ck_abort_msg("%s, row %zu: \"%s\"", version_names[v], i,
                             seen == NULL ? "neither the same nor an alert"
                                          : seen);
            hello_ctx_free(&ctx);
        }
    }
}
END_TEST

/* Each list of a client's with each policy of a server's that has both. */
static const struct {
    unsigned int flags; /* -1: it does not know the extension */
    const char *support;
} policies[] = {{-1u, NULL},
                {MTLS_EXT_COMMON, "a:1,b:2"},
                {MTLS_EXT_COMMON | MTLS_EXT_REFUSE, "a:1,b:2"},
                {MTLS_EXT_EVERYTHING, "a:1,b:2"},
                {MTLS_EXT_EVERYTHING | MTLS_EXT_REFUSE, "a:1,b:2"},
                {MTLS_EXT_ALL, NULL},
                {MTLS_EXT_ALL | MTLS_EXT_REFUSE, NULL}};

#define BOTH "a:1,b:2"

static const struct {
    const char *offer;
    const char *outcomes[COUNT(policies)];
} matrix[] = {
    {NULL, {"", "", "", "", "", "", ""}},
    {"a:1", {"", "a:1", "a:1", BOTH, BOTH, "a:1", "a:1"}},
    {"b:2,a:1", {"", "b:2,a:1", "b:2,a:1", BOTH, BOTH, "b:2,a:1", "b:2,a:1"}},
    {"c:3", {"", "", ALERT, "", ALERT, "c:3", "c:3"}},
    {"a:2", {"", "", ALERT, "", ALERT, "a:2", "a:2"}},
    {"c:3,b:2", {"", "b:2", "b:2", BOTH, BOTH, "c:3,b:2", "c:3,b:2"}},
    {"ALL", {"", BOTH, BOTH, BOTH, BOTH, "ALL:0", "ALL:0"}},
    {"c:3,ALL", {"", BOTH, BOTH, BOTH, BOTH, "ALL:0", "ALL:0"}}};

START_TEST(each_list_with_each_policy_has_its_outcome)
{
    for (size_t i = 0; i < COUNT(matrix); i++) {
        for (size_t k = 0; k < COUNT(policies); k++) {
            const struct row row = {matrix[i].offer, policies[k].support,
                                    (int)policies[k].flags, ""};
            struct hello_ctx ctx = ctx_of(&row, (enum hello_version)_i);
            const char *seen = outcome(&ctx);

            if (seen == NULL || strcmp(seen, matrix[i].outcomes[k]) != 0)
                ck_abort_msg(
                    "%s, list %zu, policy %zu: \"%s\"", version_names[_i], i, k,
                    seen == NULL ? "neither the same nor an alert" : seen);
            hello_ctx_free(&ctx);
        }
    }
}
END_TEST

/* --- beside other things of TLS --- */

START_TEST(where_alpn_says_mtls_the_extension_is_not_answered)
{
    static const struct row row = {"a:1", "b:1", MTLS_EXT_REFUSE, ""};

    for (int v = 0; v < HELLO_VERSIONS; v++) {
        struct hello_ctx ctx = ctx_of(&row, (enum hello_version)v);

        SSL_CTX_set_alpn_select_cb(ctx.server, hello_choose_alpn, NULL);
        SSL_CTX_set_alpn_protos(ctx.client, (const unsigned char *)MTLS_ALPN,
                                sizeof(MTLS_ALPN) - 1);
        ck_assert_str_eq(outcome(&ctx), "");
        hello_ctx_free(&ctx);
    }
}
END_TEST

/* TLS 1.3: the client has no share of the server's group, and says it all
 * again. */
START_TEST(a_hello_that_comes_twice_is_answered_once)
{
    static const struct row row = {"b:2,c:3", "a:1,b:2", 0, ""};
    struct hello_ctx ctx = ctx_of(&row, HELLO_TLS13);

    ck_assert(SSL_CTX_set1_groups_list(ctx.server, "P-256"));
    ck_assert(SSL_CTX_set1_groups_list(ctx.client, "X25519:P-256"));
    ck_assert_str_eq(outcome(&ctx), "b:2");
    hello_ctx_free(&ctx);
}
END_TEST

/* Each handshake agrees anew, a resumed one too. */
START_TEST(a_resumed_session_agrees_again)
{
    for (int v = HELLO_TLS12; v <= HELLO_TLS13; v++) {
        static const struct row row = {"a:1,b:2", "b:2", 0, ""};
        struct hello_ctx ctx = ctx_of(&row, (enum hello_version)v);
        struct hello first = hello_new(&ctx), second;
        char octet;

        hello_shake(&first);
        ck_assert(first.done);
        SSL_read(first.client, &octet, 1); /* the ticket of TLS 1.3 */
        ck_assert(MTLS_ext_support(ctx.server, "a:1", 0));
        second = hello_new(&ctx);
        ck_assert(
            SSL_set_session(second.client, SSL_get0_session(first.client)));
        hello_shake(&second);
        ck_assert(second.done && SSL_session_reused(second.client));
        ck_assert_str_eq(hello_agreed(second.client), "a:1");
        ck_assert_str_eq(hello_agreed(second.server), "a:1");
        ck_assert_str_eq(hello_agreed(first.client), "b:2");
        hello_free(&first);
        hello_free(&second);
        hello_ctx_free(&ctx);
    }
}
END_TEST

/* --- long lists --- */

/* "x:1,x:2,..." */
static char *long_list(unsigned int n)
{
    char *text = malloc((size_t)n * 9), *p = text;

    for (unsigned int i = 1; i <= n; i++)
        p += sprintf(p, "%sx:%u", i == 1 ? "" : ",", i);
    return text;
}

/* 65,535 octets are what all extensions have in common. */
START_TEST(a_list_may_fill_the_client_hello)
{
    char *text = long_list(16000);

    for (int v = 0; v < HELLO_VERSIONS; v++) {
        const struct row row = {text, "x:16000,y:1", MTLS_EXT_COMMON, ""};
        struct hello_ctx ctx = ctx_of(&row, (enum hello_version)v);

        ck_assert_str_eq(outcome(&ctx), "x:16000");
        hello_ctx_free(&ctx);
    }
    free(text);
}
END_TEST

/* OpenSSL's client takes a ServerHello of 20,000 octets (Q6). */
START_TEST(a_long_answer_is_one_that_clients_take)
{
    char *text = long_list(16000);

    for (int v = 0; v < HELLO_VERSIONS; v++) {
        const struct row row = {text, NULL, MTLS_EXT_ALL, ""};
        struct hello_ctx ctx = ctx_of(&row, (enum hello_version)v);
        struct hello hello = hello_new(&ctx);
        const MTLS_APPLICATION *apps;

        hello_shake(&hello);
        ck_assert(hello.done);
        ck_assert_uint_eq(MTLS_ext_get0_agreed(hello.server, &apps), 4095);
        ck_assert_uint_eq(MTLS_ext_get0_agreed(hello.client, &apps), 4095);
        ck_assert_uint_eq(apps[4094].port, 4095);
        hello_free(&hello);
        hello_ctx_free(&ctx);
    }
    free(text);
}
END_TEST

START_TEST(a_list_that_no_extension_carries_is_refused_at_once)
{
    char *text = long_list(16384);
    struct hello_ctx ctx = hello_ctx_new(HELLO_TLS13);

    ck_assert_int_eq(MTLS_ext_offer(ctx.client, text), 0);
    ck_reason(MTLS_R_BAD_APPLICATIONS);
    text[strlen(text) - sizeof("x:16384")] = '\0';
    ck_assert_int_eq(MTLS_ext_offer(ctx.client, text), 1);
    hello_ctx_free(&ctx);
    free(text);
}
END_TEST

/* --- what is wrong --- */

START_TEST(settings_that_make_no_sense_are_refused)
{
    struct hello_ctx ctx = hello_ctx_new(HELLO_TLS13);

    ck_assert_int_eq(MTLS_ext_offer(ctx.client, NULL), 0);
    ck_reason(MTLS_R_BAD_APPLICATIONS);
    ck_assert_int_eq(MTLS_ext_offer(ctx.client, "http"), 0);
    ck_reason(MTLS_R_BAD_APPLICATIONS);
    ck_assert_int_eq(MTLS_ext_support(ctx.server, NULL, MTLS_EXT_COMMON), 0);
    ck_reason(MTLS_R_BAD_APPLICATIONS);
    ck_assert_int_eq(MTLS_ext_support(ctx.server, "a:1,ALL", 0), 0);
    ck_reason(MTLS_R_BAD_APPLICATIONS);
    ck_assert_int_eq(MTLS_ext_support(ctx.server, "a:1", MTLS_EXT_ALL), 0);
    ck_reason(MTLS_R_INVALID_VALUE);
    ck_assert_int_eq(MTLS_ext_support(ctx.server, "a:1", 3), 0);
    ck_reason(MTLS_R_INVALID_VALUE);
    ck_assert_int_eq(MTLS_ext_support(ctx.server, "a:1", 8), 0);
    ck_reason(MTLS_R_INVALID_VALUE);
    hello_ctx_free(&ctx);
}
END_TEST

/* A peer that says just these octets. */
struct octets {
    const char *p;
    size_t n;
};

static int add_octets(SSL *ssl, unsigned int type, unsigned int context,
                      const unsigned char **out, size_t *len, X509 *x,
                      size_t chain_index, int *al, void *arg)
{
    const struct octets *octets = arg;

    (void)ssl, (void)type, (void)context, (void)x, (void)chain_index, (void)al;
    *out = (const unsigned char *)octets->p;
    *len = octets->n;
    return 1;
}

static void say_octets(SSL_CTX *ctx, struct octets *octets)
{
    ck_assert(SSL_CTX_add_custom_ext(ctx, MTLS_EXT_DATA_MULTIPLEXING,
                                     SSL_EXT_CLIENT_HELLO |
                                         SSL_EXT_TLS1_2_SERVER_HELLO |
                                         SSL_EXT_TLS1_3_ENCRYPTED_EXTENSIONS,
                                     add_octets, NULL, octets, NULL, NULL));
}

/* The reason that one end gives, the other being told by an alert. */
static int fails_with(struct hello_ctx *ctx, int at_server)
{
    struct hello hello = hello_new(ctx);
    int reason = 0;

    for (int i = 0; i < 20 && reason == 0; i++) {
        ERR_clear_error();
        if (SSL_do_handshake(hello.client) != 1 && !at_server)
            reason = ERR_GET_REASON(ERR_peek_error());
        ERR_clear_error();
        if (SSL_do_handshake(hello.server) != 1 && at_server)
            reason = ERR_GET_REASON(ERR_peek_error());
    }
    ERR_clear_error();
    hello_free(&hello);
    return reason;
}

START_TEST(a_malformed_offer_ends_the_handshake)
{
    static const struct octets bad[] = {
        {"", 0}, {"\0\0", 2}, {"\0\0\1\1", 4}, {"\0\0\4\1a\0\1x", 8}};

    for (size_t i = 0; i < COUNT(bad); i++) {
        for (int v = 0; v < HELLO_VERSIONS; v++) {
            struct hello_ctx ctx = hello_ctx_new((enum hello_version)v);
            struct octets octets = bad[i];

            say_octets(ctx.client, &octets);
            ck_assert(MTLS_ext_support(ctx.server, NULL, MTLS_EXT_ALL));
            ck_assert_int_eq(fails_with(&ctx, 1), SSL_R_BAD_EXTENSION);
            hello_ctx_free(&ctx);
        }
    }
}
END_TEST

/* Nothing, malformed, or "ALL" to who has not asked for it. */
START_TEST(an_answer_that_makes_no_sense_ends_the_handshake)
{
    static const struct octets bad[] = {
        {"\0\0\0", 3}, {"\0\0\1\1", 4}, {"\0\0\6\3ALL\0\0", 9}};

    for (size_t i = 0; i < COUNT(bad); i++) {
        for (int v = 0; v < HELLO_VERSIONS; v++) {
            struct hello_ctx ctx = hello_ctx_new((enum hello_version)v);
            struct octets octets = bad[i];

            say_octets(ctx.server, &octets);
            ck_assert(MTLS_ext_offer(ctx.client, "a:1"));
            ck_assert_int_eq(fails_with(&ctx, 0), SSL_R_BAD_EXTENSION);
            hello_ctx_free(&ctx);
        }
    }
}
END_TEST

/* --- what goes by --- */

START_TEST(the_trace_shows_both_lists)
{
    static const struct row row = {"b:2,c\\x:3", "a:1,b:2", 0, ""};
    struct hello_ctx ctx = ctx_of(&row, HELLO_TLS13);
    BIO *out = BIO_new(BIO_s_mem());
    char text[400] = "";

    ck_assert(MTLS_ext_set_msg_callback(ctx.client, MTLS_ext_trace, out));
    ck_assert_str_eq(outcome(&ctx), "b:2");
    BIO_read(out, text, sizeof(text) - 1);
    ck_assert_str_eq(text, ">>> data_multiplexing [length 13] \"b\" port 2, "
                           "\"c\\x5cx\" port 3\n"
                           "<<< data_multiplexing [length 7] \"b\" port 2\n");
    MTLS_ext_trace(0, "\0\0\1\1", 4, NULL, out);
    ck_assert_int_gt(BIO_gets(out, text, sizeof(text)), 0);
    ck_assert_str_eq(text, "<<< data_multiplexing [length 4] malformed\n");
    BIO_free(out);
    hello_ctx_free(&ctx);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        lists_and_policies_have_the_outcome_of_the_table,
        where_alpn_says_mtls_the_extension_is_not_answered,
        a_hello_that_comes_twice_is_answered_once,
        a_resumed_session_agrees_again,
        a_list_may_fill_the_client_hello,
        a_long_answer_is_one_that_clients_take,
        a_list_that_no_extension_carries_is_refused_at_once,
        settings_that_make_no_sense_are_refused,
        a_malformed_offer_ends_the_handshake,
        an_answer_that_makes_no_sense_ends_the_handshake,
        the_trace_shows_both_lists};

    Suite *suite = suite_create("hello_ext");
    TCase *tc = tcase_create("hello_ext");
    SRunner *runner;
    int failed;

    for (size_t i = 0; i < COUNT(tests); i++)
        tcase_add_test(tc, tests[i]);
    tcase_add_loop_test(tc, each_list_with_each_policy_has_its_outcome, 0,
                        HELLO_VERSIONS);
    tcase_set_timeout(tc, 60);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
