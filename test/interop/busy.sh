#!/usr/bin/env bash
# Copyright 2026 The MTLS for OpenSSL authors.
# SPDX-License-Identifier: Apache-2.0

# A large transfer arrives whole while 200 other channels open, echo and close.
# MTLS_TEST_MIB sets its size.
. "$(dirname "$0")/lib.sh"

mib=${MTLS_TEST_MIB:-256}
certificates
start_nginx
truncate -s "${mib}M" "$dir/www/file"
# Not all zeros: a hole filled, or a record twice, must show.
python3 - "$dir/www/file" <<'END'
import os
import sys
with open(sys.argv[1], "r+b") as f:
    size = os.fstat(f.fileno()).st_size
    for at in range(0, size, 65536):
        f.seek(at)
        f.write(at.to_bytes(8, "big") + os.urandom(1016))
END
start_peer echo echo
start_server
start_client -L "0:127.0.0.1:$web" -L "0:127.0.0.1:$echo"

curl -s "http://127.0.0.1:${forward[0]}/file" | sha256sum >"$dir/got" &
transfer=$!
pids+=("$transfer")
timeout 280 python3 "$here/libpeer.py" pings "${forward[1]}" 200 "$transfer"
ok "200 channels at a time open, echo and close"
wait "$transfer"
ok "meanwhile, a transfer"
is "of $mib MiB, whole" "$(cut -d" " -f1 "$dir/got")" \
    "$(digest "$dir/www/file")"

[ "$failures" -eq 0 ]
