/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * mtls speed open: channels that are opened, agreed to by the other end and
 * closed again, and handshakes of TLS connections of their own instead: with
 * the client verifying the server, or resuming a session. In memory, one
 * thread doing both ends.
 */
#include "speed.h"

#include "report.h"
#include "speed_pair.h"

#include <mtls/bio_mtls.h>
#include <stdio.h>

#define MANY 100

struct open {
    const struct speed *s;
    size_t n; /* channels at a time */
    int resume;
    struct speed_pair mtls;
    SSL_SESSION *session;
};

/* --- TLS connections -------------------------------------------------------
 */

/* Reads the ticket that came behind the handshake. */
static int take_session(struct open *o, SSL *ssl, BIO *client)
{
    char none;

    if (BIO_read(client, &none, 1) > 0 || !BIO_should_retry(client))
        return 0;
    SSL_SESSION_free(o->session);
    o->session = SSL_get1_session(ssl);
    return o->session != NULL;
}

static int connect_once(struct open *o)
{
    struct speed_pair p;
    SSL *ssl = NULL;
    int resumed = o->session != NULL;
    int ok = speed_pair_new(&p, o->s, SPEED_BASE, 0);

    if (ok) {
        BIO_get_ssl(p.client, &ssl);
        ok = (!resumed || SSL_set_session(ssl, o->session)) &&
             speed_pair_handshake(&p);
    }
    if (ok && (SSL_session_reused(ssl) != resumed ||
               (o->resume && !take_session(o, ssl, p.client)))) {
        report_error("TLS sessions are not resumed as asked");
        ok = 0;
    }
    if (ok) {
        (void)BIO_ssl_shutdown(p.client); /* or it could not be resumed */
        (void)BIO_ssl_shutdown(p.server);
    }
    speed_pair_free(&p);
    return ok;
}

/* --- channels --------------------------------------------------------------
 */

static int open_once(struct open *o)
{
    BIO *near[MANY] = {NULL};
    BIO *far[MANY] = {NULL};
    int ok = speed_pair_open(&o->mtls, near, far, o->n);

    return speed_pair_close(&o->mtls, near, far, o->n) && ok;
}

/* None is left half closed, to be counted without its end. */
static int all_closed(BIO *mtls)
{
    MTLS_COUNTERS now;

    if (BIO_mtls_get_counters(mtls, &now) > 0 && now.channels == 0)
        return 1;
    report_error("channels are left open");
    return 0;
}

/* --- the test --------------------------------------------------------------
 */

static int slice(void *state, enum speed_side side, double metrics[])
{
    struct open *o = state;
    double start = speed_now();
    double now = start;
    double done = 0;
    int ok = 1;

    while (ok && now - start < o->s->seconds) {
        ok = side == SPEED_MTLS ? open_once(o) : connect_once(o);
        done += side == SPEED_MTLS ? (double)o->n : 1;
        now = speed_now();
    }
    metrics[0] = done / (now - start);
    return ok && all_closed(o->mtls.client) && all_closed(o->mtls.server);
}

static int begin(void *state)
{
    struct open *o = state;
    int corked = o->n > 1;

    return speed_pair_new(&o->mtls, o->s, SPEED_MTLS, 0) &&
           speed_pair_handshake(&o->mtls) &&
           BIO_mtls_set_cork(o->mtls.client, corked) > 0 &&
           BIO_mtls_set_cork(o->mtls.server, corked) > 0 &&
           (!o->resume || connect_once(o));
}

static int measure(const struct speed *s, size_t n, int resume)
{
    struct open o = {.s = s, .n = n, .resume = resume};
    struct speed_test test = {begin, slice, &o, SPEED_FOR_A_RUN};
    struct speed_row row = {"open", NULL, 0, "/s", resume ? "resumed" : "full"};
    struct speed_result r;
    char name[32];

    row.name = name;
    snprintf(name, sizeof(name), "open-%zu", n);
    speed_progress(s, row.mode, name, 0);
    if (!speed_measure(s, &test, &r))
        return 0;
    speed_report(s, &row, &r, 0);
    return 1;
}

int speed_open(const struct speed *s)
{
    return measure(s, 1, 0) && measure(s, 1, 1) && measure(s, MANY, 0) &&
           measure(s, MANY, 1);
}
