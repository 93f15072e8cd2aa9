#!/usr/bin/env bash
# Copyright 2026 The MTLS for OpenSSL authors.
# SPDX-License-Identifier: Apache-2.0

# mtls-00 in the tool: curl and redis together over one session, beside a
# client of draft 05 at the same port; what is not agreed on; what -msg shows;
# and the extension as another program decodes it.
. "$(dirname "$0")/lib.sh"

certificates
start_nginx
head -c 5000000 /dev/urandom >"$dir/www/file"
background redis redis redis-server --port 0 --unixsocket "$dir/redis.sock" \
    --save "" --dir "$dir"
until_true 20 redis-cli -s "$dir/redis.sock" ping || die "no redis"
for _ in 1 2 3 4 5; do
    redis_port=$((10000 + RANDOM % 20000))
    answer=$(redis-cli -s "$dir/redis.sock" config set port "$redis_port")
    [ "$answer" = OK ] && break
done

# --- curl and redis over one session ---

apps=(-app "http:$web" -app "redis:$redis_port")
start_server -mtls00 "${apps[@]}"
start_client -mtls00 "${apps[@]}" -msg -L "0:localhost:$web" \
    -L "0:localhost:$redis_port"
for i in 1 2 3 4; do
    background "fetch$i" "fetch$i" curl -s -m 120 -o "$dir/got$i" \
        "http://127.0.0.1:${forward[0]}/file"
done
for i in $(seq 50); do
    printf 'SET key%d value%d\nGET key%d\n' "$i" "$i" "$i"
done | timeout 120 redis-cli -p "${forward[1]}" >"$dir/answers"
is "redis answers through mtls-00" \
    "$(grep -c OK "$dir/answers") $(tail -n 1 "$dir/answers")" "50 value50"
for i in 1 2 3 4; do
    pid=fetch$i
    ended "${!pid}" 120
    cmp -s "$dir/got$i" "$dir/www/file"
    ok "file $i came through mtls-00 meanwhile"
done
is "all that was one session" "$(grep -c ': mtls-00 for' "$server_log")" 1
grep -q ": mtls-00 for http:$web, redis:$redis_port\$" "$client_log"
ok "the client tells what was agreed on"
grep -q "^>>> data_multiplexing .*\"http\" port $web, \"redis\" port" \
    "$client_log"
ok "-msg shows what was asked for"
grep -q "^<<< data_multiplexing .*\"redis\" port $redis_port" "$client_log"
ok "and what was answered"
grep -q "^>>> mtls-00 frame \[length 0\] port [0-9]* to $web, empty" "$client_log"
ok "and the frame that opens a stream"

# --- old and new at one port ---

start_client -L "0:127.0.0.1:$web"
curl -s -m 60 -o "$dir/got" "http://127.0.0.1:${forward[0]}/file"
cmp -s "$dir/got" "$dir/www/file"
ok "a client of draft 05 is served at the same port"
start_client -mtls00 -L "0:localhost:$web"
grep -q ": mtls-00 for .*http:$web" "$client_log" &&
    ! grep -q "for ALL" "$client_log"
ok "who asks for ALL gets the server's list"
curl -s -m 60 -o "$dir/got" "http://127.0.0.1:${forward[0]}/file"
cmp -s "$dir/got" "$dir/www/file"
ok "and the file"

# --- what is not agreed on ---

start_client -mtls00 -app "redis:$redis_port" -L "0:localhost:$web"
curl -s -m 20 -o /dev/null "http://127.0.0.1:${forward[0]}/file"
[ $? -ne 0 ] && grep -q "not agreed on in data_multiplexing" "$client_log"
ok "a port that was not agreed on is refused here"
start_client -mtls00 -app nothing:1 -L "0:127.0.0.1:$web"
grep -q "draft 05, not mtls-00" "$client_log"
ok "with nothing in common the session is one of draft 05"
curl -s -m 60 -o "$dir/got" "http://127.0.0.1:${forward[0]}/file"
cmp -s "$dir/got" "$dir/www/file"
ok "which carries the file"
connect=(s_client -connect "localhost:$port" -CAfile "$dir/ca.pem" -mtls00)
timeout 30 "$tool" "${connect[@]}" -no_fallback -app nothing:1 \
    -W "localhost:$web" >"$dir/refused.log" 2>&1 </dev/null
is "unless the client will not have that" "$?" 1
grep -q "does not agree to data_multiplexing" "$dir/refused.log"
ok "and it says why"
start_server -mtls00 -no_fallback "${apps[@]}"
connect=(s_client -connect "localhost:$port" -CAfile "$dir/ca.pem" -mtls00)
for version in -tls1_2 -tls1_3; do
    timeout 30 "$tool" "${connect[@]}" $version -app nothing:1 \
        -W "localhost:$web" >"$dir/alert.log" 2>&1 </dev/null
    is "or the server will not, $version" "$?" 1
    grep -qi "unsupported extension" "$dir/alert.log"
    ok "by the alert unsupported_extension, $version"
done
kill -TERM "$server"
ended "$server"
is "the server ends in order" "$status" 0

# --- command lines that make no sense ---

usage() {
    timeout 30 "$tool" "${@:2}" >"$dir/usage.log" 2>&1 </dev/null
    is "usage: $1" "$?" 2
}
usage "-app alone" "${connect[@]:0:5}" -app http:80
usage "another host" "${connect[@]}" -app http:80 -L 0:db.internal:5432
usage "-D" "${connect[@]}" -D 0
usage "an -app without a port" "${connect[@]}" -app http:80 -app redis
grep -q "redis: not NAME:PORT" "$dir/usage.log"
ok "which is told"
usage "a server that has ALL" s_server -accept 0 -cert "$dir/server.pem" \
    -key "$dir/server.key" -mtls00 -app ALL

# --- the extension, decoded by another program ---

for decoder in tshark text2pcap nc; do
    command -v $decoder >/dev/null || {
        echo "$decoder is missing: no independent decoder"
        [ "$failures" -eq 0 ]
        exit
    }
done
for _ in 1 2 3 4 5; do
    hello=$((10000 + RANDOM % 20000))
    background nc "nc$hello" nc -N -l 127.0.0.1 "$hello"
    until_true 5 grep -q ":$(printf %04X "$hello") .* 0A" /proc/net/tcp && break
done
background hearer hearer "$tool" s_client -connect "127.0.0.1:$hello" \
    -CAfile "$dir/ca.pem" -mtls00 -app http:80 -app redis:6379 -W localhost:80
until_true 20 test -s "$dir/nc$hello.log"
ended "$hearer" # nc has nothing to say
ended "$nc"
od -Ax -tx1 -v "$dir/nc$hello.log" |
    text2pcap -q -T 40000,443 - "$dir/hello.pcap" 2>/dev/null
# field NAME: its values in the ClientHello, one a line
field() {
    tshark -r "$dir/hello.pcap" -Y "tls.handshake.type == 1" -T fields \
        -e "$1" 2>>"$dir/tshark.log" | tr , '\n'
}
is "tshark finds the extension in the ClientHello" \
    "$(field tls.handshake.extension.type | grep -cx 65357)" 1
is "and in it the octets of the draft" \
    "$(field tls.handshake.extension.data | tr -d : | grep -x '00000f.*')" \
    00000f0468747470005005726564697318eb

[ "$failures" -eq 0 ]
