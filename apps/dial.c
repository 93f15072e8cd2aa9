/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "dial.h"
#include "race.h"

#include <errno.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

/*
 * Of one pool. Look-ups share the process's threads with other sessions', so
 * that few of one session may be stuck at a time.
 */
#define MAX_LOOKUPS 8
#define MAX_CONNECTS 256

enum dial_stage {
    DIAL_WAITS_LOOKUP,
    DIAL_LOOKS_UP,
    DIAL_WAITS_CONNECT,
    DIAL_CONNECTS,
    DIAL_OVER
};

TAILQ_HEAD(dial_list, dial);

struct dial_pool {
    uv_loop_t *loop;
    unsigned lookups, connects; /* under way */
    unsigned held;              /* dials whose memory libuv still uses */
    int freed;
    struct dial_list all;
};

struct dial {
    TAILQ_ENTRY(dial) node;
    struct dial_pool *pool;
    struct endpoint to;
    const struct allow *rules;
    dial_done *done;
    void *arg;
    enum dial_stage stage;
    unsigned holds; /* by libuv: the timer, a look-up */
    uv_getaddrinfo_t lookup;
    uv_timer_t timer; /* the next step, or the limit */
    uint64_t until;
    struct race_addr *addrs;
    unsigned n_addrs, n_refused;
    struct race *race;
    int datagrams;
    char why[128]; /* not empty: it has failed */
};

struct dial_pool *dial_pool_new(uv_loop_t *loop)
{
    struct dial_pool *pool = calloc(1, sizeof(*pool));

    if (pool != NULL) {
        pool->loop = loop;
        TAILQ_INIT(&pool->all);
    }
    return pool;
}

static void pool_release(struct dial_pool *pool)
{
    if (pool->freed && pool->held == 0)
        free(pool);
}

static void release(struct dial *d)
{
    struct dial_pool *pool = d->pool;

    if (--d->holds > 0)
        return;
    free(d->addrs);
    free(d);
    pool->held--;
    pool_release(pool);
}

static void on_timer_closed(uv_handle_t *handle)
{
    release(handle->data);
}

static void on_timer(uv_timer_t *timer);

/* The next step after |ms|, or the limit if that is sooner. */
static void step_after(struct dial *d, uint64_t ms)
{
    uint64_t now = uv_now(d->pool->loop);
    uint64_t left = d->until > now ? d->until - now : 0;

    uv_timer_start(&d->timer, on_timer, ms < left ? ms : left, 0);
}

/* Lets as many try as there are places free. */
static void wake_waiting(struct dial_pool *pool)
{
    unsigned lookups = MAX_LOOKUPS - pool->lookups;
    unsigned connects = MAX_CONNECTS - pool->connects;
    struct dial *d;

    TAILQ_FOREACH(d, &pool->all, node)
    {
        if (d->stage == DIAL_WAITS_LOOKUP && lookups > 0) {
            lookups--;
            step_after(d, 0);
        } else if (d->stage == DIAL_WAITS_CONNECT && connects > 0) {
            connects--;
            step_after(d, 0);
        }
        if (lookups == 0 && connects == 0)
            return;
    }
}

/* Takes |d| out of everything; it is freed once libuv has let go of it. */
void dial_cancel(struct dial *d)
{
    struct dial_pool *pool = d->pool;
    enum dial_stage stage = d->stage;

    d->stage = DIAL_OVER;
    TAILQ_REMOVE(&pool->all, d, node);
    if (d->race != NULL)
        race_cancel(d->race);
    if (stage == DIAL_LOOKS_UP)
        uv_cancel((uv_req_t *)&d->lookup); /* if it can't, it still counts */
    uv_close((uv_handle_t *)&d->timer, on_timer_closed);
    if (stage == DIAL_CONNECTS) {
        pool->connects--;
        wake_waiting(pool);
    }
}

void dial_pool_free(struct dial_pool *pool)
{
    struct dial *d;

    if (pool == NULL)
        return;
    while ((d = TAILQ_FIRST(&pool->all)) != NULL)
        dial_cancel(d);
    pool->freed = 1;
    pool_release(pool);
}

static void answer(struct dial *d, int fd)
{
    dial_done *done = d->done;
    void *arg = d->arg;
    char why[sizeof(d->why)];

    memcpy(why, d->why, sizeof(why));
    dial_cancel(d);
    done(arg, fd, why);
}

__attribute__((format(printf, 2, 3))) static void
because(struct dial *d, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(d->why, sizeof(d->why), format, args);
    va_end(args);
}

static void on_race(void *arg, int fd, int error)
{
    struct dial *d = arg;

    d->race = NULL;
    if (fd < 0)
        because(d, "connect-failed: %s", strerror(error));
    answer(d, fd);
}

static void start_race(struct dial *d)
{
    int fd;

    if (d->pool->connects >= MAX_CONNECTS) {
        step_after(d, DIAL_LIMIT_MS);
        return;
    }
    d->race = race_new(d->pool->loop, d->addrs, d->n_addrs, on_race, d, &fd);
    if (d->race == NULL) {
        if (fd < 0)
            because(d, "resource-shortage: no memory");
        answer(d, fd);
        return;
    }
    d->stage = DIAL_CONNECTS;
    d->pool->connects++;
    step_after(d, DIAL_LIMIT_MS);
}

static void connect_datagrams(struct dial *d)
{
    int fd = -1, error = EAFNOSUPPORT;

    for (unsigned i = 0; i < d->n_addrs && fd < 0; i++) {
        const struct race_addr *a = &d->addrs[i];

        fd = socket(a->addr.ss_family,
                    SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd >= 0 &&
            connect(fd, (const struct sockaddr *)&a->addr, a->len) == 0)
            break;
        error = errno;
        if (fd >= 0)
            close(fd);
        fd = -1;
    }
    if (fd < 0)
        because(d, "connect-failed: %s", strerror(error));
    answer(d, fd);
}

void dial_datagrams(struct dial *d)
{
    d->datagrams = 1;
}

static void add_addr(struct dial *d, const void *sa, socklen_t len)
{
    struct race_addr *grown =
        realloc(d->addrs, (d->n_addrs + 1) * sizeof(*grown));

    if (grown == NULL)
        return;
    d->addrs = grown;
    memcpy(&grown[d->n_addrs].addr, sa, len);
    grown[d->n_addrs++].len = len;
}

/* Keeps an address if the rules have it. */
static void keep_addr(struct dial *d, const struct sockaddr *sa, socklen_t len)
{
    union addr a;

    if (d->n_addrs == RACE_MAX || len > sizeof(a) ||
        (sa->sa_family != AF_INET && sa->sa_family != AF_INET6))
        return;
    memset(&a, 0, sizeof(a));
    memcpy(&a, sa, len);
    addr_unmap(&a);
    addr_set_port(&a, d->to.port);
    if (d->rules != NULL &&
        (allow_never(d->rules, &a) ||
         (!allow_endpoint(d->rules, &d->to) && !allow_addr(d->rules, &a)))) {
        d->n_refused++;
        return;
    }
    add_addr(d, &a, addr_length(&a));
}

/* The second try goes to the other family, in case this one leads nowhere. */
static void mix_families(struct dial *d)
{
    for (unsigned i = 1; i < d->n_addrs; i++) {
        struct race_addr other = d->addrs[i];

        if (other.addr.ss_family != d->addrs[0].addr.ss_family) {
            memmove(&d->addrs[2], &d->addrs[1], (i - 1) * sizeof(other));
            d->addrs[1] = other;
            return;
        }
    }
}

static void on_lookup(uv_getaddrinfo_t *req, int status, struct addrinfo *res)
{
    struct dial *d = req->data;

    d->pool->lookups--;
    if (d->stage != DIAL_OVER) {
        for (struct addrinfo *ai = res; ai != NULL; ai = ai->ai_next)
            keep_addr(d, ai->ai_addr, ai->ai_addrlen);
        mix_families(d);
        d->stage = DIAL_WAITS_CONNECT;
        if (status != 0)
            because(d, "unknown-host: %s", uv_strerror(status));
        else if (d->n_addrs == 0 ||
                 (d->n_refused > 0 && allow_whole_names(d->rules)))
            because(d, "prohibited: that name has no address to allow");
        step_after(d, 0);
    }
    uv_freeaddrinfo(res);
    wake_waiting(d->pool);
    release(d);
}

static void look_up(struct dial *d)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    int error;

    step_after(d, DIAL_LIMIT_MS);
    if (d->pool->lookups >= MAX_LOOKUPS)
        return;
    d->lookup.data = d;
    error = uv_getaddrinfo(d->pool->loop, &d->lookup, on_lookup, d->to.host,
                           NULL, &hints);
    if (error != 0) {
        because(d, "resource-shortage: %s", uv_strerror(error));
        answer(d, -1);
        return;
    }
    d->holds++;
    d->stage = DIAL_LOOKS_UP;
    d->pool->lookups++;
}

static void on_timer(uv_timer_t *timer)
{
    struct dial *d = timer->data;

    if (d->why[0] == '\0' && uv_now(timer->loop) >= d->until)
        because(d, "connect-failed: %s", strerror(ETIMEDOUT));
    if (d->why[0] != '\0')
        answer(d, -1);
    else if (d->stage == DIAL_WAITS_CONNECT)
        (d->datagrams ? connect_datagrams : start_race)(d);
    else if (d->stage == DIAL_WAITS_LOOKUP)
        look_up(d);
}

/* RFC 6761 6.3: this name is loopback, whatever a server may say of it. */
static void add_localhost(struct dial *d)
{
    union addr a;

    memset(&a, 0, sizeof(a));
    a.v4.sin_family = AF_INET;
    a.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    keep_addr(d, &a.sa, sizeof(a.v4));
    memset(&a, 0, sizeof(a));
    a.v6.sin6_family = AF_INET6;
    a.v6.sin6_addr = in6addr_loopback;
    keep_addr(d, &a.sa, sizeof(a.v6));
}

static void add_unix(struct dial *d)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};

    if (d->rules != NULL && !allow_endpoint(d->rules, &d->to))
        return;
    if (text_copy(un.sun_path, sizeof(un.sun_path), d->to.host))
        add_addr(d, &un, sizeof(un));
}

/* Decides by the text alone what can be; only other names are looked up. */
static void begin(struct dial *d)
{
    d->stage = DIAL_WAITS_CONNECT;
    if (d->to.kind == ADDR_INVALID)
        because(d, "malformed: not a host that can be connected to");
    else if (d->to.kind == ADDR_ODD)
        because(d, "prohibited: a number is not an address");
    else if (d->to.kind == ADDR_IP)
        keep_addr(d, &d->to.ip.sa, addr_length(&d->to.ip));
    else if (d->to.kind == ADDR_UNIX)
        add_unix(d);
    else if (strcmp(d->to.host, "localhost") == 0)
        add_localhost(d);
    else
        d->stage = DIAL_WAITS_LOOKUP;
    if (d->why[0] == '\0' && d->stage == DIAL_WAITS_CONNECT && d->n_addrs == 0)
        because(d, "prohibited: this destination is not allowed");
    step_after(d, 0);
}

struct dial *dial_new(struct dial_pool *pool, const struct endpoint *e,
                      const struct allow *rules, dial_done *done, void *arg)
{
    struct dial *d = calloc(1, sizeof(*d));

    if (d == NULL || uv_timer_init(pool->loop, &d->timer) != 0) {
        free(d);
        return NULL;
    }
    d->pool = pool;
    d->to = *e;
    d->rules = rules;
    d->done = done;
    d->arg = arg;
    d->holds = 1;
    d->timer.data = d;
    d->until = uv_now(pool->loop) + DIAL_LIMIT_MS;
    pool->held++;
    TAILQ_INSERT_TAIL(&pool->all, d, node);
    begin(d);
    return d;
}
