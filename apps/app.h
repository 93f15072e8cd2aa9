/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* The loop that both commands run in: turns, seconds, signals, the end. */
#ifndef MTLS_APPS_APP_H
#define MTLS_APPS_APP_H

#include <stdint.h>
#include <sys/queue.h>
#include <uv.h>

struct link;
struct local_sock;
TAILQ_HEAD(link_list, link);
struct chan;
struct watch;
TAILQ_HEAD(watch_list, watch);
TAILQ_HEAD(local_list, local_sock);
TAILQ_HEAD(chan_list, chan);
struct socks;
TAILQ_HEAD(socks_list, socks);
struct datagrams;
TAILQ_HEAD(datagrams_list, datagrams);
struct tlsmux;
TAILQ_HEAD(tlsmux_list, tlsmux);

/* How long a drain waits for channels, in milliseconds. */
#define APP_DRAIN_MS 10000

struct app {
    uv_loop_t loop;
    uv_prepare_t prepare;
    uv_idle_t idle;
    uv_timer_t tick;
    uv_signal_t signals[3];
    struct link_list links;   /* all */
    struct link_list work;    /* those with something to do this turn */
    struct chan_list orphans; /* channels that outlive their link */
    struct local_list linger; /* connections on their way out */
    struct {
        int fd; /* an epoll, which the loop waits for as for a socket */
        uv_poll_t poll;
        struct watch_list ready;
    } watch;
    struct socks_list socks; /* SOCKS clients that have no answer yet */
    struct tlsmux_list tlsmuxes;
    struct datagrams_list datagrams; /* those idle for longest first */
    uint64_t datagrams_idle_s;       /* that end one; 0: none do */
    long keepalive_s;                /* of sessions over DTLS; 0: none */
    uint64_t seconds;                /* that were counted, while it ran */
    size_t n_others;                 /* what else there is to wait for */
    size_t n_short;       /* short pieces that local ends got this turn */
    uint64_t drain_until; /* 0: not draining */
    int status;           /* the exit status */
    void *command;        /* the command's own state */
    /* Stops what would bring new channels. Told once. */
    void (*drain)(struct app *app);
    /* Closes what the loop has besides, as it ends; or NULL. */
    void (*end)(struct app *app);
};

/* app_init prepares the loop; 0, with a message, when it can't. */
int app_init(struct app *app);

/* app_run runs until nothing is left to wait for. Returns the exit status. */
int app_run(struct app *app);

/*
 * app_drain ends the program once no channel is open any more, or after a
 * while. A first SIGINT or SIGTERM does so too.
 */
void app_drain(struct app *app);

/* app_quit ends it at once, as a second signal does. */
void app_quit(struct app *app);

#endif
