/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * Random schedules: two programs open, accept, write, read, end, reset and
 * release as they please, over random deliveries, windows and limits. A
 * referee reads what goes by; in the end everything that is to arrive has.
 *
 * MTLS_SEED=<n> repeats one schedule. That of the last one, which is the one
 * that failed, is left in the file session_property.seed.
 */
#include "core_link.h"
#include "core_referee.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum {
    SCHEDULES = 2000,
    STEPS = 500,
    LIVE = 24
};

/* One program's channel, and what it knows of the other end's. */
struct user {
    struct mtls_channel *c;
    unsigned int stream; /* what tells its octets from others' */
    uint64_t read;       /* so much of the peer's */
};

/* What went into a stream: known to both ends through its name. */
struct stream {
    uint64_t written[2]; /* by the initiator, by the acceptor */
    int gave_up;         /* reset or released by one before it was read */
};

static struct core_link link;
static struct core_random random_;
static struct user users[2][LIVE];
static struct stream streams[STEPS];
static unsigned int stream_count;

static unsigned char octet_at(unsigned int stream, int way, uint64_t place)
{
    return (unsigned char)(place * 13 + place / 255 + stream * 31 +
                           (unsigned int)way * 7);
}

static struct core_end *side(int which)
{
    return which == 0 ? &link.client : &link.server;
}

static struct user *free_user(int which)
{
    for (int i = 0; i < LIVE; i++)
        if (users[which][i].c == NULL)
            return &users[which][i];
    return NULL;
}

static struct user *any_user(int which)
{
    struct user *u = &users[which][core_below(&random_, LIVE)];

    return u->c != NULL ? u : NULL;
}

/* --- what a program may do --- */

static void do_open(int which)
{
    struct user *u = free_user(which);
    char host[16];
    struct mtls_address to = {host, 0, 1}, from = {"f", 1, 2};

    if (u == NULL || stream_count == STEPS)
        return;
    to.host_len = (size_t)snprintf(host, sizeof(host), "%u", stream_count);
    memset(u, 0, sizeof(*u));
    u->c = mtls_channel_new(side(which)->session, u);
    core_must(u->c != NULL && mtls_channel_set_names(u->c, &to, &from));
    u->stream = stream_count++;
    if (mtls_session_open(u->c) != 0) {
        mtls_session_release(u->c);
        u->c = NULL;
    }
}

static void do_take(int which)
{
    struct mtls_session *s = side(which)->session;
    struct user *u = free_user(which);
    struct mtls_channel *c = u != NULL ? mtls_session_next_asked(s) : NULL;

    if (c == NULL)
        return;
    memset(u, 0, sizeof(*u));
    u->c = c;
    u->stream = (unsigned int)strtoul(mtls_channel_host(c), NULL, 10);
    core_must(u->stream < stream_count);
    if (core_chance(&random_, 8)) {
        core_must(mtls_session_reject(c, "prohibited: chance"));
        mtls_session_release(c);
        u->c = NULL;
    } else if (!core_chance(&random_, 16)) { /* or decide later: never */
        core_must(mtls_session_accept(c));
    }
}

static void fill(struct user *u, unsigned char *p, size_t n)
{
    int way = !u->c->initiator;

    for (size_t i = 0; i < n; i++)
        p[i] = octet_at(u->stream, way, streams[u->stream].written[way] + i);
}

static void do_write(struct user *u, size_t most)
{
    static unsigned char octets[40000];
    size_t n = 1 + core_below(&random_, (uint32_t)most);

    fill(u, octets, n);
    streams[u->stream].written[!u->c->initiator] +=
        mtls_session_write(u->c, octets, n);
}

static void do_draft(struct user *u)
{
    size_t room, n;
    unsigned char *p = mtls_session_write_room(u->c, &room);

    if (p == NULL)
        return;
    n = 1 + core_below(&random_, (uint32_t)room);
    fill(u, p, n);
    if (core_chance(&random_, 8))
        return; /* never mind */
    streams[u->stream].written[!u->c->initiator] += n;
    mtls_session_wrote(u->c, n);
}

static void do_read(struct user *u, size_t most)
{
    static unsigned char octets[40000];
    int way = u->c->initiator;
    size_t n;

    n = mtls_session_read(u->c, octets, 1 + core_below(&random_, most));
    for (size_t i = 0; i < n; i++)
        core_must(octets[i] == octet_at(u->stream, way, u->read + i));
    u->read += n;
}

static void do_drop(struct user *u)
{
    int way = u->c->initiator;
    size_t n;
    const unsigned char *p = mtls_buffer_peek(&u->c->buffer, &n);

    if (p == NULL)
        return;
    n = 1 + core_below(&random_, (uint32_t)n);
    mtls_session_drop(u->c, n);
    for (size_t i = 0; i < n; i++) /* still there, until the next call */
        core_must(p[i] == octet_at(u->stream, way, u->read + i));
    u->read += n;
}

static void do_release(struct user *u)
{
    streams[u->stream].gave_up = 1;
    mtls_session_release(u->c);
    u->c = NULL;
}

static void use(struct user *u)
{
    switch (core_below(&random_, 16)) {
    case 0:
        mtls_session_end_data(u->c);
        break;
    case 1:
        if (core_chance(&random_, 6)) {
            streams[u->stream].gave_up = 1;
            mtls_session_reset(u->c);
        }
        break;
    case 2:
        if (core_chance(&random_, 6))
            do_release(u);
        break;
    case 3:
        mtls_session_set_interest(u->c, core_below(&random_, 16));
        break;
    case 4:
    case 5:
        do_draft(u);
        break;
    case 6:
        do_drop(u);
        break;
    case 7:
    case 8:
    case 9:
        do_write(u, core_chance(&random_, 4) ? 40000 : 300);
        break;
    default:
        do_read(u, core_chance(&random_, 4) ? 40000 : 300);
    }
}

/* --- what the transport may do --- */

static void carry(int from)
{
    struct core_end *end = side(from);
    const unsigned char *p;
    size_t len, n;

    link.now += core_below(&random_, 3000);
    p = mtls_session_send_buf(end->session, &len);
    if (p != NULL) {
        n = core_chance(&random_, 2) ? len : 1 + core_below(&random_, len);
        core_referee_hear(from, p, n);
        core_pipe_put(&end->out, p, n);
        mtls_session_send_ack(end->session, n);
    }
    n = core_chance(&random_, 2) ? 1 + core_below(&random_, 20000)
                                 : 1 + core_below(&random_, 40);
    core_deliver(&end->out, side(!from)->session, n);
}

static void step(void)
{
    int which = (int)core_below(&random_, 2);
    struct user *u;

    switch (core_below(&random_, 8)) {
    case 0:
        do_open(which);
        break;
    case 1:
        do_take(which);
        break;
    case 2:
        mtls_session_send_drafts(side(which)->session);
        break;
    case 3:
    case 4:
        carry(which);
        break;
    default:
        u = any_user(which);
        if (u != NULL)
            use(u);
    }
    core_check(link.client.session);
    core_check(link.server.session);
}

/* --- the end of a schedule --- */

/* All octets there are move; 0 when none did. */
static int carry_all(void)
{
    uint64_t before = core_referee_octets();
    size_t pending = link.client.out.end - link.client.out.start +
                     link.server.out.end - link.server.out.start;
    int moved = pending != 0;

    for (int from = 0; from < 2; from++) {
        mtls_session_send_drafts(side(from)->session);
        do {
            carry(from);
            pending = side(from)->out.end - side(from)->out.start;
        } while (pending != 0 &&
                 mtls_session_can_receive(side(!from)->session));
    }
    return moved || core_referee_octets() != before;
}

/* Each program that is told may do its part; others are not asked. */
static int serve_told(int which)
{
    struct mtls_session *s = side(which)->session;
    struct mtls_channel *c;
    unsigned int events;
    int any = 0;

    mtls_session_new_round(s);
    while ((c = mtls_session_next_ready(s, &events)) != NULL) {
        for (int i = 0; i < LIVE; i++) {
            struct user *u = &users[which][i];

            if (u->c != c)
                continue;
            if (events & MTLS_READABLE) {
                do_read(u, 40000);
                if (c->buffer.length == 0 && c->rx != MTLS_RX_OPEN)
                    mtls_session_told(c);
                any = 1;
            }
            if (events & MTLS_WRITABLE) {
                uint64_t before = c->data_out;

                do_write(u, 1000);
                any |= c->data_out != before;
            }
        }
    }
    return any;
}

/* A write that was refused must be told of, sooner or later: no wedge. */
static void nobody_waits_in_vain(int which)
{
    for (int i = 0; i < LIVE; i++) {
        struct mtls_channel *c = users[which][i].c;

        if (c == NULL || c->life != MTLS_OPEN)
            continue;
        core_must(
            !(c->wants_room && mtls_channel_sends(c) && c->out.credit != 0));
        core_must(c->buffer.length == 0);
    }
}

/* Writers stop when their credit is used up: the readers do not read. */
static void let_writers_run_dry(void)
{
    for (int which = 0; which < 2; which++)
        for (int i = 0; i < LIVE; i++)
            if (users[which][i].c != NULL)
                mtls_session_set_interest(users[which][i].c, 15);
    for (int i = 0, told = 1; told || carry_all(); i++) {
        core_must(i < 20000);
        told = serve_told(0) | serve_told(1);
        /* one may write for ever while the other reads: end that */
        for (int which = 0; i == 50 && which < 2; which++)
            for (int k = 0; k < LIVE; k++)
                if (users[which][k].c != NULL)
                    mtls_session_end_data(users[which][k].c);
    }
    nobody_waits_in_vain(0);
    nobody_waits_in_vain(1);
}

static const struct user *peer_of(int which, const struct user *u)
{
    for (int i = 0; i < LIVE; i++) {
        const struct user *v = &users[!which][i];

        if (v->c != NULL && v->stream == u->stream)
            return v;
    }
    return NULL;
}

/* What both ends still hold, and ended in good order, has arrived whole. */
static void all_arrived(int which)
{
    for (int i = 0; i < LIVE; i++) {
        const struct user *u = &users[which][i];
        const struct user *v;

        if (u->c == NULL || u->c->life != MTLS_OPEN ||
            streams[u->stream].gave_up || (v = peer_of(which, u)) == NULL)
            continue;
        core_must(u->read == streams[u->stream].written[u->c->initiator]);
        core_must(v->c->tx != MTLS_TX_ENDED || u->c->rx == MTLS_RX_ENDED);
    }
}

static void all_released(void)
{
    struct mtls_session_stats stats;

    for (int which = 0; which < 2; which++) {
        struct mtls_channel *c;

        for (int i = 0; i < LIVE; i++)
            if (users[which][i].c != NULL)
                do_release(&users[which][i]);
        while ((c = mtls_session_next_asked(side(which)->session)) != NULL)
            mtls_session_release(c);
    }
    for (int i = 0; carry_all(); i++)
        core_must(i < 10000);
    for (int which = 0; which < 2; which++) {
        struct mtls_channel *c;

        while ((c = mtls_session_next_asked(side(which)->session)) != NULL)
            mtls_session_release(c);
    }
    while (carry_all())
        ;
    for (int which = 0; which < 2; which++) {
        mtls_session_stats(side(which)->session, &stats);
        core_must(stats.channels == 0 && stats.closing == 0);
        core_must(stats.window_memory == 0);
        core_must(stats.malformed == 0);
        core_must(!mtls_session_ended(side(which)->session));
    }
    core_referee_all_closed();
}

static struct mtls_session_config random_config(void)
{
    static const uint32_t windows[] = {1, 2, 100, 512, 1000, 20000, 65536};
    struct mtls_session_config config;

    mtls_session_config_default(&config);
    config.window = windows[core_below(&random_, core_count(windows))];
    config.max_packet = 1 + core_below(&random_, 16375);
    config.max_window = config.window * (1 + core_below(&random_, 8));
    config.max_channels = 2 + core_below(&random_, 40);
    config.session_memory = 1024 + core_below(&random_, 400000);
    config.max_opening = 1 + core_below(&random_, 10);
    config.backlog = 1 + core_below(&random_, 10);
    return config;
}

static void schedule(uint64_t seed)
{
    struct mtls_session_config config;

    random_ = core_random_of(seed);
    config = random_config();
    core_link_open(&link, &config);
    *mtls_session_config(link.server.session) = random_config();
    core_referee_begin();
    memset(users, 0, sizeof(users));
    memset(streams, 0, sizeof(streams));
    stream_count = 0;
    for (int i = 0; i < STEPS; i++)
        step();
    let_writers_run_dry();
    all_arrived(0);
    all_arrived(1);
    all_released();
    core_link_close(&link);
}

/* Check runs the test in a process of its own; this one tells the seed. */
static uint64_t *current;

START_TEST(what_is_written_is_read_whatever_the_schedule)
{
    uint64_t seed = core_seed(0);
    int count = getenv("MTLS_SEED") != NULL ? 1 : SCHEDULES;

    for (int i = 0; i < count; i++) {
        *current = seed + (uint64_t)i;
        schedule(*current);
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        what_is_written_is_read_whatever_the_schedule};

    int failed;

    current = mmap(NULL, sizeof(*current), PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (current == MAP_FAILED)
        return 1;
    failed = core_run("session_property", tests, core_count(tests));
    if (failed)
        printf("MTLS_SEED=%llu\n", (unsigned long long)*current);
    return failed;
}
