/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "sign.h"
#include "link.h"
#include "report.h"
#include "tls_conf.h"

#include <mtls/tls_sign.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

#ifdef MTLS_HAVE_XMLDSIG
#include <mtls/tls_sign_xmldsig.h>
#endif

/* The most of a local connection's octets that become one message. */
#define MESSAGE (64 * 1024)

#define AT(member) offsetof(struct options, member)

/* clang-format off */
const struct option options_sign[] = {
    {NULL, OPTION_HEADING, 0, NULL, "Signatures (TLS Sign)", 0, 0},
    {"sign", OPTION_TEXT, AT(sign), "FORMAT[:FORMAT]...",
     "sign the data of channels, if the other end does: pkcs7,\n"
     "smime or xmldsig; a server takes any of those it names", 0, 0},
    {"sign_require", OPTION_FLAG, AT(sign_require), NULL,
     "refuse an end, and data, without signatures", 0, 0},
    {"sign_receipt", OPTION_FLAG, AT(sign_receipt), NULL,
     "ask for a signed receipt for each message", 0, 0},
    {"evidence", OPTION_TEXT, AT(evidence), "LOG",
     "append what is signed to this log (see mtls audit)", 0, 0},
    {NULL, OPTION_HEADING, 0, NULL, NULL, 0, 0},
};
/* clang-format on */

/* The filter that each channel's is a copy of; NULL: none. */
static BIO *model;
static int required;

struct signing {
    BIO *top;
    char in[MESSAGE], out[MESSAGE];
    int in_at, in_len;
    int out_len; /* a message that the filter has not taken */
};

/* --- what the options ask for --- */

static int complain(const char *option, const char *value)
{
    report_error("-%s %s can't be used", option, value);
    return 0;
}

void sign_init(void)
{
#ifdef MTLS_HAVE_XMLDSIG
    if (!MTLS_xmldsig_init())
        ERR_clear_error(); /* who needs it will be told */
#endif
}

static int offer(const struct options *o, SSL_CTX *ctx)
{
    if (strstr(o->sign, "xmldsig") != NULL)
        sign_init();
    return MTLS_sign_offer(ctx, o->sign, o->sign_require);
}

/* Whether each has the name of a content format, if not one that is here. */
static int are_formats(const char *names)
{
    char name[16];

    for (;;) {
        size_t n = strcspn(names, ":");

        if (n >= sizeof(name))
            return 0;
        memcpy(name, names, n);
        name[n] = '\0';
        if (MTLS_sign_format_by_name(name) < 0)
            return 0;
        if (names[n] == '\0')
            return 1;
        names += n + 1;
    }
}

int sign_check(const struct options *o)
{
    if (o->sign != NULL && !are_formats(o->sign))
        return options_complain(o->command, "-sign",
                                ": pkcs7, smime or xmldsig, please");
    if (o->sign == NULL &&
        (o->sign_require || o->sign_receipt || o->evidence != NULL))
        return options_complain(
            o->command, "-sign",
            ": -sign_require, -sign_receipt and -evidence need it");
    if (o->sign != NULL && (o->tlsmux || o->mtls00))
        return options_complain(o->command, "-sign",
                                ": not with -tlsmux or -mtls00");
    return 1;
}

/* What was not whole when the last writer was stopped. */
static void tell_torn(const struct options *o)
{
    char *file;
    long octets = BIO_tls_sign_get1_torn(model, &file);

    if (octets <= 0)
        return;
    report_note("-evidence %s: its last entry was unfinished; its %ld octets "
                "are in %s now",
                o->evidence, octets, file);
    OPENSSL_free(file);
}

int sign_start(const struct options *o, SSL_CTX *ctx)
{
    if (o->sign == NULL)
        return 1;
    if (!offer(o, ctx))
        return complain("sign", o->sign);
    model = BIO_new(BIO_f_tls_sign());
    if (model == NULL)
        return complain("sign", o->sign);
    required = o->sign_require;
    BIO_tls_sign_set_require(model, required);
    BIO_tls_sign_set_receipt(model, o->sign_receipt);
    if (o->evidence != NULL && BIO_tls_sign_set_log(model, o->evidence) <= 0)
        return complain("evidence", o->evidence);
    if (o->evidence != NULL)
        tell_torn(o);
    return 1;
}

void sign_stop(void)
{
    BIO_free(model);
    model = NULL;
}

/* --- a channel --- */

/* An end that has not agreed gets its octets as they are, unless it has to. */
int sign_add(struct chan *c)
{
    struct signing *s;

    if (model == NULL || (!required && MTLS_sign_get_format(c->link->ssl) < 0))
        return 1;
    s = calloc(1, sizeof(*s));
    if (s == NULL)
        return 0;
    s->top = BIO_dup_chain(model);
    if (s->top == NULL) {
        free(s);
        return 0;
    }
    BIO_push(s->top, c->bio);
    c->signing = s;
    return 1;
}

int sign_begin(const struct chan *c)
{
    if (c->signing == NULL || BIO_do_handshake(c->signing->top) > 0 ||
        BIO_should_retry(c->signing->top))
        return 1;
    BIO_mtls_reset_channel(c->bio); /* an end would look like a good one */
    return 0;
}

void sign_remove(struct chan *c)
{
    struct signing *s = c->signing;

    if (s == NULL)
        return;
    BIO_pop(s->top);
    BIO_free(s->top);
    free(s);
    c->signing = NULL;
}

/* --- in --- */

int sign_peek(const struct chan *c, char **p)
{
    struct signing *s = c->signing;
    int n;

    if (s == NULL)
        return BIO_nread0(c->bio, p);
    if (s->in_at == s->in_len) {
        s->in_at = s->in_len = 0;
        n = BIO_read(s->top, s->in, sizeof(s->in));
        if (n <= 0)
            return n;
        s->in_len = n;
    }
    *p = s->in + s->in_at;
    return s->in_len - s->in_at;
}

void sign_take(const struct chan *c, int n)
{
    char *p;

    if (c->signing == NULL)
        BIO_nread(c->bio, &p, n);
    else
        c->signing->in_at += n;
}

int sign_more(const struct chan *c)
{
    return BIO_pending(c->bio) > 0 || BIO_eof(c->bio) ||
           (c->signing != NULL && (c->signing->in_at < c->signing->in_len ||
                                   BIO_pending(c->signing->top) > 0));
}

/* --- out --- */

/* 1: nothing is left; -1 with retry flags, or an error. */
static int send_rest(struct signing *s)
{
    size_t n;

    if (s->out_len > 0) {
        if (!BIO_write_ex(s->top, s->out, (size_t)s->out_len, &n))
            return -1;
        s->out_len = 0;
    }
    BIO_write_ex(s->top, s->out, 0, &n); /* OpenSSL has it succeed always */
    return BIO_should_retry(s->top) ? -1 : 1;
}

int sign_room(const struct chan *c, char **p)
{
    struct signing *s = c->signing;

    if (s == NULL)
        return BIO_nwrite0(c->bio, p);
    if (send_rest(s) < 0)
        return -1;
    *p = s->out;
    return sizeof(s->out);
}

int sign_put(const struct chan *c, int n)
{
    struct signing *s = c->signing;
    char *p;

    if (s == NULL)
        return BIO_nwrite(c->bio, &p, n);
    s->out_len = n;
    if (send_rest(s) < 0 && !BIO_should_retry(s->top))
        return -1;
    return n;
}

int sign_end(const struct chan *c)
{
    struct signing *s = c->signing;

    if (s == NULL)
        return (int)BIO_shutdown_wr(c->bio);
    return send_rest(s) < 0 ? -1 : (int)BIO_shutdown_wr(s->top);
}

int sign_retry(const struct chan *c)
{
    return BIO_should_retry(c->signing == NULL ? c->bio : c->signing->top);
}

int sign_unsent(const struct chan *c)
{
    struct signing *s = c->signing;

    return s != NULL && send_rest(s) < 0 && BIO_should_retry(s->top);
}

int sign_receipts(const struct chan *c)
{
    struct signing *s = c->signing;

    if (s == NULL || BIO_tls_sign_wait_receipts(s->top) > 0)
        return 1;
    return BIO_should_retry(s->top) ? 0 : -1;
}

int sign_finish(const struct chan *c)
{
    if (c->signing == NULL || sign_end(c) > 0)
        return sign_receipts(c);
    return BIO_should_retry(c->signing->top) ? 0 : -1;
}
