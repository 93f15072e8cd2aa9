/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "slice.h"

#include <linux/sched.h>
#include <linux/sched/types.h>
#include <sys/syscall.h>
#include <unistd.h>

/* About a turn of the loop amid bulk data, and the least that there is. */
#define SLICE_NS 100000

/* The policy and the nice value stay as they are; it is a hint. */
void short_slices(void)
{
    struct sched_attr attr = {0};

    if (syscall(SYS_sched_getattr, 0, &attr, sizeof(attr), 0) != 0 ||
        attr.sched_policy != SCHED_NORMAL)
        return;
    attr.sched_runtime = SLICE_NS;
    (void)syscall(SYS_sched_setattr, 0, &attr, 0);
}
