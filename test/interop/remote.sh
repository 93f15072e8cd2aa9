#!/usr/bin/env bash
# Copyright 2026 The MTLS for OpenSSL authors.
# SPDX-License-Identifier: Apache-2.0

# s_client -R: the server listens, and channels come the other way (P7).
. "$(dirname "$0")/lib.sh"

certificates
start_nginx
head -c 5000000 /dev/urandom >"$dir/www/file"
start_peer reset reset
start_server -allow-listen "127.0.0.1:*" -allow-listen "unix:$dir/there.sock"

# remote_ports DESTINATION: what the client says of where the server listens
remote_ports() {
    sed -n "s/^the server listens on .*:\([0-9]*\) for $1\$/\1/p" "$client_log"
}
start_client -R "0:127.0.0.1:$web" -R "127.0.0.1:0:127.0.0.1:$reset" \
    -R "unix:$dir/there.sock:127.0.0.1:$web"
until_true 20 grep -q "there.sock for" "$client_log" || die "no -R"
there=$(remote_ports "127.0.0.1:$web")

fetch() {
    local name=$1
    shift
    rm -f "$dir/got"
    timeout 60 curl -s -o "$dir/got" "$@"
    cmp -s "$dir/got" "$dir/www/file"
    ok "$name"
}
fetch "a service of the client's machine" "http://127.0.0.1:$there/file"
for i in $(seq 10); do
    timeout 60 curl -s -o "$dir/many$i" "http://127.0.0.1:$there/file" &
    jobs[i]=$!
done
same=0
for i in $(seq 10); do
    wait "${jobs[i]}"
    cmp -s "$dir/many$i" "$dir/www/file" && same=$((same + 1))
done
is "10 at a time" "$same" 10
fetch "on a UNIX socket" --unix-socket "$dir/there.sock" http://localhost/file
is "a reset travels" "$(timeout 60 python3 "$here/libpeer.py" outcome \
    "$(remote_ports "127.0.0.1:$reset")" x | tail -n 1)" "5 reset"
grep -q "listening on 127.0.0.1:$there for 127.0.0.1:$web" "$server_log"
ok "on loopback alone"

# It listens no longer than the client is there.
kill "$client"
ended "$client"
is "the client ends" "$status" 0
until_true 20 test ! -e "$dir/there.sock"
ok "then the server listens no more"

# refused DESCRIPTION WORD -R...
refused() {
    local name=$1 word=$2
    shift 2
    timeout 60 "$tool" s_client -connect "localhost:$port" \
        -CAfile "$dir/ca.pem" "$@" >"$dir/refused.log" 2>&1
    is "$name: status" $? 1
    grep -q -- "-R .*: $word" "$dir/refused.log"
    ok "$name: $word"
}
refused "another address" prohibited -R "[::1]:0:127.0.0.1:1"
refused "all addresses" prohibited -R "*:0:127.0.0.1:1"
refused "0.0.0.0" prohibited -R "0.0.0.0:0:127.0.0.1:1"
refused "another path" prohibited -R "unix:$dir/other.sock:127.0.0.1:1"
refused "a name" malformed -R "there.example:0:127.0.0.1:1"
refused "a port in use" connect-failed -R "127.0.0.1:$web:127.0.0.1:1"

refused "one of two" prohibited -R "0:127.0.0.1:1" -R "[::1]:0:127.0.0.1:1"
many=()
for i in $(seq 65); do
    many+=(-R "0:127.0.0.1:$i")
done
refused "more than a session may have" resource-shortage "${many[@]}"
start_client "${many[@]:0:128}"
has_all() {
    [ "$(grep -c "^the server listens" "$client_log")" -ge 64 ]
}
until_true 20 has_all
ok "as many as it may have"
kill "$client"
ended "$client"
is "they end" "$status" 0

# A port that is in use by the session that was lost comes back.
start_client -R "$there:127.0.0.1:$web" \
    -R "unix:$dir/there.sock:127.0.0.1:$web"
until_true 20 grep -q "there.sock for" "$client_log" || die "no -R"
killed "$server"
server_port=$port start_server -allow-listen "*:$there" \
    -allow-listen "unix:$dir/there.sock" -allow-listen "[::1]:*"
until_true 60 curl -sf -o /dev/null "http://127.0.0.1:$there/file"
fetch "after the session was lost" "http://127.0.0.1:$there/file"
until_true 60 curl -sf -o /dev/null --unix-socket "$dir/there.sock" \
    http://localhost/file
fetch "and on the UNIX socket" --unix-socket "$dir/there.sock" \
    http://localhost/file
start_client -R "[::1]:0:127.0.0.1:$web"
until_true 20 grep -q "the server listens" "$client_log" || die "no -R"
fetch "on IPv6" "http://[::1]:$(remote_ports "127.0.0.1:$web")/file"

# A server that was not told to, the one with -echo too, listens for nobody.
for option in "" -echo; do
    # shellcheck disable=SC2086 # none, or one
    start_server $option
    refused "no -allow-listen $option" prohibited -R "0:127.0.0.1:1"
done

[ "$failures" -eq 0 ]
