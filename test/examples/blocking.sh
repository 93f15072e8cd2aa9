#!/usr/bin/env bash
# Copyright 2026 The MTLS for OpenSSL authors.
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC1091,SC2154 # what lib.sh sets

# The blocking client and the server with threads.
. "$(dirname "$0")/lib.sh"
certificates
serve server thread_server
to=("127.0.0.1:$port" "$dir/ca.pem")

client blocking_client "${to[@]}" localhost echo:7 upper:0 <<<$'one\ntwo'
is "two channels, each with its service" "$answer" \
    $'echo: one\nupper: ONE\necho: two\nupper: TWO'

! client blocking_client "${to[@]}" localhost echo:7 nobody:80 <<<one
ok "a destination that is not there fails"
grep -q '^nobody:80: not open: unknown-host: ' "$dir/blocking_client.log"
ok "in the server's words"
grep -q ':MTLS routines:.*:channel refused by the peer:' \
    "$dir/blocking_client.log"
ok "and as an error of OpenSSL's"

! client blocking_client "${to[@]}" elsewhere echo:7 <<<one
ok "a server of another name is refused"

seq 2000 >"$dir/numbers"
sed 's/^/echo: /' "$dir/numbers" >"$dir/wanted"
clients=()
for i in 1 2 3 4 5 6 7 8; do
    timeout 200 "$examples/example_blocking_client" "${to[@]}" localhost \
        echo:7 <"$dir/numbers" >"$dir/out.$i" 2>"$dir/client$i.log" &
    clients+=($!)
done
wait "${clients[@]}"
for i in 1 2 3 4 5 6 7 8; do
    cmp "$dir/out.$i" "$dir/wanted"
    ok "client $i of 8 at the same time"
done
! gone "$server"
ok "the server is there"
exit $((failures != 0))
