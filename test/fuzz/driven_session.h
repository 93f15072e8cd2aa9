/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * A session that a fuzz target drives, and the channels that its program
 * holds. All is static: a target is one program with one session at a time.
 */
#ifndef MTLS_DRIVEN_SESSION_H
#define MTLS_DRIVEN_SESSION_H

#include "session_local.h"

#include <stdlib.h>
#include <string.h>

#define must(what)   \
    do {             \
        if (!(what)) \
            abort(); \
    } while (0)

enum {
    HELD = 16
};

static struct mtls_session *session;
static struct mtls_channel *held[HELD];
static uint64_t now;

/* The peer's octets. */
static void say(const uint8_t *data, size_t size)
{
    while (size > 0) {
        size_t room;
        unsigned char *p = mtls_session_recv_buf(session, &room);

        if (p == NULL)
            return;
        must(room > 0);
        if (room > size)
            room = size;
        memcpy(p, data, room);
        mtls_session_recv_ack(session, room);
        data += room;
        size -= room;
    }
}

static void send_all(void)
{
    const unsigned char *p;
    size_t len;

    while ((p = mtls_session_send_buf(session, &len)) != NULL) {
        must(len > 0 && len <= MTLS_RECORD_SIZE);
        mtls_session_send_ack(session, len);
    }
}

static void open_one(struct mtls_channel **at)
{
    const struct mtls_address name = {"host", 4, 80};

    *at = mtls_channel_new(session, NULL);
    must(*at != NULL && mtls_channel_set_names(*at, &name, &name));
    if (mtls_session_open(*at) == 0)
        return;
    mtls_session_release(*at);
    *at = NULL;
}

static void release(struct mtls_channel **at)
{
    if (*at != NULL)
        mtls_session_release(*at);
    *at = NULL;
}

/* held[0] is open with halves 1 and 1, [1] opening with 3, [2] accepted, 0. */
static void open_three(void)
{
    const uint8_t success[] = {2, 0, 15, 0, 1, 0, 1, 0, 0, 8, 0, 0, 0, 4, 0};
    const uint8_t request[] = {1, 0, 23, 0,   0, 0, 0, 8, 0,   0, 0, 4,
                               0, 0, 1,  's', 0, 0, 0, 1, 'd', 0, 80};

    memset(held, 0, sizeof(held));
    now = 1;
    open_one(&held[0]);
    open_one(&held[1]);
    send_all();
    say(success, sizeof(success));
    say(request, sizeof(request));
    held[2] = mtls_session_next_asked(session);
    must(held[2] != NULL && mtls_session_accept(held[2]));
    send_all();
}

/* Each channel that is ready, and with some event. */
static void take_events(void)
{
    unsigned int events;

    mtls_session_new_round(session);
    while (mtls_session_next_ready(session, &events) != NULL)
        must(events != 0);
}

static void release_all(void)
{
    for (int i = 0; i < HELD; i++)
        release(&held[i]);
}

/* Nothing may be left of channels. */
static void end_session(void)
{
    struct mtls_session_stats stats;

    mtls_session_end(session);
    mtls_session_stats(session, &stats);
    must(stats.channels == 0 && stats.window_memory == 0);
    must(stats.closing == 0 && session->asked == 0);
    must(session->backlog_count == 0 && session->draft_count == 0);
    mtls_session_free(session);
}

#endif
