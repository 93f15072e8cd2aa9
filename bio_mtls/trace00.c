/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* mtls-00 in words: the extension, and frames. */
#include "ext00.h"
#include "trace.h"
#include "wire00.h"

#include <mtls/mtls_ext.h>

void MTLS_ext_trace(int write_p, const void *data, size_t len, SSL *ssl,
                    void *arg)
{
    struct mtls_reader r = mtls_ext00_begin(data, len);
    long count = mtls_ext00_count(data, len);
    const char *between = " ";
    struct mtls_ext00_app app;
    BIO *out = arg;

    (void)ssl;
    if (out == NULL)
        return;
    BIO_printf(out, "%s data_multiplexing [length %lu]",
               write_p ? ">>>" : "<<<", (unsigned long)len);
    if (count < 0)
        BIO_puts(out, " malformed");
    while (count > 0 && mtls_ext00_next(&r, &app)) {
        BIO_puts(out, between);
        mtls_trace_text(out, (const char *)app.name, app.name_len);
        BIO_printf(out, " port %u", app.port);
        between = ", ";
    }
    BIO_puts(out, "\n");
}

void mtls_trace_frame(int write_p, const unsigned char *p, size_t len, BIO *out)
{
    struct mtls_frame frame;

    if (mtls_wire00_get(p, len, &frame))
        BIO_printf(out, "%s mtls-00 frame [length %u] port %u to %u%s\n",
                   write_p ? ">>>" : "<<<", frame.length, frame.source,
                   frame.destination, frame.length == 0 ? ", empty" : "");
}
