#!/usr/bin/env bash
# Copyright 2026 The MTLS for OpenSSL authors.
# SPDX-License-Identifier: Apache-2.0

# OpenSSL's own HTTP client above channels, against nginx.
. "$(dirname "$0")/lib.sh"

certificates
start_nginx
head -c 300000 /dev/urandom >"$dir/www/file"
start_server -allow "127.0.0.1:$web"
for timeout in 0 10; do
    for count in 1 20; do
        for _ in $(seq "$count"); do
            cat "$dir/www/file"
        done >"$dir/wanted"
        timeout 30 "${HTTP_GET:?}" "localhost:$port" "$dir/ca.pem" \
            "127.0.0.1:$web" file "$timeout" "$count" >"$dir/got"
        ok "gets $count times with timeout $timeout"
        cmp "$dir/got" "$dir/wanted"
        ok "and what it gets is whole"
    done
done
"$HTTP_GET" "localhost:$port" "$dir/ca.pem" "127.0.0.1:9" file 0 1 \
    >"$dir/got" 2>"$dir/error"
is "a refused destination is a failure" $? 1
grep -q "prohibited" "$dir/error"
ok "with the server's word for it"
[ "$failures" -eq 0 ]
