/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* What the traces of both protocols share. */
#ifndef MTLS_TRACE_H
#define MTLS_TRACE_H

#include <openssl/bio.h>

/* mtls_trace_text prints a peer's text, quoted, with nothing in it that a
 * terminal would act on. */
void mtls_trace_text(BIO *out, const char *text, size_t len);

/* mtls_trace_frame prints the header of an mtls-00 frame. */
void mtls_trace_frame(int write_p, const unsigned char *p, size_t len,
                      BIO *out);

#endif
