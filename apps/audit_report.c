/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* The report of an audit, for people or as JSON. */
#include "audit.h"
#include "report.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static const char *const kinds[] = {"",
                                    "message sent",
                                    "message received",
                                    "receipt sent",
                                    "receipt received",
                                    "time stamp",
                                    "torn end"};
static const char *const formats[] = {"pkcs7", "smime", "xmldsig"};

typedef unsigned long long ull;

static void hex(char out[2 * MTLS_AUDIT_DIGEST + 1], const unsigned char *in)
{
    for (int i = 0; i < MTLS_AUDIT_DIGEST; i++)
        snprintf(out + 2 * i, 3, "%02x", in[i]);
}

/* As RFC 3339 has it; a time that is none is a number. */
#define TIME_TEXT 40

static void time_text(char out[TIME_TEXT], uint64_t ms)
{
    time_t t = (time_t)(ms / 1000);
    struct tm tm;
    char seconds[24];

    if (ms / 1000 > 253402300799 || gmtime_r(&t, &tm) == NULL ||
        strftime(seconds, sizeof(seconds), "%Y-%m-%dT%H:%M:%S", &tm) == 0)
        snprintf(out, TIME_TEXT, "%llu", (ull)ms);
    else
        snprintf(out, TIME_TEXT, "%s.%03uZ", seconds, (unsigned)(ms % 1000));
}

static void signer_text(char *out, size_t size, X509 *signer)
{
    BIO *b = BIO_new(BIO_s_mem());
    int n = 0;

    if (b != NULL && signer != NULL &&
        X509_NAME_print_ex(b, X509_get_subject_name(signer), 0,
                           XN_FLAG_RFC2253) >= 0)
        n = BIO_read(b, out, (int)size - 1);
    out[n > 0 ? n : 0] = '\0';
    BIO_free(b);
}

static int is_signed(const MTLS_AUDIT_ENTRY *e)
{
    return e->kind >= MTLS_AUDIT_MESSAGE_SENT &&
           e->kind <= MTLS_AUDIT_RECEIPT_RECEIVED;
}

static int is_receipt(const MTLS_AUDIT_ENTRY *e)
{
    return e->kind == MTLS_AUDIT_RECEIPT_SENT ||
           e->kind == MTLS_AUDIT_RECEIPT_RECEIVED;
}

static void json_signed(struct event *out, const MTLS_AUDIT_ENTRY *e,
                        const char *signer)
{
    char session[2 * MTLS_AUDIT_DIGEST + 1];

    hex(session, e->session);
    event_text(out, "format", formats[e->format]);
    event_text(out, "from", e->from_server ? "server" : "client");
    event_text(out, "session", session);
    event_number(out, "sequence", e->sequence);
    event_flag(out, "wants_receipt", e->wants_receipt);
    event_text(out, "signer", signer);
    if (e->data != NULL)
        event_number(out, "octets", e->data_len);
}

static void show_line(struct event *out, const MTLS_AUDIT_ENTRY *e,
                      const char *time, const char *peer, const char *signer)
{
    char more[80] = "", stamped[TIME_TEXT];
    const char *good = e->verified ? "verified" : "NOT VERIFIED";

    if (e->of != 0)
        snprintf(more, sizeof(more), " for entry %llu", (ull)e->of);
    if (e->kind == MTLS_AUDIT_TIME_STAMP) {
        time_text(stamped, (uint64_t)e->stamped * 1000);
        event_line(out, "entry %llu: %s time stamp%s, %s, %s", (ull)e->number,
                   time, more, stamped, good);
    } else if (!is_signed(e)) {
        event_line(out, "entry %llu: %s %s", (ull)e->number, time,
                   kinds[e->kind]);
    } else if (is_receipt(e)) {
        event_line(out, "entry %llu: %s %s%s, %s, by %s, peer %s, %s",
                   (ull)e->number, time, kinds[e->kind], more,
                   formats[e->format], signer, peer, good);
    } else {
        event_line(out,
                   "entry %llu: %s %s, %llu octets, %s, sequence %llu, by %s, "
                   "peer %s, %s",
                   (ull)e->number, time, kinds[e->kind], (ull)e->data_len,
                   formats[e->format], (ull)e->sequence, signer, peer, good);
    }
}

void audit_show_entry(const MTLS_AUDIT_ENTRY *entry, void *arg)
{
    char digest[2 * MTLS_AUDIT_DIGEST + 1], time[TIME_TEXT], signer[512],
        peer[512];
    int n = entry->peer_len < sizeof(peer) ? (int)entry->peer_len
                                           : (int)sizeof(peer) - 1;
    struct event out;

    (void)arg;
    hex(digest, entry->digest);
    time_text(time, entry->time);
    signer_text(signer, sizeof(signer), entry->signer);
    snprintf(peer, sizeof(peer), "%.*s", n, entry->peer);
    event_begin(&out, "entry");
    event_number(&out, "number", entry->number);
    event_text(&out, "kind", kinds[entry->kind]);
    event_text(&out, "time", time);
    event_text(&out, "peer", peer);
    if (is_signed(entry))
        json_signed(&out, entry, signer);
    if (entry->kind == MTLS_AUDIT_TIME_STAMP)
        event_number(&out, "stamped", (uint64_t)entry->stamped);
    if (entry->of != 0)
        event_number(&out, "of", entry->of);
    event_flag(&out, "verified", entry->verified);
    event_text(&out, "digest", digest);
    show_line(&out, entry, time, peer, signer[0] != '\0' ? signer : "nobody");
    event_end(&out);
}

void audit_show_finding(const MTLS_AUDIT_FINDING *finding, void *arg)
{
    static const char *const weights[] = {"note", "open", "bad"};
    struct event out;

    (void)arg;
    event_begin(&out, "finding");
    event_text(&out, "weight", weights[finding->weight]);
    if (finding->number != 0)
        event_number(&out, "number", finding->number);
    event_text(&out, "text", finding->text);
    if (finding->number != 0)
        event_line(&out, "%s: entry %llu %s", weights[finding->weight],
                   (ull)finding->number, finding->text);
    else
        event_line(&out, "%s: the log %s", weights[finding->weight],
                   finding->text);
    event_end(&out);
}

void audit_show_result(const char *log, const MTLS_AUDIT_RESULT *result,
                       int judged)
{
    char digest[2 * MTLS_AUDIT_DIGEST + 1];
    struct event out;

    hex(digest, result->digest);
    event_begin(&out, "result");
    event_text(&out, "log", log);
    event_number(&out, "entries", result->entries);
    event_number(&out, "messages", result->messages);
    event_number(&out, "receipts", result->receipts);
    event_number(&out, "stamps", result->stamps);
    event_number(&out, "bad", result->bad);
    event_number(&out, "open", result->open);
    event_number(&out, "notes", result->notes);
    event_flag(&out, "signers_judged", judged);
    event_text(&out, "digest", digest);
    event_line(&out,
               "%s: %llu entries: %llu messages, %llu receipts, %llu time "
               "stamps",
               log, (ull)result->entries, (ull)result->messages,
               (ull)result->receipts, (ull)result->stamps);
    event_line(&out, "digest %s", digest);
    event_line(&out, "%llu bad, %llu open%s: %s", (ull)result->bad,
               (ull)result->open, judged ? "" : " (signers were not judged)",
               result->bad != 0    ? "NOT VERIFIED"
               : result->open != 0 ? "verified, but receipts are missing"
                                   : "verified");
    event_end(&out);
}
