/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* mtls-00 as programs see it: the same BIOs, once it was negotiated or set. */
#include "hello.h"
#include "stacks.h"

#include <check.h>
#include <openssl/err.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* TLS over a socketpair, blocking or not, or over a BIO pair (-1). */
static struct stacks on_tls(const struct hello_ctx *ctx, int nbio)
{
    struct stacks st = {BIO_new(BIO_f_mtls()), BIO_new(BIO_f_mtls())};
    BIO *a, *b;
    int fds[2];

    signal(SIGPIPE, SIG_IGN);
    if (nbio < 0) {
        ck_assert(BIO_new_bio_pair(&a, 0, &b, 0));
    } else {
        ck_assert_int_eq(socketpair(AF_UNIX,
                                    SOCK_STREAM | (nbio ? SOCK_NONBLOCK : 0), 0,
                                    fds),
                         0);
        a = BIO_new_socket(fds[0], BIO_CLOSE);
        b = BIO_new_socket(fds[1], BIO_CLOSE);
    }
    BIO_push(st.client, BIO_push(BIO_new_ssl(ctx->client, 1), a));
    BIO_push(st.server, BIO_push(BIO_new_ssl(ctx->server, 0), b));
    return st;
}

static struct stacks negotiated(int nbio)
{
    struct hello_ctx ctx = hello_ctx_new(HELLO_TLS13);
    struct stacks st;

    ck_assert(MTLS_ext_offer(ctx.client, "echo:7,http:80"));
    ck_assert(MTLS_ext_support(ctx.server, "http:80,echo:7", 0));
    st = on_tls(&ctx, nbio);
    hello_ctx_free(&ctx);
    return st;
}

/* Without TLS, and so as it is set. */
static struct stacks configured(void)
{
    struct stacks st = stacks_new(STACKS_PAIR, 0);

    ck_assert(BIO_mtls_set_version(st.client, MTLS_VERSION_00));
    ck_assert(BIO_mtls_set_version(st.server, MTLS_VERSION_00));
    stacks_turn(&st);
    return st;
}

/* Non-blocking: nobody answers, so that there is nothing to wait for. */
static struct channels open_00(const struct stacks *st, const char *host_port)
{
    struct channels ch = {BIO_new_mtls_channel(st->client, host_port), NULL};

    stacks_turn(st);
    ck_assert_int_eq(BIO_do_connect(ch.c), 1);
    stacks_turn(st);
    ch.s = BIO_mtls_accept_channel(st->server);
    ck_assert_ptr_nonnull(ch.s);
    ck_assert_int_eq(BIO_do_handshake(ch.s), 1);
    return ch;
}

static void expect_text(BIO *b, const char *text)
{
    char got[100] = "";
    int n = BIO_read(b, got, sizeof(got) - 1);

    ck_assert_int_eq(n, (int)strlen(text));
    ck_assert_str_eq(got, text);
}

/* --- which version --- */

START_TEST(alpn_says_05_the_extension_00_and_else_what_is_set)
{
    static const struct {
        const char *alpn, *offer;
        int otherwise;
        long version;
    } rows[] = {{NULL, NULL, MTLS_VERSION_05, 5},
                {NULL, NULL, MTLS_VERSION_00, 0},
                {MTLS_ALPN, NULL, MTLS_VERSION_05, 5},
                {MTLS_ALPN, NULL, MTLS_VERSION_00, 5},
                {NULL, "a:1", MTLS_VERSION_05, 0},
                {NULL, "a:1", MTLS_VERSION_00, 0},
                {MTLS_ALPN, "a:1", MTLS_VERSION_00, 5},
                {"\4http", "a:1", MTLS_VERSION_05, 0},
                {NULL, "b:1", MTLS_VERSION_05, 5}, /* which is not supported */
                {NULL, "b:1", MTLS_VERSION_00, 0}};

    for (size_t i = 0; i < COUNT(rows); i++) {
        for (int v = HELLO_TLS12; v <= HELLO_TLS13; v++) {
            struct hello_ctx ctx = hello_ctx_new((enum hello_version)v);
            struct stacks st;

            ck_assert(MTLS_ext_support(ctx.server, "a:1", 0));
            SSL_CTX_set_alpn_select_cb(ctx.server, hello_choose_alpn, NULL);
            if (rows[i].offer != NULL)
                ck_assert(MTLS_ext_offer(ctx.client, rows[i].offer));
            if (rows[i].alpn != NULL)
                SSL_CTX_set_alpn_protos(ctx.client,
                                        (const unsigned char *)rows[i].alpn,
                                        (unsigned int)strlen(rows[i].alpn));
            st = on_tls(&ctx, -1);
            ck_assert(BIO_mtls_set_version(st.client, rows[i].otherwise));
            ck_assert(BIO_mtls_set_version(st.server, rows[i].otherwise));
            ck_assert_int_eq(BIO_mtls_get_version(st.client), -1);
            stacks_turn(&st);
            if (BIO_mtls_get_version(st.client) != rows[i].version ||
                BIO_mtls_get_version(st.server) != rows[i].version)
                ck_abort_msg("row %zu: %ld", i,
                             BIO_mtls_get_version(st.server));
            stacks_free(&st);
            hello_ctx_free(&ctx);
        }
    }
}
END_TEST

START_TEST(there_is_no_other_version)
{
    BIO *m = BIO_new(BIO_f_mtls());

    ck_assert_int_eq(BIO_mtls_set_version(m, 1), 0);
    ck_reason(MTLS_R_INVALID_VALUE);
    BIO_free(m);
}
END_TEST

/* --- one push and no other change --- */

static void *echo_once(void *arg)
{
    char line[100];
    int n = BIO_read(arg, line, sizeof(line));

    if (n > 0)
        BIO_write(arg, line, n);
    return NULL;
}

START_TEST(the_default_channel_goes_to_the_first_application)
{
    struct stacks st = negotiated(0);
    pthread_t thread;

    pthread_create(&thread, NULL, echo_once, st.server);
    ck_assert_int_eq(BIO_puts(st.client, "hello\n"), 6);
    expect_text(st.client, "hello\n");
    pthread_join(thread, NULL);
    stacks_free(&st);
}
END_TEST

/* --- channels --- */

START_TEST(a_channel_opens_by_what_it_says_first)
{
    struct stacks st = negotiated(-1);
    struct channels ch = {BIO_new_mtls_channel(st.client, "any.host:80"), NULL};
    int events;

    stacks_turn(&st);
    ck_assert_int_eq(BIO_puts(ch.c, "GET"), 3);
    stacks_turn(&st);
    ck_assert_ptr_eq(BIO_mtls_next_ready(st.server, &events), st.server);
    ck_assert_int_eq(events, MTLS_EVENT_ACCEPTABLE);
    ch.s = BIO_mtls_accept_channel(st.server);
    ck_assert_ptr_eq(BIO_mtls_next_ready(st.server, &events), ch.s);
    ck_assert_int_eq(events, MTLS_EVENT_READABLE);
    ck_assert_str_eq(BIO_get_conn_hostname(ch.s), "localhost");
    ck_assert_str_eq(BIO_get_conn_port(ch.s), "80");
    expect_text(ch.s, "GET");
    ck_assert_int_eq(BIO_mtls_get_channel_id(ch.s),
                     BIO_mtls_get_channel_id(ch.c));
    ck_assert_int_eq(BIO_mtls_get_channel_id(ch.c) & 0xffff, 80);
    ck_assert_int_eq(BIO_puts(ch.s, "200"), 3);
    ck_assert_int_eq(BIO_shutdown_wr(ch.s), 1);
    stacks_turn(&st);
    expect_text(ch.c, "200");
    ck_assert_int_eq(BIO_read(ch.c, &events, 1), 0);
    ck_assert(BIO_eof(ch.c));
    BIO_free(ch.c);
    stacks_turn(&st);
    ck_assert_int_eq(BIO_read(ch.s, &events, 1), 0);
    BIO_free(ch.s);
    stacks_free(&st);
}
END_TEST

START_TEST(the_server_may_speak_first)
{
    struct stacks st = negotiated(-1);
    struct channels ch = open_00(&st, "localhost:7");

    ck_assert_int_eq(BIO_puts(ch.s, "220"), 3);
    stacks_turn(&st);
    expect_text(ch.c, "220");
    BIO_free(ch.c);
    BIO_free(ch.s);
    stacks_free(&st);
}
END_TEST

START_TEST(a_source_is_kept_where_it_is_free)
{
    struct stacks st = configured();
    BIO *a = BIO_new_mtls_channel(st.client, "x:80");
    BIO *b = BIO_new_mtls_channel(st.client, "x:80");
    BIO *c = BIO_new_mtls_channel(st.client, "x:81");

    ck_assert(BIO_mtls_set_source(a, "127.0.0.1:5000"));
    ck_assert(BIO_mtls_set_source(b, "127.0.0.1:5000"));
    ck_assert(BIO_mtls_set_source(c, "127.0.0.1:5000"));
    ck_assert_int_eq(BIO_do_connect(a), 1);
    ck_assert_int_eq(BIO_do_connect(b), 1);
    ck_assert_int_eq(BIO_do_connect(c), 1);
    ck_assert_str_eq(BIO_mtls_get_source(a), "127.0.0.1:5000");
    ck_assert_str_eq(BIO_mtls_get_source(b), "127.0.0.1:49152");
    ck_assert_str_eq(BIO_mtls_get_source(c), "127.0.0.1:5000");
    ck_assert_int_eq(BIO_mtls_get_channel_id(a), 5000 << 16 | 80);
    BIO_free(a);
    BIO_free(b);
    BIO_free(c);
    stacks_free(&st);
}
END_TEST

START_TEST(what_was_not_agreed_on_is_an_error_at_once)
{
    struct stacks st = negotiated(-1);
    BIO *c;

    stacks_turn(&st);
    c = BIO_new_mtls_channel(st.client, "localhost:81");
    ck_assert_int_le(BIO_do_connect(c), 0);
    ck_assert(!BIO_should_retry(c));
    ck_reason(MTLS_R_NOT_NEGOTIATED);
    BIO_free(c);
    c = BIO_new_mtls_channel(st.server, "localhost:80"); /* clients open */
    ck_assert_int_le(BIO_do_connect(c), 0);
    ck_reason(MTLS_R_NOT_NEGOTIATED);
    BIO_free(c);
    stacks_free(&st);
}
END_TEST

START_TEST(much_goes_both_ways_copied_or_in_place)
{
    struct stacks st = configured();
    struct channels ch = open_00(&st, "x:80");
    char *p;

    stacks_move(ch.c, ch.s, 1000000);
    stacks_move(ch.s, ch.c, 1000000);
    for (int n = 1; n < 16000; n += 997) { /* short ones are copied, too */
        char *got;
        int have = 0;

        ck_assert_int_ge(BIO_nwrite(ch.c, &p, n), n);
        memset(p, n & 0xff, (size_t)n);
        ck_assert_int_eq(BIO_flush(ch.c), 1);
        stacks_turn(&st);
        while (have < n) {
            int m = BIO_nread(ch.s, &got, n - have);

            ck_assert_int_gt(m, 0);
            for (int i = 0; i < m; i++)
                ck_assert_int_eq((unsigned char)got[i], n & 0xff);
            have += m;
        }
    }
    BIO_free(ch.c);
    BIO_free(ch.s);
    stacks_free(&st);
}
END_TEST

/* --- readers that stall --- */

/* While one does, nothing is asked of the transport; then all of it comes. */
START_TEST(W7_a_stalled_reader_stops_the_session_and_resumes_it)
{
    static char octets[100000];
    struct stacks st = negotiated(1);
    struct channels a = open_00(&st, "x:7"), b = open_00(&st, "x:80");
    size_t written = 0, got = 0, n;
    int events;

    for (int idle = 0; idle < 3; idle++) { /* until no more is taken */
        while (BIO_write_ex(a.c, octets, sizeof(octets), &n)) {
            written += n;
            idle = 0;
        }
        stacks_turn(&st);
    }
    ck_assert_int_ge(BIO_pending(a.s), 65536);
    ck_assert_int_le(BIO_pending(a.s), 65536);
    ck_assert_int_le(BIO_puts(b.c, "behind it"), 0); /* the transport is full */
    ck_assert_int_eq(BIO_mtls_process(st.server), 1);
    ck_assert(!BIO_should_read(st.server));
    ck_assert_int_eq(BIO_read(b.s, octets, 1), -1);
    while (BIO_mtls_next_ready(st.server, &events) != NULL)
        continue;
    ck_assert(!BIO_should_read(st.server));
    ck_assert(BIO_read_ex(a.s, octets, 1000, &n)); /* more comes by itself */
    ck_assert_int_eq(BIO_pending(a.s), 65536);
    for (got = n; got < written; stacks_turn(&st)) {
        while (BIO_read_ex(a.s, octets, sizeof(octets), &n))
            got += n;
        while (BIO_mtls_next_ready(st.server, &events) != NULL)
            continue;
        ck_assert(BIO_should_read(st.server));
    }
    ck_assert_int_eq(BIO_puts(b.c, "behind it"), 9);
    stacks_turn(&st);
    expect_text(b.s, "behind it");
    BIO_free(a.c);
    BIO_free(a.s);
    BIO_free(b.c);
    BIO_free(b.s);
    stacks_free(&st);
}
END_TEST

struct reader {
    BIO *b;
    size_t got, wanted;
    pthread_t thread;
};

static void *read_all(void *arg)
{
    struct reader *r = arg;
    char octets[5000];
    size_t n;

    while (r->got < r->wanted && BIO_read_ex(r->b, octets, sizeof(octets), &n))
        r->got += n;
    return NULL;
}

#define MUCH 3000000

static void *write_both(void *arg)
{
    BIO *const *to = arg;
    static char octets[MUCH];
    size_t n;

    BIO_write_ex(to[0], octets, MUCH, &n);
    BIO_write_ex(to[1], octets, MUCH, &n);
    return NULL;
}

/* Of two threads that block, one reads what the other has to wait for. */
/* Nobody reads, so nobody receives: what TLS holds no poll will tell. */
START_TEST(W7_a_stalled_reader_that_goes_lets_the_session_go_on)
{
    static char octets[65536 + 1000];
    struct stacks st = negotiated(1);
    struct channels a = open_00(&st, "x:7"), b = open_00(&st, "x:80");
    int events;
    size_t n;

    for (size_t at = 0; at < sizeof(octets); at += n) {
        n = 0;
        BIO_write_ex(a.c, octets + at, sizeof(octets) - at, &n);
        stacks_turn(&st);
    }
    ck_assert_int_eq(BIO_puts(b.c, "behind it"), 9);
    ck_assert_int_eq(BIO_mtls_process(st.server), 1);
    ck_assert(!BIO_should_read(st.server));
    while (BIO_mtls_next_ready(st.server, &events) != NULL)
        continue;
    if (_i == 0)
        BIO_free(a.s);
    else
        BIO_mtls_reset_channel(a.s);
    while (BIO_mtls_next_ready(st.server, &events) != NULL)
        continue;
    ck_assert(BIO_should_read(st.server));
    ck_assert_int_eq(BIO_pending(b.s), 9);
    expect_text(b.s, "behind it");
    if (_i == 1)
        BIO_free(a.s);
    BIO_free(a.c);
    BIO_free(b.c);
    BIO_free(b.s);
    stacks_free(&st);
}
END_TEST

START_TEST(W7_who_blocks_gets_on_when_another_thread_makes_room)
{
    struct stacks st = negotiated(0);
    BIO *to[2];
    struct reader r[2] = {{NULL, 0, MUCH, 0}, {NULL, 0, MUCH, 0}};
    pthread_t writer, shaker;

    pthread_create(&shaker, NULL, (void *(*)(void *))BIO_mtls_accept_channel,
                   st.server);
    to[0] = BIO_new_mtls_channel(st.client, "x:7");
    to[1] = BIO_new_mtls_channel(st.client, "x:80");
    ck_assert_int_eq(BIO_do_connect(to[0]), 1);
    ck_assert_int_eq(BIO_do_connect(to[1]), 1);
    pthread_join(shaker, (void **)&r[0].b);
    r[1].b = BIO_mtls_accept_channel(st.server);
    ck_assert(r[0].b != NULL && r[1].b != NULL);
    pthread_create(&writer, NULL, write_both, to);
    pthread_create(&r[1].thread, NULL, read_all, &r[1]);
    while (BIO_pending(r[0].b) < 65536) /* the other is polling by then */
        sched_yield();
    read_all(&r[0]);
    pthread_join(r[1].thread, NULL);
    pthread_join(writer, NULL);
    ck_assert_uint_eq(r[0].got, MUCH);
    ck_assert_uint_eq(r[1].got, MUCH);
    for (int i = 0; i < 2; i++) {
        BIO_free(to[i]);
        BIO_free(r[i].b);
    }
    stacks_free(&st);
}
END_TEST

/* --- what goes by --- */

START_TEST(the_trace_shows_frames)
{
    struct stacks st = configured();
    BIO *out = BIO_new(BIO_s_mem()),
        *c = BIO_new_mtls_channel(st.client, "x:80");
    char text[400] = "";

    ck_assert(BIO_mtls_set_msg_callback(st.client, BIO_mtls_trace, out));
    ck_assert_int_eq(BIO_do_connect(c), 1);
    ck_assert_int_eq(BIO_puts(c, "abc"), 3);
    BIO_read(out, text, sizeof(text) - 1);
    ck_assert_str_eq(text,
                     ">>> mtls-00 frame [length 0] port 49152 to 80, empty\n"
                     ">>> mtls-00 frame [length 3] port 49152 to 80\n");
    BIO_free(c);
    BIO_free(out);
    stacks_free(&st);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        alpn_says_05_the_extension_00_and_else_what_is_set,
        there_is_no_other_version,
        the_default_channel_goes_to_the_first_application,
        a_channel_opens_by_what_it_says_first,
        the_server_may_speak_first,
        a_source_is_kept_where_it_is_free,
        what_was_not_agreed_on_is_an_error_at_once,
        much_goes_both_ways_copied_or_in_place,
        W7_a_stalled_reader_stops_the_session_and_resumes_it,
        W7_who_blocks_gets_on_when_another_thread_makes_room,
        the_trace_shows_frames};
    Suite *suite = suite_create("bio_00");
    TCase *tc = tcase_create("bio_00");
    SRunner *runner;
    int failed;

    for (size_t i = 0; i < COUNT(tests); i++)
        tcase_add_test(tc, tests[i]);
    tcase_add_loop_test(
        tc, W7_a_stalled_reader_that_goes_lets_the_session_go_on, 0, 2);
    tcase_set_timeout(tc, 60);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
