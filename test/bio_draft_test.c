/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * Drafts, what BIO_nwrite() lends: whose they are, when they are sent, and
 * that what was filled arrives.
 */
#include "stacks.h"

#include <check.h>
#include <openssl/err.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static struct stacks st;
static struct channels a, b;

static void set_up(void)
{
    st = stacks_new(STACKS_PAIR, 0);
    BIO_mtls_set_window(st.server, 1000000); /* more than a transport holds */
    a = stacks_open(&st, "default");
    b = stacks_open(&st, "default");
}

static void tear_down(void)
{
    ck_assert_uint_eq(ERR_peek_error(), 0);
    BIO_free(a.c);
    BIO_free(a.s);
    BIO_free(b.c);
    BIO_free(b.s);
    stacks_free(&st);
    ERR_clear_error();
}

/* bio_pair allows that a draft is filled after BIO_nwrite(). */
START_TEST(a_channels_flush_sends_its_own_draft_alone)
{
    char *p, text[16];

    ck_assert_int_eq(BIO_nwrite(a.c, &p, 5), 5);
    memset(p, '?', 5);
    ck_assert_int_eq(BIO_flush(b.c), 1);
    ck_assert_int_eq(BIO_write(b.c, "other", 5), 5);
    ck_assert_int_eq(BIO_read(b.s, text, sizeof(text)), 5);
    ck_assert_int_eq(BIO_read(a.s, text, sizeof(text)), -1);
    memcpy(p, "hello", 5);
    ck_assert_int_eq(BIO_flush(a.c), 1);
    ck_assert_int_eq(BIO_read(a.s, text, sizeof(text)), 5);
    ck_assert_mem_eq(text, "hello", 5);
}
END_TEST

START_TEST(each_call_on_the_channel_sends_its_draft)
{
    char *p, text[16];

    ck_assert_int_eq(BIO_nwrite(a.c, &p, 5), 5);
    memcpy(p, "hello", 5);
    if (_i == 0)
        ck_assert_int_eq(BIO_read(a.c, text, sizeof(text)), -1);
    else
        ck_assert_int_eq(BIO_nread0(a.c, &p), -1);
    ck_assert(BIO_should_read(a.c));
    ck_assert_int_eq(BIO_read(a.s, text, sizeof(text)), 5);
    ck_assert_mem_eq(text, "hello", 5);
}
END_TEST

static int fill(BIO *c)
{
    static const char data[200000];
    int total = 0, n;

    while ((n = BIO_write(c, data, sizeof(data))) > 0)
        total += n;
    ck_assert(BIO_should_write(c));
    return total;
}

static void read_all(BIO *s, int total)
{
    char piece[20000];
    int n;

    for (; total > 0 && (n = BIO_read(s, piece, sizeof(piece))) > 0; total -= n)
        stacks_turn(&st);
    ck_assert_int_eq(total, 0);
}

/* What was lent stays, whoever's turn it is. */
START_TEST(octets_in_a_lent_draft_stay_when_another_takes_the_turn)
{
    char *p, *q, text[16];
    int total;

    ck_assert_int_ge(BIO_nwrite0(a.c, &p), 6);
    memcpy(p, "hello!", 6);
    total = fill(b.c);
    ck_assert_int_eq(BIO_nwrite(a.c, &q, 6), 6);
    ck_assert_ptr_eq(p, q);
    ck_assert_mem_eq(q, "hello!", 6);
    BIO_flush(a.c);
    read_all(b.s, total);
    stacks_turn(&st);
    ck_assert_int_eq(BIO_read(a.s, text, sizeof(text)), 6);
    ck_assert_mem_eq(text, "hello!", 6);
}
END_TEST

#define IDLE 3000

/* Each channel that keeps one would have a record's memory. */
START_TEST(nwrite_of_nothing_gives_the_draft_back)
{
    struct channels *ch = calloc(IDLE, sizeof(*ch));
    char *p, *last = NULL;
    int lent = 0;

    ck_assert_ptr_nonnull(ch);
    for (int i = 0; i < IDLE; i++)
        ch[i] = stacks_open(&st, "default");
    for (int i = 0; i < IDLE; i++) {
        ck_assert_int_gt(BIO_nwrite0(ch[i].c, &p), 0);
        lent += p != last;
        last = p;
        ck_assert_int_eq(BIO_nwrite(ch[i].c, &p, 0), 0);
    }
    ck_assert_int_le(lent, 3); /* places in memory */
    for (int i = 0; i < IDLE; i++) {
        BIO_free(ch[i].c);
        BIO_free(ch[i].s);
    }
    free(ch);
}
END_TEST

/* --- relays --- */

#define RELAYS 4
#define TOTAL 1000000

static unsigned char octet_at(size_t i, int of)
{
    return (unsigned char)(((i + (size_t)of * 7919) * 2654435761u) >> 11);
}

/* From |from| to |to| and on to |last|, with a writer before |from|. */
struct line {
    BIO *first, *from, *to, *last;
    int which, good;
    pthread_t writer, relay, reader;
};

static void *write_line(void *arg)
{
    struct line *line = arg;
    unsigned char piece[5000];

    for (size_t at = 0; at < TOTAL; at += sizeof(piece)) {
        for (size_t i = 0; i < sizeof(piece); i++)
            piece[i] = octet_at(at + i, line->which);
        if (BIO_write(line->first, piece, sizeof(piece)) <= 0)
            break;
    }
    BIO_shutdown_wr(line->first);
    return NULL;
}

/* Filled after BIO_nwrite(): when others have flushed theirs meanwhile. */
static void *relay_line(void *arg)
{
    struct line *line = arg;
    char *in, *out;
    int n, room;

    while ((n = BIO_nread0(line->from, &in)) > 0 &&
           (room = BIO_nwrite0(line->to, &out)) > 0) {
        n = BIO_nwrite(line->to, &out, n < room ? n : room);
        if (n <= 0)
            break;
        sched_yield();
        memcpy(out, in, (size_t)n);
        BIO_nread(line->from, &in, n);
        if (BIO_flush(line->to) != 1)
            break;
    }
    BIO_shutdown_wr(line->to);
    return NULL;
}

static void *read_line(void *arg)
{
    struct line *line = arg;
    unsigned char piece[3000];
    size_t at = 0;
    int n;

    line->good = 1;
    while ((n = BIO_read(line->last, piece, sizeof(piece))) > 0)
        for (int i = 0; i < n; i++)
            line->good &= piece[i] == octet_at(at++, line->which);
    line->good &= n == 0 && at == TOTAL;
    return NULL;
}

struct accepting {
    BIO *m, *got[RELAYS];
};

static void *accept_all(void *arg)
{
    struct accepting *accepting = arg;

    for (int i = 0; i < RELAYS; i++) {
        accepting->got[i] = BIO_mtls_accept_channel(accepting->m);
        if (accepting->got[i] == NULL ||
            BIO_do_handshake(accepting->got[i]) != 1)
            break;
    }
    return NULL;
}

static void open_all(const struct stacks *of, BIO *c[RELAYS], BIO *s[RELAYS])
{
    struct accepting accepting = {.m = of->server};
    pthread_t acceptor;

    pthread_create(&acceptor, NULL, accept_all, &accepting);
    for (int i = 0; i < RELAYS; i++) {
        c[i] = BIO_new_mtls_channel(of->client, "default");
        ck_assert_int_eq(BIO_do_connect(c[i]), 1);
    }
    pthread_join(acceptor, NULL);
    memcpy(s, accepting.got, sizeof(accepting.got));
}

START_TEST(relays_through_drafts_lose_nothing)
{
    struct stacks near = stacks_new(STACKS_TLS13_SOCKETS, 0);
    struct stacks far = stacks_new(STACKS_TLS13_SOCKETS, 0);
    BIO *c[RELAYS], *s[RELAYS], *d[RELAYS], *t[RELAYS];
    struct line lines[RELAYS];

    open_all(&near, c, s);
    open_all(&far, d, t);
    for (int i = 0; i < RELAYS; i++) {
        lines[i] = (struct line){c[i], s[i], d[i], t[i], .which = i};
        pthread_create(&lines[i].writer, NULL, write_line, &lines[i]);
        pthread_create(&lines[i].relay, NULL, relay_line, &lines[i]);
        pthread_create(&lines[i].reader, NULL, read_line, &lines[i]);
    }
    for (int i = 0; i < RELAYS; i++) {
        pthread_join(lines[i].writer, NULL);
        pthread_join(lines[i].relay, NULL);
        pthread_join(lines[i].reader, NULL);
        ck_assert(lines[i].good);
        BIO_free(c[i]);
        BIO_free(s[i]);
        BIO_free(d[i]);
        BIO_free(t[i]);
    }
    stacks_free(&near);
    stacks_free(&far);
    ERR_clear_error();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("draft");
    TCase *alone = tcase_create("alone"), *threads = tcase_create("threads");
    SRunner *runner;
    int failed;

    signal(SIGPIPE, SIG_IGN);
    tcase_set_timeout(alone, 60);
    tcase_set_timeout(threads, 120);
    tcase_add_checked_fixture(alone, set_up, tear_down);
    tcase_add_test(alone, a_channels_flush_sends_its_own_draft_alone);
    tcase_add_loop_test(alone, each_call_on_the_channel_sends_its_draft, 0, 2);
    tcase_add_test(alone,
                   octets_in_a_lent_draft_stay_when_another_takes_the_turn);
    tcase_add_test(alone, nwrite_of_nothing_gives_the_draft_back);
    tcase_add_test(threads, relays_through_drafts_lose_nothing);
    suite_add_tcase(suite, alone);
    suite_add_tcase(suite, threads);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
