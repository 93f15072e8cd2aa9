/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* The capability "MTLS": one entry for each version of the protocol. */
#include "prov.h"

#include <openssl/params.h>
#include <openssl/prov_ssl.h>
#include <string.h>

/* The message types of MTLS-05 2.4, and what its fields can hold. */
static unsigned char mtls05_types[] = {1, 2, 3, 4, 5, 6, 7, 8};
static unsigned int mtls05_max_channels = 65536;
static unsigned int mtls05_max_window = 0xffffffffu;
static unsigned int mtls05_max_packet = 0xffffffffu;
/* doc/protocol.md: P4, D1, D12 */
static unsigned int mtls05_max_request = 1024;
static unsigned int mtls05_max_echec = 65528;
static unsigned int mtls05_max_name = 255;
static int mtls05_min_tls = TLS1_2_VERSION;
static int mtls05_max_tls = TLS1_3_VERSION;

#define TEXT(key, text) \
    OSSL_PARAM_utf8_string(key, (char *)(text), sizeof(text) - 1)

static const OSSL_PARAM mtls05_entry[] = {
    TEXT("mtls-protocol", "draft-badra-hajjeh-mtls-05"),
    TEXT("mtls-transport", "tls"),
    OSSL_PARAM_int("mtls-min-tls", &mtls05_min_tls),
    OSSL_PARAM_int("mtls-max-tls", &mtls05_max_tls),
    TEXT("mtls-alpn", "mtls"),
    OSSL_PARAM_octet_string("mtls-message-types", mtls05_types,
                            sizeof(mtls05_types)),
    TEXT("mtls-message-1", "ChannelEstablishmentRequest"),
    TEXT("mtls-message-2", "ChannelEstablishmentSuccess"),
    TEXT("mtls-message-3", "ChannelRequestEchec"),
    TEXT("mtls-message-4", "ChannelCloseRequest"),
    TEXT("mtls-message-5", "ChannelCloseConfirmation"),
    TEXT("mtls-message-6", "MTLSPlaintext"),
    TEXT("mtls-message-7", "NewMaxPacketLength"),
    TEXT("mtls-message-8", "Acknowledgment"),
    OSSL_PARAM_uint("mtls-max-channels", &mtls05_max_channels),
    OSSL_PARAM_uint("mtls-max-window", &mtls05_max_window),
    OSSL_PARAM_uint("mtls-max-packet", &mtls05_max_packet),
    OSSL_PARAM_uint("mtls-max-request", &mtls05_max_request),
    OSSL_PARAM_uint("mtls-max-echec", &mtls05_max_echec),
    OSSL_PARAM_uint("mtls-max-name", &mtls05_max_name),
    OSSL_PARAM_END,
};

int mtls_prov_capability(const char *capability, OSSL_CALLBACK *each, void *arg)
{
    /* No entry is no failure: SSL_CTX_new() asks all for "TLS-GROUP". */
    return strcmp(capability, "MTLS") != 0 || each(mtls05_entry, arg);
}
