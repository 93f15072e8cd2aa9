#!/usr/bin/env bash
# Copyright 2026 The MTLS for OpenSSL authors.
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC1091,SC2154

# MTLS over DTLS: the examples with each other, and openssl's own client at both
# doors of the server: DTLS 1.2, then TLS with that session's ID and secret.
. "$(dirname "$0")/lib.sh"
certificates

serve server dtls_server

bindings() {
    grep -c '^bound' "$dir/dtls_server.log"
}

is_bound_twice() {
    [ "$(bindings)" -eq 2 ]
}

# The example: each line there and back.
client dtls_client "127.0.0.1:$port" "$dir/ca.pem" <<<$'one\ntwo\nthree'
is "datagrams come back" "$answer" $'one\ntwo\nthree'
is "its session was bound" "$(bindings)" 1

# openssl s_client -dtls1_2, which stays while the other connection is made.
mkfifo "$dir/hold"
timeout 100 openssl s_client -dtls1_2 -connect "127.0.0.1:$port" \
    -CAfile "$dir/ca.pem" >"$dir/dtls.txt" 2>&1 <"$dir/hold" &
pids+=($!)
exec 9>"$dir/hold"
until_true 30 grep -q 'Master-Key: [0-9A-F]' "$dir/dtls.txt" ||
    die "openssl s_client -dtls1_2 has no session: $(cat "$dir/dtls.txt")"
id=$(perl -ne 'print pack("H*", $1) if /^ *Session-ID: (\w+)/' "$dir/dtls.txt")
secret=$(sed -n 's/^ *Master-Key: //p' "$dir/dtls.txt")
is "the ID has 32 characters" "${#id}" 32

# psk SECRET IDENTITY: what openssl s_client says of the TLS connection
psk() {
    timeout 100 openssl s_client -tls1_2 -connect "127.0.0.1:$port" \
        -psk "$1" -psk_identity "$2" -cipher PSK-AES128-CBC-SHA \
        </dev/null 2>&1 | grep -oE 'Cipher is [^ ]+|alert [a-z ]+' | head -1
}

# The last digit changed, so that it is another key.
last=$((0x${secret: -1} ^ 1))
is "a wrong key" "$(psk "${secret%?}$(printf %X $last)" "$id")" \
    "alert bad record mac"
is "a wrong name" "$(psk "$secret" "${id%?}.")" "alert unknown psk identity"
is "the right ones" "$(psk "$secret" "$id")" "Cipher is PSK-AES128-CBC-SHA"
until_true 30 is_bound_twice
is "bound now" "$(bindings)" 2
is "once only" "$(psk "$secret" "$id")" "alert unknown psk identity"
exec 9>&-
