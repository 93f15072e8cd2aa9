/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "core_00.h"

#include "session_00.h"

#include <string.h>

struct core_00 core_00;

void core_00_open(const struct mtls_session_config *config)
{
    core_path_open(&core_00.path, config);
    core_00.path.delay = 5 * 1000;
    core_00.client = core_00.path.link.client.session;
    core_00.server = core_00.path.link.server.session;
    ck_assert(mtls_session_speak_00(core_00.client));
    ck_assert(mtls_session_speak_00(core_00.server));
    for (uint16_t port = 53; port <= 54; port++) {
        ck_assert(mtls_session_allow_port(core_00.client, port));
        ck_assert(mtls_session_allow_port(core_00.server, port));
    }
}

struct mtls_session_stats core_00_stats(const struct mtls_session *session)
{
    struct mtls_session_stats stats;

    mtls_session_stats(session, &stats);
    return stats;
}

void core_00_close(void)
{
    core_path_pass(&core_00.path, 100 * 1000);
    mtls_session_close(core_00.server);
    ck_assert_uint_eq(core_00_stats(core_00.client).window_memory, 0);
    ck_assert_uint_eq(core_00_stats(core_00.server).window_memory, 0);
    core_path_close(&core_00.path);
}

/* From port 7 of the client's. */
struct mtls_channel *core_00_channel(uint16_t port)
{
    const struct mtls_address to = {"localhost", 9, port};
    const struct mtls_address from = {"0.0.0.0", 7, 7};
    struct mtls_channel *c = mtls_channel_new(core_00.client, NULL);

    ck_assert(mtls_channel_set_names(c, &to, &from));
    ck_assert_uint_eq(mtls_session_open(c), 0);
    return c;
}

void core_00_write(struct mtls_channel *c, const char *text)
{
    ck_assert(mtls_session_write_datagram(c, text, strlen(text)));
    core_path_send(&core_00.path);
}

void core_00_expect(struct mtls_channel *c, const char *text)
{
    char got[100] = "";

    ck_assert_uint_eq(mtls_session_read_datagram(c, got, sizeof(got)),
                      strlen(text));
    ck_assert_str_eq(got, text);
}

struct mtls_channel *core_00_accept(void)
{
    struct mtls_channel *c;

    core_path_pass(&core_00.path, 20 * 1000);
    ck_assert_uint_eq(mtls_session_backlog(core_00.server), 1);
    c = mtls_session_next_asked(core_00.server);
    mtls_session_accept(c);
    return c;
}

/* What the peer says by hand, and what is to be said back. */
void core_00_say(uint16_t source, uint16_t destination, const char *text)
{
    unsigned char octets[200];
    size_t n = strlen(text);

    core_octets(octets, "222", source, destination, (unsigned int)n);
    memcpy(octets + 6, text, n);
    mtls_session_datagram_in(core_00.server, octets, 6 + n);
}

void core_00_hear(uint16_t source, uint16_t destination, const char *text)
{
    unsigned char head[6];
    size_t len, n = strlen(text);
    const unsigned char *p = mtls_session_datagram_out(core_00.server, &len);

    core_octets(head, "222", source, destination, (unsigned int)n);
    ck_assert_ptr_nonnull(p);
    ck_assert_uint_eq(len, 6 + n);
    ck_assert_mem_eq(p, head, 6);
    ck_assert_mem_eq(p + 6, text, n);
    mtls_session_datagram_sent(core_00.server);
}

void core_00_silent(void)
{
    size_t len;

    ck_assert_ptr_null(mtls_session_datagram_out(core_00.server, &len));
    ck_assert_ptr_null(mtls_session_send_buf(core_00.server, &len));
}
