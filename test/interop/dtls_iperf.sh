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
# A number that is free for UDP and for TCP.
for _ in 1 2 3 4 5; do
    start_client -dtls -L "0:127.0.0.1:$iperf"
    udp=${forward[0]}
    background client "tcp$udp" "$tool" s_client -quiet \
        -connect "localhost:$tls_port" -CAfile "$dir/ca.pem" \
        -L "$udp:127.0.0.1:$iperf"
    until_true 20 eval "gone $client || nc -z 127.0.0.1 $udp"
    gone "$client" || break
done

# measure OPTION...: a machine that is busy for a moment may lose too much
measure() {
    measure_once "$@" || measure_once "$@" || measure_once "$@"
    ok "iperf3 -u $*: most of it arrives"
}

measure_once() {
    timeout 60 iperf3 -u -c 127.0.0.1 -p "$udp" -t 2 -l 1200 -b 1M -J "$@" \
        >"$dir/iperf.json" 2>&1 || return 1
    python3 - "$dir/iperf.json" <<'END'
import json, sys
total = json.load(open(sys.argv[1]))["end"]["sum"]
print("# %d datagrams, %d lost, %.3f ms jitter, %.1f Mbit/s" % (
    total["packets"], total["lost_packets"], total["jitter_ms"],
    total["bits_per_second"] / 1e6))
sys.exit(total["packets"] < 50 or total["lost_percent"] > 50)
END
}

measure
measure -R
is "one DTLS session" "$(grep -c '^session with.*DTLSv1.2' "$client_log")" 1
exit "$((failures > 0))"
