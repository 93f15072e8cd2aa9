/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * XML signatures for TLS Sign: a library of its own, mtls-xmldsig, since it
 * needs libxmlsec1, and the others don't.
 */
#ifndef MTLS_TLS_SIGN_XMLDSIG_H
#define MTLS_TLS_SIGN_XMLDSIG_H

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Starts libxmlsec1, and adds the content format "xmldsig" to those that are
 * offered in this process. Any number of times, by any thread. 1; 0 with
 * MTLS_R_SIGN_FORMAT when libxmlsec1 does not start.
 */
int MTLS_xmldsig_init(void);

#ifdef __cplusplus
}
#endif
#endif
