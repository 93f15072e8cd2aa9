/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "dtls_conf.h"

#include <string.h>

#define AT(member) offsetof(struct options, member)

/* clang-format off */
const struct option options_dtls[] = {
    {NULL, OPTION_HEADING, 0, NULL, "DTLS", 0, 0},
    {"dtls", OPTION_FLAG, AT(dtls), NULL,
     "carry datagrams, over DTLS 1.2, beside a TLS connection to the\n"
     "same port number that has its key of it (MTLS-05 2.3); where\n"
     "-mtls00 is agreed on, without that", 0, 0},
    {"mtu", OPTION_NUMBER, AT(mtu), "N",
     "octets of a packet on the path, its headers included (what the\n"
     "system knows of it)", 256, 65535},
    {"udp_timeout", OPTION_NUMBER, AT(udp_timeout), "S",
     "seconds without a datagram that end a channel (client: 60;\n"
     "server: 0, none do)", 0, 31536000},
    {"keepalive", OPTION_NUMBER, AT(keepalive), "S",
     "seconds without a datagram after which the other end is asked for\n"
     "one (client: 15; server: 0, never)", 0, 86400},
    {NULL, OPTION_HEADING, 0, NULL, NULL, 0, 0},
};
/* clang-format on */

static int has_conf(const struct options *o, const char *name)
{
    for (size_t i = 0; i + 1 < o->conf.n; i += 2) {
        if (strcmp(o->conf.at[i], name) == 0)
            return 1;
    }
    return 0;
}

int dtls_conf_check(const struct options *o)
{
    const struct option_given others[] = {
        {"-tlsmux", o->tlsmux},
        {"-sign", o->sign != NULL},
        {"-R", o->remotes.n > 0},
        {"-allow-listen", o->allow_listen.n > 0},
        {"-sessions", o->sessions > 1},
        {"-sess_in", o->sess_in != NULL},
        {"-sess_out", o->sess_out != NULL},
        {"-tls1_2", o->tls1_2},
        {"-tls1_3", o->tls1_3},
        {"-ciphersuites", has_conf(o, "ciphersuites")},
    };
    const struct option_given ours[] = {
        {"-mtu", o->mtu >= 0},
        {"-udp_timeout", o->udp_timeout >= 0},
        {"-keepalive", o->keepalive >= 0},
    };

    if (o->dtls)
        return options_refuse(o, "-dtls", others,
                              sizeof(others) / sizeof(others[0]));
    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
        if (ours[i].given)
            return options_complain(o->command, ours[i].name,
                                    ": only with -dtls");
    }
    return 1;
}

int dtls_conf_destination(const struct options *o, const char *option,
                          const char *text)
{
    if (!o->dtls || strstr(text, "unix:") == NULL)
        return 1;
    return options_complain(o->command, option,
                            ": not unix: with -dtls, which carries UDP");
}

void dtls_conf_mtu(SSL *ssl, const struct options *o)
{
    if (o->mtu < 0)
        return;
    SSL_set_options(ssl, SSL_OP_NO_QUERY_MTU);
    DTLS_set_link_mtu(ssl, o->mtu);
}
