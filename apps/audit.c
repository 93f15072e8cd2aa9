/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* mtls audit: what an evidence log of TLS Sign is worth. */
#include "audit.h"
#include "commands.h"
#include "report.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#ifdef MTLS_HAVE_XMLDSIG
#include <mtls/tls_sign_xmldsig.h>
#endif

#define EXIT_OPEN 3 /* nothing is wrong, but receipts are missing */

#define AT(member) offsetof(struct options, member)

/* clang-format off */
static const struct option options_audit[] = {
    {NULL, OPTION_HEADING, 0, NULL, "What is examined", 0, 0},
    {"LOG", OPTION_OPERAND, AT(operands), NULL, "an evidence log", 0, 0},
    {"expect", OPTION_TEXT, AT(expect), "DIGEST",
     "an entry with this digest must be there", 0, 0},
    {"peer", OPTION_TEXT, AT(peer), "LOG",
     "the other end's log: what it has of our sessions", 0, 0},
    {NULL, OPTION_HEADING, 0, NULL, "Whom signers must chain to", 0, 0},
    {"CAfile", OPTION_TEXT, AT(ca_file), "FILE",
     "trust the certificates in this PEM file", 0, 0},
    {"CApath", OPTION_TEXT, AT(ca_path), "DIR",
     "trust those in this directory (see openssl rehash)", 0, 0},
    {"untrusted", OPTION_LIST, AT(untrusted), "FILE",
     "further certificates for chains, PEM", 0, 0},
    {"CRLfile", OPTION_LIST, AT(crls), "FILE",
     "a CRL, PEM or DER: signers are looked up in it", 0, 0},
    {"crl_check", OPTION_FLAG, AT(crl_check), NULL,
     "a signer for whom there is no CRL is bad", 0, 0},
    {"crl_check_all", OPTION_FLAG, AT(crl_check_all), NULL,
     "so is one of whose chain there is none", 0, 0},
    {"noverify", OPTION_FLAG, AT(noverify), NULL,
     "do not judge signers: signatures alone are verified", 0, 0},
    {NULL, OPTION_HEADING, 0, NULL, "What else to do with it", 0, 0},
    {"extract", OPTION_NUMBER, AT(extract), "N",
     "write the signed object of entry N, as it is", 1, INT64_MAX},
    {"ts_query", OPTION_FLAG, AT(want_ts_query), NULL,
     "write a time-stamp query for the last entry", 0, 0},
    {"ts_reply", OPTION_TEXT, AT(ts_reply), "FILE",
     "append the time stamp of this reply to the log", 0, 0},
    {"out", OPTION_TEXT, AT(out), "FILE",
     "where to, instead of standard output", 0, 0},
    {NULL, OPTION_HEADING, 0, NULL, "What is shown", 0, 0},
    {"json", OPTION_FLAG, AT(json), NULL, "one JSON object a line", 0, 0},
    {"quiet", OPTION_FLAG, AT(quiet), NULL, "nothing: the exit status tells",
     0, 0},
    {"help", OPTION_FLAG, AT(help), NULL, "this text", 0, 0},
    {NULL, OPTION_HEADING, 0, NULL, NULL, 0, 0},
};
/* clang-format on */

static const struct option *const tables[] = {options_audit, NULL};

static int judges_signers(const struct options *o)
{
    return o->ca_file != NULL || o->ca_path != NULL || o->crls.n != 0 ||
           o->crl_check || o->crl_check_all;
}

/* What is for the report, or for that of which -extract tells, alone. */
static int fits(const struct options *o)
{
    if (o->expect != NULL || o->peer != NULL)
        return options_complain(o->command, "",
                                "-expect and -peer are for a report");
    if (o->extract < 0 &&
        (judges_signers(o) || o->noverify || o->untrusted.n != 0))
        return options_complain(o->command, "",
                                "signers are judged for a report, not for "
                                "-ts_query and -ts_reply");
    return 1;
}

static int can_be_done(const struct options *o)
{
    int more =
        (o->extract >= 0) + (o->want_ts_query != 0) + (o->ts_reply != NULL);

    if (o->operands.n != 1)
        return options_complain(o->command, "",
                                o->operands.n == 0 ? "which LOG?"
                                                   : "one LOG, please");
    if (more > 1)
        return options_complain(o->command, "",
                                "-extract, -ts_query and -ts_reply do not go "
                                "together");
    if (o->out != NULL && o->extract < 0 && !o->want_ts_query)
        return options_complain(o->command, "-out",
                                ": there is nothing to be written");
    if (o->noverify && judges_signers(o))
        return options_complain(o->command, "-noverify",
                                ": and yet there is something to verify with");
    return more == 0 || fits(o);
}

static int read_digest(const struct options *o, unsigned char *digest)
{
    size_t n;

    return OPENSSL_hexstr2buf_ex(digest, MTLS_AUDIT_DIGEST, &n, o->expect,
                                 '\0') &&
           n == MTLS_AUDIT_DIGEST;
}

static int exit_status(const MTLS_AUDIT_RESULT *result)
{
    if (result->bad != 0)
        return EXIT_FAILURE;
    return result->open != 0 ? EXIT_OPEN : EXIT_SUCCESS;
}

static int examine(const struct options *o, MTLS_AUDIT_PARAMS *params)
{
    MTLS_AUDIT_RESULT result;

    report_events_on_stdout();
    if (!o->quiet) {
        params->entry = audit_show_entry;
        params->finding = audit_show_finding;
    }
    if (!MTLS_audit(params, &result)) {
        report_error("%s%s%s can't be read", params->log,
                     params->peer == NULL ? "" : " or ",
                     params->peer == NULL ? "" : params->peer);
        return EXIT_FAILURE;
    }
    if (!o->quiet)
        audit_show_result(params->log, &result, !o->noverify);
    return exit_status(&result);
}

static int audit(const struct options *o)
{
    unsigned char digest[MTLS_AUDIT_DIGEST];
    MTLS_AUDIT_PARAMS params = {.log = o->operands.at[0], .peer = o->peer};
    STACK_OF(X509) *untrusted = NULL;
    const int judges = o->extract >= 0 ? judges_signers(o) : !o->noverify;
    int status = EXIT_FAILURE;

    if (o->expect != NULL) {
        if (!read_digest(o, digest)) {
            options_complain(o->command, "-expect ",
                             "64 hexadecimal digits, please");
            return EXIT_USAGE;
        }
        params.expect = digest;
    }
    if (!audit_untrusted(o, &untrusted))
        return EXIT_FAILURE;
    params.untrusted = untrusted;
    if (judges)
        params.trust = audit_trust(o);
    if (!judges || params.trust != NULL)
        status =
            o->extract >= 0 ? audit_extract(o, &params) : examine(o, &params);
    X509_STORE_free(params.trust);
    sk_X509_pop_free(untrusted, X509_free);
    return status;
}

static int ts_query(const struct options *o, const char *log)
{
    BIO *out = o->out == NULL ? BIO_new_fp(stdout, BIO_NOCLOSE)
                              : BIO_new_file(o->out, "wb");
    int ok =
        out != NULL && MTLS_evidence_ts_query(log, out) && BIO_flush(out) > 0;

    if (!ok)
        report_error("no time-stamp query for %s", log);
    BIO_free(out);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int ts_reply(const struct options *o, const char *log)
{
    BIO *in = BIO_new_file(o->ts_reply, "rb");
    int ok = in != NULL && MTLS_evidence_ts_reply(log, in);

    if (!ok)
        report_error("-ts_reply %s: nothing was appended to %s", o->ts_reply,
                     log);
    BIO_free(in);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* Without it the entries that have XML are bad, and that is why. */
static void start_formats(void)
{
#ifdef MTLS_HAVE_XMLDSIG
    if (!MTLS_xmldsig_init())
        report_error("XML signatures can't be verified");
#endif
}

int audit_main(int argc, char *argv[])
{
    struct options o;
    int status = EXIT_USAGE;
    enum options_answer answer = options_parse(
        &o, "audit", "mtls audit [options] LOG", tables, argc, argv);

    if (answer == OPTIONS_OK && can_be_done(&o)) {
        const char *log = o.operands.at[0];

        options_report(&o);
        start_formats();
        if (o.want_ts_query)
            status = ts_query(&o, log);
        else if (o.ts_reply != NULL)
            status = ts_reply(&o, log);
        else
            status = audit(&o);
    } else if (answer == OPTIONS_HELP) {
        status = EXIT_SUCCESS;
    }
    options_free(&o);
    return status;
}
