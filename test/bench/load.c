/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * Load for whatever stands between: a server that sends back what it gets,
 * and clients that count. One thread and epoll at each end, loopback alone.
 *
 *   load echo N     listens on N ports and prints them
 *   load connect PORT AT_ONCE SECONDS
 *                   connect, 64 octets there and back, close
 *   load ping PORT SECONDS
 *                   64 octets there and back, on one connection
 *   load hold PORT SECONDS
 *                   for each number read from standard input, opens
 *                   connections until there are as many or the time is up,
 *                   sees 64 octets come back on each, prints how many are
 *                   open and how many failed
 */
#include "samples.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define OCTETS 64
#define EVENTS 256
/* Nothing for so many milliseconds: the rest will not come. */
#define STALLED 5000

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

/* A whole number from 1 to |max|, or the end. */
static long number(const char *text, long max)
{
    char *end;
    long n = strtol(text, &end, 10);

    if (end == text || (*end != '\0' && *end != '\n') || n < 1 || n > max) {
        fprintf(stderr, "not a number from 1 to %ld: %s\n", max, text);
        exit(2);
    }
    return n;
}

static double seconds(const char *text)
{
    char *end;
    double s = strtod(text, &end);

    if (end == text || *end != '\0' || !(s > 0 && s <= 600)) {
        fprintf(stderr, "not a time in seconds: %s\n", text);
        exit(2);
    }
    return s;
}

static struct sockaddr_in loopback(int port)
{
    struct sockaddr_in a;

    memset(&a, 0, sizeof(a));
    a.sin_family = AF_INET;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    a.sin_port = htons((uint16_t)port);
    return a;
}

static void no_delay(int fd)
{
    int on = 1;

    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0)
        fail("TCP_NODELAY");
}

static void watch(int poller, int how, int fd, uint32_t events)
{
    struct epoll_event e;

    memset(&e, 0, sizeof(e));
    e.events = events;
    e.data.fd = fd;
    if (epoll_ctl(poller, how, fd, &e) != 0)
        fail("epoll_ctl");
}

/* --- the server --- */

static int listen_somewhere(int poller)
{
    struct sockaddr_in a = loopback(0);
    socklen_t len = sizeof(a);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) != 0 ||
        listen(fd, 4096) != 0 ||
        getsockname(fd, (struct sockaddr *)&a, &len) != 0)
        fail("listen");
    watch(poller, EPOLL_CTL_ADD, fd, EPOLLIN);
    printf("%d\n", ntohs(a.sin_port));
    return fd;
}

static void accept_all(int poller, int listener)
{
    int fd;

    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        no_delay(fd);
        watch(poller, EPOLL_CTL_ADD, fd, EPOLLIN);
    }
    if (errno == EMFILE || errno == ENFILE)
        fail("accept");
}

static void send_back(int fd)
{
    char data[16384];
    ssize_t n = recv(fd, data, sizeof(data), 0);

    if (n < 0 && errno == EAGAIN)
        return;
    /* What clients here send is so short that it goes in one piece. */
    if (n <= 0 || send(fd, data, (size_t)n, MSG_NOSIGNAL) != n)
        close(fd);
}

static void serve(int ports)
{
    struct epoll_event e[EVENTS];
    int poller = epoll_create1(0), last = -1;

    for (int i = 0; i < ports; i++)
        last = listen_somewhere(poller);
    fflush(stdout);
    for (;;) {
        int n = epoll_wait(poller, e, EVENTS, -1);

        for (int i = 0; i < n; i++) {
            /* Listeners were made first, so they have the lowest numbers. */
            if (e[i].data.fd <= last)
                accept_all(poller, e[i].data.fd);
            else
                send_back(e[i].data.fd);
        }
    }
}

/* --- clients --- */

enum phase {
    CONNECTING,
    ASKED,
    HELD
};

struct connection {
    double begun;
    enum phase phase;
    int got;
};

struct client {
    struct connection *all; /* by descriptor */
    int room, poller, port;
    int keep;             /* a connection that was answered stays */
    unsigned long open;   /* not yet answered */
    unsigned long held;   /* answered and kept */
    unsigned long failed; /* ended without an answer */
    struct samples samples;
};

static void begin(struct client *c)
{
    struct sockaddr_in a = loopback(c->port);
    double now = samples_now();
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

    if (fd < 0)
        fail("socket");
    if (fd >= c->room) {
        c->room = fd < 512 ? 1024 : 2 * fd;
        c->all = realloc(c->all, (size_t)c->room * sizeof(*c->all));
        if (c->all == NULL)
            fail("realloc");
    }
    no_delay(fd);
    if (connect(fd, (struct sockaddr *)&a, sizeof(a)) != 0 &&
        errno != EINPROGRESS)
        fail("connect");
    c->all[fd].begun = now;
    c->all[fd].phase = CONNECTING;
    c->all[fd].got = 0;
    c->open++;
    watch(c->poller, EPOLL_CTL_ADD, fd, EPOLLOUT);
}

static void ask(struct client *c, int fd)
{
    static const char message[OCTETS];

    if (send(fd, message, OCTETS, MSG_NOSIGNAL) != OCTETS) {
        close(fd);
        c->open--;
        c->failed++;
        return;
    }
    c->all[fd].phase = ASKED;
    watch(c->poller, EPOLL_CTL_MOD, fd, EPOLLIN);
}

static void on_answer(struct client *c, int fd)
{
    char data[OCTETS];
    ssize_t n = recv(fd, data, OCTETS, 0);

    if (n < 0 && errno == EAGAIN)
        return;
    c->all[fd].got += n > 0 ? (int)n : 0;
    if (n > 0 && c->all[fd].got < OCTETS)
        return;
    c->open--;
    if (n <= 0)
        c->failed++;
    else
        samples_add(&c->samples, samples_now() - c->all[fd].begun);
    if (n > 0 && c->keep) {
        c->all[fd].phase = HELD;
        c->held++;
        watch(c->poller, EPOLL_CTL_MOD, fd, EPOLLRDHUP);
    } else {
        close(fd);
    }
}

static void on_event(struct client *c, int fd)
{
    switch (c->all[fd].phase) {
    case CONNECTING:
        ask(c, fd);
        break;
    case ASKED:
        on_answer(c, fd);
        break;
    case HELD: /* the other end closed it */
        close(fd);
        c->held--;
        break;
    }
}

/* One wait, and what came of it. 0 when nothing will come any more. */
static int step(struct client *c)
{
    struct epoll_event e[EVENTS];
    int n = epoll_wait(c->poller, e, EVENTS, STALLED);

    for (int i = 0; i < n; i++)
        on_event(c, e[i].data.fd);
    if (n == 0) {
        fprintf(stderr, "stalled with %lu connections unanswered\n", c->open);
        c->failed += c->open;
        c->open = 0;
    }
    return n != 0;
}

static void connect_often(struct client *c, unsigned long at_once, double time)
{
    double start = samples_now();

    do {
        while (c->open < at_once && samples_now() - start < time)
            begin(c);
    } while (c->open > 0 && step(c));
    samples_print(&c->samples, samples_now() - start, c->failed);
}

static void hold(struct client *c, double time)
{
    char line[32];
    double start;

    c->keep = 1;
    while (fgets(line, sizeof(line), stdin) != NULL) {
        unsigned long want = (unsigned long)number(line, 1000000);

        c->failed = 0;
        start = samples_now();
        do {
            while (c->open < 64 && c->held + c->open + c->failed < want &&
                   samples_now() - start < time)
                begin(c);
        } while (c->open > 0 && step(c));
        printf("held %lu failed %lu\n", c->held, c->failed);
        fflush(stdout);
    }
}

static void ping(int port, double time)
{
    struct sockaddr_in a = loopback(port);
    struct samples samples = {0};
    char data[OCTETS] = {0};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    double start = samples_now(), now = start, asked;

    if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) != 0)
        fail("connect");
    no_delay(fd);
    while (now - start < time) {
        asked = now;
        if (send(fd, data, OCTETS, MSG_NOSIGNAL) != OCTETS ||
            recv(fd, data, OCTETS, MSG_WAITALL) != OCTETS)
            fail("ping");
        now = samples_now();
        samples_add(&samples, now - asked);
    }
    samples_print(&samples, now - start, 0);
    samples_free(&samples);
    close(fd);
}

int main(int argc, char *argv[])
{
    const char *mode = argc > 2 ? argv[1] : "";
    struct client c = {.poller = epoll_create1(0)};

    if (c.poller < 0)
        fail("epoll_create1");
    if (argc == 3 && strcmp(mode, "echo") == 0) {
        serve((int)number(argv[2], 64));
    } else if (argc == 5 && strcmp(mode, "connect") == 0) {
        c.port = (int)number(argv[2], 65535);
        connect_often(&c, (unsigned long)number(argv[3], 4096),
                      seconds(argv[4]));
    } else if (argc == 4 && strcmp(mode, "ping") == 0) {
        ping((int)number(argv[2], 65535), seconds(argv[3]));
    } else if (argc == 4 && strcmp(mode, "hold") == 0) {
        c.port = (int)number(argv[2], 65535);
        hold(&c, seconds(argv[3]));
    } else {
        fputs("usage: load echo N | connect PORT AT_ONCE SECONDS | "
              "ping PORT SECONDS | hold PORT SECONDS\n",
              stderr);
        return 2;
    }
    samples_free(&c.samples);
    free(c.all);
    return 0;
}
