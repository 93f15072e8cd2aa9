#!/usr/bin/env bash
# Copyright 2026 The MTLS for OpenSSL authors.
# SPDX-License-Identifier: Apache-2.0

# -sessions: channels spread over several, which come back when they are lost.
. "$(dirname "$0")/lib.sh"

certificates
start_peer echo echo
start_server
server_port=$port
start_client -sessions 3 -L "0:127.0.0.1:$echo"

# has NUMBER: the client has had so many sessions
has() {
    [ "$(grep -c "^session with.*TLSv1" "$client_log")" -ge "$1" ]
}

# channels: how many each session has, in order
channels() {
    local before
    before=$(wc -l <"$client_log")
    kill -USR1 "$client"
    until_true 10 told "$before" || die "no tables"
    tail -n "+$((before + 1))" "$client_log" |
        sed -n 's/^session with .*: \([0-9]*\) channels$/\1/p' | sort -n | xargs
}

# told LINES: all three tables are there, after so many lines
told() {
    [ "$(tail -n "+$(($1 + 1))" "$client_log" |
        grep -c "^session with .* channels$")" -ge 3 ]
}

# hold: a connection that is open and has had its answer, in the background
held=0
hold() {
    local pid
    held=$((held + 1))
    mkfifo "$dir/hold$held"
    background pid "held$held" timeout 60 bash -c "
        exec 3<>/dev/tcp/127.0.0.1/${forward[0]}
        echo $held >&3 && head -n 1 <&3
        read -r _ <'$dir/hold$held'"
    until_true 10 grep -q "^$held$" "$dir/held$held.log"
}

until_true 20 has 3
ok "three sessions"
for _ in 1 2 3 4 5 6; do
    hold || break
done
is "six connections are open" "$held" 6
is "and spread evenly" "$(channels)" "2 2 2"

killed "$server"
until_true 20 grep -q "^mtls s_client: lost localhost" "$client_log"
ok "the server is lost with all three"
start_server
until_true 30 has 6
ok "all three come back"
is "and work" \
    "$(python3 "$here/libpeer.py" half "${forward[0]}" "and again")" \
    "and again"
kill -TERM "$client"
ended "$client"
is "SIGTERM ends all of them" "$status" 0

"$tool" s_client -connect localhost:1 -sessions 2 >"$dir/usage.log" 2>&1
is "-sessions without -L or -D is a mistake" "$?" 2
exit $((failures != 0))
