/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "core_dgram.h"

#include <string.h>

void core_path_open(struct core_path *path,
                    const struct mtls_session_config *config)
{
    memset(path, 0, sizeof(*path));
    core_link_open(&path->link, config);
    core_must(mtls_session_set_datagrams(path->link.client.session));
    core_must(mtls_session_set_datagrams(path->link.server.session));
    mtls_session_set_path_limit(path->link.client.session, 1400);
    mtls_session_set_path_limit(path->link.server.session, 1400);
    path->random = core_random_of(core_seed(1));
}

void core_path_close(struct core_path *path)
{
    core_link_close(&path->link);
}

static void fly(struct core_path *path, struct mtls_session *to,
                const unsigned char *p, size_t len)
{
    struct core_flight *f;

    path->sent++;
    if (core_below(&path->random, 100) < path->lose ||
        path->count == CORE_FLIGHT_MAX) {
        path->lost++;
        return;
    }
    f = &path->flights[path->count++];
    f->to = to;
    f->at = path->link.now + path->delay;
    if (path->jitter != 0)
        f->at += core_below(&path->random, (uint32_t)path->jitter);
    f->len = len;
    core_must(len <= sizeof(f->octets));
    memcpy(f->octets, p, len);
}

static void send_of(struct core_path *path, struct mtls_session *from,
                    struct mtls_session *to)
{
    const unsigned char *p;
    size_t len;

    mtls_session_tick(from);
    while ((p = mtls_session_datagram_out(from, &len)) != NULL) {
        fly(path, to, p, len);
        if (core_below(&path->random, 100) < path->twice)
            fly(path, to, p, len);
        mtls_session_datagram_sent(from);
    }
}

void core_path_send(struct core_path *path)
{
    struct core_link *l = &path->link;

    send_of(path, l->client.session, l->server.session);
    send_of(path, l->server.session, l->client.session);
}

static void land(struct core_path *path)
{
    for (unsigned int i = 0; i < path->count;) {
        struct core_flight *f = &path->flights[i];

        if (f->at > path->link.now) {
            i++;
            continue;
        }
        mtls_session_datagram_in(f->to, f->octets, f->len);
        *f = path->flights[--path->count];
    }
}

void core_path_pass(struct core_path *path, uint64_t time)
{
    for (uint64_t until = path->link.now + time; path->link.now < until;) {
        core_path_send(path);
        core_move(&path->link); /* a millisecond */
        land(path);
    }
    core_check(path->link.client.session);
    core_check(path->link.server.session);
}
