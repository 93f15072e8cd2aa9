#!/usr/bin/env bash
# Copyright 2026 The MTLS for OpenSSL authors.
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC1091,SC2154 # what lib.sh sets

# -dtls: standard input and output, limits, time, what is told, and the end.
. "$(dirname "$0")/lib.sh"

certificates
# udp COMMAND PORT ...
udp() {
    timeout 60 python3 "$here/libudp.py" "$@"
}

# dtls_client OPTION...: in the foreground
dtls_client() {
    timeout 60 "$tool" s_client -dtls -connect "localhost:$port" \
        -CAfile "$dir/ca.pem" "$@"
}

# has_lines N PATTERN FILE
has_lines() {
    [ "$(grep -c "$2" "$3")" -eq "$1" ]
}

# udp_service VARIABLE: one that echoes; sets it to its port
udp_service() {
    local pid
    background pid "$1" python3 -u "$here/libudp.py" echo
    until_true 10 grep -q '^port ' "$dir/$1.log" || die "no service"
    printf -v "$1" %s "$(sed -n 's/^port //p' "$dir/$1.log")"
}

# --- -echo, -W, and what is shown ---

start_server -dtls -echo -json
printf 'one\ntwo\nthree' >"$dir/in"
dtls_client <"$dir/in" >"$dir/out" 2>"$dir/w.log"
is "standard input to -echo: status" "$?" 0
is "each line is there again" "$(sort "$dir/out")" "$(sort "$dir/in")"
dtls_client -W somewhere.example:7 -msg <"$dir/in" >"$dir/out" 2>"$dir/msg.log"
is "-W" "$(sort "$dir/out")" "$(sort "$dir/in")"
is "-msg: a packet for each line, there" \
    "$(grep -c '>>> MTLS MTLSPlaintext' "$dir/msg.log")" 3
is "and back" "$(grep -c '<<< MTLS MTLSPlaintext' "$dir/msg.log")" 3
head -c 3000 /dev/zero | tr '\0' x | dtls_client -mtu 1000 -W x:1 -msg \
    >"$dir/out" 2>"$dir/mtu.log"
is "a line that is too long for the path is more than one datagram" \
    "$(wc -c <"$dir/out") $(grep -c '>>> MTLS MTLSPlaintext' "$dir/mtu.log")" \
    "3000 4"
timeout 60 "$tool" s_client -dtls -connect "localhost:$port" \
    >"$dir/unverified.log" 2>&1 </dev/null
is "a server that does not verify" "$?" 1
grep -q "certificate verify failed" "$dir/unverified.log"
ok "is told as such"
dtls_client -brief <"$dir/in" >"$dir/out" 2>"$dir/brief.log"
grep -q "^Protocol version: DTLSv1.2" "$dir/brief.log" &&
    grep -q "^Protocol version: TLSv1.2" "$dir/brief.log" &&
    grep -q "^Verification: OK" "$dir/brief.log"
ok "-brief tells both connections"

# --- many clients, one port ---

for i in {1..20}; do
    echo "client $i" | dtls_client -quiet >"$dir/many$i" 2>"$dir/m$i.log" &
    many[i]=$!
done
wait "${many[@]}"
for i in {1..20}; do
    echo "client $i"
done | sort >"$dir/in"
is "20 clients at one port" "$(sort "$dir"/many?*)" "$(cat "$dir/in")"
is "one UDP socket" "$(ss -Hunap | grep -c "pid=$server,")" 1
kill -TERM "$server"
ended "$server"
is "the server ends" "$status" 0
python3 - "$server_log" <<'END'
import json, sys
seen = {json.loads(line)["event"] for line in open(sys.argv[1])}
sys.exit(not {"listening", "session-open", "channel-open", "channel-close",
              "session-close"} <= seen)
END
ok "-json: every line parses, and says what happened"

# --- all addresses: an answer comes from where the question went ---

background server any "$tool" s_server -cert "$dir/server.pem" \
    -key "$dir/server.key" -dtls -echo -accept 0
until_true 20 grep -q 'taking' "$dir/any.log"
port=$(listening any 0.0.0.0)
for host in 127.0.0.1 127.0.0.77 '[::1]'; do
    is "$host of all addresses" "$(echo hello | timeout 60 "$tool" s_client \
        -dtls -connect "$host:$port" -CAfile "$dir/ca.pem" -quiet \
        -servername localhost 2>&1)" hello
done
killed "$server"

# --- -allow, and what ends in time ---

udp_service away
udp_service near
start_server -dtls -allow "127.0.0.1:$near" -handshake_timeout 1
dtls_client -W "127.0.0.1:$away" </dev/null >"$dir/out" 2>"$dir/refused.log"
is "what -allow does not name: status" "$?" 1
grep -q prohibited "$dir/refused.log"
ok "is prohibited"
start_client -dtls -L "0:127.0.0.1:$near" -udp_timeout 1
is "a UDP service" "$(udp say "${forward[0]}" 5000 hello)" hello
until_true 20 grep -q "ended: idle" "$client_log"
ok "-udp_timeout ends a channel"
is "and another one begins" "$(udp say "${forward[0]}" 5000 again)" again
is "what is too long for a datagram is dropped, and nothing else" \
    "$(udp limit "${forward[0]}" 16000 17000)" limited
kill -USR1 "$client"
until_true 20 grep -q "^session with.*: [12] channels" "$client_log"
ok "SIGUSR1: a table of channels"

mkfifo "$dir/hold"
openssl s_client -dtls1_2 -connect "127.0.0.1:$port" \
    <"$dir/hold" >"$dir/half.log" 2>&1 &
half=$!
exec 9>"$dir/hold"
until_true 20 gone "$half"
ok "-handshake_timeout ends a DTLS session without its TLS connection"
exec 9>&-
timeout 60 openssl s_client -connect "127.0.0.1:$port" </dev/null \
    >"$dir/cert.log" 2>&1
is "a TLS connection without a DTLS session gets nowhere" "$?" 1
exec 8<>"/dev/tcp/127.0.0.1/$port"
until_true 20 grep -q "timed-out: no handshake" "$server_log"
ok "nor does one that says nothing"
exec 8>&-

# --- the end ---

udp flow "${forward[0]}" 40 >"$dir/flow" 2>"$dir/flow.log" &
flow=$!
until_true 20 grep -q flowing "$dir/flow"
kill -TERM "$client"
until_true 20 grep -q ending "$client_log"
wait "$flow"
is "what flows when the client is told to end goes on" "$?" 0
ended "$client"
is "then it ends" "$status" 0

# --- a server that comes back ---

start_client -dtls -L ":0:127.0.0.1:$near"
any=$(listening "client$client_number" 0.0.0.0)
is "-L on all addresses answers from the one that was asked" \
    "$(udp say "127.0.0.88:$any" 5000 there)" there
forward=("$any")
is "before" "$(udp say "${forward[0]}" 5000 before)" before
killed "$server"
until_true 20 grep -q "^mtls s_client: lost" "$client_log"
ok "the client has noticed"
server_port=$port start_server -dtls
until_true 30 has_lines 2 '^session with.*TLS' "$client_log"
is "after" "$(udp say "${forward[0]}" 30000 after)" after

# --- an address that is used again ---

# One that is gone without a word, and its successor at the same address, while
# the first still waits for its TLS connection.
start_server -dtls -handshake_timeout 100
bound=$((10000 + RANDOM % 20000))
for name in first second; do
    mkfifo "$dir/hold$name"
    openssl s_client -dtls1_2 -connect "127.0.0.1:$port" \
        -bind "127.0.0.1:$bound" <"$dir/hold$name" >"$dir/$name.log" 2>&1 &
    holder=$!
    exec 9>"$dir/hold$name"
    until_true 20 grep -q Master-Key "$dir/$name.log"
    ok "a $name session from one address"
    killed "$holder"
    exec 9>&-
done
killed "$server"

# --- valgrind ---

sanitized && exit "$((failures > 0))"
valgrind=(valgrind -q --leak-check=full --error-exitcode=99
    "--errors-for-leak-kinds=definite,indirect,possible")
background server grind "${valgrind[@]}" "$tool" s_server -dtls -accept 0 \
    -cert "$dir/server.pem" -key "$dir/server.key" -allow "127.0.0.1:$near"
until_true 60 grep -q taking "$dir/grind.log"
port=$(listening grind 0.0.0.0)
background client ground "${valgrind[@]}" "$tool" s_client -dtls \
    -connect "127.0.0.1:$port" -CAfile "$dir/ca.pem" -L "0:127.0.0.1:$near"
until_true 60 grep -q "^session with" "$dir/ground.log"
mapfile -t forward < <(listening ground 127.0.0.1)
is "under valgrind" "$(udp say "${forward[0]}" 30000 ground)" ground
udp flow "${forward[0]}" 30 >/dev/null
echo x | timeout 60 "${valgrind[@]}" "$tool" s_client -dtls -quiet \
    -connect "127.0.0.1:$port" -CAfile "$dir/ca.pem" \
    -W "127.0.0.1:$near" >"$dir/x" 2>"$dir/valgrind.log"
is "valgrind and -W" "$? $(cat "$dir/x")" "0 x"
kill -TERM "$client"
ended "$client" 60
is "valgrind and the client" "$status" 0
kill -TERM "$server"
ended "$server" 60
is "valgrind and the server" "$status" 0
exit "$((failures > 0))"
