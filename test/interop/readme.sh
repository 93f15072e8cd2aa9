#!/usr/bin/env bash
# Copyright 2026 The MTLS for OpenSSL authors.
# SPDX-License-Identifier: Apache-2.0

# What README.md shows works: its client (built from the text), and the tool's
# example. MTLS is the tool, README_CLIENT the client.
set -euo pipefail

dir=$(mktemp -d)
server=
finish() {
    local status=$?
    trap - EXIT
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    wait
    [ $status -eq 0 ] || cat "$dir"/*.log >&2
    rm -rf "$dir"
    exit $status
}
trap finish EXIT

key=(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 2)
openssl req -x509 "${key[@]}" -subj "/CN=test CA" \
    -keyout "$dir/ca.key" -out "$dir/ca.pem" 2>"$dir/openssl.log"
openssl req -x509 "${key[@]}" -subj /CN=localhost -CA "$dir/ca.pem" \
    -CAkey "$dir/ca.key" -addext subjectAltName=DNS:localhost \
    -keyout "$dir/server.key" -out "$dir/server.pem" 2>>"$dir/openssl.log"

for _ in {1..50}; do
    port=$((10000 + RANDOM % 22000))
    [ -n "$(ss -Hltn "sport = :$port")" ] || break
done
"$MTLS" s_server -accept "127.0.0.1:$port" -cert "$dir/server.pem" \
    -key "$dir/server.key" -echo >"$dir/server.log" 2>&1 </dev/null &
server=$!
for _ in {1..100}; do
    [ -z "$(ss -Hltn "sport = :$port")" ] || break
    kill -0 $server
    sleep 0.1
done

expect() {
    if [ "$2" != hello ]; then
        echo "$1 answered: $2" >&2
        exit 1
    fi
}
answer=$("$README_CLIENT" "127.0.0.1:$port" "$dir/ca.pem" 2>"$dir/client.log")
expect "the client" "$answer"
answer=$(echo hello | "$MTLS" s_client -connect "localhost:$port" \
    -CAfile "$dir/ca.pem" -W localhost:7 2>"$dir/tool.log")
expect "the tool" "$answer"
if "$README_CLIENT" "127.0.0.1:$port" "$dir/server.pem" 2>"$dir/wrong.log"; then
    echo "the client took a server whose CA it does not know" >&2
    exit 1
fi
grep -q "certificate verify failed" "$dir/wrong.log"
