/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * Channels of one session over loopback, one thread and one poll() at an end.
 *
 *   mux server CERT KEY   prints its port; serves one session after another
 *   mux open PORT CERT AT_ONCE SECONDS
 *                         open a channel, 64 octets there and back, close
 *   mux ping PORT CERT SECONDS
 *                         64 octets there and back, on one channel
 *   mux bulk PORT CERT SECONDS
 *                         all that one channel takes
 *   mux both PORT CERT SECONDS
 *                         the two side by side, in one session
 */
#include "mux.h"
#include "samples.h"
#include <mtls/bio_mtls.h>
#include <openssl/err.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PIECE 16384
/* Pieces of bulk data before anything else is looked at. */
#define TURN 4
/* Channels that are served before what that gave is sent: the other end can
 * go on meanwhile. */
#define BATCH 32
/* Before pings count, so that windows have grown. */
#define WARM_UP 0.2

static char piece[4 * PIECE];

/* Sends what is left of |m|. 1 when all is sent, 0 later, -1 on failure. */
static int push_out(BIO *channel, struct message *m)
{
    while (m->sent < m->len) {
        int n = BIO_write(channel, m->data + m->sent, (int)(m->len - m->sent));

        if (n <= 0)
            return BIO_should_retry(channel) ? 0 : -1;
        m->sent += (size_t)n;
    }
    return 1;
}

/* Reads into |m| until it has |want| octets; answers likewise. */
static int pull_in(BIO *channel, struct message *m, size_t want)
{
    while (m->len < want) {
        int n = BIO_read(channel, m->data + m->len, (int)(want - m->len));

        if (n <= 0)
            return n < 0 && BIO_should_retry(channel) ? 0 : -1;
        m->len += (size_t)n;
    }
    return 1;
}

/* --- the server --- */

/* "once" answers and closes, "echo" goes on, "sink" reads to the end. */
static int serve_echo(struct peer *p, int once)
{
    int r = 1;

    if (p->message.sent == 0)
        r = pull_in(p->channel, &p->message, OCTETS);
    if (r > 0)
        r = push_out(p->channel, &p->message);
    if (r <= 0)
        return r;
    p->message.sent = p->message.len = 0;
    return once ? -1 : 1;
}

static int serve_sink(struct peer *p)
{
    int n;

    do {
        n = BIO_read(p->channel, piece, sizeof(piece));
    } while (n > 0);
    return n < 0 && BIO_should_retry(p->channel) ? 0 : -1;
}

static void serve_peer(struct peer *p)
{
    if (p->kind == 's' ? serve_sink(p) < 0 : serve_echo(p, p->kind == 'o') < 0)
        peer_free(p);
}

static void accept_all(struct peer *peers, BIO *mtls)
{
    BIO *channel;

    while ((channel = BIO_mtls_accept_channel(mtls)) != NULL) {
        struct peer *p = peer_new(peers, channel);
        const char *name = BIO_get_conn_hostname(channel);

        p->kind = name != NULL ? name[0] : '\0';
        if (BIO_do_handshake(channel) <= 0)
            fail("accepting a channel");
    }
}

static void serve(int fd, SSL_CTX *ctx)
{
    BIO *mtls = stack(fd, ctx, 0), *b;
    struct peer peers = {.next = &peers, .prev = &peers};
    int r, n, events;

    while ((r = BIO_mtls_process(mtls)) > 0) {
        for (n = 0; (b = BIO_mtls_next_ready(mtls, &events)) != NULL; n++) {
            if (b == mtls)
                accept_all(&peers, mtls);
            else
                serve_peer(BIO_get_app_data(b));
            if (n % BATCH == BATCH - 1)
                BIO_flush(mtls);
        }
        if (r == 1 && n == 0)
            await(mtls);
    }
    while (peers.next != &peers)
        peer_free(peers.next);
    BIO_free_all(mtls);
    ERR_clear_error(); /* how a client ends is its business */
}

/* --- opening and closing --- */

struct opener {
    BIO *mtls;
    struct peer peers;
    unsigned long at_once, open, failed;
    double end; /* when no more are begun */
    struct samples samples;
};

static void begin(struct opener *o)
{
    BIO *channel = BIO_new_mtls_channel(o->mtls, "once:7");
    struct peer *p = peer_new(&o->peers, channel);

    p->begun = samples_now();
    p->asked.len = OCTETS;
    if (push_out(channel, &p->asked) < 0)
        fail("opening a channel");
    o->open++;
}

/* A read that finds nothing would send what is corked. */
static void on_ready(struct opener *o, struct peer *p, int events)
{
    int r = push_out(p->channel, &p->asked);

    if (r > 0 && !(events & (MTLS_EVENT_READABLE | MTLS_EVENT_CLOSED)))
        return;
    if (r > 0)
        r = pull_in(p->channel, &p->message, OCTETS);
    if (r == 0)
        return;
    if (r > 0)
        samples_add(&o->samples, samples_now() - p->begun);
    else
        o->failed++;
    peer_free(p);
    o->open--;
}

static void begin_more(struct opener *o)
{
    while (o->open < o->at_once && samples_now() < o->end)
        begin(o);
}

static void open_often(BIO *mtls, unsigned long at_once, double seconds)
{
    double start = samples_now();
    struct opener o = {
        .mtls = mtls, .at_once = at_once, .end = start + seconds};
    int r, n, events;
    BIO *b;

    o.peers.next = o.peers.prev = &o.peers;
    begin_more(&o);
    while (o.open > 0) {
        r = BIO_mtls_process(mtls);
        if (r <= 0)
            fail("the session ended");
        for (n = 0; (b = BIO_mtls_next_ready(mtls, &events)) != NULL; n++) {
            if (b != mtls)
                on_ready(&o, BIO_get_app_data(b), events);
            begin_more(&o);
            if (n % BATCH == BATCH - 1)
                BIO_flush(mtls);
        }
        if (r == 1 && n == 0)
            await(mtls);
    }
    samples_print(&o.samples, samples_now() - start, o.failed);
    samples_free(&o.samples);
}

/* --- a ping beside bulk data --- */

enum bulk {
    NONE,
    GOING,
    REFUSED,
    ENDING
};

struct traffic {
    BIO *mtls;
    BIO *ping, *bulk; /* each may be NULL */
    int pinging;
    enum bulk state;
    struct message asked, answer;
    double begun, start, count_from, end; /* of a ping, of all, of pings */
    uint64_t octets;                      /* of bulk data */
    double bulk_end;                      /* when all of them were read */
    struct samples samples;
};

static void ask(struct traffic *t)
{
    t->asked.len = OCTETS;
    t->asked.sent = t->answer.len = 0;
    t->begun = samples_now();
    t->pinging = 1;
    if (push_out(t->ping, &t->asked) < 0)
        fail("ping");
}

static void on_ping(struct traffic *t)
{
    double now;
    int r = push_out(t->ping, &t->asked);

    if (r > 0)
        r = pull_in(t->ping, &t->answer, OCTETS);
    if (r < 0)
        fail("ping");
    if (r == 0 || !t->pinging)
        return;
    now = samples_now();
    if (t->begun >= t->count_from)
        samples_add(&t->samples, now - t->begun);
    t->pinging = 0;
    if (now < t->end)
        ask(t);
}

static void send_bulk(struct traffic *t)
{
    if (samples_now() >= t->end) {
        if (BIO_shutdown_wr(t->bulk) <= 0)
            fail("half-close");
        t->state = ENDING;
        return;
    }
    for (int i = 0; i < TURN && t->state == GOING; i++) {
        int n = BIO_write(t->bulk, piece, PIECE);

        if (n <= 0 && !BIO_should_retry(t->bulk))
            fail("bulk");
        if (n <= 0)
            t->state = REFUSED;
        else
            t->octets += (uint64_t)n;
    }
}

static void on_bulk(struct traffic *t)
{
    char end;

    if (t->state == REFUSED)
        t->state = GOING;
    if (t->state == ENDING && BIO_read(t->bulk, &end, 1) == 0) {
        t->bulk_end = samples_now();
        t->state = NONE;
    }
}

static void exchange(struct traffic *t)
{
    int r, n, events;
    BIO *b;

    if (t->ping != NULL)
        ask(t);
    if (t->bulk != NULL)
        t->state = GOING;
    while (t->pinging || t->state != NONE) {
        r = BIO_mtls_process(t->mtls);
        if (r <= 0)
            fail("the session ended");
        for (n = 0; (b = BIO_mtls_next_ready(t->mtls, &events)) != NULL; n++) {
            if (b == t->ping)
                on_ping(t);
            else if (b == t->bulk)
                on_bulk(t);
        }
        if (t->state == GOING)
            send_bulk(t);
        else if (r == 1 && n == 0)
            await(t->mtls);
    }
}

static void traffic(BIO *mtls, const char *mode, double seconds)
{
    struct traffic t = {.mtls = mtls};

    if (strcmp(mode, "bulk") != 0)
        t.ping = BIO_new_mtls_channel(mtls, "echo:7");
    if (strcmp(mode, "ping") != 0)
        t.bulk = BIO_new_mtls_channel(mtls, "sink:9");
    t.start = samples_now();
    t.count_from = t.start + WARM_UP;
    t.end = t.count_from + seconds;
    exchange(&t);
    samples_print(&t.samples, seconds, 0);
    if (t.bulk != NULL)
        printf("bulk %.1f\n", (double)t.octets / (t.bulk_end - t.start) / 1e6);
    samples_free(&t.samples);
    BIO_free(t.ping);
    BIO_free(t.bulk);
}

/* --- command line --- */

static double number(const char *text, double least, double most)
{
    char *end;
    double n = strtod(text, &end);

    if (end == text || *end != '\0' || !(n >= least && n <= most)) {
        fprintf(stderr, "not a number from %g to %g: %s\n", least, most, text);
        exit(2);
    }
    return n;
}

static int client(int argc, char *argv[])
{
    const char *mode = argv[1];
    int opens = strcmp(mode, "open") == 0;
    SSL_CTX *ctx = client_context(argv[3]);
    BIO *mtls = stack(connect_to((int)number(argv[2], 1, 65535)), ctx, 1);
    double seconds = number(argv[argc - 1], 0.01, 600);

    if (opens)
        open_often(mtls, (unsigned long)number(argv[4], 1, 4096), seconds);
    else
        traffic(mtls, mode, seconds);
    BIO_free_all(mtls);
    SSL_CTX_free(ctx);
    return 0;
}

int main(int argc, char *argv[])
{
    const char *mode = argc > 1 ? argv[1] : "";

    signal(SIGPIPE, SIG_IGN); /* a client that has gone */
    if (argc == 4 && strcmp(mode, "server") == 0) {
        SSL_CTX *ctx = server_context(argv[2], argv[3]);
        int listener = listen_somewhere();

        for (;;)
            serve(accept_from(listener), ctx);
    }
    if ((argc == 6 && strcmp(mode, "open") == 0) ||
        (argc == 5 && (strcmp(mode, "ping") == 0 || strcmp(mode, "bulk") == 0 ||
                       strcmp(mode, "both") == 0)))
        return client(argc, argv);
    fputs("usage: mux server CERT KEY | open PORT CERT AT_ONCE SECONDS | "
          "ping|bulk|both PORT CERT SECONDS\n",
          stderr);
    return 2;
}
