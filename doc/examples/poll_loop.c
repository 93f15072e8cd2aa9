/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * A poll() loop: one thread, one descriptor, any number of channels. Each end
 * opens N channels and sends back what comes in on those that the other end
 * opened; BUSY of its own are never idle. The client ends it after PACKETS
 * answers and prints what a packet took, so that few channels can be compared
 * with many: what the loop does is in proportion to the channels that are
 * ready, not to all.
 */
#include <mtls/bio_mtls.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* Octets that a busy channel sends at a time. */
#define MESSAGE 100
/* Channels at a time; the peer refuses what is over its backlog. */
#define OPENING 1000

/* What the program knows of a channel; the BIO carries a pointer to it. */
struct peer {
    BIO *channel;
    struct peer *all; /* the list of all, to free them */
    size_t have;      /* echo: octets held; own: octets of the answer so far */
    size_t sent;      /* of a message, or of what is held */
    int own, busy;    /* opened by this end, never idle */
    int opened;
    char data[MESSAGE];
};

struct loop {
    BIO *mtls;
    struct peer *peers;
    unsigned long want, busy;             /* N and BUSY */
    unsigned long asked, opening, opened; /* channels of our own */
    unsigned long accepted, closed;
    unsigned long answers, limit; /* of the busy; PACKETS */
    int is_client, measuring;
    double wall, cpu; /* when measuring began */
    MTLS_COUNTERS before;
};

static void fail(const char *what)
{
    fprintf(stderr, "%s\n", what);
    ERR_print_errors_fp(stderr);
    exit(1);
}

static double seconds(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* --- a channel --- */

static struct peer *add(struct loop *l, BIO *channel, int own)
{
    struct peer *p = calloc(1, sizeof(*p));

    if (p == NULL || channel == NULL || !BIO_set_app_data(channel, p))
        fail("No channel");
    p->channel = channel;
    p->own = own;
    p->all = l->peers;
    l->peers = p;
    return p;
}

/*
 * 0 when the channel can't be written to any more. A retry is no error, only
 * for later: WRITABLE will tell. Until then we do not want to hear of more to
 * read, which would be told again in each round.
 */
static int push_out(struct peer *p, size_t len)
{
    int events = MTLS_EVENT_CLOSED, n;

    while (p->sent < len) {
        n = BIO_write(p->channel, p->data + p->sent, (int)(len - p->sent));
        if (n <= 0 && !BIO_should_retry(p->channel))
            return 0;
        if (n <= 0)
            break;
        p->sent += (size_t)n;
    }
    events |= p->sent < len ? MTLS_EVENT_WRITABLE : MTLS_EVENT_READABLE;
    return BIO_mtls_set_events(p->channel, events);
}

static int send_message(struct peer *p)
{
    memset(p->data, 'm', MESSAGE);
    p->sent = p->have = 0;
    return push_out(p, MESSAGE);
}

/* 0 when the channel is at its end; with *n < 0 there is nothing now. */
static int read_some(struct peer *p, int *n)
{
    *n = BIO_read(p->channel, p->data, MESSAGE);
    return *n > 0 || (*n < 0 && BIO_should_retry(p->channel));
}

/* Gives back what comes in. It reads no more before that is written: a peer
 * that does not read is held up by its own window, not by our memory. */
static int echo(struct peer *p)
{
    int n;

    do {
        if (p->sent == p->have) {
            if (!read_some(p, &n))
                return 0;
            if (n <= 0)
                return 1;
            p->sent = 0;
            p->have = (size_t)n;
        }
        if (!push_out(p, p->have))
            return 0;
    } while (p->sent == p->have);
    return 1;
}

static int answer(struct loop *l, struct peer *p)
{
    int n;

    if (p->sent < MESSAGE)
        return push_out(p, MESSAGE);
    for (;;) {
        if (!read_some(p, &n))
            return 0;
        if (n <= 0)
            return 1;
        p->have += (size_t)n;
        if (p->have >= MESSAGE) {
            l->answers++;
            if (!send_message(p))
                return 0;
        }
    }
}

/* --- the session --- */

static void open_more(struct loop *l)
{
    while (l->asked < l->want && l->opening < OPENING) {
        BIO *channel = BIO_new_mtls_channel(l->mtls, "echo:7");

        add(l, channel, 1)->busy = l->asked < l->busy;
        if (BIO_do_connect(channel) <= 0 && !BIO_should_retry(channel))
            fail("Can't open");
        l->asked++;
        l->opening++;
    }
}

static void accept_all(struct loop *l)
{
    BIO *channel;

    while ((channel = BIO_mtls_accept_channel(l->mtls)) != NULL) {
        add(l, channel, 0);
        if (BIO_do_handshake(channel) <= 0)
            fail("Can't accept");
        l->accepted++;
    }
}

static void on_ready(struct loop *l, struct peer *p, int events)
{
    int going = 1;

    if (p->own && !p->opened && (events & MTLS_EVENT_OPEN)) {
        p->opened = 1;
        l->opening--;
        l->opened++;
    }
    if (p->own && !p->opened)
        fail("A channel was refused");
    if (events & (MTLS_EVENT_READABLE | MTLS_EVENT_WRITABLE))
        going = p->own ? answer(l, p) : echo(p);
    if (!going) {
        BIO_mtls_set_events(p->channel, 0);
        l->closed++;
        ERR_clear_error(); /* why does not matter here */
    }
}

/* When all channels of both ends are there, the busy ones begin. */
static void begin(struct loop *l)
{
    if (l->measuring || l->opened < l->want || l->accepted < l->want)
        return;
    l->measuring = 1;
    for (struct peer *p = l->peers; p != NULL; p = p->all)
        if (p->busy && !send_message(p))
            fail("Can't write");
    BIO_mtls_get_counters(l->mtls, &l->before);
    l->wall = seconds(CLOCK_MONOTONIC);
    l->cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
}

static void report(const struct loop *l)
{
    double wall = seconds(CLOCK_MONOTONIC) - l->wall;
    double cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - l->cpu;
    MTLS_COUNTERS now;
    double packets;

    BIO_mtls_get_counters(l->mtls, &now);
    packets = (double)(now.packets_in - l->before.packets_in + now.packets_out -
                       l->before.packets_out);
    printf("channels %llu busy %lu answers %lu packets %.0f "
           "ns_per_packet %.0f cpu_ns_per_packet %.0f\n",
           (unsigned long long)now.channels, l->busy * 2, l->answers, packets,
           wall * 1e9 / packets, cpu * 1e9 / packets);
}

/* --- the loop --- */

/* All that is ready now; how many that were. */
static unsigned long serve(struct loop *l)
{
    unsigned long n = 0;
    int events;
    BIO *b;

    for (; (b = BIO_mtls_next_ready(l->mtls, &events)) != NULL; n++) {
        if (b == l->mtls)
            accept_all(l);
        else
            on_ready(l, BIO_get_app_data(b), events);
    }
    return n;
}

static void await(BIO *mtls)
{
    struct pollfd fd = {.fd = (int)BIO_get_fd(mtls, NULL)};

    if (BIO_should_read(mtls))
        fd.events |= POLLIN;
    if (BIO_should_write(mtls) || BIO_should_io_special(mtls))
        fd.events |= POLLOUT; /* special: connect() is under way */
    poll(&fd, 1, -1);
}

/* 1 when the client has what it wants, 0 when the peer ended the session. */
static int run(struct loop *l)
{
    SSL *ssl = NULL;
    int r;

    BIO_get_ssl(l->mtls, &ssl);
    /* Many small writes, few records: process() sends what has gathered. */
    BIO_mtls_set_cork(l->mtls, 1);
    for (;;) {
        unsigned long n;

        r = BIO_mtls_process(l->mtls);
        if (r <= 0)
            break;
        n = serve(l);
        if (SSL_is_init_finished(ssl))
            open_more(l);
        begin(l);
        if (l->is_client && l->answers >= l->limit)
            return 1;
        /* Whatever was served may have written: that goes out first. */
        if (r == 1 && n == 0)
            await(l->mtls);
    }
    if (r < 0)
        fail("The session failed");
    return 0;
}

/*
 * A close() that leaves octets unread resets the connection, and with it goes
 * what the peer has not read yet: so the rest of what it sends is taken first.
 */
static void await_peer(int fd)
{
    struct pollfd pfd = {.fd = fd, .events = POLLIN};
    char rest[4096];

    shutdown(fd, SHUT_WR);
    while (poll(&pfd, 1, -1) > 0 && read(fd, rest, sizeof(rest)) > 0)
        ;
}

static void end(struct loop *l)
{
    while (l->peers != NULL) {
        struct peer *p = l->peers;

        l->peers = p->all;
        BIO_free(p->channel);
        free(p);
    }
    while (!BIO_mtls_end(l->mtls) && BIO_should_retry(l->mtls))
        await(l->mtls);
    await_peer((int)BIO_get_fd(l->mtls, NULL));
    BIO_free_all(l->mtls);
}

/* --- setting up --- */

static BIO *connect_to(SSL_CTX *ctx, const char *host_port, const char *ca_file)
{
    BIO *bio = BIO_new_ssl_connect(ctx);
    SSL *ssl = NULL;

    if (bio == NULL || !SSL_CTX_load_verify_locations(ctx, ca_file, NULL))
        fail("No client");
    BIO_get_ssl(bio, &ssl);
    SSL_set_verify(ssl, SSL_VERIFY_PEER, NULL);
    if (!SSL_set1_host(ssl, "localhost"))
        fail("No name");
    BIO_set_conn_hostname(bio, host_port);
    BIO_set_nbio(bio, 1); /* before it connects */
    return bio;
}

static BIO *accept_one(SSL_CTX *ctx, const char *host_port, const char *cert,
                       const char *key)
{
    BIO *in = BIO_new_accept(host_port), *socket;

    if (in == NULL || SSL_CTX_use_certificate_chain_file(ctx, cert) <= 0 ||
        SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) <= 0)
        fail("No server");
    BIO_set_bind_mode(in, BIO_BIND_REUSEADDR);
    BIO_set_nbio(in, 1); /* what is accepted does not block */
    if (BIO_do_accept(in) <= 0 || BIO_do_accept(in) <= 0)
        fail("Can't accept");
    socket = BIO_pop(in);
    BIO_free(in);
    return BIO_push(BIO_new_ssl(ctx, 0), socket);
}

static void usage(const char *name)
{
    fprintf(stderr,
            "usage: %s -accept [HOST:]PORT CERT KEY N BUSY\n"
            "       %s -connect HOST:PORT CAFILE N BUSY PACKETS\n",
            name, name);
    exit(2);
}

int main(int argc, char *argv[])
{
    struct loop l = {.is_client = 1};
    SSL_CTX *ctx = SSL_CTX_new(TLS_method());
    BIO *bio;

    if (argc != 7 || ctx == NULL)
        usage(argv[0]);
    signal(SIGPIPE, SIG_IGN);
    if (strcmp(argv[1], "-connect") == 0) {
        bio = connect_to(ctx, argv[2], argv[3]);
        l.want = strtoul(argv[4], NULL, 10);
        l.busy = strtoul(argv[5], NULL, 10);
        l.limit = strtoul(argv[6], NULL, 10);
    } else {
        bio = accept_one(ctx, argv[2], argv[3], argv[4]);
        l.want = strtoul(argv[5], NULL, 10);
        l.busy = strtoul(argv[6], NULL, 10);
        l.is_client = 0;
    }
    l.mtls = BIO_push(BIO_new(BIO_f_mtls()), bio);
    if (run(&l))
        report(&l);
    else
        printf("channels %lu accepted %lu closed %lu\n", l.opened, l.accepted,
               l.closed);
    end(&l);
    SSL_CTX_free(ctx);
    return 0;
}
