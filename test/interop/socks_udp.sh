#!/usr/bin/env bash
# Copyright 2026 The MTLS for OpenSSL authors.
# SPDX-License-Identifier: Apache-2.0

# s_client -dtls -D: UDP ASSOCIATE, each destination a channel of datagrams.
. "$(dirname "$0")/lib.sh"

certificates
start_dns
start_server -dtls -allow "127.0.0.1:$dns" -allow "localhost:$dns"
start_client -dtls -D 0 -udp_timeout 3600
socks=$(sed -n 's/^listening on 127.0.0.1:\([0-9]*\) for SOCKS/\1/p' \
    "$client_log")

# associate HOST: a UDP port whose datagrams go through SOCKS to HOST's DNS
associate() {
    background associated "udp$((++associations))" \
        python3 -u "$here/libsocks.py" udp "$socks" "$1" "$dns"
    until_true 20 grep -q port "$dir/udp$associations.log" || die "no UDP"
    through=$(sed -n 's/^port //p' "$dir/udp$associations.log")
}
associations=0

# ask NAME: what the DNS server says of it
ask() {
    timeout 60 dig +short +time=2 +tries=20 @127.0.0.1 -p "$through" "$@" |
        grep -v "^;" # what it says of another try
}

channels() {
    grep -c "^channel [0-9a-f]* to $1.* open\$" "$client_log"
}

associate 127.0.0.1
by_address=$through
is "dig through SOCKS's UDP" "$(ask one.tunnel.test)" 192.0.2.55
for i in $(seq 20); do
    ask "n$i.tunnel.test"
done >"$dir/digs"
is "and 20 more" "$(sort "$dir/digs" | uniq -c | tr -s ' ')" " 20 192.0.2.55"
is "through one channel" "$(channels 127.0.0.1:)" 1
associate localhost
is "by a name, which the server resolves" \
    "$(ask big.test TXT | tr -d '"\n' | wc -c)" 200
is "through another" "$(channels localhost:)" 1

# Where there is no leave to go, nothing comes.
associate 127.0.0.2
ask +tries=1 +timeout=1 lost.tunnel.test >"$dir/lost"
grep -q "prohibited: this destination is not allowed" "$client_log"
ok "not allowed: the channel is refused, the datagram lost"

# An association ends with its TCP connection, and its channels with it.
kill "$associated"
until_true 20 grep -q "^udp, from .* ended; " "$client_log"
ok "it ends with its client"

# No channel here is a stream.
timeout 60 curl -sS -o /dev/null --socks5 "127.0.0.1:$socks" \
    http://127.0.0.1/ 2>"$dir/curl.log"
grep -q "(7)" "$dir/curl.log"
ok "CONNECT: 7"

# The client's association outlives the session.
killed "$server"
until_true 20 grep -q "^connecting again" "$client_log"
ok "the session is lost"
server_port=$port start_server -dtls -allow "127.0.0.1:$dns"
has_another() {
    [ "$(grep -c "^session with .*: TLS" "$client_log")" -eq 2 ]
}
until_true 60 has_another || die "no new session"
through=$by_address
is "and the next one serves who is still there" "$(ask two.tunnel.test)" \
    192.0.2.55

kill "$client"
ended "$client"
is "the client ends" "$status" 0

# Over TLS there are no datagrams.
start_server -echo
start_client -D 0
socks=$(sed -n 's/^listening on 127.0.0.1:\([0-9]*\) for SOCKS/\1/p' \
    "$client_log")
is "UDP ASSOCIATE without -dtls: 7" "$(timeout 60 python3 \
    "$here/libsocks.py" udp "$socks" 127.0.0.1 1 2>&1 | tail -n 1)" \
    "AssertionError: 7"

[ "$failures" -eq 0 ]
