/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "speed_pair.h"

#include "report.h"

#include <mtls/bio_mtls.h>

/* Flights that a handshake takes at most, and more. */
#define TURNS 10
/* Channels that are being opened at a time. */
#define OPENING 1000

int speed_pair_handshake(BIO *client, BIO *server)
{
    for (int i = 0; i < TURNS; i++) {
        int a = (int)BIO_do_handshake(client);
        int b = (int)BIO_do_handshake(server);

        if (a == 1 && b == 1)
            return 1;
        if ((a <= 0 && !BIO_should_retry(client)) ||
            (b <= 0 && !BIO_should_retry(server)))
            break;
    }
    report_error("the handshake failed");
    return 0;
}

int speed_pair_new(struct speed_pair *p, const struct speed *s,
                   enum speed_side side)
{
    BIO *a = NULL;
    BIO *b = NULL;

    p->client = p->server = NULL;
    if (!BIO_new_bio_pair(&a, SPEED_PAIR_ROOM, &b, SPEED_PAIR_ROOM)) {
        report_error("no BIO pair");
        return 0;
    }
    p->client = speed_tls_bio(s, side, 0, a);
    p->server = speed_tls_bio(s, side, 1, b);
    if (p->client != NULL && p->server != NULL &&
        speed_pair_handshake(p->client, p->server))
        return 1;
    speed_pair_free(p);
    return 0;
}

void speed_pair_free(struct speed_pair *p)
{
    BIO_free_all(p->client);
    BIO_free_all(p->server);
    p->client = p->server = NULL;
}

/* Opens some more, all of which are under way at the same time. */
static int open_batch(const struct speed_pair *p, BIO *near[], BIO *far[],
                      size_t n)
{
    int failed = 0;

    for (size_t i = 0; i < n && !failed; i++) {
        near[i] = BIO_new_mtls_channel(p->client, "localhost:7");
        failed = near[i] == NULL ||
                 (BIO_do_connect(near[i]) <= 0 && !BIO_should_retry(near[i]));
    }
    for (size_t i = 0; i < n && !failed; i++) {
        far[i] = BIO_mtls_accept_channel(p->server);
        failed = far[i] == NULL || BIO_do_handshake(far[i]) <= 0;
    }
    for (size_t i = 0; i < n && !failed; i++)
        failed = BIO_do_connect(near[i]) <= 0;
    return !failed;
}

int speed_pair_open(const struct speed_pair *p, BIO *near[], BIO *far[],
                    size_t n)
{
    for (size_t i = 0; i < n; i += OPENING) {
        size_t some = n - i < OPENING ? n - i : OPENING;

        if (!open_batch(p, near + i, far + i, some)) {
            report_error("a channel can't be opened");
            return 0;
        }
    }
    return 1;
}
