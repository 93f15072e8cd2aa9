#!/usr/bin/env bash
# Copyright 2026 The MTLS for OpenSSL authors.
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC1091,SC2154

# MTLS over DTLS through a relay: a path that is cut and mended, and one that
# changes the client's port, as a NAT does. Datagrams are lost then, and
# nothing else: the session goes on as soon as they get through again.
. "$(dirname "$0")/lib.sh"
certificates

serve server dtls_server
coproc relay { exec python3 "$here/../hostile/librelay.py" 127.0.0.2 \
    "127.0.0.1:$port"; }
# shellcheck disable=SC2154 # made by coproc
pids+=("$relay_PID")
read -r -t 30 answer <&"${relay[0]}" || die "no relay"

# relay COMMAND...: has it done
relay() {
    echo "$*" >&"${relay[1]}"
    read -r -t 30 answer <&"${relay[0]}" || die "no answer to $*"
}

mkfifo "$dir/lines"
timeout 200 "$examples/example_dtls_client" "127.0.0.2:$port" "$dir/ca.pem" \
    <"$dir/lines" >"$dir/answers.txt" 2>"$dir/dtls_client.log" &
pids+=($!)
exec 9>"$dir/lines"
lines=0

# say LINE: what the client shows for it, once it does
has_answered() {
    [ "$(wc -l <"$dir/answers.txt")" -ge $lines ]
}
say() {
    echo "$1" >&9
    : $((lines++))
    until_true 60 has_answered || die "no answer to $1"
    said=$(tail -n 1 "$dir/answers.txt")
}

say one
is "through the relay" "$said" one
relay cut
say two
is "cut: lost" "$said" lost
say three
is "and the next one" "$said" lost
relay mend
say four
is "mended: there and back" "$said" four

relay rebind
say five
is "from another port: lost" "$said" lost
is "and no second session" "$(grep -c '^bound' "$dir/dtls_server.log")" 1
client dtls_client "127.0.0.2:$port" "$dir/ca.pem" <<<six
is "a new session goes its way" "$answer" six
relay back
say seven
is "from the port that it had: there and back" "$said" seven

relay twice 100
relay replay 50
relay corrupt 0
for word in eight nine ten; do
    say $word
    is "doubled and replayed: once" "$said" $word
done
relay calm
exec 9>&-
