#!/usr/bin/env bash
# Copyright 2026 The MTLS for OpenSSL authors.
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC1091,SC2154 # what lib.sh sets

# iperf3 -u through -dtls, both ways. Its own control connection is TCP, to the
# same port number: that goes over MTLS on TLS, beside.
. "$(dirname "$0")/lib.sh"

certificates

for _ in 1 2 3 4 5; do
    iperf=$((10000 + RANDOM % 20000))
    background iperf_pid iperf iperf3 -s -B 127.0.0.1 -p "$iperf" --forceflush
    until_true 5 grep -q '^Server listening' "$dir/iperf.log" && break
done
start_server
tls_port=$port
start_server -dtls
start_client -dtls -L "0:127.0.0.1:$iperf"
udp=${forward[0]}
port=$tls_port
start_client -L "$udp:127.0.0.1:$iperf"

# measure NAME OPTION...: sets $received to the octets that arrived
measure() {
    local name=$1
    shift
    timeout 60 iperf3 -u -c 127.0.0.1 -p "$udp" -t 2 -l 1200 -b 1M -J "$@" \
        >"$dir/$name.json" 2>&1
    is "iperf3 -u $*: status" "$?" 0
    python3 - "$dir/$name.json" <<'END'
import json, sys
total = json.load(open(sys.argv[1]))["end"]["sum"]
print("# %d datagrams, %d lost, %.3f ms jitter, %.1f Mbit/s" % (
    total["packets"], total["lost_packets"], total["jitter_ms"],
    total["bits_per_second"] / 1e6))
sys.exit(total["packets"] < 50 or total["lost_percent"] > 50)
END
    ok "iperf3 -u $*: most of it arrives"
}

measure there
measure back -R
is "one DTLS session" "$(grep -c '^session with.*DTLSv1.2' "$server_log")" 1
exit "$((failures > 0))"
