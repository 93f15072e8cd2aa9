#!/usr/bin/env bash
# Copyright 2026 The MTLS for OpenSSL authors.
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC1091,SC2154 # what lib.sh sets

# One descriptor, many channels: 10 and 60,000 of them, few of which are busy.
# What a packet costs is printed, not judged: mtls speed idle measures that.
. "$(dirname "$0")/lib.sh"
certificates

# measure N BUSY PACKETS: each end opens N channels
measure() {
    serve server poll_loop -accept "$1" "$2"
    client poll_loop -connect "127.0.0.1:$port" "$dir/ca.pem" "$1" "$2" "$3"
    printf '# %s\n' "$answer"
    ended "$server" 60
    is "N=$1: the server ends well" "$status" 0
    is "N=$1: all channels were there" "${answer%% busy*}" \
        "channels $(($1 * 2))"
}

if [ -n "${MTLS_SANITIZE:-}" ]; then
    measure 5 5 2000
    measure 5000 50 2000
    exit $((failures != 0))
fi

measure 5 5 50000
measure 30000 300 50000
measure 30000 5 50000
exit $((failures != 0))
