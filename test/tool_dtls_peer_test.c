/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* What a server keeps of a client until its turn: a burst, but no flood. */
#include "dtls_peer.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

/* As many lines as somebody may pipe into the client at once. */
#define BURST 2000
/* Of a datagram in memory: more than is kept for one of 60 octets. */
#define FLOOD (8 * 1024 * 1024)

static struct dtls_peer *peer;
static BIO *bio;
static int gone;

/* The socket is not what this is about. */
ssize_t udp_door_send(struct udp_door *d, const union addr *from,
                      const union addr *to, const void *p, size_t n)
{
    (void)d;
    (void)from;
    (void)to;
    (void)p;
    return (ssize_t)n;
}

long udp_door_mtu(const union addr *from, const union addr *to)
{
    (void)from;
    (void)to;
    return 0;
}

static void on_gone(struct dtls_peer *p)
{
    ck_assert_ptr_eq(p, peer);
    gone++;
}

static void begin(void)
{
    gone = 0;
    bio = dtls_peer_new(&peer, NULL, on_gone);
    ck_assert_ptr_nonnull(bio);
}

static void end(void)
{
    BIO_free(bio);
    ck_assert_int_eq(gone, 1);
}

START_TEST(a_burst_waits_for_its_turn)
{
    char in[60], out[100];

    memset(in, 0, sizeof(in));
    for (int i = 0; i < BURST; i++) {
        memcpy(in, &i, sizeof(i));
        dtls_peer_put(peer, in, sizeof(in));
    }
    ck_assert_uint_eq(peer->dropped, 0);
    for (int i = 0; i < BURST; i++) {
        ck_assert_int_eq(BIO_pending(bio), sizeof(in));
        ck_assert_int_eq(BIO_read(bio, out, sizeof(out)), sizeof(in));
        ck_assert_mem_eq(out, &i, sizeof(i));
    }
    ck_assert_int_eq(BIO_pending(bio), 0);
    ck_assert_int_eq(BIO_read(bio, out, sizeof(out)), -1);
    ck_assert(BIO_should_read(bio));
}
END_TEST

START_TEST(a_flood_is_dropped)
{
    static const size_t sizes[] = {1, 60, 1400, 16384};
    static char octets[16384];

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        size_t kept = 0, most = (size_t)512 * 1024 / (sizes[i] + 16);
        int n;

        for (size_t sent = 0; sent < FLOOD; sent += sizes[i] + 100)
            dtls_peer_put(peer, octets, sizes[i]);
        ck_assert_uint_gt(peer->dropped, 0);
        peer->dropped = 0;
        while ((n = BIO_read(bio, octets, sizeof(octets))) > 0) {
            ck_assert_int_eq(n, (int)sizes[i]);
            kept++;
        }
        ck_assert_uint_gt(kept, 0);
        ck_assert_uint_le(kept, most);
    }
}
END_TEST

/* DTLS would take it for the end, and anybody can send one. */
START_TEST(an_empty_datagram_is_nothing)
{
    char out[10];

    dtls_peer_put(peer, "", 0);
    ck_assert_int_eq(BIO_read(bio, out, sizeof(out)), -1);
    ck_assert(BIO_should_read(bio));
    dtls_peer_put(peer, "", 0);
    dtls_peer_put(peer, "one", 3);
    ck_assert_int_eq(BIO_read(bio, out, sizeof(out)), 3);
}
END_TEST

/* Who goes takes along what nobody has read. */
START_TEST(who_goes_leaves_nothing)
{
    dtls_peer_put(peer, "unread", 6);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tool_dtls_peer");
    TCase *tc = tcase_create("queue");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tc, begin, end);
    tcase_add_test(tc, a_burst_waits_for_its_turn);
    tcase_add_test(tc, a_flood_is_dropped);
    tcase_add_test(tc, an_empty_datagram_is_nothing);
    tcase_add_test(tc, who_goes_leaves_nothing);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
