#!/usr/bin/env bash
# Copyright 2026 The MTLS for OpenSSL authors.
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC1091,SC2154 # what lib.sh sets

# A TLS program as it was, and with its diff: two changed lines make it speak
# MTLS, and its user notices nothing.
. "$(dirname "$0")/lib.sh"
certificates
lines=$'one\ntwo\nthree'

# The number of lines that a diff adds or takes away.
changed() {
    grep -c '^[-+][^-+]' "$MTLS_SOURCE_DIR/doc/examples/$1.diff"
}

for program in plain_client plain_server; do
    [ "$(changed $program)" -le 3 ]
    ok "the diff of $program has three changed lines or fewer"
done

for kind in plain mtls_plain; do
    serve server ${kind}_server
    for round in 1 2; do
        client ${kind}_client "127.0.0.1:$port" "$dir/ca.pem" localhost \
            <<<"$lines"
        is "$kind: connection $round is answered" "$answer" "$lines"
        is "$kind: nothing to complain of" "$(cat "$dir"/${kind}_*.log)" ""
    done
    head -c 300000 /dev/urandom | base64 >"$dir/text"
    client ${kind}_client "127.0.0.1:$port" "$dir/ca.pem" localhost \
        <"$dir/text"
    is "$kind: a longer text comes back" "$answer" "$(cat "$dir/text")"
    ! client ${kind}_client "127.0.0.1:$port" "$dir/ca.pem" elsewhere \
        <<<"$lines"
    ok "$kind: a server of another name is refused"
    grep -q 'certificate verify failed' "$dir/${kind}_client.log"
    ok "$kind: and it is said why"
    client ${kind}_client "127.0.0.1:$port" "$dir/ca.pem" localhost \
        <<<"$lines"
    is "$kind: the server goes on" "$answer" "$lines"
    killed "$server"
done
rm -f "$dir"/*.log
exit $((failures != 0))
