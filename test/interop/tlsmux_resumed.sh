#!/usr/bin/env bash
# Copyright 2026 The MTLS for OpenSSL authors.
# SPDX-License-Identifier: Apache-2.0

# -tlsmux: each connection resumes the TLS session of one before it.
. "$(dirname "$0")/lib.sh"

certificates
start_peer count count

# asks: what the peer counts through a local port of the client
asks() {
    is "an answer" "$(printf 12345 | timeout 60 nc -N 127.0.0.1 \
        "$(local_port "127.0.0.1:$count")")" 5
}

# resumed LOG: how each connection began, in order
resumed() {
    sed -n 's/^session with [^:]*:[0-9]*: .*\(, resumed\)$/+/p
            s/^session with .*/-/p' "$1" | tr -d '\n'
}

for version in -tls1_3 -tls1_2; do
    start_server -tlsmux $version
    start_tlsmux -L "0:127.0.0.1:$count"
    asks
    asks
    asks
    is "$version: the client says so" "$(resumed "$client_log")" -++
    is "$version: and the server" "$(resumed "$server_log")" -++

    # Another server has no use for its tickets, and the client for that.
    killed "$server"
    server_port=$port start_server -tlsmux $version
    asks
    asks
    is "$version: a server that was started again" \
        "$(resumed "$server_log")" -+
    killed "$client"
    killed "$server"
done

# More at once than there are tickets: those without one do without.
start_server -tlsmux
start_tlsmux -L "0:127.0.0.1:$count"
asks
for i in $(seq 20); do
    printf 12345 | timeout 60 nc -N 127.0.0.1 \
        "$(local_port "127.0.0.1:$count")" >"$dir/many$i" &
    jobs[i]=$!
done
for i in $(seq 20); do
    wait "${jobs[i]}"
done
is "20 at once" "$(cat "$dir"/many* | sort | uniq -c | tr -s ' ')" " 20 5"
asks
is "the last of them" "$(resumed "$client_log" | tail -c 1)" +
killed "$client"
killed "$server"

# Who showed a certificate is known by it when it resumes.
start_server -tlsmux -Verify 2 -CAfile "$dir/ca.pem"
start_tlsmux -L "0:127.0.0.1:$count" -cert "$dir/client.pem" \
    -key "$dir/client.key"
asks
asks
is "with a client certificate" "$(resumed "$server_log")" -+
killed "$client"
killed "$server"

# From one run of the program to the next.
start_server -tlsmux
once() {
    printf 12345 | timeout 60 "$tool" s_client -tlsmux \
        -connect "localhost:$port" -CAfile "$dir/ca.pem" \
        -W "127.0.0.1:$count" "$@" 2>"$dir/once.log"
}
is "-sess_out" "$(once -sess_out "$dir/session")" 5
is "it did not resume" "$(resumed "$dir/once.log")" -
is "-sess_in" "$(once -sess_in "$dir/session")" 5
is "it did" "$(resumed "$dir/once.log")" +
once -sess_in "$dir/ca.pem"
is "a file that is no session: status" $? 1
grep -q -- "-sess_in .* can't be used" "$dir/once.log"
ok "and a sentence"

# A client that is not ours.
has_ticket() {
    grep -aq "Session Ticket arrived" "$dir/theirs.log"
}
reused() {
    rm -f "$dir/theirs.log"
    timeout 60 openssl s_client -connect "localhost:$port" -CAfile \
        "$dir/ca.pem" "$@" >"$dir/theirs.log" 2>&1 < <(printf '\005\001\000'
        until_true 30 has_ticket)
    grep -ac "^Reused, TLSv1.3" "$dir/theirs.log"
}
is "openssl s_client" "$(reused -sess_out "$dir/their.session")" 0
is "and again" "$(reused -sess_in "$dir/their.session")" 1

[ "$failures" -eq 0 ]
