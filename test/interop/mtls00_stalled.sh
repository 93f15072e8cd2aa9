#!/usr/bin/env bash
# Copyright 2026 The MTLS for OpenSSL authors.
# SPDX-License-Identifier: Apache-2.0

# mtls-00 has no flow control: a reader that stops stalls the session, whose
# memory stays bounded and which waits without being busy. When it reads again
# every octet is there, of it and of those who had to wait.
. "$(dirname "$0")/lib.sh"

certificates
start_nginx
head -c 50000000 /dev/urandom >"$dir/www/large"
head -c 1000000 /dev/urandom >"$dir/www/small"
start_server -mtls00
start_client -mtls00 -L "0:localhost:$web"
curl -s -o /dev/null "http://127.0.0.1:${forward[0]}/small"
server_before=$(rss "$server")
client_before=$(rss "$client")

background stalled stalled python3 -u "$here/libpeer.py" stall \
    "${forward[0]}" /large "$(digest "$dir/www/large")" "$dir/go" 200
until_true 10 grep -q port "$dir/stalled.log"
# stalled: nothing has moved for half a second
stands() {
    local before
    before=$(ticks "$client")
    sleep 0.5
    [ $(($(ticks "$client") - before)) -lt 3 ]
}
until_true 30 stands
ok "the client comes to a stand, and is not busy"
background other other curl -s -m 200 -o "$dir/got" \
    "http://127.0.0.1:${forward[0]}/small"
sleep 0.5
! gone "$other"
ok "another connection has to wait"
bound=8192
sanitized && bound=1000000 # its memory says nothing
server_growth=$(($(rss "$server") - server_before))
client_growth=$(($(rss "$client") - client_before))
[ "$server_growth" -le "$bound" ]
ok "the server grew by $server_growth KiB, at most $bound"
[ "$client_growth" -le "$bound" ]
ok "the client grew by $client_growth KiB, at most $bound"

touch "$dir/go"
ended "$stalled" 100
grep -q "digest equal" "$dir/stalled.log"
ok "when it reads again every octet is there"
ended "$other" 100
cmp -s "$dir/got" "$dir/www/small"
ok "and who had to wait gets all of its own"
curl -s -m 60 -o "$dir/got" "http://127.0.0.1:${forward[0]}/small"
cmp -s "$dir/got" "$dir/www/small"
ok "and so does the next"

[ "$failures" -eq 0 ]
