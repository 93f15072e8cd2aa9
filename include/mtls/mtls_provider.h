/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * The provider "mtls": the KDF of MTLS over DTLS, the STORE loader of evidence
 * logs, the settings of openssl.cnf, the capability "MTLS". It is the module
 * mtls.so, and it is built into this library, which loads it into the default
 * library context when it is first needed, unless openssl.cnf has done so.
 * OSSL_PROVIDER-mtls(7) tells more.
 */
#ifndef MTLS_MTLS_PROVIDER_H
#define MTLS_MTLS_PROVIDER_H

#include <openssl/core.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * MTLS_provider_init is the built-in provider, for another library context:
 *     OSSL_PROVIDER_add_builtin(libctx, "mtls", MTLS_provider_init);
 */
int MTLS_provider_init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in,
                       const OSSL_DISPATCH **out, void **provctx);

/* clang-format off */
/*
 * Settings of the provider's section in openssl.cnf, and its parameters for
 * OSSL_PROVIDER_get_params(). One that is not set is left unmodified.
 */
#define MTLS_PROV_PARAM_WINDOW         "window"         /* uint64 */
#define MTLS_PROV_PARAM_MAX_WINDOW     "max_window"     /* uint64 */
#define MTLS_PROV_PARAM_MAX_PACKET     "max_packet"     /* uint64 */
#define MTLS_PROV_PARAM_SESSION_MEMORY "session_memory" /* uint64 */
#define MTLS_PROV_PARAM_MAX_CHANNELS   "max_channels"   /* uint64 */
#define MTLS_PROV_PARAM_MAX_OPENING    "max_opening"    /* uint64 */
#define MTLS_PROV_PARAM_BACKLOG        "backlog"        /* uint64 */
#define MTLS_PROV_PARAM_ALLOW          "allow"          /* utf8_ptr */
/* Not a setting: why the status is 0. */
#define MTLS_PROV_PARAM_ERROR          "error"          /* utf8_ptr */

/* The KDF, and its parameters that OpenSSL has no name for. */
#define MTLS_KDF_NAME_PSK              "MTLS-PSK"
#define MTLS_KDF_PARAM_SESSION_ID      "session_id"     /* octet_string */
#define MTLS_KDF_PARAM_IDENTITY        "identity"       /* utf8_string */
#define MTLS_KDF_MODE_PSK              "psk"
#define MTLS_KDF_MODE_IDENTITY         "identity"

/* The STORE loader: "tlssign:FILE", signers of an evidence log. */
#define MTLS_STORE_SCHEME              "tlssign"

/* Reasons of errors of the provider's; the library is the provider's own. */
#define MTLS_PROV_R_NOT_RUNNING        100
#define MTLS_PROV_R_WRONG_TYPE         101
#define MTLS_PROV_R_NO_SESSION_ID      102
#define MTLS_PROV_R_BAD_SESSION_ID     103
#define MTLS_PROV_R_NO_SECRET          104
#define MTLS_PROV_R_BAD_SECRET         105
#define MTLS_PROV_R_BAD_LENGTH         106
#define MTLS_PROV_R_BAD_MODE           107
#define MTLS_PROV_R_NOT_A_LOG          108
#define MTLS_PROV_R_BAD_LOG            109
/* clang-format on */

#ifdef __cplusplus
}
#endif
#endif
