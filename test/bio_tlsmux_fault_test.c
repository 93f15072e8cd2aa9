/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* BIO_f_tlsmux over transports that falter, fail, or block. */
#include "stacks.h"
#include "tlsmux_ends.h"

#include <openssl/err.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* --- that falter --- */

/* Goes through a whole exchange of |command|, by any number of calls. */
static void whole_exchange(struct ends *e, long command)
{
    BIO_tlsmux_set_command(e->client, command);
    BIO_set_conn_hostname(e->client, "localhost:80");
    ends_ask(e);
    ck_assert_int_eq(BIO_tlsmux_get_command(e->server), command);
    ck_assert_int_eq(BIO_tlsmux_grant(e->server, NULL), 1);
    ends_finish(e);
    if (command != MTLS_TLSMUX_BIND)
        return;
    ck_assert_int_eq(BIO_tlsmux_grant(e->server, "127.0.0.1:1"), 1);
    ends_finish(e);
    ck_assert_str_eq(BIO_tlsmux_get_peer(e->client), "127.0.0.1:1");
}

START_TEST(T1_some_octets_and_retries)
{
    static const struct fault_plan plans[] = {{.most = 1},
                                              {.retry = 2},
                                              {.most = 1, .retry = 2},
                                              {.retry = 3},
                                              {.most = 3, .retry = 5},
                                              {.most = 1000}};
    static const int versions[] = {0, TLS1_2_VERSION, TLS1_3_VERSION};

    for (size_t i = 0; i < COUNT(plans) * COUNT(versions); i++) {
        for (long command = 1; command <= 2; command++) {
            struct fault_plan c = plans[i / COUNT(versions)], s = c;
            struct ends e = ends_with(versions[i % COUNT(versions)], &c, &s);

            whole_exchange(&e, command);
            stacks_move(e.client, e.server, 5000);
            stacks_move(e.server, e.client, 5000);
            ck_assert(!c.broken_retry);
            ck_assert(!s.broken_retry);
            ends_free(&e);
        }
    }
}
END_TEST

START_TEST(T3_a_transport_of_a_few_octets)
{
    static const int versions[] = {0, TLS1_2_VERSION, TLS1_3_VERSION};

    for (size_t i = 0; i < COUNT(versions); i++) {
        for (size_t size = 1; size < 40; size += 19) {
            struct ends e = ends_new(versions[i], size);

            whole_exchange(&e, MTLS_TLSMUX_CONNECT);
            stacks_move(e.client, e.server, 1000);
            ends_free(&e);
        }
    }
}
END_TEST

/* The refusal gets out, however long that takes, and then the call fails. */
START_TEST(K1_the_reply_gets_out_first)
{
    struct fault_plan plan = {.most = 1, .retry = 2};
    struct ends e = ends_with(0, NULL, &plan);
    char got[20];
    int n = 0;

    raw_say(e.client, "\5\1\0\5\x09\0\1\x7f\0\0\1\0\x50");
    ends_fail(e.server, MTLS_R_SOCKS_MALFORMED);
    n = BIO_read(BIO_next(e.client), got, sizeof(got));
    ck_assert_int_eq(n, 12);
    ck_assert_mem_eq(got, "\5\0\5\7\0\1\0\0\0\0\0\0", 12);
    ends_free(&e);
}
END_TEST

START_TEST(a_refusal_is_sent_by_flush_too)
{
    struct fault_plan plan = {0};
    struct ends e = ends_with(0, NULL, &plan);

    BIO_set_conn_hostname(e.client, "localhost:80");
    ends_ask(&e);
    plan.retry = 1; /* each call */
    ck_assert_int_eq(BIO_tlsmux_refuse(e.server, 5), 1);
    ck_assert(BIO_should_write(e.server));
    ck_assert_int_eq(BIO_wpending(e.server),
                     10 + BIO_wpending(BIO_next(e.server)));
    ck_assert_int_eq(BIO_flush(e.server), -1);
    ck_assert(BIO_should_write(e.server));
    plan.retry = 0;
    ck_assert_int_eq(BIO_flush(e.server), 1);
    ends_fail(e.client, MTLS_R_SOCKS_REFUSED);
    ends_free(&e);
}
END_TEST

/* --- that fail --- */

/* 1 through, 0 one end failed with a reason, and keeps failing. */
static int attempt(struct ends *e)
{
    BIO *failed = NULL;
    long c = -1, s = -1;

    BIO_set_conn_hostname(e->client, "localhost:80");
    for (int i = 0; i < 1000 && failed == NULL && (c < 1 || s < 1); i++) {
        if (c < 1 && (c = BIO_do_handshake(e->client)) < 1 &&
            !BIO_should_retry(e->client))
            failed = e->client;
        else if (s < 1 && (s = BIO_do_handshake(e->server)) < 1 &&
                 !BIO_should_retry(e->server))
            failed = e->server;
        else if (s < 1 && BIO_should_io_special(e->server))
            BIO_tlsmux_grant(e->server, NULL);
    }
    if (failed == NULL)
        return c == 1 && s == 1;
    ck_assert_int_ne(ERR_peek_last_error(), 0);
    ERR_clear_error();
    ck_assert_int_eq(BIO_read(failed, &(char){0}, 1), -1);
    ck_assert(!BIO_should_retry(failed));
    ck_assert_int_eq(ERR_GET_REASON(ERR_peek_last_error()),
                     MTLS_R_TRANSPORT_FAILED);
    ck_assert_int_eq(BIO_write(failed, "x", 1), -1);
    ck_assert(!BIO_should_retry(failed));
    return 0;
}

START_TEST(T1_fails_at_each_call)
{
    int through = 0;

    for (unsigned int call = 1; call < 20; call++) {
        for (int where = 0; where < 4; where++) {
            struct fault_plan plan = {.most = 5}, good = {.most = 5};
            struct ends e;

            *(where % 2 ? &plan.fail_read : &plan.fail_write) = call;
            e = where / 2 ? ends_with(0, &plan, &good)
                          : ends_with(0, &good, &plan);
            through += attempt(&e);
            ends_free(&e);
        }
    }
    ck_assert_int_gt(through, 0); /* the last ones come too late to matter */
    ck_assert_int_lt(through, 60);
}
END_TEST

START_TEST(the_errors_of_tls_are_kept)
{
    struct ends e = ends_new(TLS1_3_VERSION, 0);
    SSL *ssl = NULL;

    BIO_get_ssl(e.client, &ssl);
    SSL_set1_host(ssl, "not.localhost");
    SSL_set_verify(ssl, SSL_VERIFY_PEER, NULL);
    BIO_set_conn_hostname(e.client, "localhost:80");
    for (int i = 0; i < 10; i++) {
        BIO_do_handshake(e.client);
        if (!BIO_should_retry(e.client))
            break;
        BIO_do_handshake(e.server);
    }
    ck_assert_int_eq(ERR_GET_LIB(ERR_peek_error()), ERR_LIB_SSL);
    ck_assert_int_eq(ERR_GET_REASON(ERR_peek_error()),
                     SSL_R_CERTIFICATE_VERIFY_FAILED);
    ends_free(&e);
}
END_TEST

/* --- that block --- */

static struct ends blocking_ends(int version)
{
    struct ends e;
    SSL_CTX *c = stacks_client_ctx(version), *s = stacks_server_ctx(version);
    int fds[2];

    signal(SIGPIPE, SIG_IGN);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    e.client = BIO_push(BIO_new_ssl(c, 1), BIO_new_socket(fds[0], BIO_CLOSE));
    e.server = BIO_push(BIO_new_ssl(s, 0), BIO_new_socket(fds[1], BIO_CLOSE));
    e.client = BIO_push(BIO_new(BIO_f_tlsmux()), e.client);
    e.server = BIO_push(BIO_new(BIO_f_tlsmux()), e.server);
    SSL_CTX_free(c);
    SSL_CTX_free(s);
    return e;
}

/* Grants what is asked for, BIND twice, and echoes until the end. */
static void *echo(void *arg)
{
    BIO *b = arg;
    char text[1000];
    int n;

    while (BIO_do_handshake(b) <= 0) {
        if (!BIO_should_io_special(b))
            return NULL;
        if (strcmp(BIO_get_conn_hostname(b), "forbidden") == 0)
            BIO_tlsmux_refuse(b, MTLS_TLSMUX_NOT_ALLOWED);
        else
            BIO_tlsmux_grant(b, NULL);
    }
    if (BIO_tlsmux_get_command(b) == MTLS_TLSMUX_BIND)
        BIO_tlsmux_grant(b, "127.0.0.1:9");
    while ((n = BIO_read(b, text, sizeof(text))) > 0)
        if (BIO_write(b, text, n) != n)
            return NULL;
    BIO_shutdown_wr(b);
    return n == 0 ? arg : NULL;
}

START_TEST(blocking_calls_block)
{
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

    for (size_t i = 0; i < COUNT(versions); i++) {
        for (long command = 1; command <= 3; command++) {
            struct ends e = blocking_ends(versions[i]);
            char text[100];
            pthread_t server;
            void *ok;

            pthread_create(&server, NULL, echo, e.server);
            BIO_tlsmux_set_command(e.client, command);
            BIO_set_conn_hostname(e.client, "localhost:80");
            for (int j = 0; j < 100; j++) {
                ck_assert_int_eq(BIO_puts(e.client, "hello\n"), 6);
                ck_assert_int_eq(BIO_read(e.client, text, sizeof(text)), 6);
            }
            ck_assert_int_eq(BIO_shutdown_wr(e.client), 1);
            ck_assert_int_eq(BIO_read(e.client, text, sizeof(text)), 0);
            pthread_join(server, &ok);
            ck_assert_ptr_nonnull(ok);
            ends_free(&e); /* does not wait for close_notify */
        }
    }
}
END_TEST

START_TEST(blocking_refusals_are_heard)
{
    struct ends e = blocking_ends(TLS1_3_VERSION);
    pthread_t server;
    void *ok;

    pthread_create(&server, NULL, echo, e.server);
    BIO_set_conn_hostname(e.client, "forbidden:80");
    ck_assert_int_eq(BIO_do_handshake(e.client), -1);
    ck_assert(!BIO_should_retry(e.client));
    ck_reason(MTLS_R_SOCKS_REFUSED);
    pthread_join(server, &ok);
    ck_assert_ptr_null(ok);
    ends_free(&e);
}
END_TEST

static void *grant_and_hear(void *arg)
{
    BIO *b = arg;
    char text[10];

    while (BIO_do_handshake(b) <= 0)
        BIO_tlsmux_grant(b, NULL);
    while (BIO_read(b, text, sizeof(text)) > 0)
        ;
    return arg;
}

/* Half-closed, then freed, while the peer says nothing and does not end. */
START_TEST(freeing_does_not_wait_for_the_peer)
{
    struct ends e = blocking_ends(TLS1_3_VERSION);
    pthread_t server;
    void *ok;

    pthread_create(&server, NULL, grant_and_hear, e.server);
    BIO_set_conn_hostname(e.client, "localhost:80");
    ck_assert_int_eq(BIO_puts(e.client, "hello"), 5);
    ck_assert_int_eq(BIO_shutdown_wr(e.client), 1);
    pthread_join(server, &ok);
    BIO_free_all(e.client);
    e.client = NULL;
    ends_free(&e);
}
END_TEST

/* --- servers as an accept BIO makes them --- */

static void *connect_and_ask(void *arg)
{
    SSL_CTX *ctx = stacks_client_ctx(TLS1_3_VERSION);
    BIO *b = BIO_new_ssl_connect(ctx);
    char text[10];
    void *ok = NULL;

    BIO_set_conn_hostname(b, "127.0.0.1");
    BIO_set_conn_port(b, arg);
    b = BIO_push(BIO_new(BIO_f_tlsmux()), b);
    BIO_set_conn_hostname(b, "localhost:80");
    if (BIO_puts(b, "hello") == 5 && BIO_read(b, text, 10) == 5)
        ok = arg;
    BIO_free_all(b);
    SSL_CTX_free(ctx);
    return ok;
}

START_TEST(an_accept_bio_copies_the_filter)
{
    SSL_CTX *ctx = stacks_server_ctx(TLS1_3_VERSION);
    BIO *acceptor = BIO_new_accept("127.0.0.1:0");
    BIO *ssl = BIO_new_ssl(ctx, 0);
    char *port = NULL;
    const char *name;

    signal(SIGPIPE, SIG_IGN);
    BIO_set_accept_bios(acceptor, BIO_push(BIO_new(BIO_f_tlsmux()), ssl));
    ck_assert_int_eq(BIO_do_accept(acceptor), 1);
    name = BIO_get_accept_port(acceptor);
    ck_assert_ptr_nonnull(name);
    port = OPENSSL_strdup(name);
    for (int i = 0; i < 3; i++) {
        pthread_t client;
        void *ok;
        BIO *b;

        pthread_create(&client, NULL, connect_and_ask, port);
        ck_assert_int_eq(BIO_do_accept(acceptor), 1);
        b = BIO_pop(acceptor);
        ck_assert_ptr_nonnull(echo(b));
        pthread_join(client, &ok);
        ck_assert_ptr_nonnull(ok);
        BIO_free_all(b);
    }
    OPENSSL_free(port);
    BIO_free_all(acceptor); /* which frees the first of the chain alone */
    BIO_free_all(ssl);
    SSL_CTX_free(ctx);
    ERR_clear_error();
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {T1_some_octets_and_retries,
                                  T3_a_transport_of_a_few_octets,
                                  K1_the_reply_gets_out_first,
                                  a_refusal_is_sent_by_flush_too,
                                  T1_fails_at_each_call,
                                  the_errors_of_tls_are_kept,
                                  blocking_calls_block,
                                  blocking_refusals_are_heard,
                                  freeing_does_not_wait_for_the_peer,
                                  an_accept_bio_copies_the_filter};

    return ends_run("bio_tlsmux_fault", tests, COUNT(tests));
}
