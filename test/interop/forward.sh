#!/usr/bin/env bash
# Copyright 2026 The MTLS for OpenSSL authors.
# SPDX-License-Identifier: Apache-2.0

# s_client -L: connections through channels, their ends and their errors.
. "$(dirname "$0")/lib.sh"

certificates
start_nginx
head -c 20000000 /dev/urandom >"$dir/www/file"
start_peer echo echo
start_peer count count
start_peer reset reset
start_peer early early
start_peer deaf deaf
start_peer echo_unix echo "$dir/echo.sock"

start_server -allow "127.0.0.1:*" -allow "unix:$dir/echo.sock"
start_client -L "0:127.0.0.1:$web" -L "0:127.0.0.1:$count" \
    -L "127.0.0.1:0:localhost:$echo" -L "0:127.0.0.1:$reset" \
    -L "0:198.51.100.1:80" -L "0:127.0.0.1:1" -L "0:127.0.0.1:$deaf" \
    -L "0:127.0.0.1:$early" -L "0:unix:$dir/echo.sock" \
    -L "unix:$dir/in.sock:127.0.0.1:$web" \
    -L "unix:$dir/both.sock:unix:$dir/echo.sock"
peer() {
    timeout 60 python3 "$here/libpeer.py" "$@"
}

# fetch NAME CURL-OPTION...: the file, whole
fetch() {
    local name=$1
    shift
    rm -f "$dir/got"
    curl -s -o "$dir/got" "$@"
    cmp -s "$dir/got" "$dir/www/file"
    ok "$name"
}

for i in 1 2 3; do
    fetch "curl, nginx and 20 MB, $i" "http://127.0.0.1:${forward[0]}/file"
done
v6=$(listening "client$client_number" '\[::1\]' | head -n 1)
fetch "the same over IPv6 loopback" "http://[::1]:$v6/file"

is "printf | nc -N gets its answer" \
    "$(printf 12345 | timeout 20 nc -N 127.0.0.1 "${forward[1]}")" 5
is "an echo" "$(peer half "${forward[2]}" hello)" hello
is "a reset travels" "$(peer outcome "${forward[3]}" x | tail -n 1)" "5 reset"
is "refused by the rules: a reset" \
    "$(peer outcome "${forward[4]}")" "0 reset"
is "refused by the destination: a reset" \
    "$(peer outcome "${forward[5]}")" "0 reset"
is "the destination ends first" \
    "$(peer outcome "${forward[7]}" | tail -n 1)" "5 end"

is "to a UNIX socket" "$(peer half "${forward[8]}" unix)" unix
fetch "from a UNIX socket" --unix-socket "$dir/in.sock" http://localhost/file
is "from one to another" \
    "$(printf both | timeout 20 nc -N -U "$dir/both.sock")" both
is "a UNIX socket is for its user alone" \
    "$(stat -c %a "$dir/in.sock")" 600

# A destination that never answers keeps nobody waiting.
for _ in 1 2 3 4 5; do
    background slow slow peer outcome "${forward[6]}"
done
SECONDS=0
is "beside dead destinations" "$(peer half "${forward[2]}" quick)" quick
[ $SECONDS -lt 5 ]
ok "beside dead destinations: at once"

# Uploads too, large, and with the answer behind their end.
is "an upload of 20 MB" \
    "$(timeout 60 nc -N 127.0.0.1 "${forward[1]}" <"$dir/www/file")" 20000000

# Names of both ends are free again when they end.
kill "$client"
ended "$client"
is "the client ends" "$status" 0
[ ! -e "$dir/in.sock" ]
ok "its UNIX sockets are gone"
start_client -L "unix:$dir/in.sock:127.0.0.1:$web"
killed "$client"
start_client -L "unix:$dir/in.sock:127.0.0.1:$web"
fetch "a UNIX socket that was left behind is no hindrance" \
    --unix-socket "$dir/in.sock" http://localhost/file

timeout 10 "$tool" s_client -connect "localhost:$port" -CAfile "$dir/ca.pem" \
    -L "$web:127.0.0.1:$web" >"$dir/second.log" 2>&1
is "a port in use: status" "$?" 1
grep -q "Address already in use" "$dir/second.log"
ok "a port in use: says so"

[ "$failures" -eq 0 ]
