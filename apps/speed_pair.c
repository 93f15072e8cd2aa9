/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "speed_pair.h"

#include "report.h"

#include <mtls/bio_mtls.h>

/* Flights that a handshake takes at most, and more. */
#define TURNS 10
/* Requests that a pair of the size that OpenSSL gives it holds. */
#define OPENING 100

int speed_pair_new(struct speed_pair *p, const struct speed *s,
                   enum speed_side side, size_t room)
{
    BIO *a = NULL;
    BIO *b = NULL;

    p->client = p->server = NULL;
    if (!BIO_new_bio_pair(&a, room, &b, room)) {
        report_error("no BIO pair");
        return 0;
    }
    p->client = speed_tls_bio(s, side, 0, a);
    p->server = speed_tls_bio(s, side, 1, b);
    return p->client != NULL && p->server != NULL;
}

int speed_pair_handshake(const struct speed_pair *p)
{
    for (int i = 0; i < TURNS; i++) {
        int a = (int)BIO_do_handshake(p->client);
        int b = (int)BIO_do_handshake(p->server);

        if (a == 1 && b == 1)
            return 1;
        if ((a <= 0 && !BIO_should_retry(p->client)) ||
            (b <= 0 && !BIO_should_retry(p->server)))
            break;
    }
    report_error("the handshake failed");
    return 0;
}

void speed_pair_free(struct speed_pair *p)
{
    BIO_free_all(p->client);
    BIO_free_all(p->server);
    p->client = p->server = NULL;
}

static int open_some(const struct speed_pair *p, BIO *near[], BIO *far[],
                     size_t n)
{
    int ok = 1;

    for (size_t i = 0; ok && i < n; i++) {
        near[i] = BIO_new_mtls_channel(p->client, "localhost:7");
        ok = near[i] != NULL &&
             (BIO_do_connect(near[i]) > 0 || BIO_should_retry(near[i]));
    }
    ok = ok && BIO_flush(p->client) > 0;
    for (size_t i = 0; ok && i < n; i++) {
        far[i] = BIO_mtls_accept_channel(p->server);
        ok = far[i] != NULL && BIO_do_handshake(far[i]) > 0;
    }
    ok = ok && BIO_flush(p->server) > 0;
    for (size_t i = 0; ok && i < n; i++)
        ok = BIO_do_connect(near[i]) > 0;
    if (!ok)
        report_error("a channel can't be opened");
    return ok;
}

int speed_pair_open(const struct speed_pair *p, BIO *near[], BIO *far[],
                    size_t n)
{
    int ok = 1;

    for (size_t i = 0; ok && i < n; i += OPENING)
        ok = open_some(p, near + i, far + i, n - i < OPENING ? n - i : OPENING);
    return ok;
}

/* Sends what both have to say, until the last Confirmation has come. */
int speed_pair_close(const struct speed_pair *p, BIO *near[], BIO *far[],
                     size_t n)
{
    int ok = 1;

    for (size_t i = 0; i < n; i++) {
        BIO_free(near[i]);
        near[i] = NULL;
    }
    ok = BIO_mtls_process(p->client) > 0 && BIO_mtls_process(p->server) > 0;
    for (size_t i = 0; i < n; i++) {
        BIO_free(far[i]);
        far[i] = NULL;
    }
    return BIO_mtls_process(p->server) > 0 && BIO_mtls_process(p->client) > 0 &&
           ok;
}
