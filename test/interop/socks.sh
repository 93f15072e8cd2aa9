#!/usr/bin/env bash
# Copyright 2026 The MTLS for OpenSSL authors.
# SPDX-License-Identifier: Apache-2.0

# s_client -D: programs that speak SOCKS 5, through channels.
. "$(dirname "$0")/lib.sh"

certificates
start_nginx
head -c 5000000 /dev/urandom >"$dir/www/file"
start_peer reset reset
start_peer count count
start_server -allow "127.0.0.1:*" -allow "refused.invalid:*"
start_client -D 0 -D "127.0.0.1:0" -D "unix:$dir/socks.sock" -L "0:127.0.0.1:$web"
mapfile -t socks < <(sed -n \
    's/^listening on 127.0.0.1:\([0-9]*\) for SOCKS/\1/p' "$client_log")
is "ports of SOCKS" "${#socks[@]}" 2

fetch() {
    local name=$1
    shift
    rm -f "$dir/got"
    timeout 60 "$@" >"$dir/fetch.log" 2>&1
    cmp -s "$dir/got" "$dir/www/file"
    ok "$name"
}

# status NAME WANTED CURL-OPTION...: what curl ends with, and its words
status() {
    local name=$1 wanted=$2
    shift 2
    timeout 60 curl -sS --max-time 50 -o /dev/null "$@" 2>"$dir/status.log"
    grep -q "$wanted" "$dir/status.log"
    ok "$name"
}

for port_of in "${socks[@]}"; do
    fetch "curl --socks5" curl -s -o "$dir/got" \
        --socks5 "127.0.0.1:$port_of" "http://127.0.0.1:$web/file"
done
socks5=(--socks5-hostname "127.0.0.1:${socks[0]}")
fetch "curl --socks5-hostname: the server resolves" curl -s -o "$dir/got" \
    "${socks5[@]}" "http://127.0.0.1:$web/file"
fetch "beside it, -L" curl -s -o "$dir/got" "http://127.0.0.1:${forward[0]}/file"

fetch "on a UNIX socket" curl -s -o "$dir/got" \
    --proxy "socks5h://localhost$dir/socks.sock" "http://127.0.0.1:$web/file"

# What the server answers comes as SOCKS says it.
status "not allowed: 2" "(2)" "${socks5[@]}" "http://198.51.100.1/"
status "no such name: 4" "(4)" "${socks5[@]}" "http://nobody.invalid/"
status "refused: 5" "(5)" "${socks5[@]}" "http://127.0.0.1:1/"
is "an upload of 5 MB, and its answer" "$(timeout 60 nc -N -X 5 \
    -x "127.0.0.1:${socks[0]}" 127.0.0.1 "$count" <"$dir/www/file")" 5000000

# A program that knows nothing of SOCKS, or of us.
cat >"$dir/proxychains.conf" <<END
strict_chain
proxy_dns
[ProxyList]
socks5 127.0.0.1 ${socks[0]}
END
fetch "proxychains4 and curl" proxychains4 -q -f "$dir/proxychains.conf" \
    curl -s -o "$dir/got" "http://127.0.0.1:$web/file"
background redis redis redis-server --port 0 --unixsocket "$dir/redis.sock" \
    --save "" --dir "$dir"
until_true 20 redis-cli -s "$dir/redis.sock" ping || die "no redis"
redis-cli -s "$dir/redis.sock" config set port 0 >/dev/null
for _ in 1 2 3 4 5; do
    redis_port=$((10000 + RANDOM % 20000))
    answer=$(redis-cli -s "$dir/redis.sock" config set port "$redis_port")
    [ "$answer" != OK ] || break
done
is "proxychains4 and redis-cli" "$(timeout 60 proxychains4 -q \
    -f "$dir/proxychains.conf" redis-cli -p "$redis_port" set x 1)" OK

# Many at a time.
for i in $(seq 30); do
    timeout 60 curl -s -o "$dir/many$i" "${socks5[@]}" \
        "http://127.0.0.1:$web/file" &
    jobs[i]=$!
done
same=0
for i in $(seq 30); do
    wait "${jobs[i]}"
    cmp -s "$dir/many$i" "$dir/www/file" && same=$((same + 1))
done
is "30 at a time" "$same" 30

kill "$client"
ended "$client"
is "the client ends" "$status" 0

[ "$failures" -eq 0 ]
