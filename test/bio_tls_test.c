/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* The filter above TLS: versions, blocking sockets, ends, resumption. */
#include "stacks.h"

#include <check.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TRANSFER (3 * 1024 * 1024)

/* --- in one thread, over a BIO pair --- */

static const enum stacks_kind pair_kinds[] = {
    STACKS_PAIR, STACKS_TLS12_PAIR, STACKS_TLS13_PAIR, STACKS_NBIO_SOCKETS};

START_TEST(octets_arrive_over_any_transport)
{
    struct stacks st = stacks_new(pair_kinds[_i], 0);
    struct channels ch;

    ck_assert_ptr_null(BIO_mtls_accept_channel(st.server));
    ch = stacks_open(&st, "default");
    stacks_move(ch.c, ch.s, TRANSFER);
    stacks_move(ch.s, ch.c, TRANSFER);
    BIO_free(ch.c);
    BIO_free(ch.s);
    stacks_free(&st);
    ERR_clear_error();
}
END_TEST

START_TEST(a_narrow_transport_only_takes_longer)
{
    struct stacks st = stacks_new(STACKS_TLS13_PAIR, (size_t)_i);
    struct channels ch;

    ck_assert_ptr_null(BIO_mtls_accept_channel(st.server));
    ch = stacks_open(&st, "default");
    stacks_move(ch.c, ch.s, 2000);
    BIO_free(ch.c);
    BIO_free(ch.s);
    stacks_free(&st);
    ERR_clear_error();
}
END_TEST

/* F13: what TLS does in between is not seen. */
START_TEST(F13_key_update_amid_a_packet)
{
    struct stacks st = stacks_new(STACKS_TLS13_PAIR, 4000);
    struct channels ch;
    static char data[40000];
    SSL *ssl = NULL;
    size_t got = 0;
    int n = 0, r = 0;

    ck_assert_ptr_null(BIO_mtls_accept_channel(st.server));
    ch = stacks_open(&st, "default");
    BIO_get_ssl(ch.s, &ssl);
    ck_assert_ptr_nonnull(ssl);
    ck_assert_int_gt(BIO_write(ch.c, data, sizeof(data)), 16384);
    for (int i = 0; i < 100 && (r = BIO_read(ch.s, data, 1000)) < 0; i++)
        BIO_flush(ch.c);
    ck_assert_int_gt(r, 0); /* a part of it */
    ck_assert(SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED));
    for (int i = 0; i < 100; i++) {
        while ((r = BIO_read(ch.s, data, sizeof(data))) > 0)
            got += (size_t)r;
        BIO_write(ch.s, "x", 1); /* carries the KeyUpdate */
        BIO_flush(ch.c);
        while ((r = BIO_read(ch.c, data, sizeof(data))) > 0)
            n += r;
    }
    ck_assert_uint_gt(got, 16384);
    ck_assert_int_gt(n, 50);
    stacks_move(ch.c, ch.s, 50000);
    BIO_free(ch.c);
    BIO_free(ch.s);
    stacks_free(&st);
    ERR_clear_error();
}
END_TEST

/* --- blocking sockets, a thread an end --- */

static void *echo_server(void *arg)
{
    BIO *m = arg, *c = BIO_mtls_accept_channel(m);
    char piece[5000];
    int n;

    if (c == NULL)
        return NULL;
    while ((n = BIO_read(c, piece, sizeof(piece))) > 0)
        if (BIO_write(c, piece, n) != n)
            break;
    BIO_shutdown_wr(c);
    BIO_free(c);
    BIO_free_all(m);
    return n == 0 ? arg : NULL;
}

struct blast {
    BIO *b;
    size_t n;
};

static void *write_all(void *arg)
{
    struct blast *blast = arg;
    static char data[65536];

    for (size_t done = 0; done < blast->n; done += sizeof(data))
        if (BIO_write(blast->b, data, sizeof(data)) != (int)sizeof(data))
            return NULL;
    return BIO_shutdown_wr(blast->b) == 1 ? arg : NULL;
}

struct side {
    BIO *mtls;
    size_t n; /* octets to come */
};

static void *swallow(void *arg)
{
    struct side *side = arg;
    BIO *c = BIO_mtls_accept_channel(side->mtls);
    static char piece[50000];
    int n;

    while ((n = BIO_read(c, piece, sizeof(piece))) > 0)
        side->n -= (size_t)n;
    BIO_free(c);
    return NULL;
}

START_TEST(blocking_calls_block)
{
    struct stacks st =
        stacks_new(_i == 0 ? STACKS_TLS12_SOCKETS : STACKS_TLS13_SOCKETS, 0);
    struct blast blast = {BIO_new_mtls_channel(st.client, "echo:7"),
                          4 * 1024 * 1024};
    pthread_t server, writer;
    char piece[3000];
    void *ok;
    size_t got = 0;
    int n;

    pthread_create(&server, NULL, echo_server, st.server);
    ck_assert_int_eq(BIO_do_connect(blast.b), 1);
    pthread_create(&writer, NULL, write_all, &blast);
    while ((n = BIO_read(blast.b, piece, sizeof(piece))) > 0)
        got += (size_t)n;
    ck_assert_int_eq(n, 0);
    ck_assert(!BIO_should_retry(blast.b));
    pthread_join(writer, &ok);
    ck_assert_ptr_nonnull(ok);
    ck_assert_uint_eq(got, blast.n);
    BIO_free(blast.b);
    pthread_join(server, &ok);
    ck_assert_ptr_nonnull(ok);
    BIO_free_all(st.client);
}
END_TEST

/* The program that only added the push, both sides. */
static void *plain_server(void *arg)
{
    BIO *b = arg;
    char line[100];
    int n;

    while ((n = BIO_gets(b, line, sizeof(line))) > 0)
        if (BIO_puts(b, line) != n)
            break;
    BIO_free_all(b);
    return NULL;
}

START_TEST(default_channel_of_blocking_programs)
{
    struct stacks st = stacks_new(STACKS_TLS13_SOCKETS, 0);
    pthread_t server;
    char line[100];

    pthread_create(&server, NULL, plain_server, st.server);
    ck_assert_int_eq(BIO_do_handshake(st.client), 1);
    for (int i = 0; i < 100; i++) {
        ck_assert_int_eq(BIO_puts(st.client, "a line of text\n"), 15);
        ck_assert_int_eq(BIO_gets(st.client, line, sizeof(line)), 15);
    }
    BIO_shutdown_wr(st.client);
    ck_assert_int_eq(BIO_gets(st.client, line, sizeof(line)), 0);
    BIO_free_all(st.client);
    pthread_join(server, NULL);
}
END_TEST

START_TEST(a_channel_may_not_block_though_others_do)
{
    struct stacks st = stacks_new(STACKS_TLS13_SOCKETS, 0);
    BIO *c = BIO_new_mtls_channel(st.client, "echo:7");
    pthread_t server;
    char octet;

    pthread_create(&server, NULL, echo_server, st.server);
    ck_assert_int_eq(BIO_do_connect(c), 1);
    ck_assert_int_gt(BIO_set_nbio(c, 1), 0);
    ck_assert_int_eq(BIO_read(c, &octet, 1), -1);
    ck_assert(BIO_should_read(c));
    ck_assert_int_gt(BIO_set_nbio(c, 0), 0);
    ck_assert_int_eq(BIO_write(c, "y", 1), 1);
    ck_assert_int_eq(BIO_read(c, &octet, 1), 1);
    BIO_free(c);
    pthread_join(server, NULL);
    BIO_free_all(st.client);
}
END_TEST

START_TEST(the_descriptor_goes_back_as_it_was)
{
    int fds[2];
    BIO *m = BIO_new(BIO_f_mtls()), *below;

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    BIO_push(m, BIO_new_socket(fds[0], BIO_CLOSE));
    ck_assert_int_eq(BIO_mtls_process(m), 1);
    ck_assert(fcntl(fds[0], F_GETFL) & O_NONBLOCK);
    below = BIO_pop(m);
    ck_assert(!(fcntl(fds[0], F_GETFL) & O_NONBLOCK));
    BIO_free(m);
    BIO_free_all(below);
    close(fds[1]);
}
END_TEST

/* --- D14, D10 and what may be resumed --- */

enum ending {
    WITH_CLOSE_NOTIFY,
    WITH_RESET
};

/*
 * While in use, records are gathered below the SSL, and it reads ahead; then
 * nothing is left of that, and no octet in between.
 */
START_TEST(the_ssl_goes_back_as_it_was)
{
    struct stacks st = stacks_new(STACKS_TLS13_SOCKETS, 0);
    struct side server = {st.server, 1000000};
    BIO *c, *below = BIO_next(st.client), *out;
    pthread_t thread;
    SSL *ssl = NULL;
    char *data = calloc(1, 1000000);

    BIO_get_ssl(st.client, &ssl);
    out = SSL_get_wbio(ssl);
    pthread_create(&thread, NULL, swallow, &server);
    c = BIO_new_mtls_channel(st.client, "host:1");
    ck_assert_int_eq(BIO_write(c, data, 1000000), 1000000);
    ck_assert(SSL_get_read_ahead(ssl));
    ck_assert_ptr_ne(SSL_get_wbio(ssl), out);
    ck_assert_int_eq(BIO_method_type(SSL_get_wbio(ssl)) & BIO_TYPE_DESCRIPTOR,
                     0);
    ck_assert_int_eq(BIO_wpending(st.client), 0);
    ck_assert_int_eq(SSL_get_fd(ssl), (int)BIO_get_fd(out, NULL));
    ck_assert_int_eq(SSL_get_wfd(ssl), SSL_get_fd(ssl));
    BIO_free(c);
    pthread_join(thread, NULL);
    ck_assert_uint_eq(server.n, 0);
    ck_assert_ptr_eq(BIO_pop(st.client), below);
    BIO_free(st.client);
    ck_assert_ptr_eq(SSL_get_wbio(ssl), out);
    ck_assert(!SSL_get_read_ahead(ssl));
    ck_assert_int_eq(BIO_write(below, "x", 1), 1);
    st.client = below;
    stacks_free(&st);
    free(data);
    ERR_clear_error();
}
END_TEST

START_TEST(D14_an_end_amid_a_channel_is_an_error)
{
    struct stacks st = stacks_new(STACKS_TLS13_PAIR, 0);
    struct channels ch;
    SSL *ssl = NULL;
    char text[16];

    ck_assert_ptr_null(BIO_mtls_accept_channel(st.server));
    ch = stacks_open(&st, "default");
    ck_assert_int_eq(BIO_write(ch.c, "so far", 6), 6);
    BIO_get_ssl(ch.c, &ssl);
    if (_i == WITH_CLOSE_NOTIFY)
        SSL_shutdown(ssl);
    else
        BIO_shutdown_wr(SSL_get_wbio(ssl)); /* end-of-file below TLS */
    ck_assert_int_eq(BIO_read(ch.s, text, sizeof(text)), 6);
    ck_assert_int_eq(BIO_read(ch.s, text, sizeof(text)), -1);
    ck_assert(!BIO_should_retry(ch.s));
    ck_reason(MTLS_R_TRUNCATED);
    ck_assert_int_eq(BIO_write(ch.s, "x", 1), -1);
    ck_reason(MTLS_R_SESSION_ENDED);
    ck_assert_int_eq(BIO_mtls_process(st.server),
                     _i == WITH_CLOSE_NOTIFY ? 0 : -1);
    ERR_clear_error();
    BIO_free(ch.c);
    BIO_free(ch.s);
    stacks_free(&st);
    ERR_clear_error();
}
END_TEST

START_TEST(end_of_a_session_in_good_order)
{
    struct stacks st = stacks_new(STACKS_TLS13_PAIR, 0);
    struct channels ch;
    char text[16];

    ck_assert_ptr_null(BIO_mtls_accept_channel(st.server));
    ch = stacks_open(&st, "default");
    ck_assert_int_eq(BIO_write(ch.c, "all", 3), 3);
    ck_assert_int_eq(BIO_mtls_end(st.client), 1);
    ck_assert_int_eq(BIO_read(ch.s, text, sizeof(text)), 3);
    ck_assert_int_eq(BIO_read(ch.s, text, sizeof(text)), 0);
    ck_assert(!BIO_mtls_was_reset(ch.s));
    ck_assert_int_eq(BIO_mtls_process(st.server), 0);
    ck_assert_uint_eq(ERR_peek_error(), 0);
    BIO_free(ch.c);
    BIO_free(ch.s);
    stacks_free(&st);
    ERR_clear_error();
}
END_TEST

static int shake(BIO *client, BIO *server)
{
    char octet;

    for (int i = 0; i < 20; i++) {
        BIO_do_handshake(client);
        BIO_do_handshake(server);
        BIO_read(client, &octet, 1); /* takes the tickets */
    }
    return 1;
}

/* TLS alone, from the client with |session| to the server's |ctx|. */
static int resumes(SSL_CTX *client, SSL_CTX *server, SSL_SESSION *session)
{
    BIO *a, *b, *c = BIO_new_ssl(client, 1), *s = BIO_new_ssl(server, 0);
    SSL *ssl = NULL;
    int reused;

    ck_assert(BIO_new_bio_pair(&a, 0, &b, 0));
    BIO_push(c, a);
    BIO_push(s, b);
    BIO_get_ssl(c, &ssl);
    SSL_set_session(ssl, session);
    shake(c, s);
    reused = SSL_session_reused(ssl);
    BIO_free_all(c);
    BIO_free_all(s);
    ERR_clear_error();
    return reused;
}

/* C8, F4: octets that are no packets end the session for good. */
START_TEST(C8_no_resumption_of_a_session_that_was_broken)
{
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    int broken = _i % 2;
    SSL_CTX *client = stacks_client_ctx(versions[_i / 2]);
    SSL_CTX *server = stacks_server_ctx(versions[_i / 2]);
    BIO *a, *b, *c = BIO_new_ssl(client, 1), *s;
    SSL_SESSION *session;
    SSL *ssl = NULL;

    ck_assert(BIO_new_bio_pair(&a, 0, &b, 0));
    BIO_push(c, a);
    s = BIO_push(BIO_new(BIO_f_mtls()), BIO_push(BIO_new_ssl(server, 0), b));
    shake(c, s);
    BIO_get_ssl(c, &ssl);
    session = SSL_get1_session(ssl);
    ck_assert_int_eq(BIO_write(c, broken ? "\0\0\0" : "\377\0\3", 3), 3);
    ck_assert_int_eq(BIO_mtls_process(s), broken ? -1 : 1);
    if (broken) {
        char octet;

        ck_reason(MTLS_R_SESSION_DESYNCHRONISED);
        ck_assert_int_eq(BIO_read(c, &octet, 1), 0);
        ck_assert_int_eq(SSL_get_error(ssl, 0), SSL_ERROR_ZERO_RETURN);
    } else {
        ck_assert_int_eq(BIO_mtls_end(s), 1);
    }
    BIO_free_all(s);
    BIO_free_all(c);
    ERR_clear_error();
    ck_assert_int_eq(resumes(client, server, session), !broken);
    SSL_SESSION_free(session);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
}
END_TEST

/* More than the session queues answers to, in one record: no poll tells that
 * there is more to do once the socket is empty. */
START_TEST(what_asks_for_many_answers_gets_them_all)
{
    SSL_CTX *client = stacks_client_ctx(TLS1_3_VERSION);
    SSL_CTX *server = stacks_server_ctx(TLS1_3_VERSION);
    BIO *c = BIO_new_ssl(client, 1), *s;
    char packets[300][7], got[sizeof(packets)];
    size_t answered = 0, n;
    int fds[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds),
                     0);
    BIO_push(c, BIO_new_socket(fds[0], BIO_CLOSE));
    s = BIO_push(
        BIO_new(BIO_f_mtls()),
        BIO_push(BIO_new_ssl(server, 0), BIO_new_socket(fds[1], BIO_CLOSE)));
    shake(c, s);
    for (size_t i = 0; i < sizeof(packets) / sizeof(packets[0]); i++)
        memcpy(packets[i], "\4\0\7none", 7); /* CloseRequest */
    ck_assert_int_eq(BIO_write(c, packets, sizeof(packets)), sizeof(packets));
    while (BIO_mtls_process(s) == 2)
        ;
    while (answered < sizeof(got) &&
           BIO_read_ex(c, got + answered, sizeof(got) - answered, &n))
        answered += n;
    ck_assert_uint_eq(answered, sizeof(got));
    BIO_free_all(s);
    BIO_free_all(c);
    ERR_clear_error();
    SSL_CTX_free(client);
    SSL_CTX_free(server);
}
END_TEST

/* --- a handshake that fails --- */

static int connect_of(BIO *c)
{
    return (int)BIO_do_connect(c);
}

static int read_of(BIO *m)
{
    char octet;

    return BIO_read(m, &octet, 1);
}

static int write_of(BIO *m)
{
    return BIO_write(m, "x", 1);
}

static int handshake_of(BIO *m)
{
    return (int)BIO_do_handshake(m);
}

static int accept_of(BIO *m)
{
    return BIO_mtls_accept_channel(m) != NULL ? 1 : -1;
}

/* A client that trusts nobody. */
static struct stacks distrustful(void)
{
    struct stacks st = stacks_new(STACKS_TLS13_PAIR, 0);
    SSL *ssl = NULL;

    BIO_get_ssl(st.client, &ssl);
    SSL_set0_verify_cert_store(ssl, X509_STORE_new());
    return st;
}

/* With the default channel, or with another. */
START_TEST(each_call_after_a_failed_handshake_has_a_reason)
{
    static int (*const calls[])(BIO *) = {write_of, read_of, handshake_of,
                                          accept_of, connect_of};
    struct stacks st = distrustful();
    int from = _i < 3 ? 0 : 2, first = from + _i % 3, r = -1;
    BIO *c = from == 0 ? NULL : BIO_new_mtls_channel(st.client, "default");
    BIO *b = first == 4 ? c : st.client;

    for (int i = 0; i < 20; i++) {
        r = calls[first](b);
        if (r > 0 || !BIO_should_retry(b))
            break;
        BIO_mtls_process(st.server);
        ERR_clear_error();
    }
    ck_assert_int_le(r, 0);
    ck_assert_int_eq(ERR_GET_REASON(ERR_peek_error()),
                     SSL_R_CERTIFICATE_VERIFY_FAILED);
    for (int i = from; i < from + 3; i++) {
        const char *text = NULL;

        ERR_clear_error();
        b = i == 4 ? c : st.client;
        ck_assert_int_le(calls[i](b), 0);
        ck_assert(!BIO_should_retry(b));
        ERR_peek_last_error_data(&text, NULL);
        ck_assert_str_eq(text, "certificate verify failed");
        ck_reason(MTLS_R_TRANSPORT_FAILED);
    }
    ck_assert_int_eq(BIO_mtls_process(st.client), -1);
    ck_reason(MTLS_R_TRANSPORT_FAILED);
    BIO_free(c);
    stacks_free(&st);
    ERR_clear_error();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tls");
    TCase *tc = tcase_create("tls");
    SRunner *runner;
    int failed;

    signal(SIGPIPE, SIG_IGN);
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, octets_arrive_over_any_transport, 0, 4);
    tcase_add_loop_test(tc, a_narrow_transport_only_takes_longer, 1, 4);
    tcase_add_test(tc, F13_key_update_amid_a_packet);
    tcase_add_loop_test(tc, blocking_calls_block, 0, 2);
    tcase_add_test(tc, default_channel_of_blocking_programs);
    tcase_add_test(tc, a_channel_may_not_block_though_others_do);
    tcase_add_test(tc, the_descriptor_goes_back_as_it_was);
    tcase_add_test(tc, the_ssl_goes_back_as_it_was);
    tcase_add_loop_test(tc, D14_an_end_amid_a_channel_is_an_error, 0, 2);
    tcase_add_test(tc, end_of_a_session_in_good_order);
    tcase_add_loop_test(tc, C8_no_resumption_of_a_session_that_was_broken, 0,
                        4);
    tcase_add_test(tc, what_asks_for_many_answers_gets_them_all);
    tcase_add_loop_test(tc, each_call_after_a_failed_handshake_has_a_reason, 0,
                        6);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
