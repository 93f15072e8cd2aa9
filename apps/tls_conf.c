/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "tls_conf.h"

#include "addr.h"
#include "configured.h"
#include "mtls00.h"
#include "report.h"

#include <errno.h>
#include <mtls/mtls_dtls.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/provider.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* What callbacks need; hangs on the context. */
struct conf {
    BIO *keylog;
    char *sess_out;
    unsigned char alpn[256];
    unsigned int alpn_len;
};

static int conf_index = -1;

static struct conf *conf_of(const SSL_CTX *ctx)
{
    return SSL_CTX_get_ex_data(ctx, conf_index);
}

/* --- texts -----------------------------------------------------------------
 */

int tls_verify_text(const SSL *ssl, char *out, size_t size)
{
    long result = SSL_get_verify_result(ssl);

    if (SSL_get_verify_mode(ssl) == SSL_VERIFY_NONE || result == X509_V_OK)
        return 0;
    snprintf(out, size, "certificate verify failed: %s (%ld)",
             X509_verify_cert_error_string(result), result);
    return 1;
}

void tls_error_text(char *out, size_t size, int error)
{
    unsigned long code;
    size_t used = 0;
    const char *data;
    int flags;

    out[0] = '\0';
    while ((code = ERR_get_error_all(NULL, NULL, NULL, &data, &flags)) != 0) {
        const char *reason = ERR_reason_error_string(code);
        /* the library adds what went wrong below it */
        int more = ERR_GET_LIB(code) == MTLS_err_library() &&
                   (flags & ERR_TXT_STRING) && data[0] != '\0';
        int n =
            snprintf(out + used, size - used, "%s%s%s%s", used > 0 ? "; " : "",
                     reason != NULL ? reason : "unknown error",
                     more ? ": " : "", more ? data : "");

        if (n < 0 || (size_t)n >= size - used)
            break;
        used += (size_t)n;
    }
    ERR_clear_error();
    if (out[0] == '\0')
        snprintf(out, size, "%s",
                 error != 0 && error != EAGAIN ? strerror(error)
                                               : "connection closed");
}

/* A file that holds secrets is its owner's alone, if it is new. */
static BIO *open_private(const char *name, const char *mode)
{
    mode_t mask = umask(077);
    BIO *file = BIO_new_file(name, mode);

    umask(mask);
    return file;
}

/* --- callbacks -------------------------------------------------------------
 */

static void on_keylog(const SSL *ssl, const char *line)
{
    struct conf *conf = conf_of(SSL_get_SSL_CTX(ssl));

    if (BIO_printf(conf->keylog, "%s\n", line) > 0)
        (void)BIO_flush(conf->keylog);
}

static int on_session(SSL *ssl, SSL_SESSION *session)
{
    struct conf *conf = conf_of(SSL_get_SSL_CTX(ssl));
    BIO *out = open_private(conf->sess_out, "w");

    if (out == NULL || !PEM_write_bio_SSL_SESSION(out, session))
        report_error("-sess_out %s can't be written", conf->sess_out);
    BIO_free(out);
    return 0; /* the session is still OpenSSL's */
}

/* As openssl s_server -state shows it. */
static void on_state(const SSL *ssl, int where, int ret)
{
    const char *role = (where & SSL_ST_CONNECT) != 0  ? "SSL_connect"
                       : (where & SSL_ST_ACCEPT) != 0 ? "SSL_accept"
                                                      : "undefined";

    if ((where & SSL_CB_LOOP) != 0)
        report_note("%s:%s", role, SSL_state_string_long(ssl));
    else if ((where & SSL_CB_ALERT) != 0)
        report_note("SSL3 alert %s:%s:%s",
                    (where & SSL_CB_READ) != 0 ? "read" : "write",
                    SSL_alert_type_string_long(ret),
                    SSL_alert_desc_string_long(ret));
    else if ((where & SSL_CB_EXIT) != 0 && ret == 0)
        report_note("%s:failed in %s", role, SSL_state_string_long(ssl));
}

/* wire format, D16: clients that offer nothing are served all the same. */
static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                   const unsigned char *in, unsigned int in_len, void *arg)
{
    const struct conf *conf = conf_of(SSL_get_SSL_CTX(ssl));
    unsigned char *chosen;

    (void)arg;
    if (conf->alpn_len == 0)
        return SSL_TLSEXT_ERR_NOACK;
    if (SSL_select_next_proto(&chosen, out_len, conf->alpn, conf->alpn_len, in,
                              in_len) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

/* --- settings --------------------------------------------------------------
 */

/* "a,b" to the wire form: each name behind its length. */
static int set_alpn(struct conf *conf, const struct options *o)
{
    const char *list = o->alpn;

    if (list == NULL) /* a client that asks for mtls-00 must not say 05 */
        list = o->mtls00 && o->connect != NULL ? "" : "mtls";
    while (*list != '\0') {
        size_t n = strcspn(list, ",");

        if (n == 0 || conf->alpn_len + n + 1 > sizeof(conf->alpn))
            return 0;
        conf->alpn[conf->alpn_len] = (unsigned char)n;
        memcpy(conf->alpn + conf->alpn_len + 1, list, n);
        conf->alpn_len += (unsigned int)n + 1;
        list += n + (list[n] == ',');
    }
    return 1;
}

/* Those of -provider, for as long as there is a context. */
static OSSL_PROVIDER **loaded;
static size_t n_loaded;

static void unload_providers(void)
{
    while (n_loaded > 0)
        OSSL_PROVIDER_unload(loaded[--n_loaded]);
    free(loaded);
    loaded = NULL;
}

static int load_providers(const struct options *o)
{
    loaded = calloc(o->providers.n + 1, sizeof(OSSL_PROVIDER *));
    if (loaded == NULL) {
        report_error("no memory");
        return 0;
    }
    if (o->provider_path != NULL &&
        !OSSL_PROVIDER_set_default_search_path(NULL, o->provider_path)) {
        report_error("-provider-path %s can't be used", o->provider_path);
        return 0;
    }
    for (size_t i = 0; i < o->providers.n; i++) {
        loaded[n_loaded] = OSSL_PROVIDER_load(NULL, o->providers.at[i]);
        if (loaded[n_loaded] == NULL) {
            report_error("-provider %s can't be loaded", o->providers.at[i]);
            return 0;
        }
        n_loaded++;
    }
    return 1;
}

static int set_trust(SSL_CTX *ctx, const struct options *o)
{
    if (o->ca_file != NULL && !SSL_CTX_load_verify_file(ctx, o->ca_file)) {
        report_error("-CAfile %s can't be used", o->ca_file);
        return 0;
    }
    if (o->ca_path != NULL && !SSL_CTX_load_verify_dir(ctx, o->ca_path)) {
        report_error("-CApath %s can't be used", o->ca_path);
        return 0;
    }
    if (o->ca_file == NULL && o->ca_path == NULL &&
        !SSL_CTX_set_default_verify_paths(ctx))
        ERR_clear_error(); /* then nobody is trusted, and that will be said */
    return 1;
}

/*
 * A peer that does not verify is refused, also where openssl's own s_client
 * and s_server only print so: what is forwarded here is no test.
 */
static int set_verify(SSL_CTX *ctx, const struct options *o, int server)
{
    int64_t depth = o->require >= 0 ? o->require : o->verify;
    int mode = SSL_VERIFY_PEER;

    if (server) {
        mode = depth < 0 ? SSL_VERIFY_NONE
                         : SSL_VERIFY_PEER | SSL_VERIFY_CLIENT_ONCE;
        if (o->require >= 0)
            mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
        if (depth >= 0 && o->ca_file != NULL)
            SSL_CTX_set_client_CA_list(ctx,
                                       SSL_load_client_CA_file(o->ca_file));
    } else if (o->noverify) {
        mode = SSL_VERIFY_NONE;
    }
    SSL_CTX_set_verify(ctx, mode, NULL);
    if (depth >= 0)
        SSL_CTX_set_verify_depth(ctx, (int)depth);
    return set_trust(ctx, o);
}

static int set_versions(SSL_CTX *ctx, const struct options *o)
{
    int lowest = o->tls1_3 ? TLS1_3_VERSION : TLS1_2_VERSION;
    int highest = o->tls1_2 ? TLS1_2_VERSION : TLS1_3_VERSION;

    return SSL_CTX_set_min_proto_version(ctx, lowest) &&
           SSL_CTX_set_max_proto_version(ctx, highest);
}

static int set_conf_commands(SSL_CTX *ctx, const struct options *o, int server)
{
    SSL_CONF_CTX *cctx = SSL_CONF_CTX_new();
    int ok = cctx != NULL;

    if (ok) {
        SSL_CONF_CTX_set_flags(
            cctx, SSL_CONF_FLAG_CMDLINE |
                      (server ? SSL_CONF_FLAG_SERVER : SSL_CONF_FLAG_CLIENT));
        SSL_CONF_CTX_set1_prefix(cctx, "");
        SSL_CONF_CTX_set_ssl_ctx(cctx, ctx);
    }
    for (size_t i = 0; ok && i + 1 < o->conf.n; i += 2) {
        ok = SSL_CONF_cmd(cctx, o->conf.at[i], o->conf.at[i + 1]) > 0;
        if (!ok)
            report_error("-%s %s is not possible", o->conf.at[i],
                         o->conf.at[i + 1]);
    }
    ok = ok && SSL_CONF_CTX_finish(cctx);
    SSL_CONF_CTX_free(cctx);
    return ok;
}

int tls_conf_versions(SSL_CTX *ctx, const struct options *o, int server)
{
    return (o->dtls || set_versions(ctx, o)) &&
           set_conf_commands(ctx, o, server);
}

/*
 * Stateful sessions alone, one ticket each: only so can the library take back
 * what must not be resumed (MTLS-05 3). TLSMUX knows no such, but many
 * connections, so that the tickets are the client's to keep.
 */
static void set_sessions(SSL_CTX *ctx, struct conf *conf,
                         const struct options *o, int server)
{
    static const unsigned char context[] = "mtls";

    if (server && o->tlsmux) {
        SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    } else if (server) {
        SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
        SSL_CTX_set_num_tickets(ctx, 1);
    }
    if (server) {
        SSL_CTX_set_session_id_context(ctx, context, sizeof(context) - 1);
        SSL_CTX_set_alpn_select_cb(ctx, on_alpn, NULL);
    } else if (conf->sess_out != NULL) {
        SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT |
                                                SSL_SESS_CACHE_NO_INTERNAL);
        SSL_CTX_sess_set_new_cb(ctx, on_session);
    }
    if (!server && conf->alpn_len > 0)
        SSL_CTX_set_alpn_protos(ctx, conf->alpn, conf->alpn_len);
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
}

static int set_files(SSL_CTX *ctx, struct conf *conf, const struct options *o)
{
    if (o->sess_out != NULL && (conf->sess_out = strdup(o->sess_out)) == NULL)
        return 0;
    if (o->keylog_file != NULL) {
        conf->keylog = open_private(o->keylog_file, "a");
        if (conf->keylog == NULL) {
            report_error("-keylogfile %s can't be written", o->keylog_file);
            return 0;
        }
        SSL_CTX_set_keylog_callback(ctx, on_keylog);
    }
    if (o->state)
        SSL_CTX_set_info_callback(ctx, on_state);
    if (!set_alpn(conf, o)) {
        report_error("-alpn %s: not a list of names", o->alpn);
        return 0;
    }
    return 1;
}

static struct conf *attach_conf(SSL_CTX *ctx)
{
    struct conf *conf = calloc(1, sizeof(*conf));

    if (conf_index < 0)
        conf_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
    if (conf != NULL && !SSL_CTX_set_ex_data(ctx, conf_index, conf)) {
        free(conf);
        return NULL;
    }
    return conf;
}

/* What callbacks need hangs on it from the start. NULL, with a message. */
static SSL_CTX *make_ctx(const SSL_METHOD *method, struct conf **conf)
{
    SSL_CTX *ctx = SSL_CTX_new(method);

    if (ctx != NULL && (*conf = attach_conf(ctx)) != NULL)
        return ctx;
    report_error("no TLS context");
    SSL_CTX_free(ctx);
    return NULL;
}

static const SSL_METHOD *method_of(const struct options *o, int server)
{
    if (o->dtls)
        return server ? DTLS_server_method() : DTLS_client_method();
    return server ? TLS_server_method() : TLS_client_method();
}

SSL_CTX *tls_conf_new(const struct options *o, int server)
{
    struct conf *conf = NULL;
    SSL_CTX *ctx;

    if (!load_providers(o) || !configured_check() ||
        (ctx = make_ctx(method_of(o, server), &conf)) == NULL)
        return NULL;
    if (!set_files(ctx, conf, o) || !tls_conf_versions(ctx, o, server) ||
        !mtls00_conf(ctx, o, server) || !set_verify(ctx, o, server) ||
        !tls_key_load(ctx, o)) {
        tls_conf_free(ctx);
        return NULL;
    }
    set_sessions(ctx, conf, o, server);
    if (o->dtls && !MTLS_dtls_set_datagram_ctx(ctx)) {
        report_error("no DTLS context");
        tls_conf_free(ctx);
        return NULL;
    }
    return ctx;
}

SSL_CTX *tls_conf_control(const struct options *o, MTLS_DTLS_WAITING *waiting)
{
    struct conf *conf = NULL;
    SSL_CTX *ctx = make_ctx(
        waiting != NULL ? TLS_server_method() : TLS_client_method(), &conf);

    if (ctx == NULL)
        return NULL;
    if (!set_files(ctx, conf, o) || !MTLS_dtls_set_control_ctx(ctx, waiting)) {
        report_error("no TLS context");
        tls_conf_control_free(ctx);
        return NULL;
    }
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return ctx;
}

void tls_conf_control_free(SSL_CTX *ctx)
{
    struct conf *conf = ctx != NULL ? conf_of(ctx) : NULL;

    SSL_CTX_free(ctx);
    if (conf == NULL)
        return;
    BIO_free(conf->keylog);
    free(conf->sess_out);
    free(conf);
}

void tls_conf_free(SSL_CTX *ctx)
{
    tls_conf_control_free(ctx);
    unload_providers();
}
