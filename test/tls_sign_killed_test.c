/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * A client and a server of TLS Sign, one or both of which are killed again and
 * again, at any moment of 1,000 signed writes. What a write has acknowledged is
 * in the client's log, what a read has returned is in both, and both open again
 * and pass an audit beside each other.
 */
#include "audit_found.h"
#include "evidence_log.h"
#include "sign_ends.h"
#include "sign_object.h"

#include <openssl/err.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define WRITES 1000

enum {
    CLIENT,
    SERVER,
    ENDS
};

static char paths[ENDS][256];
static unsigned char told[ENDS][WRITES]; /* by that end: it was acknowledged */
static unsigned char kept[ENDS][WRITES]; /* in that end's log */
static int torn;

/* --- the two processes --- */

static BIO *stack_of(int end, int fd)
{
    BIO *b = BIO_new(BIO_f_tls_sign());

    if (b == NULL || BIO_tls_sign_set_log(b, paths[end]) <= 0)
        _exit(2);
    BIO_push(b,
             BIO_push(sign_tls(end == SERVER), BIO_new_socket(fd, BIO_CLOSE)));
    return b;
}

static void tell(int to, int i)
{
    if (write(to, &i, sizeof(i)) != sizeof(i))
        _exit(3);
}

/* Some ask for receipts, as what is killed may be about to write one. */
static void be_client(int fd, int to, int from)
{
    BIO *b = stack_of(CLIENT, fd);

    for (int i = from; i < WRITES; i++) {
        char text[32];
        int n = snprintf(text, sizeof(text), "order %d", i);

        BIO_tls_sign_set_receipt(b, i % 4 == 0);
        if (BIO_write(b, text, n) != n)
            _exit(0); /* the server was killed */
        tell(to, i);
    }
    BIO_shutdown_wr(b);
    BIO_tls_sign_wait_receipts(b);
    _exit(0);
}

static void be_server(int fd, int to)
{
    BIO *b = stack_of(SERVER, fd);
    char text[33];
    int n;

    while ((n = BIO_read(b, text, sizeof(text) - 1)) > 0) {
        text[n] = '\0';
        tell(to, (int)strtol(text + strlen("order "), NULL, 10));
    }
    _exit(0);
}

struct process {
    pid_t pid;
    int fd; /* what it tells */
};

static struct process start(int end, const int fds[2], int from)
{
    struct process p;
    int ends[2];

    ck_assert_int_eq(pipe(ends), 0);
    p.pid = fork();
    ck_assert_int_ge(p.pid, 0);
    if (p.pid == 0) {
        signal(SIGPIPE, SIG_IGN);
        close(fds[1 - end]);
        close(ends[0]);
        if (end == CLIENT)
            be_client(fds[end], ends[1], from);
        else
            be_server(fds[end], ends[1]);
    }
    close(ends[1]);
    p.fd = ends[0];
    return p;
}

/* --- a round of it --- */

/* Reads |n| counts that it told, or all: what comes after the last. */
static int listen_to(const struct process *p, int end, int next, int n)
{
    int i;

    while (n-- > 0 && read(p->fd, &i, sizeof(i)) == sizeof(i)) {
        ck_assert(i >= 0 && i < WRITES);
        told[end][i] = 1;
        next = i + 1;
    }
    return next;
}

static void bury(struct process *p)
{
    int status;

    ck_assert_int_eq(waitpid(p->pid, &status, 0), p->pid);
    ck_assert_msg(WIFSIGNALED(status) || WEXITSTATUS(status) == 0,
                  "a process failed: %d", status);
    close(p->fd);
}

static int round_of(int next, int kills)
{
    struct process p[ENDS];
    int fds[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    p[SERVER] = start(SERVER, fds, 0);
    p[CLIENT] = start(CLIENT, fds, next);
    close(fds[0]);
    close(fds[1]);
    next = listen_to(&p[CLIENT], CLIENT, next, kills % 24);
    usleep((useconds_t)(kills * 997 % 5000));
    if (kills % 3 != 1)
        kill(p[CLIENT].pid, SIGKILL);
    if (kills % 3 != 0)
        kill(p[SERVER].pid, SIGKILL);
    next = listen_to(&p[CLIENT], CLIENT, next, WRITES);
    listen_to(&p[SERVER], SERVER, 0, WRITES);
    bury(&p[CLIENT]);
    bury(&p[SERVER]);
    return next;
}

/* --- the logs --- */

static void note(const struct mtls_evidence *e, void *arg)
{
    struct mtls_signed s;
    char text[33] = "";

    if (e->kind == MTLS_EVIDENCE_TORN)
        torn++;
    if (e->kind != MTLS_EVIDENCE_MESSAGE_SENT &&
        e->kind != MTLS_EVIDENCE_MESSAGE_RECEIVED)
        return;
    ck_assert(mtls_sign_open(e->format, e->object, e->object_len, &s));
    ck_assert_uint_lt(s.len, sizeof(text));
    memcpy(text, s.data, s.len);
    if (s.len != 0) /* not the end */
        kept[*(int *)arg][strtol(text + strlen("order "), NULL, 10)] = 1;
    mtls_signed_cleanup(&s);
}

static void check_log(int end)
{
    static struct audit_found found;
    X509_STORE *trust = pki_trust(NULL);
    MTLS_AUDIT_PARAMS params = {
        .log = paths[end], .peer = paths[1 - end], .trust = trust};

    evidence_walk(paths[end], note, &end);
    audit_find(&found, &params);
    ck_assert_msg(found.result.bad == 0, "%s", found.text);
    X509_STORE_free(trust);
}

START_TEST(nothing_acknowledged_is_lost)
{
    int kills = 0;

    evidence_memory_folder();
    snprintf(paths[CLIENT], sizeof(paths[0]), "%s", evidence_file("client"));
    snprintf(paths[SERVER], sizeof(paths[0]), "%s", evidence_file("server"));
    pki_client(); /* once, for all processes */
    pki_server();
    for (int next = 0; next < WRITES; kills++)
        next = round_of(next, kills);
    for (int end = 0; end < ENDS; end++) { /* a torn end is put aside */
        struct mtls_evidence_log *log = mtls_evidence_open(paths[end]);

        ck_assert_ptr_nonnull(log);
        mtls_evidence_close(log);
    }
    check_log(CLIENT);
    check_log(SERVER);
    for (int i = 0; i < WRITES; i++) {
        ck_assert(told[CLIENT][i] && kept[CLIENT][i]);
        ck_assert_int_le(told[SERVER][i], kept[SERVER][i]);
    }
    printf("%d kills, %d torn ends\n", kills, torn);
    evidence_remove();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tls_sign_killed");
    TCase *one = tcase_create("one");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_set_timeout(one, 280);
    tcase_add_test(one, nothing_acknowledged_is_lost);
    suite_add_tcase(suite, one);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
