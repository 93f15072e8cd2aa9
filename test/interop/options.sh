#!/usr/bin/env bash
# Copyright 2026 The MTLS for OpenSSL authors.
# SPDX-License-Identifier: Apache-2.0

# Each option does what its help says; a wrong one is named, with status 2.
. "$(dirname "$0")/lib.sh"

certificates
certificates other

# --- usage ---

# usage WORD ARGUMENT...: status 2, and the message names the option
usage() {
    local word=$1
    shift
    timeout 10 "$tool" "$@" >/dev/null 2>"$dir/usage.log" </dev/null
    is "status of: $*" "$?" 2
    grep -q -e "$word" "$dir/usage.log"
    ok "names $word"
}

cert=(-cert "$dir/server.pem" -key "$dir/server.key")
usage Usage
usage frobnicate frobnicate
usage -dtsl s_client -connect localhost:1 -dtsl
usage -accept s_server "${cert[@]}"
usage -cert s_server -accept 0
usage -accept s_server -accept x.example:99999 "${cert[@]}"
usage -channels s_server -channels 0
usage -channels s_server -channels 65537
usage -channels s_server -channels ten
usage -channels s_server -channels -5
usage -window s_server -window 99999999999
usage -idle_timeout s_server -idle_timeout
usage frob s_server -allow frob -accept 0 "${cert[@]}"
usage -connect s_client
usage -connect s_client -connect localhost
usage -W s_client -connect localhost:1 -W nowhere
usage -W s_client -connect localhost:1 -W localhost:0
usage 5:x s_client -connect localhost:1 -L 5:x
usage 5:x s_client -connect localhost:1 -R 5:x
usage "-D 'x'" s_client -connect localhost:1 -D x
usage "-D ''" s_client -connect localhost:1 -D ""
usage "-R 'x'" s_client -connect localhost:1 -R x
usage "-L 'unix" s_client -tlsmux -connect localhost:1 -L 0:unix:/x
usage "-W 'unix" s_client -tlsmux -connect localhost:1 -W unix:/x
usage "together" s_client -connect localhost:1 -D 5 -W x:1
usage -window s_client -connect localhost:1 -tlsmux -D 0 -window 1000
usage -R s_client -connect localhost:1 -tlsmux -R 1:x:1
usage -tlsmux s_client -connect localhost:1 -tlsmux
for option in "-R 1:x:1" "-sessions 2" -tlsmux "-sign pkcs7" \
    -tls1_3 "-sess_in x" "-ciphersuites x" "-L 5:unix:/x" "-W unix:/x"; do
    # shellcheck disable=SC2086 # an option and its value
    usage "${option%% *}\|5:unix" s_client -connect localhost:1 -dtls $option
done
usage -allow-listen s_server -accept 0 "${cert[@]}" -dtls -allow-listen '*:*'
usage -mtu s_client -connect localhost:1 -mtu 1000
usage -mtu s_client -connect localhost:1 -dtls -mtu 100
usage -udp_timeout s_server -accept 0 "${cert[@]}" -udp_timeout 5
usage -keepalive s_server -accept 0 "${cert[@]}" -keepalive 5
usage -echo s_server -accept 0 "${cert[@]}" -tlsmux -echo
usage frob s_server -allow-listen frob -accept 0 "${cert[@]}"
usage "together" s_client -connect localhost:1 -L 5:x:1 -W x:1
usage stray s_client -connect localhost:1 stray

# The help text and the manual page tell the same options.
manual=$here/../../doc/man1
for command in s_server s_client speed; do
    "$tool" $command -help >"$dir/help" 2>&1
    is "$command -help: status" "$?" 0
    is "$command -help and its manual page" \
        "$(sed -n 's/^  \(-[A-Za-z0-9_-]*\) .*/\1/p' "$dir/help" | sort)" \
        "$(sed -n '/^=head1 OPTIONS/,$s/^=item //p' \
            "$manual/mtls-$command.pod" | grep -o '^B<-.*' |
            grep -o 'B<-[A-Za-z0-9_-]*>' | sed 's/B<\(.*\)>/\1/' | sort)"
done
"$tool" version | grep -q "MTLS-05.*OpenSSL 3"
ok "version"
"$tool" help >/dev/null
ok "help"

# --- files that can't be used: status 1, and the file is named ---

unusable() {
    timeout 10 "$tool" "$@" >/dev/null 2>"$dir/usage.log" </dev/null
    is "status of: ${*: -2}" "$?" 1
    grep -q -e "${*: -1}" "$dir/usage.log"
    ok "names ${*: -1}"
}

start=(s_client -connect localhost:1)
unusable "${start[@]}" -CAfile "$dir/none"
unusable "${start[@]}" -keylogfile "$dir/none/none"
unusable "${start[@]}" -provider none
unusable "${start[@]}" -cipher none
unusable "${start[@]}" -ciphersuites none
unusable "${start[@]}" -groups none
unusable "${start[@]}" -sigalgs none
unusable s_server -accept 127.0.0.1:0 -cert "$dir/none"
unusable s_server -accept 127.0.0.1:0 -cert "$dir/server.pem" \
    -key "$dir/otherserver.key"

# --- TLS ---

# client OPTION...: one exchange with the server; its lines in client.log
client() {
    timeout 20 "$tool" s_client -connect "localhost:$port" \
        -CAfile "$dir/ca.pem" "$@" <<<hello >"$dir/out" 2>"$dir/client.log"
    status=$?
    [ "$status" -ne 0 ] || [ "$(cat "$dir/out")" = hello ] || status=wrong
}

# client_shows NAME PATTERN OPTION...
client_shows() {
    local name=$1 pattern=$2
    shift 2
    client "$@"
    is "$name: status" "$status" 0
    grep -q -e "$pattern" "$dir/client.log"
    ok "$name: $pattern"
}

start_server -echo
client_shows "TLS 1.3 and ALPN" "TLSv1.3.*ALPN mtls"
client_shows "-tls1_2" "TLSv1.2" -tls1_2
client_shows "-tls1_3" "TLSv1.3" -tls1_3
client_shows "-ciphersuites" CHACHA20 \
    -ciphersuites TLS_CHACHA20_POLY1305_SHA256
client_shows "-cipher" ECDHE-ECDSA-AES128-GCM-SHA256 -tls1_2 \
    -cipher ECDHE-ECDSA-AES128-GCM-SHA256
client_shows "-groups" TLSv1.3 -groups P-384
client_shows "-servername" TLSv1.3 -servername localhost
client_shows "-CApath" TLSv1.3 -CApath "$dir"
client_shows "-verify" TLSv1.3 -verify 1
client_shows "-verify_return_error" TLSv1.3 -verify_return_error
client_shows "-brief" "^Verification: OK" -brief
client_shows "-brief" "^Peer certificate: CN = server" -brief
client_shows "-state" "SSL_connect:SSL negotiation finished" -state
client_shows "-msg" "^>>> MTLS ChannelEstablishmentRequest" -msg
client_shows "-msg" "^<<< MTLS ChannelCloseRequest" -msg
client_shows "-debug" "68 65 6c 6c 6f 0a .*hello" -debug
client_shows "-noverify" "NOT verified" -noverify -CAfile "$dir/otherca.pem"
client -alpn ""
! grep -q ALPN "$dir/client.log"
is "-alpn '': none, and served" "$? $status" "0 0"
client -alpn other
is "-alpn other: no such protocol" "$status" 1
grep -q "no application protocol" "$dir/client.log"
ok "says so"
client -quiet
is "-quiet" "$status $(cat "$dir/client.log")" "0 "

for option in channels window max_packet session_memory; do
    client "-$option" 60000
    is "-$option" "$status" 0
done
client -msg -window 1000 -max_packet 100
grep -q "Request.*window 1000, max_packet 100" "$dir/client.log"
ok "-window and -max_packet are what is announced"

client -keylogfile "$dir/keys"
is "-keylogfile: status" "$status" 0
grep -q "^CLIENT_TRAFFIC_SECRET_0 " "$dir/keys"
ok "-keylogfile"
is "-keylogfile: for its owner alone" "$(stat -c %a "$dir/keys")" 600

client -sess_out "$dir/session"
is "-sess_out: status" "$status" 0
grep -q "BEGIN SSL SESSION" "$dir/session"
ok "-sess_out"
is "-sess_out: for its owner alone" "$(stat -c %a "$dir/session")" 600
client_shows "-sess_in resumes" ", resumed" -sess_in "$dir/session"

client_shows "-provider" TLSv1.3 -provider default
timeout 10 "$tool" s_client -connect "localhost:$port" -provider null \
    </dev/null >/dev/null 2>&1
is "-provider null: nothing works" "$?" 1

# --- certificates of clients, and pass phrases ---

openssl pkey -in "$dir/client.key" -aes128 -passout pass:secret \
    -out "$dir/locked.key" 2>/dev/null
start_server -echo -Verify 1 -CAfile "$dir/ca.pem"
client
is "-Verify: no certificate" "$status" 1
mine=(-cert "$dir/client.pem" -key)
client "${mine[@]}" "$dir/client.key"
is "-Verify: a good one" "$status" 0
client -cert "$dir/otherclient.pem" -key "$dir/otherclient.key"
is "-Verify: another CA's" "$status" 1
cat "$dir/client.pem" "$dir/client.key" >"$dir/both.pem"
client -cert "$dir/both.pem"
is "-cert with the key in it" "$status" 0
openssl pkey -in "$dir/client.key" -outform DER -out "$dir/client.der"
client "${mine[@]}" "$dir/client.der"
is "-key in DER" "$status" 0

echo secret >"$dir/pass"
client "${mine[@]}" "$dir/locked.key" -pass pass:secret
is "-pass pass:" "$status" 0
PASSPHRASE=secret client "${mine[@]}" "$dir/locked.key" -pass env:PASSPHRASE
is "-pass env:" "$status" 0
client "${mine[@]}" "$dir/locked.key" -pass "file:$dir/pass"
is "-pass file:" "$status" 0
client "${mine[@]}" "$dir/locked.key" -pass fd:9 9<"$dir/pass"
is "-pass fd:" "$status" 0
client "${mine[@]}" "$dir/locked.key" -pass pass:wrong
is "-pass, a wrong one" "$status" 1
client "${mine[@]}" "$dir/locked.key" -pass what:ever
is "-pass, of no known kind" "$status" 1
printf 'secret\nhello\n' | timeout 20 "$tool" s_client -quiet \
    -connect "localhost:$port" -CAfile "$dir/ca.pem" "${mine[@]}" \
    "$dir/locked.key" -pass stdin >"$dir/out"
is "-pass stdin" "${PIPESTATUS[1]}" 0

start_server -echo -verify 1 -CAfile "$dir/ca.pem"
client
is "-verify: no certificate is needed" "$status" 0
client -cert "$dir/otherclient.pem" -key "$dir/otherclient.key"
is "-verify: but a bad one is not taken" "$status" 1

start_server -echo -tls1_2
client
is "-tls1_2 at the server" "$status $(grep -c TLSv1.2 "$dir/client.log")" "0 1"
client -tls1_3
is "no version in common" "$status" 1

[ "$failures" -eq 0 ]
