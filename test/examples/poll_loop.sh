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

few='' many=''
for _ in 1 2 3; do
    measure 5 5 50000
    [ -n "$few" ] && [ "$few" -lt "$ns" ] || few=$ns
    measure 30000 300 50000
    [ -n "$many" ] && [ "$many" -lt "$ns" ] || many=$ns
    [ $((many * 5)) -gt $((few * 6)) ] || break
done
[ $((many * 5)) -le $((few * 6)) ]
ok "60,000 channels: $many ns a packet; 10 channels: $few ns"
exit $((failures != 0))
