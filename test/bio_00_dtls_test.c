/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* mtls-00 over DTLS as programs see it: BIO_f_mtls() above a DTLS session. */
#include "hello.h"
#include "lossy_bio.h"
#include "stacks.h"

#include <mtls/mtls_dtls.h>

#include <check.h>
#include <openssl/err.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct lossy to_server, to_client; /* what becomes of datagrams */

/* Before a flight of the handshake is sent again; OpenSSL waits for a second.
 */
static unsigned int soon(SSL *ssl, unsigned int microseconds)
{
    (void)ssl;
    return microseconds == 0 ? 50000 : microseconds * 2;
}

static BIO *over(SSL_CTX *ctx, int is_client, int fd, struct lossy *lossy)
{
    BIO *b = BIO_new_ssl(ctx, is_client);
    SSL *ssl;

    BIO_get_ssl(b, &ssl);
    SSL_set_mtu(ssl, 1400);
    DTLS_set_timer_cb(ssl, soon);
    return BIO_push(
        BIO_new(BIO_f_mtls()),
        BIO_push(b, BIO_push(lossy_new(lossy), BIO_new_socket(fd, BIO_CLOSE))));
}

static struct stacks on_dtls(const struct hello_ctx *ctx, int blocking)
{
    struct stacks st;
    int fds[2];

    memset(&to_server, 0, sizeof(to_server));
    memset(&to_client, 0, sizeof(to_client));
    to_server.random = 7;
    to_client.random = 11;
    ck_assert_int_eq(socketpair(AF_UNIX,
                                SOCK_DGRAM | (blocking ? 0 : SOCK_NONBLOCK), 0,
                                fds),
                     0);
    st.client = over(ctx->client, 1, fds[0], &to_server);
    st.server = over(ctx->server, 0, fds[1], &to_client);
    return st;
}

static struct stacks offered(const char *offer, const char *support,
                             int blocking)
{
    struct hello_ctx ctx = hello_ctx_new(HELLO_DTLS12);
    struct stacks st;

    if (offer != NULL)
        ck_assert(MTLS_ext_offer(ctx.client, offer));
    if (support != NULL)
        ck_assert(MTLS_ext_support(ctx.server, support, 0));
    st = on_dtls(&ctx, blocking);
    hello_ctx_free(&ctx);
    return st;
}

static struct stacks negotiated(void)
{
    return offered("dns:53,tftp:69", "tftp:69,dns:53", 0);
}

/* Waits a little for a socket of theirs, or for what is due. */
static void wait_a_little(const struct stacks *st)
{
    BIO *const ends[] = {st->client, st->server};
    struct pollfd fds[2];
    int least = 100;

    for (int i = 0; i < 2; i++) {
        struct timeval left;

        fds[i].fd = (int)BIO_get_fd(ends[i], NULL);
        fds[i].events = POLLIN;
        if (BIO_mtls_get_timeout(ends[i], &left) > 0 && left.tv_sec == 0 &&
            left.tv_usec / 1000 + 1 < least)
            least = (int)(left.tv_usec / 1000) + 1;
    }
    poll(fds, 2, least);
}

static void turn(const struct stacks *st)
{
    for (int i = 0; i < 4; i++) {
        BIO_mtls_process(st->client);
        BIO_mtls_process(st->server);
    }
}

static void shake(const struct stacks *st)
{
    for (int i = 0; i < 500; i++) {
        turn(st);
        if (BIO_mtls_get_version(st->client) != -1 &&
            BIO_mtls_get_version(st->server) != -1)
            return;
        wait_a_little(st);
    }
    ck_abort_msg("no handshake");
}

/* Reads one datagram that was written at the other end. */
static int receive(const struct stacks *st, BIO *b, void *data, int room)
{
    for (int i = 0; i < 200; i++) {
        int n = BIO_read(b, data, room);

        if (n >= 0 || !BIO_should_retry(b))
            return n;
        wait_a_little(st);
        turn(st);
    }
    return -2;
}

static void expect_text(const struct stacks *st, BIO *b, const char *text)
{
    char got[100] = "";

    ck_assert_int_eq(receive(st, b, got, sizeof(got) - 1), (int)strlen(text));
    ck_assert_str_eq(got, text);
}

static BIO *accept_one(const struct stacks *st)
{
    for (int i = 0; i < 200; i++) {
        BIO *s = BIO_mtls_accept_channel(st->server);

        if (s != NULL)
            return s;
        wait_a_little(st);
    }
    ck_abort_msg("nothing to accept");
    return NULL;
}

/* --- which version --- */

/* Draft 05 has a TLS connection beside; without one it is not spoken. */
START_TEST(over_dtls_alone_it_is_mtls_00_or_an_error)
{
    static const struct {
        const char *alpn, *offer;
        int otherwise;
        int is_00;
    } rows[] = {{NULL, "a:1", MTLS_VERSION_05, 1},
                {NULL, NULL, MTLS_VERSION_00, 1},
                {NULL, "b:1", MTLS_VERSION_00, 1},
                {NULL, NULL, MTLS_VERSION_05, 0},
                {NULL, "b:1", MTLS_VERSION_05, 0},
                {MTLS_ALPN, "a:1", MTLS_VERSION_00, 0}};

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct hello_ctx ctx = hello_ctx_new(HELLO_DTLS12);
        struct stacks st;
        int r = -1;

        ck_assert(MTLS_ext_support(ctx.server, "a:1", 0));
        SSL_CTX_set_alpn_select_cb(ctx.server, hello_choose_alpn, NULL);
        if (rows[i].offer != NULL)
            ck_assert(MTLS_ext_offer(ctx.client, rows[i].offer));
        if (rows[i].alpn != NULL)
            SSL_CTX_set_alpn_protos(ctx.client,
                                    (const unsigned char *)rows[i].alpn,
                                    (unsigned int)strlen(rows[i].alpn));
        st = on_dtls(&ctx, 0);
        BIO_mtls_set_version(st.client, rows[i].otherwise);
        BIO_mtls_set_version(st.server, rows[i].otherwise);
        for (int n = 0; n < 100 && r <= 0; n++) {
            BIO_mtls_process(st.server);
            r = (int)BIO_do_handshake(st.client);
            if (r <= 0 && !BIO_should_retry(st.client))
                break;
            wait_a_little(&st);
        }
        if ((r > 0) != rows[i].is_00)
            ck_abort_msg("row %zu: %d", i, r);
        if (r > 0) {
            ck_assert_int_eq(BIO_mtls_get_version(st.client), 0);
        } else {
            ck_reason(MTLS_R_NOT_NEGOTIATED);
            ck_assert_int_le(BIO_puts(st.client, "x"), 0); /* and stays so */
            ck_assert(!BIO_should_retry(st.client));
            ck_reason(MTLS_R_TRANSPORT_FAILED);
        }
        stacks_free(&st);
        hello_ctx_free(&ctx);
    }
}
END_TEST

/* A channel must know what it carries. */
START_TEST(channels_that_were_made_too_early_are_an_error)
{
    struct stacks st = negotiated();
    BIO *m = BIO_new(BIO_f_mtls()), *c = BIO_new_mtls_channel(m, "x:53");
    BIO *dtls = BIO_pop(st.client);

    BIO_push(m, dtls);
    ck_assert_int_le(BIO_do_handshake(m), 0);
    ck_reason(MTLS_R_WRONG_STATE);
    BIO_free(c);
    BIO_free_all(m);
    stacks_free(&st);
}
END_TEST

/* --- channels --- */

START_TEST(one_write_is_one_read)
{
    struct stacks st = negotiated();
    BIO *c = BIO_new_mtls_channel(st.client, "any.host:53"), *s;
    int events;

    shake(&st);
    ck_assert_ptr_null(BIO_mtls_get_datagram_bio(st.client));
    ck_assert_int_eq(BIO_mtls_get_channel_id(c), -1);
    ck_assert_int_eq(BIO_do_connect(c), 1); /* which says nothing */
    ck_assert_int_eq(BIO_mtls_get_channel_id(c), 49152L << 16 | 53);
    ck_assert_uint_eq(to_client.lost + to_server.lost, 0);
    ck_assert_int_eq(BIO_puts(c, "query"), 5);
    ck_assert_int_eq(BIO_puts(c, "another"), 7);
    s = accept_one(&st);
    ck_assert_str_eq(BIO_get_conn_port(s), "53");
    expect_text(&st, s, "query");
    ck_assert_int_eq(BIO_pending(s), 7);
    expect_text(&st, s, "another");
    ck_assert_int_eq(BIO_puts(s, "answer"), 6);
    expect_text(&st, c, "answer");
    ck_assert_int_le(BIO_shutdown_wr(c), 0); /* no such thing */
    ck_reason(MTLS_R_WRONG_STATE);
    BIO_free(c);
    ck_assert_int_eq(receive(&st, s, &events, 1), 0);
    ck_assert(BIO_eof(s));
    ck_assert_int_le(BIO_puts(s, "late"), 0);
    ck_reason(MTLS_R_CLOSED_BY_PEER);
    BIO_free(s);
    stacks_free(&st);
}
END_TEST

START_TEST(a_datagram_too_long_for_the_path_says_the_limit)
{
    static char data[16384];
    struct stacks st = negotiated();
    BIO *c = BIO_new_mtls_channel(st.client, "x:53"), *s;
    long mtu;

    shake(&st);
    mtu = BIO_ctrl(c, BIO_CTRL_DGRAM_GET_MTU, 0, NULL);
    ck_assert_int_gt(mtu, 1200);
    ck_assert_int_lt(mtu, 1400 - 6);
    ck_assert_int_le(BIO_write(c, data, (int)mtu + 1), 0);
    ck_assert(!BIO_should_retry(c));
    ck_reason(MTLS_R_DATAGRAM_TOO_LONG);
    ck_assert_int_eq(BIO_write(c, data, (int)mtu), mtu);
    s = accept_one(&st);
    ck_assert_int_eq(receive(&st, s, data, sizeof(data)), mtu);
    BIO_free(c);
    BIO_free(s);
    stacks_free(&st);
}
END_TEST

/* A line each, as in an examples' echo server. */
static void *echo(void *arg)
{
    char data[2000];
    int n;

    while ((n = BIO_read(arg, data, sizeof(data))) > 0)
        BIO_write(arg, data, n);
    return NULL;
}

/* One push and no other change: what a program of BIOs does over DTLS. */
START_TEST(the_default_channel_goes_to_the_first_application)
{
    struct stacks st = offered("echo:7,http:80", "echo:7", 1);
    pthread_t thread;
    char got[100];

    pthread_create(&thread, NULL, echo, st.server);
    to_server.lose = 60; /* of the handshake, which is to be said again */
    ck_assert_int_eq(BIO_do_handshake(st.client), 1);
    ck_assert_uint_gt(to_server.lost, 0);
    to_server.lose = 0;
    for (int i = 0; i < 100; i++) {
        char text[20];
        int n = snprintf(text, sizeof(text), "datagram %d", i);

        ck_assert_int_eq(BIO_write(st.client, text, n), n);
        ck_assert_int_eq(BIO_read(st.client, got, sizeof(got)), n);
        ck_assert_mem_eq(got, text, (size_t)n);
    }
    BIO_free_all(st.client); /* says close_notify: the server's reader ends */
    pthread_join(thread, NULL);
    ERR_clear_error();
    BIO_free_all(st.server);
}
END_TEST

static void *ask(void *arg)
{
    BIO *c = BIO_new_mtls_channel(arg, "x:53");
    char got[100];

    for (int i = 1; i <= 90; i++) {
        memset(got, 0, sizeof(got));
        ck_assert_int_eq(BIO_write(c,
                                   "question after question after question "
                                   "after question after question after it",
                                   i % 70 + 1),
                         i % 70 + 1);
        ck_assert_int_eq(BIO_read(c, got, sizeof(got)), i % 70 + 1);
    }
    BIO_free(c);
    return NULL;
}

/* Threads that block, each with a channel of its own, at both ends. */
START_TEST(threads_share_a_session)
{
    struct stacks st = offered("dns:53", "dns:53", 1);
    pthread_t clients[4], servers[4], shaker;
    BIO *s[4];

    pthread_create(&shaker, NULL, (void *(*)(void *))BIO_mtls_accept_channel,
                   st.server);
    for (size_t i = 0; i < COUNT(clients); i++)
        pthread_create(&clients[i], NULL, ask, st.client);
    pthread_join(shaker, (void **)&s[0]);
    for (size_t i = 0; i < COUNT(servers); i++) {
        if (i > 0)
            s[i] = BIO_mtls_accept_channel(st.server);
        ck_assert_ptr_nonnull(s[i]);
        pthread_create(&servers[i], NULL, echo, s[i]);
    }
    for (size_t i = 0; i < COUNT(clients); i++) {
        pthread_join(clients[i], NULL);
        pthread_join(servers[i], NULL); /* whose peer has ended it */
    }
    for (size_t i = 0; i < COUNT(servers); i++)
        BIO_free(s[i]);
    stacks_free(&st);
}
END_TEST

START_TEST(the_trace_shows_frames)
{
    struct stacks st = negotiated();
    BIO *out = BIO_new(BIO_s_mem()),
        *c = BIO_new_mtls_channel(st.client, "x:53"), *s;
    char text[400] = "";

    shake(&st);
    ck_assert(BIO_mtls_set_msg_callback(st.client, BIO_mtls_trace, out));
    ck_assert_int_eq(BIO_puts(c, "abc"), 3);
    s = accept_one(&st);
    expect_text(&st, s, "abc");
    ck_assert_int_eq(BIO_puts(s, "answer"), 6);
    expect_text(&st, c, "answer");
    BIO_free(c);
    BIO_read(out, text, sizeof(text) - 1);
    ck_assert_str_eq(text, ">>> mtls-00 frame [length 3] port 49152 to 53\n"
                           "<<< mtls-00 frame [length 6] port 53 to 49152\n"
                           ">>> mtls-00 frame [length 0] port 49152 to 53, "
                           "empty\n");
    BIO_free(s);
    BIO_free(out);
    stacks_free(&st);
}
END_TEST

/* --- ends of the session --- */

START_TEST(an_end_that_was_said_is_end_of_file)
{
    struct stacks st = negotiated();
    BIO *c = BIO_new_mtls_channel(st.client, "x:53"), *s;
    char octet;
    int r = 1;

    shake(&st);
    ck_assert_int_eq(BIO_puts(c, "query"), 5);
    s = accept_one(&st);
    expect_text(&st, s, "query");
    ck_assert_int_eq(BIO_mtls_end(st.client), 1);
    ck_assert_int_eq(receive(&st, s, &octet, 1), 0);
    for (int i = 0; i < 100 && r > 0; i++) {
        r = (int)BIO_mtls_process(st.server);
        if (r > 0)
            wait_a_little(&st);
    }
    ck_assert_int_eq(r, 0);
    BIO_free(c);
    BIO_free(s);
    stacks_free(&st);
}
END_TEST

/* Of the ends, all but the last, of DTLS itself, are lost (D14). */
START_TEST(F2_a_session_that_ends_first_cuts_its_channels)
{
    struct stacks st = negotiated();
    BIO *c = BIO_new_mtls_channel(st.client, "x:53"), *s;
    SSL *ssl;
    char octet;

    shake(&st);
    ck_assert_int_eq(BIO_puts(c, "query"), 5);
    s = accept_one(&st);
    expect_text(&st, s, "query");
    BIO_get_ssl(st.client, &ssl);
    SSL_shutdown(ssl);
    ck_assert_int_eq(receive(&st, s, &octet, 1), -1);
    ck_reason(MTLS_R_TRUNCATED);
    ck_assert_int_eq(BIO_mtls_process(st.server), 0);
    BIO_free(c);
    BIO_free(s);
    stacks_free(&st);
}
END_TEST

/* --- paths that lose --- */

START_TEST(U1_on_a_bad_path_handshakes_and_streams_do_not_wedge)
{
    struct stacks st = negotiated();
    BIO *c = BIO_new_mtls_channel(st.client, "x:53"), *s = NULL;
    char data[100], got[200];
    int answers = 0, n;

    to_server.lose = to_client.lose = 30;
    to_server.late = to_client.late = 10;
    to_server.twice = to_client.twice = 10;
    shake(&st);
    to_server.corrupt = to_client.corrupt = 10;
    for (int i = 1; answers < 100 && i < 5000; i++) {
        memset(data, i % 99, sizeof(data));
        n = BIO_write(c, data, 1 + i % 99);
        ck_assert(n > 0 || BIO_should_retry(c));
        turn(&st);
        if (s == NULL)
            s = BIO_mtls_accept_channel(st.server);
        while (s != NULL && (n = BIO_read(s, got, sizeof(got))) > 0)
            BIO_write(s, got, n);
        turn(&st);
        while ((n = BIO_read(c, got, sizeof(got))) > 0) {
            for (int at = 0; at < n; at++)
                ck_assert_int_eq(got[at], (char)(n - 1));
            answers++;
        }
        ck_assert(BIO_should_retry(c));
    }
    ck_assert_int_ge(answers, 100);
    ck_assert_uint_gt(to_server.lost, 0);
    BIO_free(c);
    BIO_free(s);
    stacks_free(&st);
}
END_TEST

/* A transport that takes nothing: the writer is told to wait for that. */
START_TEST(T1_a_transport_that_blocks_keeps_the_datagram)
{
    struct stacks st = negotiated();
    BIO *c = BIO_new_mtls_channel(st.client, "x:53"), *s;

    shake(&st);
    to_server.full = 100;
    ck_assert_int_eq(BIO_puts(c, "first"), 5);
    ck_assert_int_le(BIO_puts(c, "second"), 0);
    ck_assert(BIO_should_write(c));
    ck_assert_int_eq(BIO_mtls_process(st.client), 1);
    ck_assert(BIO_should_write(st.client));
    to_server.full = 0;
    ck_assert_int_eq(BIO_mtls_process(st.client), 1);
    ck_assert(!BIO_should_write(st.client));
    ck_assert_int_eq(BIO_puts(c, "second"), 6);
    s = accept_one(&st);
    expect_text(&st, s, "first");
    expect_text(&st, s, "second");
    to_server.full = 100;
    BIO_free(c); /* its end waits as well */
    to_server.full = 0;
    turn(&st);
    expect_text(&st, s, "");
    BIO_free(s);
    stacks_free(&st);
}
END_TEST

/* --- readers that stall --- */

/* It loses its own, and nobody else's; what is kept is bounded. */
START_TEST(W7_a_reader_that_stalls_bounds_memory)
{
    struct stacks st = negotiated();
    BIO *c[2] = {BIO_new_mtls_channel(st.client, "x:53"),
                 BIO_new_mtls_channel(st.client, "x:69")};
    BIO *s[2];
    static char data[1000];
    MTLS_COUNTERS counters;
    int n = 0;

    shake(&st);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(BIO_puts(c[i], "query"), 5);
        s[i] = accept_one(&st);
        expect_text(&st, s[i], "query");
    }
    for (int i = 0; i < 1000; i++) {
        while (BIO_write(c[0], data, sizeof(data)) <= 0)
            turn(&st);
        turn(&st);
    }
    BIO_mtls_get_counters(st.server, &counters);
    ck_assert_uint_ge(counters.datagrams_dropped, 1000 - 65536 / 1002);
    ck_assert_uint_le(counters.window_memory, 2 * 65536);
    ck_assert_int_eq(BIO_puts(c[1], "beside it"), 9);
    expect_text(&st, s[1], "beside it");
    while (BIO_read(s[0], data, sizeof(data)) == sizeof(data))
        n++;
    ck_assert_int_eq(n, 65536 / 1002);
    ck_assert_int_eq(BIO_puts(c[0], "goes on"), 7);
    expect_text(&st, s[0], "goes on");
    for (int i = 0; i < 2; i++) {
        BIO_free(c[i]);
        BIO_free(s[i]);
    }
    stacks_free(&st);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        over_dtls_alone_it_is_mtls_00_or_an_error,
        channels_that_were_made_too_early_are_an_error,
        one_write_is_one_read,
        a_datagram_too_long_for_the_path_says_the_limit,
        the_default_channel_goes_to_the_first_application,
        threads_share_a_session,
        the_trace_shows_frames,
        an_end_that_was_said_is_end_of_file,
        F2_a_session_that_ends_first_cuts_its_channels,
        U1_on_a_bad_path_handshakes_and_streams_do_not_wedge,
        T1_a_transport_that_blocks_keeps_the_datagram,
        W7_a_reader_that_stalls_bounds_memory};
    Suite *suite = suite_create("bio_00_dtls");
    TCase *tc = tcase_create("bio_00_dtls");
    SRunner *runner;
    int failed;

    for (size_t i = 0; i < COUNT(tests); i++)
        tcase_add_test(tc, tests[i]);
    tcase_set_timeout(tc, 60);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
