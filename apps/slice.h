/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* What the tool asks of the scheduler. */
#ifndef MTLS_APPS_SLICE_H
#define MTLS_APPS_SLICE_H

/*
 * short_slices asks for short time slices (EEVDF's, from Linux 6.12 on): who
 * takes little at a time need not wait for others' long ones. No privilege and
 * no larger share; older kernels take no notice.
 */
void short_slices(void);

#endif
