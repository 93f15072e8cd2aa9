#!/usr/bin/env bash
# Copyright 2026 The MTLS for OpenSSL authors.
# SPDX-License-Identifier: Apache-2.0

# 2,000 downloads at the same time through one -L, all whole.
. "$(dirname "$0")/lib.sh"

number=${MTLS_TEST_DOWNLOADS:-2000}
certificates
start_nginx
head -c 100000 /dev/urandom >"$dir/www/file"
start_server -allow "127.0.0.1:$web"
start_client -L "0:127.0.0.1:$web"

python3 "$here/libpeer.py" downloads "${forward[0]}" /file "$number" \
    "$(digest "$dir/www/file")" 200
ok "$number downloads at the same time"
[ "$failures" -eq 0 ]
