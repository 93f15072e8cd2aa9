/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* Which version a session speaks, and what only mtls-00 needs of its mux. */
#include "mux.h"

#include "err.h"
#include "mux_dgram.h"
#include "session_00.h"

#include <mtls/mtls_ext.h>
#include <string.h>

static int alpn_is_mtls(const SSL *ssl)
{
    const unsigned char *name;
    unsigned int len;

    SSL_get0_alpn_selected(ssl, &name, &len);
    return len == sizeof(MTLS_ALPN) - 2 &&
           memcmp(name, &MTLS_ALPN[1], len) == 0;
}

static int allow(struct mtls_session *s, const MTLS_APPLICATION *apps, size_t n)
{
    if (n == 0)
        mtls_session_allow_all(s);
    for (size_t i = 0; i < n; i++) {
        if (apps[i].port == 0 && strcmp(apps[i].name, "ALL") == 0)
            mtls_session_allow_all(s);
        else if (!mtls_session_allow_port(s, apps[i].port))
            return 0;
    }
    return 1;
}

static int fail(struct mtls_mux *mux)
{
    mux->shake_failed = 1;
    mux->lost_error = ERR_peek_error();
    return 0;
}

/* Draft 05 over DTLS has a TLS connection besides (P8). */
static int speak_05(struct mtls_mux *mux)
{
    if (!mtls_mux_dgram_alone(mux))
        return 1;
    MTLS_raise_data(MTLS_R_NOT_NEGOTIATED,
                    "over DTLS alone there is mtls-00 only");
    return fail(mux);
}

static int speak_00(struct mtls_mux *mux, const MTLS_APPLICATION *apps,
                    size_t n)
{
    if (!mtls_session_speak_00(mux->session) || !allow(mux->session, apps, n)) {
        MTLS_raise(ERR_R_MALLOC_FAILURE);
        return fail(mux);
    }
    if (mtls_mux_dgram_alone(mux)) /* whose headers are shorter */
        mtls_mux_dgram_mtu(mux, 0);
    return 1;
}

int mtls_mux_choose_version(struct mtls_mux *mux)
{
    const SSL *ssl = mtls_mux_ssl(mux);
    const MTLS_APPLICATION *apps = NULL;
    size_t n = ssl == NULL ? 0 : MTLS_ext_get0_agreed(ssl, &apps);

    if ((mux->dgram != NULL && !mtls_mux_dgram_alone(mux)) ||
        (ssl != NULL && alpn_is_mtls(ssl)) || (n == 0 && !mux->otherwise_00))
        return speak_05(mux);
    return speak_00(mux, apps, n);
}

long mtls_mux_version(const struct mtls_mux *mux)
{
    if (!mux->up)
        return -1;
    return mtls_session_is_00(mux->session) ? MTLS_VERSION_00 : MTLS_VERSION_05;
}

void mtls_mux_note_stall(struct mtls_mux *mux)
{
    mux->in_stalled = mtls_session_stalled(mux->session);
}

/* What TLS has decrypted no poll can see: so somebody has to look. */
void mtls_mux_note_room(struct mtls_mux *mux)
{
    if (mtls_session_stalled(mux->session))
        return;
    mux->in_stalled = 0;
    mux->in_more = 1;
    mux->resumed = 1;
}

void mtls_mux_resume(struct mtls_mux *mux)
{
    mux->resumed = 0;
    mtls_mux_receive(mux, MTLS_WANT_ALL, NULL, 0, SIZE_MAX);
    mux->reads_again = !mux->in_stalled;
}
