/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* Which TLS session a connection of s_client -tlsmux offers. */
#include "tlsmux_tickets.h"

#include <check.h>

static SSL_CTX *ctx;
static struct tickets tickets;
static unsigned char last_id;

/* One that a server has just given; 0: the library keeps its reference. */
static int arrives(SSL_SESSION *session)
{
    SSL *ssl = SSL_new(ctx);
    int taken;

    ck_assert_ptr_nonnull(ssl);
    taken = SSL_CTX_sess_get_new_cb(ctx)(ssl, session);
    SSL_free(ssl);
    return taken;
}

static SSL_SESSION *make(int version)
{
    SSL_SESSION *session = SSL_SESSION_new();

    last_id++;
    ck_assert_ptr_nonnull(session);
    ck_assert(SSL_SESSION_set_protocol_version(session, version));
    ck_assert(SSL_SESSION_set1_id(session, &last_id, 1));
    return session;
}

static void comes(int version)
{
    SSL_SESSION *session = make(version);

    if (!arrives(session))
        SSL_SESSION_free(session);
}

/* The id of the session that the next connection offers; 0: none. */
static int offered(void)
{
    SSL *ssl = SSL_new(ctx);
    const SSL_SESSION *session;
    unsigned int n = 0;
    int id;

    ck_assert_ptr_nonnull(ssl);
    tickets_offer(&tickets, ssl);
    session = SSL_get0_session(ssl);
    id = session != NULL ? *SSL_SESSION_get_id(session, &n) : 0;
    SSL_free(ssl);
    return id;
}

static void begin(void)
{
    last_id = 0;
    ctx = SSL_CTX_new(TLS_client_method());
    ck_assert_ptr_nonnull(ctx);
    ck_assert(tickets_start(&tickets, ctx));
}

static void end(void)
{
    tickets_clear(&tickets);
    SSL_CTX_free(ctx);
}

START_TEST(the_newest_is_offered_and_each_of_tls_1_3_once)
{
    ck_assert_int_eq(offered(), 0);
    comes(TLS1_3_VERSION);
    comes(TLS1_3_VERSION);
    ck_assert_int_eq(offered(), 2);
    comes(TLS1_3_VERSION);
    ck_assert_int_eq(offered(), 3);
    ck_assert_int_eq(offered(), 1);
    ck_assert_int_eq(offered(), 0);
}
END_TEST

START_TEST(one_of_tls_1_2_is_for_many)
{
    comes(TLS1_3_VERSION);
    comes(TLS1_2_VERSION);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(offered(), 2);
    comes(TLS1_3_VERSION);
    ck_assert_int_eq(offered(), 3);
    ck_assert_int_eq(offered(), 2);
}
END_TEST

START_TEST(the_oldest_makes_room)
{
    for (int i = 0; i < TICKETS_MAX + 3; i++)
        comes(TLS1_3_VERSION);
    for (int i = TICKETS_MAX + 3; i > 3; i--)
        ck_assert_int_eq(offered(), i);
    ck_assert_int_eq(offered(), 0);
}
END_TEST

START_TEST(what_can_not_be_resumed_is_passed_over)
{
    SSL_SESSION *session = SSL_SESSION_new(); /* without an id or a ticket */

    comes(TLS1_3_VERSION);
    ck_assert_ptr_nonnull(session);
    ck_assert_int_eq(arrives(session), 1);
    ck_assert_int_eq(offered(), 1);
    ck_assert_int_eq(offered(), 0);
}
END_TEST

static int told, keeps;

static int on_session(SSL *ssl, SSL_SESSION *session)
{
    (void)ssl;
    told++;
    if (keeps)
        SSL_SESSION_free(session); /* its reference, at once */
    return keeps;
}

/* -sess_out is. */
START_TEST(who_was_told_before_is_told_still)
{
    SSL_SESSION *session;

    tickets_clear(&tickets);
    SSL_CTX_sess_set_new_cb(ctx, on_session);
    ck_assert(tickets_start(&tickets, ctx));
    keeps = told = 0;
    comes(TLS1_3_VERSION);
    ck_assert_int_eq(told, 1);
    ck_assert_int_eq(offered(), 1);
    keeps = 1;
    session = make(TLS1_3_VERSION);
    ck_assert(SSL_SESSION_up_ref(session)); /* ours, for as long as this */
    ck_assert_int_eq(arrives(session), 1);
    ck_assert_int_eq(told, 2);
    ck_assert_int_eq(offered(), 2);
    SSL_SESSION_free(session);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tool_tlsmux_tickets");
    TCase *tc = tcase_create("tickets");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tc, begin, end);
    tcase_add_test(tc, the_newest_is_offered_and_each_of_tls_1_3_once);
    tcase_add_test(tc, one_of_tls_1_2_is_for_many);
    tcase_add_test(tc, the_oldest_makes_room);
    tcase_add_test(tc, what_can_not_be_resumed_is_passed_over);
    tcase_add_test(tc, who_was_told_before_is_told_still);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
