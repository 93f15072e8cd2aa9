/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* The commands of the tool. Each takes what follows its name; exit status. */
#ifndef MTLS_APPS_COMMANDS_H
#define MTLS_APPS_COMMANDS_H

#define EXIT_USAGE 2

int s_server_main(int argc, char *argv[]);
int s_client_main(int argc, char *argv[]);
int audit_main(int argc, char *argv[]);
int speed_main(int argc, char *argv[]);

#endif
