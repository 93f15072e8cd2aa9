/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "fault_bio.h"

#include <check.h>

static BIO_METHOD *method;

static void retry_read(BIO *b)
{
    BIO_set_retry_read(b);
}

static void retry_write(BIO *b)
{
    BIO_set_retry_write(b);
}

/* 1: go on. 0: retry was asked for. -1: failed. */
static int consult(BIO *b, unsigned int *calls, unsigned int fail,
                   const struct fault_plan *plan, void (*set_retry)(BIO *))
{
    BIO_clear_retry_flags(b);
    ++*calls;
    if (fail != 0 && *calls >= fail)
        return -1;
    if ((plan->retry != 0 && *calls % plan->retry == 0) ||
        (plan->retry_write && set_retry == retry_write)) {
        set_retry(b);
        return 0;
    }
    return 1;
}

static size_t at_most(const struct fault_plan *plan, size_t len)
{
    return plan->most != 0 && len > plan->most ? plan->most : len;
}

static int fault_read(BIO *b, char *data, size_t len, size_t *n)
{
    struct fault_plan *plan = BIO_get_data(b);
    int r = consult(b, &plan->reads, plan->fail_read, plan, retry_read);

    *n = 0;
    if (r <= 0)
        return -1;
    r = BIO_read_ex(BIO_next(b), data, at_most(plan, len), n);
    BIO_copy_next_retry(b);
    return r ? 1 : BIO_should_retry(b) ? -1 : 0;
}

static int fault_write(BIO *b, const char *data, size_t len, size_t *n)
{
    struct fault_plan *plan = BIO_get_data(b);
    int r = consult(b, &plan->writes, plan->fail_write, plan, retry_write);

    *n = 0;
    if (plan->retries && (plan->data != data || plan->len != len))
        plan->broken_retry = 1;
    plan->retries = r == 0;
    plan->data = data;
    plan->len = len;
    if (r <= 0)
        return -1;
    r = BIO_write_ex(BIO_next(b), data, at_most(plan, len), n);
    BIO_copy_next_retry(b);
    return r ? 1 : -1;
}

static long fault_ctrl(BIO *b, int cmd, long num, void *ptr)
{
    const struct fault_plan *plan = BIO_get_data(b);
    long r;

    if (cmd == BIO_C_GET_FD && plan->fd != 0) {
        if (ptr != NULL)
            *(int *)ptr = plan->fd;
        return plan->fd;
    }
    if (BIO_next(b) == NULL)
        return 0;
    r = BIO_ctrl(BIO_next(b), cmd, num, ptr);
    if (cmd == BIO_C_DO_STATE_MACHINE || cmd == BIO_CTRL_FLUSH)
        BIO_copy_next_retry(b);
    return r;
}

BIO *fault_bio_new(struct fault_plan *plan)
{
    BIO *b;

    if (method == NULL) {
        method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_FILTER, "faults");
        ck_assert_ptr_nonnull(method);
        BIO_meth_set_read_ex(method, fault_read);
        BIO_meth_set_write_ex(method, fault_write);
        BIO_meth_set_ctrl(method, fault_ctrl);
    }
    b = BIO_new(method);
    ck_assert_ptr_nonnull(b);
    BIO_set_data(b, plan);
    BIO_set_init(b, 1);
    return b;
}
