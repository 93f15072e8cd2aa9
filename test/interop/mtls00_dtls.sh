#!/usr/bin/env bash
# Copyright 2026 The MTLS for OpenSSL authors.
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC1091,SC2154 # what lib.sh sets

# mtls-00 over DTLS in the tool: a real DNS server asked by real clients through
# one DTLS session and no TCP connection, beside clients of draft 05 at the same
# port; what is not agreed on; and the ClientHello as another program decodes it.
. "$(dirname "$0")/lib.sh"

certificates
start_dns
other=$((dns + 1))
apps=(-app "dns:$dns" -app "tftp:$other")

query() {
    dig +short +time=5 +tries=3 @127.0.0.1 -p "${forward[0]}" "$@"
}

start_server -dtls -mtls00 "${apps[@]}"
start_client -dtls -mtls00 "${apps[@]}" -msg -L "0:localhost:$dns"
is "dig through mtls-00 over DTLS" "$(query www.tunnel.test)" 192.0.2.55
is "a long answer" "$(query big.test TXT | tr -d '"' | wc -c)" 201
result=$(timeout 90 python3 "$here/libudp.py" names "${forward[0]}" 1000)
is "1,000 queries, each from an address of its own" "${result%%,*}" \
    "1000 answered"
is "all that was one session" "$(grep -c ': mtls-00 for' "$server_log")" 1
is "without a TCP connection" \
    "$(ss -Htn state established "( sport = :$port )" | wc -l)" 0
grep -q ": mtls-00 for dns:$dns, tftp:$other\$" "$client_log"
ok "the client tells what was agreed on"
grep -q "^>>> data_multiplexing .*\"dns\" port $dns, \"tftp\" port" "$client_log"
ok "-msg shows what was asked for"
grep -q "^<<< data_multiplexing .*\"tftp\" port $other" "$client_log"
ok "and what was answered"
grep -q "^>>> mtls-00 frame \[length [1-9][0-9]*\] port [0-9]* to $dns\$" \
    "$client_log"
ok "and the frame of a question"
grep -q "^<<< mtls-00 frame \[length [1-9][0-9]*\] port $dns to [0-9]*\$" \
    "$client_log"
ok "and the answer's"

# --- the server ends, and begins again ---

kill -TERM "$server"
ended "$server"
is "SIGTERM ends the server" "$status" 0
until_true 20 grep -q '^connecting again' "$client_log"
ok "which tells the client"
server_port=$port start_server -dtls -mtls00 "${apps[@]}"
# shellcheck disable=SC2317 # until_true calls it
has_two_sessions() {
    [ "$(grep -c '^session with.*mtls-00' "$client_log")" -eq 2 ]
}
until_true 30 has_two_sessions
ok "who begins a new session"
is "and dig goes on" "$(query new.tunnel.test)" 192.0.2.55
kill -TERM "$client"
ended "$client"
is "SIGTERM ends the client" "$status" 0
until_true 20 grep -q '^session with .* ended' "$server_log"
ok "which tells the server"

# --- old and new at one port ---

start_client -dtls -L "0:127.0.0.1:$dns"
is "a client of draft 05 is served at the same port" \
    "$(query www.tunnel.test)" 192.0.2.55
start_client -dtls -mtls00 -L "0:localhost:$dns"
grep -q ": mtls-00 for .*dns:$dns" "$client_log" &&
    ! grep -q "for ALL" "$client_log"
ok "who asks for ALL gets the server's list"
is "and its answers" "$(query www.tunnel.test)" 192.0.2.55

# --- what is not agreed on ---

start_client -dtls -mtls00 -app "tftp:$other" -L "0:localhost:$dns"
! dig +time=1 +tries=1 @127.0.0.1 -p "${forward[0]}" x.tunnel.test \
    >"$dir/no.txt" && grep -q "can't open a channel to localhost:$dns" \
    "$client_log"
ok "a port that was not agreed on is refused here"
start_client -dtls -mtls00 -app nothing:1 -L "0:127.0.0.1:$dns"
grep -q "draft 05, not mtls-00" "$client_log"
ok "with nothing in common the session is one of draft 05"
is "which carries the answers" "$(query www.tunnel.test)" 192.0.2.55
connect=(s_client -connect "localhost:$port" -CAfile "$dir/ca.pem" -dtls
    -mtls00)
timeout 30 "$tool" "${connect[@]}" -no_fallback -app nothing:1 \
    -W "localhost:$dns" >"$dir/refused.log" 2>&1 </dev/null
is "unless the client will not have that" "$?" 1
grep -q "does not agree to data_multiplexing" "$dir/refused.log"
ok "and it says why"
start_server -dtls -mtls00 -no_fallback "${apps[@]}"
connect[2]=localhost:$port
timeout 30 "$tool" "${connect[@]}" -app nothing:1 -W "localhost:$dns" \
    >"$dir/alert.log" 2>&1 </dev/null
is "or the server will not" "$?" 1
grep -qi "unsupported extension" "$dir/alert.log"
ok "by the alert unsupported_extension"

# --- -W and -echo ---

start_server -dtls -mtls00 -echo
connect[2]=localhost:$port
is "-W, a line a datagram" "$(printf 'one\ntwo\n' |
    timeout 30 "$tool" "${connect[@]}" -W localhost:7 2>"$dir/w.log")" $'one\ntwo'

# --- command lines that make no sense ---

usage() {
    timeout 30 "$tool" "${@:2}" >"$dir/usage.log" 2>&1 </dev/null
    is "usage: $1" "$?" 2
}
usage "another host" "${connect[@]}" -L 0:db.internal:53
usage "a Unix socket" "${connect[@]}" -L 0:unix:/tmp/socket
usage "-D" "${connect[@]}" -D 0
usage "-R" "${connect[@]}" -R 0:localhost:53
usage "an -mtu that no path has" "${connect[@]}" -mtu 10

# --- the extension, decoded by another program ---

for decoder in tshark text2pcap nc; do
    command -v $decoder >/dev/null || {
        echo "$decoder is missing: no independent decoder"
        exit "$((failures > 0))"
    }
done
for _ in 1 2 3 4 5; do
    hello=$((10000 + RANDOM % 20000))
    background nc "nc$hello" nc -u -l 127.0.0.1 "$hello"
    until_true 5 grep -q ":$(printf %04X "$hello") " /proc/net/udp && break
done
background hearer hearer "$tool" s_client -connect "127.0.0.1:$hello" \
    -CAfile "$dir/ca.pem" -dtls -mtls00 -app dns:53 -app tftp:69 -W localhost:53
until_true 20 test -s "$dir/nc$hello.log"
killed "$hearer" # nc has nothing to say
od -Ax -tx1 -v "$dir/nc$hello.log" |
    text2pcap -q -u 40000,4433 - "$dir/hello.pcap" 2>/dev/null
# field NAME: its values in the ClientHello, one a line
field() {
    tshark -r "$dir/hello.pcap" -d udp.port==4433,dtls \
        -Y "dtls.handshake.type == 1" -T fields -e "$1" \
        2>>"$dir/tshark.log" | tr , '\n'
}
is "tshark finds the extension in the ClientHello" \
    "$(field dtls.handshake.extension.type | grep -cx 65357)" 1
is "and in it the octets of the draft" \
    "$(field dtls.handshake.extension.data | tr -d : | grep -x '00000d.*')" \
    00000d03646e73003504746674700045
exit "$((failures > 0))"
