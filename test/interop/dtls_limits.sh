#!/usr/bin/env bash
# Copyright 2026 The MTLS for OpenSSL authors.
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC1091,SC2154 # what lib.sh sets

# -dtls: what is refused, what is bounded, and who gives up.
. "$(dirname "$0")/lib.sh"

certificates
udp() {
    timeout 60 python3 "$here/libudp.py" "$@"
}

# --- channels that are refused ---

start_server -dtls -allow 127.0.0.1:9
start_client -dtls -L "0:127.0.0.1:19" -L "0:no.such.name.invalid:19"
for _ in 1 2 3 4 5; do # the answer may come while the Request is being sent
    udp flood "${forward[0]}" 2000
done
until_true 20 grep -q "refused: prohibited" "$client_log"
ok "a destination that is not allowed"
asked=$(grep -c "^channel.*refused" "$server_log")
echo "# 10,000 datagrams from 5 ports, $asked Requests"
test "$asked" -lt 50
ok "is not asked for with each datagram"
udp flood "${forward[1]}" 1
until_true 30 grep -q "refused: " <(grep invalid "$client_log")
grep invalid "$client_log" | grep -q "refused: \(unknown-host\|prohibited\)"
ok "nor one that has no address"
kill -TERM "$client"
ended "$client"
is "the client ends" "$status" 0
killed "$server"

# --- sessions ---

start_server -dtls -echo -sessions_max 2 -idle_timeout 100
start_client -dtls -L 0:x:1
first=$client
start_client -dtls -L 0:x:1
second=$client
background third third "$tool" s_client -dtls -connect "127.0.0.1:$port" \
    -CAfile "$dir/ca.pem" -W x:1
until_true 20 grep -q "turned away: 2 DTLS sessions" "$server_log"
ok "-sessions_max: a third is turned away"
kill -TERM "$first"
ended "$first"
until_true 30 grep -q '^session with' "$dir/third.log"
ok "and let in once the first has gone"
ended "$third"
is "then it works" "$status" 0
kill -TERM "$second"
ended "$second"
killed "$server"

start_server -dtls -echo -idle_timeout 2
start_client -dtls -L 0:x:1
until_true 20 grep -q "timed-out: idle" "$server_log"
ok "-idle_timeout"
kill -TERM "$client"
ended "$client"
is "a client that has lost its session ends" "$status" 0
killed "$server"

# --- certificates of clients ---

start_server -dtls -echo -Verify 2 -CAfile "$dir/ca.pem"
with=(timeout 60 "$tool" s_client -dtls -connect "localhost:$port" -quiet
    -CAfile "$dir/ca.pem" -W x:1)
is "-Verify" "$(echo hello | "${with[@]}" -cert "$dir/client.pem" \
    -key "$dir/client.key" 2>&1)" hello
echo hello | "${with[@]}" >"$dir/without.log" 2>&1
is "and a client without one: status" "$?" 1
grep -q "no DTLS session: peer did not return a certificate" "$server_log"
ok "of which the server tells"

# --- nobody there ---

killed "$server"
timeout 60 "$tool" s_client -dtls -connect "127.0.0.1:$port" -W x:1 \
    >"$dir/nobody.log" 2>&1 </dev/null
is "nobody there: status" "$?" 1
grep -q "can't connect to.*Connection refused" "$dir/nobody.log"
ok "is told as such"
python3 -uc 'import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.1", 0))
print("port", s.getsockname()[1])
time.sleep(60)' >"$dir/deaf.log" &
pids+=($!)
until_true 20 grep -q port "$dir/deaf.log"
background waiting waiting "$tool" s_client -dtls -CAfile "$dir/ca.pem" \
    -connect "127.0.0.1:$(sed -n 's/^port //p' "$dir/deaf.log")" -L 0:x:1
until_true 20 grep -q listening "$dir/waiting.log"
kill -TERM "$waiting"
ended "$waiting"
is "a client that still waits for an answer ends" "$status" 0

# --- idle: what keeps a path does not keep a session ---

start_server -dtls -echo -idle_timeout 3
background idler idler "$tool" s_client -dtls -connect "localhost:$port" \
    -CAfile "$dir/ca.pem" -L 0:localhost:7 -keepalive 1
until_true 30 grep -q "idle for 3 seconds" "$server_log"
ok "-idle_timeout ends a session that only its keep-alive uses"
exit "$((failures > 0))"
