/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* What openssl.cnf says to the tool, in the section of the provider "mtls". */
#ifndef MTLS_APPS_CONFIGURED_H
#define MTLS_APPS_CONFIGURED_H

#include "allow.h"

/* configured_init, before anything of OpenSSL's: the section needs no module
 * then. 0 when memory is short. */
int configured_init(void);

/* configured_check: 1 when the section can be used, or says what is wrong. */
int configured_check(void);

/* configured_allow adds the destinations of the section, if it has any: 0 when
 * one is none, and says so. */
int configured_allow(struct allow *a);

#endif
