#!/usr/bin/env bash
# Copyright 2026 The MTLS for OpenSSL authors.
# SPDX-License-Identifier: Apache-2.0

# A reader that stops stalls its own channel alone, the memory of both ends
# stays within its bound, and when it reads again every octet is there.
. "$(dirname "$0")/lib.sh"

certificates
start_nginx
head -c 100000000 /dev/urandom >"$dir/www/large"
head -c 1000000 /dev/urandom >"$dir/www/small"
window=$((4 * 1024 * 1024))
start_server -window "$window"
start_client -window "$window" -L "0:127.0.0.1:$web"
curl -s -o /dev/null "http://127.0.0.1:${forward[0]}/small"
server_before=$(rss "$server")
client_before=$(rss "$client")

background stalled stalled python3 -u "$here/libpeer.py" stall \
    "${forward[0]}" /large "$(digest "$dir/www/large")" "$dir/go" 200
until_true 10 grep -q port "$dir/stalled.log"
sleep 1
client_worked=$(ticks "$client")
server_worked=$(ticks "$server")
sleep 2
[ $(($(ticks "$client") - client_worked)) -lt 30 ]
ok "the client waits without being busy"
[ $(($(ticks "$server") - server_worked)) -lt 30 ]
ok "so does the server"
for i in 1 2 3; do
    curl -s -m 20 -o "$dir/got" "http://127.0.0.1:${forward[0]}/small"
    cmp -s "$dir/got" "$dir/www/small"
    ok "others go on, $i"
done
server_growth=$(($(rss "$server") - server_before))
client_growth=$(($(rss "$client") - client_before))
bound=$(((window + 4 * 1024 * 1024) / 1024))
sanitized && bound=1000000 # its memory says nothing
[ "$server_growth" -le "$bound" ]
ok "the server grew by $server_growth KiB, at most $bound"
[ "$client_growth" -le "$bound" ]
ok "the client grew by $client_growth KiB, at most $bound"

touch "$dir/go"
ended "$stalled" 100
grep -q "digest equal" "$dir/stalled.log"
ok "when it reads again every octet is there"

[ "$failures" -eq 0 ]
