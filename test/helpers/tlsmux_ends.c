/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "tlsmux_ends.h"

#include "stacks.h"

#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

#define TURNS 20000 /* an octet a call, and a record has some hundred */

static BIO *on_top(BIO *transport, SSL_CTX *ctx, int client,
                   struct fault_plan *plan)
{
    BIO *b = BIO_new(BIO_f_tlsmux());

    ck_assert_ptr_nonnull(b);
    if (ctx != NULL)
        transport = BIO_push(BIO_new_ssl(ctx, client), transport);
    else
        ck_assert_int_eq(BIO_tlsmux_set_role(b, client ? MTLS_ROLE_CLIENT
                                                       : MTLS_ROLE_SERVER),
                         1);
    SSL_CTX_free(ctx);
    if (plan != NULL)
        transport = BIO_push(fault_bio_new(plan), transport);
    return BIO_push(b, transport);
}

static struct ends new_ends(int version, size_t pair_size,
                            struct fault_plan *client,
                            struct fault_plan *server)
{
    struct ends e;
    BIO *a, *b;

    ck_assert(BIO_new_bio_pair(&a, pair_size, &b, pair_size));
    e.client =
        on_top(a, version == 0 ? NULL : stacks_client_ctx(version), 1, client);
    e.server =
        on_top(b, version == 0 ? NULL : stacks_server_ctx(version), 0, server);
    return e;
}

struct ends ends_new(int version, size_t pair_size)
{
    return new_ends(version, pair_size, NULL, NULL);
}

struct ends ends_with(int version, struct fault_plan *client,
                      struct fault_plan *server)
{
    return new_ends(version, 0, client, server);
}

void ends_free(struct ends *e)
{
    BIO_free_all(e->client);
    BIO_free_all(e->server);
    ERR_clear_error();
}

void ends_shake(struct ends *e)
{
    SSL *ssl = NULL;

    BIO_get_ssl(e->client, &ssl);
    for (int i = 0; ssl != NULL && i < TURNS; i++) {
        long c = BIO_do_handshake(BIO_next(e->client));
        long s = BIO_do_handshake(BIO_next(e->server));

        if (c > 0 && s > 0)
            return;
        ck_assert(c > 0 || BIO_should_retry(BIO_next(e->client)));
        ck_assert(s > 0 || BIO_should_retry(BIO_next(e->server)));
    }
    ck_assert_ptr_null(ssl);
}

void ends_ask(struct ends *e)
{
    for (int i = 0; i < TURNS; i++) {
        ck_assert_int_eq(BIO_do_handshake(e->client), -1);
        ck_assert(BIO_should_retry(e->client));
        ck_assert_int_eq(BIO_do_handshake(e->server), -1);
        ck_assert(BIO_should_retry(e->server));
        if (BIO_should_io_special(e->server))
            break;
    }
    ck_assert_int_eq(BIO_get_retry_reason(e->server), MTLS_RR_TLSMUX_REQUEST);
    ck_assert(!BIO_should_read(e->server));
    ck_assert(!BIO_should_write(e->server));
}

void ends_finish(struct ends *e)
{
    long c = 0, s = 0;

    for (int i = 0; i < TURNS && (c <= 0 || s <= 0); i++) {
        if (c <= 0)
            c = BIO_do_handshake(e->client);
        if (s <= 0)
            s = BIO_do_handshake(e->server);
        ck_assert(c > 0 || BIO_should_retry(e->client));
        ck_assert(s > 0 || BIO_should_retry(e->server));
    }
    ck_assert_int_eq(c, 1);
    ck_assert_int_eq(s, 1);
}

struct ends ends_open(int version, long command, const char *host_port)
{
    struct ends e = ends_new(version, 0);

    ck_assert_int_eq(BIO_tlsmux_set_command(e.client, command), 1);
    if (host_port != NULL)
        ck_assert_int_eq(BIO_set_conn_hostname(e.client, host_port), 1);
    ends_ask(&e);
    ck_assert_int_eq(BIO_tlsmux_grant(e.server, NULL), 1);
    ends_finish(&e);
    return e;
}

void ends_check_fail(BIO *b, int reason, int line)
{
    for (int i = 0; i < TURNS; i++) {
        long r = BIO_do_handshake(b);

        if (r > 0)
            ck_abort_msg("line %d: did not fail", line);
        if (!BIO_should_retry(b))
            break;
    }
    ck_assert(!BIO_should_retry(b));
    stacks_check_reason(reason, line);
}

void raw_write(BIO *b, const char *octets, size_t len)
{
    size_t n = 0;

    ck_assert(BIO_write_ex(BIO_next(b), octets, len, &n));
    ck_assert_uint_eq(n, len);
}

void raw_read(BIO *b, const char *octets, size_t len, int line)
{
    char got[1024];
    int n = BIO_read(BIO_next(b), got, sizeof(got));

    if (n != (int)len || memcmp(got, octets, len) != 0)
        ck_abort_msg("line %d: %d octets: %02x %02x %02x...", line, n,
                     (unsigned char)got[0], (unsigned char)got[1],
                     (unsigned char)got[2]);
}

int ends_run(const char *name, const TTest *const *tests, size_t count)
{
    Suite *suite = suite_create(name);
    TCase *all = tcase_create(name);
    SRunner *runner;
    int failed;

    for (size_t i = 0; i < count; i++)
        tcase_add_test(all, tests[i]);
    tcase_set_timeout(all, 120);
    suite_add_tcase(suite, all);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
