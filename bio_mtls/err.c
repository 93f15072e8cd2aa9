/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "err.h"

#include <openssl/crypto.h>
#include <string.h>

static ERR_STRING_DATA strings[] = {
    {MTLS_R_BAD_DESTINATION, "bad destination"},
    {MTLS_R_CHANNEL_REFUSED, "channel refused by the peer"},
    {MTLS_R_CLOSED_BY_PEER, "channel closed by the peer"},
    {MTLS_R_CREDIT_OVERRUN, "peer sent more than its credit"},
    {MTLS_R_DATA_AFTER_END, "peer sent data after its half-close"},
    {MTLS_R_HALF_COLLISION, "peer answered with a half that is in use"},
    {MTLS_R_INVALID_VALUE, "value out of range"},
    {MTLS_R_MALFORMED_PACKET, "malformed packet from the peer"},
    {MTLS_R_NO_DEFAULT_CHANNEL, "no default channel on this filter"},
    {MTLS_R_NO_HALF_FREE, "all channel halves are in use"},
    {MTLS_R_NOT_ATTACHED, "no BIO below the multiplexer"},
    {MTLS_R_PACKET_TOO_LONG, "peer's packet exceeds max_packet_length"},
    {MTLS_R_RESOURCE_SHORTAGE, "a limit of the session is reached"},
    {MTLS_R_SESSION_DESYNCHRONISED, "peer's octets are not MTLS packets"},
    {MTLS_R_SESSION_ENDED, "the session has ended"},
    {MTLS_R_TRUNCATED, "session ended before the channel was closed"},
    {MTLS_R_WINDOW_OVERFLOW, "peer granted credit over 2^32-1"},
    {MTLS_R_WRITE_AFTER_SHUTDOWN, "write after shutdown of the channel"},
    {MTLS_R_WRONG_STATE, "not possible in the channel's state"},
    {MTLS_R_CHANNEL_RESET, "channel given up by this end"},
    {MTLS_R_ZERO_MAX_PACKET, "peer announced a max_packet_length of 0"},
    {MTLS_R_TRANSPORT_FAILED, "the BIO below failed"},
    {MTLS_R_BAD_CONFIGURATION, "bad configuration of the provider mtls"},
    {MTLS_R_SOCKS_VERSION, "peer does not speak SOCKS 5"},
    {MTLS_R_SOCKS_MALFORMED, "malformed SOCKS message from the peer"},
    {MTLS_R_SOCKS_NO_METHOD, "no SOCKS method in common"},
    {MTLS_R_SOCKS_REFUSED, "SOCKS request refused"},
    {MTLS_R_SOCKS_CUT, "connection ended amid a SOCKS message"},
    {MTLS_R_UDP_OUTSIDE_TLS, "peer would relay UDP outside TLS"},
    {MTLS_R_DATAGRAM_TOO_LONG, "datagram too long"},
    {MTLS_R_SIGN_MALFORMED, "malformed TLS Sign message from the peer"},
    {MTLS_R_SIGN_TOO_LONG, "signed message over the limit"},
    {MTLS_R_BAD_SIGN, "bad signature"},
    {MTLS_R_BAD_SIGN_ALERT, "peer refused a signature (bad_sign)"},
    {MTLS_R_SIGN_REQUIRED, "peer's data is not signed"},
    {MTLS_R_SIGN_NOT_NEGOTIATED, "TLS Sign was not negotiated"},
    {MTLS_R_SIGN_NO_KEY, "no certificate and key to sign with"},
    {MTLS_R_SIGN_NO_BINDING, "no TLS session to bind signatures to"},
    {MTLS_R_SIGN_FORMAT, "content format is not offered here"},
    {MTLS_R_SIGN_FAILED, "signing failed"},
    {MTLS_R_SIGN_CERTIFICATE, "signer's certificate refused"},
    {MTLS_R_SIGN_CUT, "connection ended amid a signed message"},
    {MTLS_R_SIGN_NO_RECEIPT, "connection ended before a receipt came"},
    {MTLS_R_SIGN_ALERT, "alert of TLS Sign from the peer"},
    {MTLS_R_EVIDENCE_IO, "evidence log can't be read or written"},
    {MTLS_R_EVIDENCE_NOT_A_LOG, "not an evidence log"},
    {MTLS_R_EVIDENCE_DAMAGED, "evidence log is damaged"},
    {MTLS_R_EVIDENCE_TOO_LARGE, "too large for the evidence log"},
    {MTLS_R_EVIDENCE_NO_ENTRY, "evidence log has no entry"},
    {MTLS_R_EVIDENCE_TIME_STAMP, "unusable time stamp"},
    {MTLS_R_BAD_APPLICATIONS, "not a list of applications"},
    {MTLS_R_NOT_NEGOTIATED, "not agreed on in data_multiplexing"},
    {MTLS_R_NO_DTLS_SESSION, "no DTLS session for this connection"},
    {MTLS_R_NO_EXTENDED_MASTER_SECRET,
     "DTLS session without extended master secret"},
    {MTLS_R_DTLS_ENDED, "the DTLS session has ended"},
    {MTLS_R_DTLS_SILENT, "no datagrams come any more"},
    {0, NULL}};

/* The name of the library itself: no reason, and its number comes later. */
static ERR_STRING_DATA name[] = {{0, "MTLS routines"}, {0, NULL}};

static CRYPTO_ONCE once = CRYPTO_ONCE_STATIC_INIT;
static int library;

static void load(void)
{
    library = ERR_get_next_error_library();
    ERR_load_strings(library, strings);
    name[0].error = ERR_PACK(library, 0, 0);
    ERR_load_strings(0, name);
}

int MTLS_err_library(void)
{
    CRYPTO_THREAD_run_once(&once, load);
    return library;
}

void mtls_errors_take(struct mtls_errors *errors)
{
    const char *file, *function, *text;
    unsigned long code;
    int line, flags;

    errors->n = 0;
    while (errors->n < MTLS_ERRORS_KEPT &&
           (code = ERR_get_error_all(&file, &line, &function, &text, &flags)) !=
               0) {
        struct mtls_error *e = &errors->list[errors->n++];

        e->code = code;
        e->line = line;
        e->file = OPENSSL_strdup(file);
        e->function = OPENSSL_strdup(function);
        e->text = flags & ERR_TXT_STRING ? OPENSSL_strdup(text) : NULL;
    }
}

static void free_strings(struct mtls_error *e)
{
    OPENSSL_free(e->file);
    OPENSSL_free(e->function);
    OPENSSL_free(e->text);
}

unsigned long mtls_errors_drop_last(struct mtls_errors *errors)
{
    struct mtls_error *last;

    if (errors->n == 0)
        return 0;
    last = &errors->list[--errors->n];
    free_strings(last);
    return last->code;
}

void mtls_errors_put_back(struct mtls_errors *errors)
{
    if (errors->n != 0)
        ERR_clear_error();
    for (int i = 0; i < errors->n; i++) {
        struct mtls_error *e = &errors->list[i];
        int lib = ERR_GET_LIB(e->code), reason = ERR_GET_REASON(e->code);

        ERR_new();
        ERR_set_debug(e->file, e->line, e->function);
        if (e->text != NULL)
            ERR_set_error(lib, reason, "%s", e->text);
        else
            ERR_set_error(lib, reason, NULL);
        free_strings(e);
    }
    errors->n = 0;
}

const char *mtls_error_text(unsigned long error)
{
    if (error == 0)
        return NULL;
    return ERR_SYSTEM_ERROR(error) ? strerror(ERR_GET_REASON(error))
                                   : ERR_reason_error_string(error);
}
