#!/usr/bin/env bash
# Copyright 2026 The MTLS for OpenSSL authors.
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC1091,SC2154 # what lib.sh sets

# One descriptor, many channels: 60,000 of them, 1% busy, cost no more a packet
# than 10. What is compared is the time that the processor spent for the client,
# since other programs may run meanwhile.
. "$(dirname "$0")/lib.sh"
certificates

# measure N BUSY PACKETS: each end opens N channels; sets $ns
measure() {
    serve server poll_loop -accept "$1" "$2"
    client poll_loop -connect "127.0.0.1:$port" "$dir/ca.pem" "$1" "$2" "$3"
    printf '# %s\n' "$answer"
    ended "$server" 60
    is "N=$1: the server ends well" "$status" 0
    is "N=$1: all channels were there" "${answer%% busy*}" \
        "channels $(($1 * 2))"
    ns=${answer##* }
}

if [ -n "${MTLS_SANITIZE:-}" ]; then
    measure 5 5 2000
    measure 5000 50 2000
    exit $((failures != 0))
fi

# least VARIABLE: the least time that was measured
least() {
    [ -n "${!1}" ] && [ "${!1}" -lt "$ns" ] || printf -v "$1" %s "$ns"
}

grown() {
    [ $(($1 * 5)) -gt $((few * 6)) ]
}

# Many that are busy share records; as few as before do not.
few='' many='' idle=''
for _ in 1 2 3; do
    measure 5 5 50000
    least few
    measure 30000 300 50000
    least many
    measure 30000 5 50000
    least idle
    grown "$many" || grown "$idle" || break
done
! grown "$many"
ok "60,000 channels, 1% busy: $many ns a packet; 10 channels: $few ns"
! grown "$idle"
ok "60,000 channels, 10 busy: $idle ns a packet; 10 channels: $few ns"
exit $((failures != 0))
