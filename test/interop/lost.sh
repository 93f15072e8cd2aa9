#!/usr/bin/env bash
# Copyright 2026 The MTLS for OpenSSL authors.
# SPDX-License-Identifier: Apache-2.0

# A session that is lost: nobody takes the part for the whole, and later
# connections find a new session.
. "$(dirname "$0")/lib.sh"

certificates
certificates other
start_nginx
truncate -s 2G "$dir/www/big"
echo small >"$dir/www/small"
start_peer endless endless

start_server
server_port=$port
start_client -L "0:127.0.0.1:$web" -L "0:127.0.0.1:$endless"

# with_server_killed COMMAND...: kills it once octets flow; sets $result
with_server_killed() {
    rm -f "$dir/cut.out"
    "$@" >"$dir/cut.out" 2>/dev/null &
    local pid=$!
    pids+=("$pid")
    until_true 10 test -s "$dir/cut.out"
    killed "$server"
    ended "$pid"
    result=$status
}

# sessions NUMBER: the client has had so many
sessions() {
    [ "$(grep -c "^session with.*TLSv1" "$client_log")" -ge "$1" ]
}

with_server_killed curl -s -N --limit-rate 20M \
    "http://127.0.0.1:${forward[0]}/big"
[ "$result" -ne 0 ] && [ "$result" != running ]
ok "the server is killed: curl says that something is missing ($result)"
until_true 10 grep -q "^mtls s_client: lost localhost" "$client_log"
ok "the client says so"
grep -q "^connecting again in" "$client_log"
ok "and when it tries again"

# One that comes meanwhile waits for the new session.
background waiting waiting curl -s -m 60 "http://127.0.0.1:${forward[0]}/small"
sleep 1
start_server
until_true 20 grep -q small "$dir/waiting.log"
ok "a connection made while there was no session"
is "connections work again" \
    "$(curl -s -m 20 "http://127.0.0.1:${forward[0]}/small")" small

with_server_killed timeout 20 python3 "$here/libpeer.py" outcome "${forward[1]}"
grep -q "reset" "$dir/cut.out"
ok "without a length of its own: a reset, not an end"

# A server in good order ends, and comes back.
start_server
until_true 20 sessions 3
kill "$server"
ended "$server"
is "the server ends in good order" "$status" 0
start_server
until_true 20 sessions 4
is "connections work again after that" \
    "$(curl -s -m 20 "http://127.0.0.1:${forward[0]}/small")" small

# Another server in its place, whose certificate is not good.
killed "$server"
cp "$dir/otherserver.pem" "$dir/server.pem"
cp "$dir/otherserver.key" "$dir/server.key"
start_server
ended "$client" 30
is "an impostor in its place ends the client" "$status" 1
grep -q "unable to get local issuer certificate" "$client_log"
ok "with OpenSSL's words"

[ "$failures" -eq 0 ]
