#!/usr/bin/env bash
# Copyright 2026 The MTLS for OpenSSL authors.
# SPDX-License-Identifier: Apache-2.0

# -sign, -sign_require, -sign_receipt and -evidence on both commands, and what
# the logs of both ends hold afterwards.
. "$(dirname "$0")/lib.sh"

certificates
certificates other
start_peer echo echo

# client OPTION...: s_client with $dir/order as its standard input
client() {
    timeout 60 "$tool" s_client -connect "localhost:$port" \
        -CAfile "$dir/ca.pem" -quiet "$@" \
        <"$dir/order" >"$dir/out" 2>"$dir/client.log"
    status=$?
}

own=(-cert "$dir/client.pem" -key "$dir/client.key")
head -c 200000 /dev/urandom >"$dir/order"

formats="pkcs7 smime"
"$tool" s_client -connect localhost:1 "${own[@]}" -sign xmldsig -quiet \
    </dev/null 2>&1 | grep -q "content format is not offered" ||
    formats="$formats xmldsig"

for format in $formats; do
    start_server -CAfile "$dir/ca.pem" -sign "$format" -sign_require \
        -sign_receipt -evidence "$dir/$format-server.log.ev"
    client "${own[@]}" -sign "$format" -sign_require -sign_receipt \
        -evidence "$dir/$format-client.log.ev" -W "localhost:$echo"
    is "$format: status" "$status" 0
    cmp -s "$dir/order" "$dir/out"
    ok "$format: the order, and its echo"
    until_true 20 grep -q "^session with .* ended" "$server_log"
    for end in client server; do
        "$tool" audit -CAfile "$dir/ca.pem" "$dir/$format-$end.log.ev" \
            >"$dir/audit.log" 2>&1
        is "$format: the $end's log passes audit" "$?" 0
    done
    "$tool" audit -CAfile "$dir/ca.pem" -extract 1 -out "$dir/object" \
        "$dir/$format-client.log.ev" >/dev/null 2>>"$dir/audit.log"
    case $format in
    pkcs7)
        openssl cms -verify -inform DER -in "$dir/object" -binary \
            -CAfile "$dir/ca.pem" -out "$dir/data" 2>>"$dir/openssl.log"
        ;;
    smime)
        openssl cms -verify -in "$dir/object" -binary \
            -CAfile "$dir/ca.pem" -out "$dir/data" 2>>"$dir/openssl.log"
        ;;
    xmldsig)
        ! command -v xmlsec1 >/dev/null ||
            xmlsec1 --verify --trusted-pem "$dir/ca.pem" "$dir/object" \
                >>"$dir/openssl.log" 2>&1
        ;;
    esac
    is "$format: another verifier agrees" "$?" 0
    [ "$format" = xmldsig ] || {
        size=$(wc -c <"$dir/data")
        [ "$size" -gt 0 ] && cmp -s -n "$size" "$dir/data" "$dir/order"
        ok "$format: and it is the order"
    }
    killed "$server"
done

# --- with -D and -R ---

start_nginx
cp "$dir/order" "$dir/www/file"
start_server -CAfile "$dir/ca.pem" -sign pkcs7 -sign_require \
    -evidence "$dir/there.ev" -allow-listen "127.0.0.1:*"
start_client "${own[@]}" -sign pkcs7 -sign_require -sign_receipt -D 0 \
    -R "0:127.0.0.1:$web" -evidence "$dir/here.ev"
until_true 20 grep -q "^the server listens on" "$client_log" || die "no -R"
socks=$(sed -n 's/^listening on 127.0.0.1:\([0-9]*\) for SOCKS.*/\1/p' "$client_log")
there=$(sed -n 's/^the server listens on .*:\([0-9]*\) for .*/\1/p' "$client_log")

# fetch NAME CURL-OPTION...
fetch() {
    rm -f "$dir/out"
    timeout 60 curl -s -o "$dir/out" "${@:2}"
    cmp -s "$dir/order" "$dir/out"
    ok "$1"
}
fetch "-D" --socks5-hostname "127.0.0.1:$socks" "http://localhost:$web/file"
fetch "-R" "http://127.0.0.1:$there/file"
kill "$client"
ended "$client"
until_true 20 grep -q "^session with .* ended" "$server_log"
killed "$server"
for log in here there; do
    timeout 60 "$tool" audit -CAfile "$dir/ca.pem" "$dir/$log.ev" \
        >"$dir/audit.log" 2>&1
    is "-D and -R are in the log that is $log" "$?" 0
    is "$log: with 2 channels" "$(sed -n 's/.*sequence \([0-9]*\),.*/\1/p' \
        "$dir/audit.log" | awk '{ n[int($1 / 4294967296)] } END { print length(n) }')" 2
done

# --- with -L ---

start_server -CAfile "$dir/ca.pem" -sign pkcs7:smime -sign_require
start_client "${own[@]}" -sign smime -sign_require -sign_receipt \
    -L "0:localhost:$echo"
timeout 30 nc -N 127.0.0.1 "${forward[0]}" <"$dir/order" >"$dir/out"
cmp -s "$dir/order" "$dir/out"
ok "-L: there and back"
killed "$client"

# --- what is refused, and what is not ---

client -W "localhost:$echo"
is "a client that does not sign, where that is required" "$status" 1

client -sign pkcs7 -W "localhost:$echo"
is "a client without a certificate" "$status" 1
grep -q "no certificate and key to sign with" "$dir/client.log"
ok "it says so"

client -cert "$dir/otherclient.pem" -key "$dir/otherclient.key" \
    -sign pkcs7 -W "localhost:$echo"
is "a client that nobody vouches for" "$status" 1
killed "$server"

start_server -CAfile "$dir/ca.pem"
client "${own[@]}" -sign pkcs7 -sign_require -W "localhost:$echo"
is "a server that does not sign, where that is required" "$status" 1
client "${own[@]}" -sign pkcs7 -W "localhost:$echo"
is "and where it is not" "$status" 0
cmp -s "$dir/order" "$dir/out"
ok "the order goes unsigned"
killed "$server"

start_server -CAfile "$dir/ca.pem" -sign pkcs7 -echo
client "${own[@]}" -sign pkcs7 -sign_require -sign_receipt -W localhost:7
is "-echo: status" "$status" 0
cmp -s "$dir/order" "$dir/out"
ok "-echo signs too"

# --- usage ---

for wrong in "-sign pkcs8" "-sign :" "-sign pkcs7:" "-sign_require" "-evidence $dir/x" "-sign pkcs7 -tlsmux" \
    "-sign pkcs7 -evidence /"; do
    # shellcheck disable=SC2086 # words
    client "${own[@]}" $wrong -W "localhost:$echo"
    [ "$status" -ne 0 ] && [ -s "$dir/client.log" ]
    ok "$wrong: refused with a word"
done

[ "$failures" -eq 0 ]
