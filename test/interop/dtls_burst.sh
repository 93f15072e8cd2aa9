#!/usr/bin/env bash
# Copyright 2026 The MTLS for OpenSSL authors.
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC1091,SC2154 # what lib.sh sets

# -dtls: much at once. What is lost may only be lost on the way.
. "$(dirname "$0")/lib.sh"

certificates
start_server -dtls -echo

# dtls_client OPTION...: in the foreground
dtls_client() {
    timeout 60 "$tool" s_client -dtls -connect "localhost:$port" \
        -CAfile "$dir/ca.pem" "$@" 2>>"$dir/client.log"
}

# Little credit, for which what comes back has to wait.
for i in {1..400}; do
    printf '%090d\n' "$i"
done >"$dir/in"
dtls_client -window 2048 <"$dir/in" >"$dir/out"
until_true 20 grep -q "octets in, .* out" "$server_log"
echoed=$(sed -n 's/^channel .* ended; \([0-9]*\) octets in, \([0-9]*\) out/\1 \2/p' \
    "$server_log")
is "-echo sends what it got" "${echoed#* }" "${echoed% *}"

# A pipe holds 64 KiB.
for i in {1..130}; do
    printf '%01000d\n' "$i"
done >"$dir/in"
dtls_client <"$dir/in" | (
    sleep 3 # well more than the silence that ends it
    sort
) >"$dir/out"
is "who reads the output late reads all of it" "$(cksum <"$dir/out")" \
    "$(cksum <"$dir/in")"
