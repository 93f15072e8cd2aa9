/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * Waiting: who blocks is woken in time, and is not held up by what another
 * thread or channel does, or leaves undone.
 */
#include "fault_bio.h"
#include "stacks.h"

#include <check.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE 30 /* seconds, for what takes some milliseconds */

/* Whether |*n| gets to |least| before patience ends. */
static int gets_to(atomic_int *n, int least)
{
    for (int i = 0; i < PATIENCE * 1000; i++) {
        if (atomic_load(n) >= least)
            return 1;
        usleep(1000);
    }
    return 0;
}

#define CHANNELS 3

/* A session that blocks, with |n| channels open. */
struct meeting {
    struct stacks st;
    int n;
    BIO *c[CHANNELS], *s[CHANNELS];
};

static void *accept_all(void *arg)
{
    struct meeting *m = arg;

    for (int i = 0; i < m->n; i++) {
        m->s[i] = BIO_mtls_accept_channel(m->st.server);
        if (m->s[i] == NULL || BIO_do_handshake(m->s[i]) != 1)
            break;
    }
    return NULL;
}

static void meet(struct meeting *m, struct stacks st, int n)
{
    pthread_t acceptor;

    *m = (struct meeting){.st = st, .n = n};
    pthread_create(&acceptor, NULL, accept_all, m);
    for (int i = 0; i < n; i++) {
        m->c[i] = BIO_new_mtls_channel(st.client, "default");
        ck_assert_int_eq(BIO_do_connect(m->c[i]), 1);
    }
    pthread_join(acceptor, NULL);
    for (int i = 0; i < n; i++)
        ck_assert_ptr_nonnull(m->s[i]);
}

static void part(struct meeting *m)
{
    for (int i = 0; i < m->n; i++) {
        BIO_free(m->c[i]);
        BIO_free(m->s[i]);
    }
    BIO_free_all(m->st.client);
    BIO_free_all(m->st.server);
    ERR_clear_error();
}

/* --- a read that leaves what a thread that polls waits for --- */

struct count {
    BIO *b;
    atomic_int n;
    pthread_t thread;
};

static void *count_octets(void *arg)
{
    struct count *count = arg;
    char octet;

    while (BIO_read(count->b, &octet, 1) == 1)
        atomic_fetch_add(&count->n, 1);
    return NULL;
}

/*
 * TLS whose client polls the pipe |fds|, which tells nothing: it blocks, and
 * only another thread's call can bring it what has come.
 */
static struct stacks deaf_stacks(struct fault_plan *plan, int fds[2])
{
    struct stacks st = stacks_new(STACKS_NBIO_SOCKETS, 0);
    BIO *a = BIO_pop(st.client), *b = BIO_pop(st.server);
    SSL_CTX *client = stacks_client_ctx(TLS1_3_VERSION);
    SSL_CTX *server = stacks_server_ctx(TLS1_3_VERSION);

    stacks_free(&st);
    ck_assert_int_eq(pipe(fds), 0);
    plan->fd = fds[0];
    st.client = BIO_push(BIO_new(BIO_f_mtls()), BIO_new_ssl(client, 1));
    st.server = BIO_push(BIO_new(BIO_f_mtls()), BIO_new_ssl(server, 0));
    BIO_push(st.client, BIO_push(fault_bio_new(plan), a));
    BIO_push(st.server, b);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
    return st;
}

static struct channels open_without_waiting(const struct stacks *st)
{
    struct channels ch = {BIO_new_mtls_channel(st->client, "default"), NULL};

    BIO_set_nbio(ch.c, 1);
    for (int i = 0; i < 100 && BIO_do_connect(ch.c) != 1; i++) {
        ck_assert(BIO_should_retry(ch.c));
        if (ch.s == NULL)
            ch.s = BIO_mtls_accept_channel(st->server);
        else
            ck_assert_int_eq(BIO_do_handshake(ch.s), 1);
    }
    ck_assert_int_eq(BIO_do_connect(ch.c), 1);
    return ch;
}

#define ANSWER 3000

START_TEST(who_polls_hears_of_what_another_read_left_in_tls)
{
    struct fault_plan plan = {0};
    int fds[2];
    struct stacks st = deaf_stacks(&plan, fds);
    struct channels a = open_without_waiting(&st);
    struct channels b = open_without_waiting(&st);
    struct count reader = {.b = a.c};
    char answer[ANSWER] = {0};

    BIO_set_nbio(a.c, 0);
    BIO_mtls_set_cork(st.server, 1); /* so that both go in one record */
    pthread_create(&reader.thread, NULL, count_octets, &reader);
    for (int i = 1; i <= 5; i++) {
        usleep(50000); /* so that it polls */
        ck_assert_int_eq(BIO_write(b.s, answer, ANSWER), ANSWER);
        ck_assert_int_eq(BIO_write(a.s, "y", 1), 1);
        ck_assert_int_eq(BIO_flush(st.server), 1);
        ck_assert_int_eq(BIO_read(b.c, answer, ANSWER), ANSWER);
        ck_assert(gets_to(&reader.n, i));
    }
    BIO_shutdown_wr(a.s);
    ck_assert_int_eq(BIO_flush(st.server), 1);
    BIO_read(b.c, answer, 1);
    pthread_join(reader.thread, NULL);
    part(&(struct meeting){.st = st, .n = 2, .c = {a.c, b.c}, .s = {a.s, b.s}});
    close(fds[0]);
    close(fds[1]);
}
END_TEST

/* --- a transport that another thread keeps busy --- */

#define BULK 20000000

/* A transport of some 4 MB/s, as long as |slow|. */
struct relay {
    int from, to;
    atomic_int *slow;
    pthread_t thread;
};

static void *relay(void *arg)
{
    struct relay *r = arg;
    char piece[4096];
    ssize_t n, m;

    while ((n = read(r->from, piece, sizeof(piece))) > 0) {
        for (ssize_t done = 0; done < n; done += m)
            if ((m = write(r->to, piece + done, (size_t)(n - done))) <= 0)
                break;
        if (r->slow != NULL && atomic_load(r->slow))
            usleep(1000);
    }
    shutdown(r->to, SHUT_WR);
    return NULL;
}

static void small_socketpair(int fds[2])
{
    int size = 8192;

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    for (int i = 0; i < 2; i++)
        setsockopt(fds[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
}

static BIO *tls_end(SSL_CTX *ctx, int client, int fd)
{
    BIO *ssl = BIO_new_ssl(ctx, client);

    SSL_CTX_free(ctx);
    BIO_push(ssl, BIO_new_socket(fd, BIO_CLOSE));
    return BIO_push(BIO_new(BIO_f_mtls()), ssl);
}

/* |relays|: from the client to the server, and back. */
static struct stacks throttled(struct relay relays[2], atomic_int *slow)
{
    struct stacks st;
    int near[2], far[2];

    small_socketpair(near);
    small_socketpair(far);
    relays[0] = (struct relay){.from = near[1], .to = far[0], .slow = slow};
    relays[1] = (struct relay){.from = far[0], .to = near[1]};
    for (int i = 0; i < 2; i++)
        pthread_create(&relays[i].thread, NULL, relay, &relays[i]);
    st.client = tls_end(stacks_client_ctx(TLS1_3_VERSION), 1, near[0]);
    st.server = tls_end(stacks_server_ctx(TLS1_3_VERSION), 0, far[1]);
    BIO_mtls_set_window(st.server, 2 * BULK);
    return st;
}

static void *drain(void *arg)
{
    static _Thread_local char piece[65536];

    while (BIO_read(arg, piece, sizeof(piece)) > 0)
        ;
    return NULL;
}

static void *write_bulk(void *arg)
{
    struct count *count = arg;
    char *data = calloc(1, BULK);

    if (data != NULL && BIO_write(count->b, data, BULK) == BULK)
        atomic_store(&count->n, 1);
    free(data);
    return NULL;
}

START_TEST(a_write_waits_for_its_own_octets_alone)
{
    atomic_int slow = 0;
    struct relay relays[2];
    struct meeting m;
    struct count bulk = {0};
    pthread_t readers[2];

    meet(&m, throttled(relays, &slow), 2);
    bulk.b = m.c[0];
    for (int i = 0; i < 2; i++)
        pthread_create(&readers[i], NULL, drain, m.s[i]);
    atomic_store(&slow, 1);
    pthread_create(&bulk.thread, NULL, write_bulk, &bulk);
    usleep(300000);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(BIO_write(m.c[1], "x", 1), 1);
    ck_assert_int_eq(atomic_load(&bulk.n), 0);
    atomic_store(&slow, 0);
    pthread_join(bulk.thread, NULL);
    ck_assert_int_eq(atomic_load(&bulk.n), 1);
    for (int i = 0; i < 2; i++)
        BIO_shutdown_wr(m.c[i]);
    for (int i = 0; i < 2; i++)
        pthread_join(readers[i], NULL);
    part(&m);
    for (int i = 0; i < 2; i++)
        pthread_join(relays[i].thread, NULL);
    close(relays[0].from);
    close(relays[0].to);
}
END_TEST

/* --- a turn that nobody takes --- */

static void *write_one(void *arg)
{
    struct count *count = arg;

    atomic_store(&count->n, BIO_write(count->b, "x", 1));
    return NULL;
}

/* Writes without waiting until the transport takes no more. */
static void fill(BIO *b)
{
    static const char data[200000];
    size_t total = 0;
    int n;

    while ((n = BIO_write(b, data, sizeof(data))) > 0)
        total += (size_t)n;
    ck_assert(BIO_should_retry(b));
    ck_assert_uint_gt(total, 0);
}

START_TEST(a_writer_that_blocks_goes_before_one_that_does_not_come_back)
{
    struct stacks st = stacks_new(STACKS_TLS13_SOCKETS, 0);
    struct meeting m;
    struct count writer = {0};
    pthread_t reader;

    BIO_mtls_set_window(st.server, 10000000);
    meet(&m, st, 3);
    BIO_set_nbio(m.c[0], 1);
    BIO_set_nbio(m.c[2], 1);
    fill(m.c[2]);
    ck_assert_int_eq(BIO_write(m.c[0], "x", 1), -1);
    ck_assert(BIO_should_write(m.c[0]));
    if (_i == 1)
        BIO_shutdown_wr(m.c[0]);
    writer.b = m.c[1];
    pthread_create(&writer.thread, NULL, write_one, &writer);
    usleep(100000); /* so that it waits */
    pthread_create(&reader, NULL, drain, m.s[2]);
    ck_assert(gets_to(&writer.n, 1));
    pthread_join(writer.thread, NULL);
    BIO_free(m.c[2]); /* an end for who drains */
    m.c[2] = NULL;
    pthread_join(reader, NULL);
    part(&m);
}
END_TEST

/* --- what nobody else would send --- */

static void *shut_down(void *arg)
{
    struct count *count = arg;

    atomic_store(&count->n, (int)BIO_shutdown_wr(count->b));
    return NULL;
}

/* Behind what a full transport did not take, and no call comes after it. */
START_TEST(a_call_that_blocks_sees_its_packet_off)
{
    struct stacks st = stacks_new(STACKS_TLS13_SOCKETS, 0);
    struct meeting m;
    struct count last = {0};
    pthread_t reader;
    char octet;

    BIO_mtls_set_window(st.server, 10000000);
    meet(&m, st, 3);
    BIO_set_nbio(m.c[2], 1);
    fill(m.c[2]);
    last.b = m.c[1];
    pthread_create(&last.thread, NULL, shut_down, &last);
    pthread_create(&reader, NULL, drain, m.s[2]);
    ck_assert_int_eq(BIO_read(m.s[1], &octet, 1), 0);
    pthread_join(last.thread, NULL);
    ck_assert_int_eq(atomic_load(&last.n), 1);
    BIO_free(m.c[2]); /* an end for who drains */
    m.c[2] = NULL;
    pthread_join(reader, NULL);
    part(&m);
}
END_TEST

/* --- a peer that does not read --- */

static void *free_one(void *arg)
{
    struct count *count = arg;

    BIO_free(count->b);
    atomic_store(&count->n, 1);
    return NULL;
}

START_TEST(freeing_does_not_wait_for_a_peer_that_does_not_read)
{
    struct stacks st = stacks_new(STACKS_TLS13_SOCKETS, 0);
    struct meeting m;
    struct count last = {0};

    BIO_mtls_set_window(st.server, 10000000);
    meet(&m, st, 1);
    BIO_set_nbio(m.c[0], 1);
    fill(m.c[0]);
    BIO_free_all(m.st.client); /* the channel has a reference still */
    m.st.client = NULL;
    last.b = m.c[0];
    m.c[0] = NULL;
    pthread_create(&last.thread, NULL, free_one, &last);
    ck_assert(gets_to(&last.n, 1));
    pthread_join(last.thread, NULL);
    part(&m);
}
END_TEST

/* --- a descriptor's number --- */

START_TEST(a_descriptor_of_the_same_number_keeps_its_flags)
{
    BIO *m = BIO_new(BIO_f_mtls());
    int fds[2], others[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    BIO_push(m, BIO_new_socket(fds[0], BIO_NOCLOSE));
    ck_assert_int_eq(BIO_mtls_process(m), 1);
    ck_assert(fcntl(fds[0], F_GETFL) & O_NONBLOCK);
    ck_assert_int_eq(pipe2(others, O_NONBLOCK), 0);
    ck_assert_int_eq(dup2(others[0], fds[0]), fds[0]); /* closes the socket */
    BIO_free_all(m);
    ck_assert(fcntl(fds[0], F_GETFL) & O_NONBLOCK);
    close(fds[0]);
    close(fds[1]);
    close(others[0]);
    close(others[1]);
}
END_TEST

/* --- a reader and a writer of one channel that does not block --- */

struct shared {
    BIO *b;
    atomic_int stop;
    int calls[2], wrong[2]; /* -1 without a retry */
};

static void *keep_reading(void *arg)
{
    struct shared *sh = arg;
    char piece[64];

    for (; !atomic_load(&sh->stop); sh->calls[0]++)
        if (BIO_read(sh->b, piece, sizeof(piece)) <= 0)
            sh->wrong[0] += !BIO_should_retry(sh->b);
    return NULL;
}

static void *keep_writing(void *arg)
{
    struct shared *sh = arg;

    for (; !atomic_load(&sh->stop); sh->calls[1]++)
        if (BIO_write(sh->b, "x", 1) <= 0)
            sh->wrong[1] += !BIO_should_retry(sh->b);
    return NULL;
}

START_TEST(a_reader_and_a_writer_keep_each_others_retry_flags)
{
    struct stacks st = stacks_new(STACKS_NBIO_SOCKETS, 0);
    struct channels ch = stacks_open(&st, "default");
    struct shared sh = {.b = ch.c};
    pthread_t reader, writer;
    char piece[64];

    pthread_create(&reader, NULL, keep_reading, &sh);
    pthread_create(&writer, NULL, keep_writing, &sh);
    for (int i = 0; i < 10000; i++) /* octets each way, at times */
        if (BIO_read(ch.s, piece, sizeof(piece)) <= 0)
            usleep(100);
        else if (i % 16 == 0)
            BIO_write(ch.s, "y", 1);
    atomic_store(&sh.stop, 1);
    pthread_join(reader, NULL);
    pthread_join(writer, NULL);
    ck_assert_int_gt(sh.calls[0], 0);
    ck_assert_int_gt(sh.calls[1], 0);
    ck_assert_int_eq(sh.wrong[0], 0);
    ck_assert_int_eq(sh.wrong[1], 0);
    BIO_free(ch.c);
    BIO_free(ch.s);
    stacks_free(&st);
    ERR_clear_error();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("wait");
    TCase *tc = tcase_create("wait");
    SRunner *runner;
    int failed;

    signal(SIGPIPE, SIG_IGN);
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, who_polls_hears_of_what_another_read_left_in_tls);
    tcase_add_test(tc, a_write_waits_for_its_own_octets_alone);
    tcase_add_loop_test(
        tc, a_writer_that_blocks_goes_before_one_that_does_not_come_back, 0, 2);
    tcase_add_test(tc, a_call_that_blocks_sees_its_packet_off);
    tcase_add_test(tc, freeing_does_not_wait_for_a_peer_that_does_not_read);
    tcase_add_test(tc, a_descriptor_of_the_same_number_keeps_its_flags);
    tcase_add_test(tc, a_reader_and_a_writer_keep_each_others_retry_flags);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
