#!/usr/bin/env bash
# Copyright 2026 The MTLS for OpenSSL authors.
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC1091,SC2154 # what lib.sh sets

# -dtls: a real DNS server, asked by real clients through one session; and
# openssl's own s_client does both handshakes with the server.
. "$(dirname "$0")/lib.sh"

certificates

# tcp PID, udp PID: how many connections, how many UDP sockets it has
tcp() {
    ss -Htnp state established | grep -c "pid=$1,"
}

udp() {
    ss -Hunap | grep -c "pid=$1,"
}

# between: what there is between client and server, of TCP and of UDP
between() {
    ss -Htn state established "( sport = :$port )" | wc -l
    ss -Hun "( dport = :$port )" | wc -l
}

start_dns
start_server -dtls
start_client -dtls -L "0:127.0.0.1:$dns"

is "dig" "$(dig +short +time=5 @127.0.0.1 -p "${forward[0]}" \
    www.tunnel.test)" 192.0.2.55
is "a long answer" "$(dig +short +time=5 @127.0.0.1 -p "${forward[0]}" \
    big.test TXT | tr -d '"' | wc -c)" 201

# --- 1,000 at once ---

result=$(timeout 90 python3 "$here/libudp.py" names \
    "${forward[0]}" 1000)
echo "# 1,000 queries in parallel: $result"
is "1,000 queries, each from an address of its own" "${result%%,*}" \
    "1000 answered"
mapfile -t n < <(between)
echo "# between client and server: ${n[0]} TCP, ${n[1]} UDP"
echo "# sockets of the client: $(tcp "$client") TCP connections," \
    "$(udp "$client") UDP (of -L 2)"
echo "# sockets of the server: $(tcp "$server") TCP connections," \
    "$(udp "$server") UDP (1 for all clients, 1 for each channel)"
is "one TLS connection, one DTLS session" "${n[*]}" "1 1"
is "the client has no others" \
    "$(tcp "$client") $(udp "$client")" "1 3"

# Real dig, in 20 processes at a time.
for i in {1..20}; do
    for j in {1..25}; do
        echo "d$i-$j.tunnel.test"
    done >"$dir/names$i"
done
digs=()
for i in {1..20}; do
    dig +short +time=5 +tries=5 @127.0.0.1 -p "${forward[0]}" \
        -f "$dir/names$i" >"$dir/dig$i" 2>&1 &
    digs+=($!)
done
wait "${digs[@]}"
is "500 queries by 20 dig" "$(cat "$dir"/dig? "$dir"/dig?? |
    grep -c '^192.0.2.55$')" 500
is "still one session" "$(grep -c '^session with' "$server_log")" 1

# --- openssl's own client ---

# Both are there at once: the DTLS client must stay while the TLS
# connection comes
mkfifo "$dir/hold"
openssl s_client -dtls1_2 -connect "127.0.0.1:$port" -CAfile "$dir/ca.pem" \
    -verify_return_error <"$dir/hold" >"$dir/dtls.log" 2>&1 &
dtls=$!
exec 9>"$dir/hold"
until_true 20 grep -q 'Master-Key' "$dir/dtls.log"
ok "openssl s_client -dtls1_2"
id=$(sed -n 's/^ *Session-ID: //p' "$dir/dtls.log")
secret=$(sed -n 's/^ *Master-Key: //p' "$dir/dtls.log")
identity=$(python3 -c 'import sys; print(bytes.fromhex(sys.argv[1]).decode())' \
    "$id")
is "the session ID is a name of 32 characters" "${#identity}" 32
sleep 1 | timeout 20 openssl s_client -tls1_2 -connect "127.0.0.1:$port" \
    -psk_identity "$identity" -psk "$secret" -cipher PSK-AES128-CBC-SHA \
    >"$dir/psk.log" 2>&1
grep -q 'Cipher is PSK-AES128-CBC-SHA' "$dir/psk.log"
ok "openssl s_client -psk, with TLS_PSK_WITH_AES_128_CBC_SHA"
is "the server has bound the two" \
    "$(grep -c 'PSK-AES128-CBC-SHA, DTLSv1.2' "$server_log")" 1
timeout 20 openssl s_client -tls1_2 -connect "127.0.0.1:$port" \
    -psk_identity "$identity" -psk "$secret" -cipher PSK-AES128-CBC-SHA \
    >"$dir/again.log" 2>&1 </dev/null
grep -q 'unknown psk identity' "$dir/again.log"
ok "and nobody can be bound to it again"
exec 9>&-
wait "$dtls"

# --- the end ---

kill -TERM "$client"
ended "$client"
is "SIGTERM ends the client" "$status" 0
kill -TERM "$server"
ended "$server"
is "and the server" "$status" 0
exit "$((failures > 0))"
