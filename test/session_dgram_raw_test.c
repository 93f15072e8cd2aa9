/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* Datagrams to a raw peer that announces small windows and packets. */
#include "core_link.h"

#include "session_dgram.h"
#include "session_local.h"

/* A raw peer's channel of datagrams, whose packets may be longer than that. */
static struct mtls_channel *raw_accepted(struct core_link *link,
                                         uint32_t window, uint32_t *id)
{
    unsigned char p[100];
    struct mtls_channel *c;

    core_raw_open(link, NULL);
    ck_assert(mtls_session_set_datagrams(link->server.session));
    core_say_octets(link, p, core_request_octets(p, 0, window, 16000, "x", 80));
    c = core_accept(&link->server);
    *id = core_hear_only(link, CORE_SUCCESS).answer;
    return c;
}

static void raw_close(struct core_link *link, struct mtls_channel *c)
{
    mtls_session_reset(c);
    mtls_session_release(c);
    core_link_close(link);
}

/* It would wait for ever: the peer has no such window. */
START_TEST(W6_longer_than_any_credit_is_too_long)
{
    unsigned char data[2000] = "";
    struct mtls_channel *c;
    struct core_link link;
    uint32_t id;

    c = raw_accepted(&link, 1000, &id);
    ck_assert_uint_eq(mtls_session_datagram_limit(c), 1000);
    ck_assert(!mtls_session_write_datagram(c, data, 1001));
    ck_assert_uint_eq(mtls_session_deadline(link.server.session), MTLS_NEVER);
    ck_assert(mtls_session_write_datagram(c, data, 1000));
    mtls_session_datagram_sent(link.server.session);
    ck_assert_uint_eq(mtls_session_datagram_limit(c), 1000);
    ck_assert(!mtls_session_write_datagram(c, data, 1000));
    ck_assert_uint_ne(mtls_session_deadline(link.server.session), MTLS_NEVER);
    core_say(&link, "124 4", CORE_ACK, 11, id, 1500); /* it has grown */
    ck_assert_uint_eq(mtls_session_datagram_limit(c), 1500);
    ck_assert(mtls_session_write_datagram(c, data, 1500));
    raw_close(&link, c);
}
END_TEST

/* Nothing is known of a window until there is credit. */
START_TEST(O11_with_no_credit_at_first_it_waits_until_it_knows)
{
    unsigned char data[2000] = "";
    struct mtls_channel *c;
    struct core_link link;
    uint32_t id;

    c = raw_accepted(&link, 0, &id);
    ck_assert(!mtls_session_write_datagram(c, data, 1001));
    ck_assert_uint_ne(mtls_session_deadline(link.server.session), MTLS_NEVER);
    ck_assert(!(mtls_session_events(c) & MTLS_WRITABLE));
    core_say(&link, "124 4", CORE_ACK, 11, id, 1000);
    ck_assert(mtls_session_events(c) & MTLS_WRITABLE);
    ck_assert_uint_eq(mtls_session_datagram_limit(c), 1000);
    ck_assert(mtls_session_write_datagram(c, data, 1000));
    raw_close(&link, c);
}
END_TEST

START_TEST(W4_a_writer_that_waits_hears_of_a_lower_max_packet)
{
    unsigned char data[2000] = "";
    struct mtls_channel *c;
    struct core_link link;
    uint32_t id;

    c = raw_accepted(&link, 2000, &id);
    ck_assert(mtls_session_write_datagram(c, data, 1500));
    mtls_session_datagram_sent(link.server.session);
    ck_assert(!mtls_session_write_datagram(c, data, 1500));
    ck_assert(!(mtls_session_events(c) & MTLS_WRITABLE));
    core_say(&link, "124 4", CORE_NEW_MAX, 11, id, 100);
    ck_assert(mtls_session_events(c) & MTLS_WRITABLE);
    ck_assert_uint_eq(mtls_session_datagram_limit(c), 100);
    raw_close(&link, c);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        W6_longer_than_any_credit_is_too_long,
        O11_with_no_credit_at_first_it_waits_until_it_knows,
        W4_a_writer_that_waits_hears_of_a_lower_max_packet};

    return core_run("session_dgram_raw", tests, core_count(tests));
}
