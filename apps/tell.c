/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "tell.h"
#include "link_dtls.h"

#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/x509.h>
#include <stdio.h>

static const char *const channel_ends[] = {
    [CHAN_ENDED] = "ended",
    [CHAN_RESET] = "reset",
    [CHAN_TRUNCATED] = "truncated",
    [CHAN_REFUSED] = "refused",
};

static const char *const session_ends[] = {
    [LINK_ENDED] = "ended",           [LINK_FAILED] = "failed",
    [LINK_TIMED_OUT] = "timed-out",   [LINK_NO_HANDSHAKE] = "no-handshake",
    [LINK_UNVERIFIED] = "unverified",
};

/* --- a session ----------------------------------------------------------- */

static void put_certificate(BIO *out, SSL *ssl)
{
    X509 *peer = SSL_get0_peer_certificate(ssl);
    int nid;

    if (peer == NULL) {
        BIO_puts(out, "No peer certificate\n");
    } else {
        BIO_puts(out, "Peer certificate: ");
        X509_NAME_print_ex(out, X509_get_subject_name(peer), 0,
                           XN_FLAG_ONELINE & ~ASN1_STRFLGS_ESC_MSB);
        BIO_puts(out, "\n");
    }
    if (SSL_get_peer_signature_nid(ssl, &nid) && nid != NID_undef)
        BIO_printf(out, "Hash used: %s\n", OBJ_nid2sn(nid));
    if (peer == NULL)
        return;
    if (SSL_get_verify_mode(ssl) == SSL_VERIFY_NONE)
        BIO_puts(out, "Verification: none\n");
    else
        BIO_printf(
            out, "Verification: %s\n",
            SSL_get_verify_result(ssl) == X509_V_OK
                ? "OK"
                : X509_verify_cert_error_string(SSL_get_verify_result(ssl)));
}

/* The block that openssl s_client -brief shows. */
static void put_brief(SSL *ssl)
{
    BIO *out = BIO_new_fp(stderr, BIO_NOCLOSE);

    if (out == NULL)
        return;
    BIO_printf(out,
               "CONNECTION ESTABLISHED\nProtocol version: %s\n"
               "Ciphersuite: %s\n",
               SSL_get_version(ssl), SSL_get_cipher_name(ssl));
    put_certificate(out, ssl);
    BIO_free(out);
    ERR_clear_error();
}

static void session_alpn(SSL *ssl, char out[256])
{
    const unsigned char *name;
    unsigned int len;

    SSL_get0_alpn_selected(ssl, &name, &len);
    snprintf(out, 256, "%.*s", (int)len, (const char *)name);
}

/* Over DTLS, that has the certificates and ALPN, and |ssl| is bound to it. */
static void tell_open(SSL *ssl, SSL *dtls, const char *peer)
{
    static uint64_t handshakes; /* of this process */
    SSL *first = dtls != NULL ? dtls : ssl;
    char alpn[256];
    struct event e;

    handshakes++;
    session_alpn(first, alpn);
    if (report_style() == REPORT_BRIEF) {
        put_brief(first);
        if (dtls != NULL)
            put_brief(ssl);
    }
    event_begin(&e, "session-open");
    event_text(&e, "peer", peer);
    event_text(&e, "tls", SSL_get_version(ssl));
    event_text(&e, "cipher", SSL_get_cipher_name(ssl));
    if (dtls != NULL) {
        event_text(&e, "dtls", SSL_get_version(dtls));
        event_text(&e, "dtls_cipher", SSL_get_cipher_name(dtls));
    }
    event_text(&e, "alpn", alpn);
    event_flag(&e, "resumed", SSL_session_reused(ssl));
    event_number(&e, "handshakes", handshakes);
    event_line(
        &e, "session with %s: %s, %s%s%s%s%s%s%s%s", peer, SSL_get_version(ssl),
        SSL_get_cipher_name(ssl), dtls != NULL ? ", " : "",
        dtls != NULL ? SSL_get_version(dtls) : "", dtls != NULL ? ", " : "",
        dtls != NULL ? SSL_get_cipher_name(dtls) : "",
        *alpn != '\0' ? ", ALPN " : "", alpn,
        SSL_session_reused(ssl) ? ", resumed" : "");
    event_end(&e);
}

void tell_tls_open(SSL *ssl, const char *peer)
{
    tell_open(ssl, NULL, peer);
}

void tell_session_open(struct link *k)
{
    tell_open(k->ssl, link_dtls_ssl(k), k->peer);
}

static void put_counters(struct event *e, const MTLS_COUNTERS *c)
{
    const struct {
        const char *name;
        uint64_t value;
    } all[] = {{"data_in", c->data_in},
               {"data_out", c->data_out},
               {"packets_in", c->packets_in},
               {"packets_out", c->packets_out},
               {"octets_in", c->octets_in},
               {"octets_out", c->octets_out},
               {"ignored", c->ignored},
               {"malformed", c->malformed},
               {"refused", c->refused},
               {"channels_opened", c->channels_opened},
               {"channels_accepted", c->channels_accepted},
               {"channels_reset", c->channels_reset},
               {"channels", c->channels},
               {"closing", c->closing},
               {"window_memory", c->window_memory},
               {"datagrams_dropped", c->datagrams_dropped}};

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        event_number(e, all[i].name, all[i].value);
}

void tell_session_close(struct link *k)
{
    MTLS_COUNTERS c = chan_counters(k->m);
    struct event e;

    event_begin(&e, "session-close");
    event_text(&e, "peer", k->peer);
    event_text(&e, "how", session_ends[k->end]);
    event_text(&e, "text", k->why);
    put_counters(&e, &c);
    event_line(&e,
               "session with %s %s%s%s; %llu channels, %llu octets in, "
               "%llu out",
               k->peer, session_ends[k->end], *k->why != '\0' ? ": " : "",
               k->why,
               (unsigned long long)(c.channels_opened + c.channels_accepted),
               (unsigned long long)c.data_in, (unsigned long long)c.data_out);
    event_end(&e);
}

/* --- a channel ------------------------------------------------------------ */

/* The members and the text that every line about a channel begins with. */
static void begin_channel(struct event *e, const char *name,
                          const struct chan *c)
{
    char id[9], destination[ADDR_TEXT_MAX];

    event_begin(e, name);
    event_text(e, "id", chan_id(c->bio, id));
    event_text(e, "destination", chan_destination(c->bio, destination));
    event_text(e, "source", BIO_mtls_get_source(c->bio));
    if (c->link != NULL)
        event_text(e, "peer", c->link->peer);
}

void tell_channel_open(const struct chan *c)
{
    char id[9], destination[ADDR_TEXT_MAX];
    const char *source = BIO_mtls_get_source(c->bio);
    struct event e;

    if (report_style() == REPORT_QUIET)
        return;
    begin_channel(&e, "channel-open", c);
    event_line(&e, "channel %s to %s from %s open", chan_id(c->bio, id),
               chan_destination(c->bio, destination),
               source != NULL ? source : "?");
    event_end(&e);
}

void tell_channel_close(const struct chan *c, enum chan_end how,
                        const char *why)
{
    char id[9], destination[ADDR_TEXT_MAX];
    MTLS_COUNTERS n;
    struct event e;

    if (report_style() == REPORT_QUIET)
        return;
    n = chan_counters(c->bio);
    begin_channel(&e, "channel-close", c);
    event_number(&e, "octets_in", n.data_in);
    event_number(&e, "octets_out", n.data_out);
    if (c->dropped > 0)
        event_number(&e, "dropped", c->dropped);
    event_text(&e, "how", channel_ends[how]);
    event_text(&e, "text", why);
    event_line(&e, "channel %s to %s %s%s%s; %llu octets in, %llu out",
               chan_id(c->bio, id), chan_destination(c->bio, destination),
               channel_ends[how], *why != '\0' ? ": " : "", why,
               (unsigned long long)n.data_in, (unsigned long long)n.data_out);
    event_end(&e);
}

/* --- SIGUSR1 ---------------------------------------------------------------
 */

static void tell_row(const struct chan *c)
{
    char id[9], destination[ADDR_TEXT_MAX];
    const char *source = BIO_mtls_get_source(c->bio);
    uint64_t age = (uv_now(&c->app->loop) - c->since) / 1000;
    MTLS_COUNTERS n = chan_counters(c->bio);
    struct event e;

    begin_channel(&e, "channel", c);
    event_text(&e, "state", c->ops->state(c));
    event_number(&e, "octets_in", n.data_in);
    event_number(&e, "octets_out", n.data_out);
    event_number(&e, "age", age);
    event_line(&e, "%-8s  %-10s  %12llu  %12llu  %6llu  %s from %s",
               chan_id(c->bio, id), c->ops->state(c),
               (unsigned long long)n.data_in, (unsigned long long)n.data_out,
               (unsigned long long)age, chan_destination(c->bio, destination),
               source != NULL ? source : "?");
    event_end(&e);
}

void tell_table(const struct link *k)
{
    const struct chan *c;
    struct event e;

    event_begin(&e, "session");
    event_text(&e, "peer", k->peer);
    event_number(&e, "channels", k->n_channels);
    event_line(&e, "session with %s: %zu channels", k->peer, k->n_channels);
    if (k->n_channels > 0)
        event_line(&e, "%-8s  %-10s  %12s  %12s  %6s  %s", "id", "state",
                   "octets in", "octets out", "age", "destination, source");
    event_end(&e);
    TAILQ_FOREACH(c, &k->channels, node)
    {
        tell_row(c);
    }
}

/* --- -msg and -debug --------------------------------------------------------
 */

static void show_packet(int write_p, int type, const void *buf, size_t len,
                        BIO *m, void *arg)
{
    BIO *out = arg;

    if (type != MTLS_MSG_DATA)
        BIO_mtls_trace(write_p, type, buf, len, m, out);
    BIO_dump_indent(out, buf, (int)len, 4);
}

static BIO *trace_out; /* standard error */

void tell_trace_end(void)
{
    BIO_free(trace_out);
    trace_out = NULL;
}

BIO *tell_trace_out(const struct options *o)
{
    if (trace_out == NULL && (o->msg || o->debug))
        trace_out = BIO_new_fp(stderr, BIO_NOCLOSE);
    return trace_out;
}

void tell_trace(BIO *m, const struct options *o)
{
    if (tell_trace_out(o) != NULL)
        BIO_mtls_set_msg_callback(m, o->debug ? show_packet : BIO_mtls_trace,
                                  trace_out);
}
