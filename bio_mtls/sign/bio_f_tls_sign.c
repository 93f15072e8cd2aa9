/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* BIO_f_tls_sign: the filter's calls and controls. */
#include "sign_local.h"

#include "bio_local.h"
#include "err.h"

#include <string.h>

static CRYPTO_ONCE once = CRYPTO_ONCE_STATIC_INIT;
static BIO_METHOD *method;

static void begin(BIO *b)
{
    BIO_clear_retry_flags(b);
    BIO_set_retry_reason(b, 0);
}

/* --- octets --- */

static int sign_read(BIO *b, char *data, size_t len, size_t *n)
{
    struct mtls_sign_filter *f = BIO_get_data(b);
    int r;

    *n = 0;
    begin(b);
    if (f->at == f->len && mtls_sign_ready(b, f) < 0)
        return -1;
    if (!f->plain)
        return mtls_sign_read(b, f, data, len, n);
    r = BIO_read_ex(BIO_next(b), data, len, n);
    BIO_copy_next_retry(b);
    return r ? 1 : BIO_should_retry(b) ? -1 : 0;
}

static int sign_write(BIO *b, const char *data, size_t len, size_t *n)
{
    struct mtls_sign_filter *f = BIO_get_data(b);
    int r;

    *n = 0;
    begin(b);
    if (mtls_sign_ready(b, f) < 0)
        return -1;
    if (!f->plain)
        return mtls_sign_write(b, f, data, len, n);
    r = BIO_write_ex(BIO_next(b), data, len, n);
    BIO_copy_next_retry(b);
    return r ? 1 : -1;
}

static int sign_puts(BIO *b, const char *text)
{
    return mtls_bio_puts(b, text, sign_write);
}

static int sign_gets(BIO *b, char *line, int size)
{
    struct mtls_sign_filter *f = BIO_get_data(b);
    int r;

    begin(b);
    if (size < 1)
        return -1;
    line[0] = '\0';
    if (f->at == f->len && mtls_sign_ready(b, f) < 0)
        return -1;
    if (size == 1)
        return 0;
    if (!f->plain)
        return mtls_sign_gets(b, f, line, (size_t)size);
    r = BIO_gets(BIO_next(b), line, size);
    BIO_copy_next_retry(b);
    return r;
}

/* --- controls --- */

/* Said at once, as far as the BIO below takes it. */
static long set_on(BIO *b, struct mtls_sign_filter *f, long on)
{
    f->set.on = on != 0;
    if (!f->up || f->plain || f->said_on == f->set.on)
        return 1;
    if (f->reason != 0)
        return mtls_sign_failed(f), 0;
    if (f->set.on && f->key == NULL) {
        MTLS_raise(MTLS_R_SIGN_NO_KEY);
        return 0;
    }
    if (!mtls_sign_say_on(f, f->set.on)) {
        MTLS_raise(ERR_R_MALLOC_FAILURE);
        return 0;
    }
    begin(b);
    return mtls_sign_push(b, f) > 0 || BIO_should_retry(b);
}

static long wait_receipts(BIO *b, struct mtls_sign_filter *f)
{
    int r;

    begin(b);
    if (mtls_sign_ready(b, f) < 0)
        return -1;
    r = mtls_sign_fill(b, f, 1);
    if (r == 0) /* the end has been read: none can come */
        MTLS_raise(MTLS_R_SIGN_NO_RECEIPT);
    if (r <= 0)
        return -1;
    return f->asked_count == 0;
}

static long get_torn(const struct mtls_sign_filter *f, char **file)
{
    uint64_t octets = 0;
    int r =
        f->set.log == NULL ? 0 : mtls_evidence_torn(f->set.log, file, &octets);

    if (r < 0)
        MTLS_raise(ERR_R_MALLOC_FAILURE);
    return r > 0 ? (long)octets : r;
}

static long own_ctrl(BIO *b, struct mtls_sign_filter *f, int cmd, long num,
                     void *ptr)
{
    switch (cmd) {
    case BIO_CTRL_MTLS_SIGN_SET_ON:
        return set_on(b, f, num);
    case BIO_CTRL_MTLS_SIGN_GET_FORMAT:
        return f->up && !f->plain ? f->format : -1;
    case BIO_CTRL_MTLS_SIGN_GET_SIGNER:
        *(X509 **)ptr = f->signer;
        return 1;
    case BIO_CTRL_MTLS_SIGN_IS_SIGNED:
        return f->is_signed;
    case BIO_CTRL_MTLS_SIGN_MISSING:
        return (long)f->asked_count;
    case BIO_CTRL_MTLS_SIGN_WAIT:
        return wait_receipts(b, f);
    case BIO_CTRL_MTLS_SIGN_GET_TORN:
        return get_torn(f, ptr);
    default:
        return mtls_sign_set(f, cmd, num, ptr);
    }
}

static long handshake(BIO *b, struct mtls_sign_filter *f)
{
    begin(b);
    if (mtls_sign_ready(b, f) < 0 ||
        (mtls_sign_push(b, f) < 0 && !BIO_should_retry(b)))
        return -1;
    BIO_clear_retry_flags(b); /* the rest of it goes with the next call */
    return 1;
}

static long flush(BIO *b, struct mtls_sign_filter *f)
{
    long r;

    begin(b);
    if (mtls_sign_send_rest(b, f) < 0)
        return -1;
    r = BIO_flush(BIO_next(b));
    BIO_copy_next_retry(b);
    return r;
}

static long shutdown_wr(BIO *b, struct mtls_sign_filter *f)
{
    long r;

    begin(b);
    if (mtls_sign_ready(b, f) < 0)
        return -1;
    if (!f->plain)
        return mtls_sign_end(b, f);
    r = BIO_shutdown_wr(BIO_next(b));
    BIO_copy_next_retry(b);
    return r;
}

static long wpending(BIO *b, const struct mtls_sign_filter *f)
{
    int below = BIO_wpending(BIO_next(b));

    return (long)mtls_sign_queued(f) + (below > 0 ? below : 0);
}

/* What must not go around the signatures. */
static int is_zero_copy(int cmd)
{
    switch (cmd) {
    case BIO_C_NREAD0:
    case BIO_C_NREAD:
    case BIO_C_NWRITE0:
    case BIO_C_NWRITE:
    case BIO_C_GET_WRITE_GUARANTEE:
    case BIO_CTRL_GET_KTLS_SEND:
    case BIO_CTRL_GET_KTLS_RECV:
        return 1;
    default:
        return 0;
    }
}

static long below_ctrl(BIO *b, struct mtls_sign_filter *f, int cmd, long num,
                       void *ptr)
{
    if (is_zero_copy(cmd))
        return 0;
    switch (cmd) {
    case BIO_C_DO_STATE_MACHINE:
        return handshake(b, f);
    case BIO_CTRL_FLUSH:
        return flush(b, f);
    case BIO_C_SHUTDOWN_WR:
        return shutdown_wr(b, f);
    case BIO_CTRL_WPENDING:
        return wpending(b, f);
    case BIO_CTRL_PENDING:
        if (!f->plain)
            return (long)(f->len - f->at);
        break;
    case BIO_CTRL_EOF:
        if (!f->plain)
            return f->eof && f->at == f->len;
        break;
    default:
        break;
    }
    return BIO_ctrl(BIO_next(b), cmd, num, ptr);
}

static long copy_settings(const struct mtls_sign_filter *f, BIO *copy)
{
    struct mtls_sign_filter *other = BIO_get_data(copy);

    return mtls_sign_settings_copy(&other->set, &f->set);
}

static long sign_ctrl(BIO *b, int cmd, long num, void *ptr)
{
    struct mtls_sign_filter *f = BIO_get_data(b);

    if (cmd >= BIO_CTRL_MTLS_SIGN_BASE && cmd <= BIO_CTRL_MTLS_SIGN_GET_TORN)
        return own_ctrl(b, f, cmd, num, ptr);
    switch (cmd) {
    case BIO_CTRL_DUP:
        return copy_settings(f, ptr);
    case BIO_CTRL_RESET:
        begin(b);
        mtls_sign_forget(f);
        break;
    case BIO_CTRL_POP:
        if (ptr != b)
            break;
        mtls_sign_forget(f);
        return 1;
    default:
        break;
    }
    return BIO_next(b) == NULL ? 0 : below_ctrl(b, f, cmd, num, ptr);
}

static long sign_callback_ctrl(BIO *b, int cmd, BIO_info_cb *cb)
{
    return BIO_next(b) == NULL ? 0 : BIO_callback_ctrl(BIO_next(b), cmd, cb);
}

/* --- life --- */

static int sign_new(BIO *b)
{
    struct mtls_sign_filter *f = OPENSSL_zalloc(sizeof(*f));

    if (f == NULL)
        return 0;
    mtls_sign_settings_init(&f->set);
    BIO_set_data(b, f);
    BIO_set_init(b, 1);
    return 1;
}

static int sign_free(BIO *b)
{
    struct mtls_sign_filter *f = BIO_get_data(b);

    if (f != NULL) {
        mtls_sign_forget(f);
        mtls_sign_settings_cleanup(&f->set);
    }
    OPENSSL_free(f);
    BIO_set_data(b, NULL);
    return 1;
}

static void make_method(void)
{
    method = mtls_bio_method(BIO_TYPE_FILTER, "TLS Sign", NULL);
    if (method != NULL && BIO_meth_set_read_ex(method, sign_read) &&
        BIO_meth_set_write_ex(method, sign_write) &&
        BIO_meth_set_puts(method, sign_puts) &&
        BIO_meth_set_gets(method, sign_gets) &&
        BIO_meth_set_ctrl(method, sign_ctrl) &&
        BIO_meth_set_callback_ctrl(method, sign_callback_ctrl) &&
        BIO_meth_set_create(method, sign_new) &&
        BIO_meth_set_destroy(method, sign_free))
        return;
    BIO_meth_free(method);
    method = NULL;
}

const BIO_METHOD *BIO_f_tls_sign(void)
{
    CRYPTO_THREAD_run_once(&once, make_method);
    return method;
}
