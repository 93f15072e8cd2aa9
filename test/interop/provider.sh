#!/usr/bin/env bash
# Copyright 2026 The MTLS for OpenSSL authors.
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC1091,SC2154 # what lib.sh sets

# The provider as an administrator meets it: openssl's own commands with
# mtls.so, the test vector of its manual page, and an openssl.cnf that tunes
# programs which know nothing of it.
. "$(dirname "$0")/lib.sh"
modules=${MTLS_PROVIDER_DIR:?}
programs=${MTLS_BUILD_DIR:?}/doc/examples
manual=${MTLS_SOURCE_DIR:?}/doc/man7
unset OPENSSL_CONF OPENSSL_MODULES
[ -f "$modules/mtls.so" ] || exit 77 # -DMTLS_PROVIDER=OFF

certificates

# cnf NAME LINE...: an openssl.cnf with these lines in the provider's section
cnf() {
    local name=$dir/$1.cnf
    shift
    {
        printf '%s\n' "openssl_conf = init" "[init]" "providers = providers" \
            "[providers]" "default = default_section" "mtls = mtls_section" \
            "[default_section]" "activate = 1" "[mtls_section]" "activate = 1"
        printf '%s\n' "$@"
    } >"$name"
}

# example PAGE NUMBER: the command that stands there, with our mtls.so in it
example() {
    sed -n '/^=head1 EXAMPLES/,/^=head1 [^E]/p' "$manual/$1.pod" |
        sed -n '/^ openssl /,/[^\\]$/p' | sed -e ':a' -e '/\\$/N; s/\\\n//; ta' |
        sed -n "$2p" | sed "s|build/provider|$modules|"
}

# run COMMAND: its standard output and errors in $answer, and $status
run() {
    answer=$(bash -c "$1" 2>&1)
    status=$?
}

# says NAME TEXT: what run has run fails, and its answer has the text
says() {
    [ "$status" -ne 0 ] && grep -qF -e "$2" <<<"$answer"
    ok "$1"
    [ "$failures" -eq 0 ] || printf '    %s\n' "$answer"
}

# --- openssl's commands -------------------------------------------------------

id=AOnMvL_NiBQ8eL8_ZMj9XlxUmVm0A5bt
kdf() {
    run "openssl kdf -keylen ${length:-48} -provider-path '$modules' \
        -provider mtls -provider default $* MTLS-PSK"
}

openssl_commands() {
    local vector
    vector=$(
        python3 - <<'END'
# RFC 5246, sections 5 and 8.1
import hashlib
import hmac

def prf(secret, seed, size):
    out, a = b"", seed
    while len(out) < size:
        a = hmac.new(secret, a, hashlib.sha256).digest()
        out += hmac.new(secret, a + seed, hashlib.sha256).digest()
    return out[:size]

print(prf(bytes(range(0x30)), b"master secret" + bytes(range(0x30, 0x70)),
          48).hex(":").upper())
END
    )
    run "$(example OSSL_PROVIDER-mtls 1)"
    grep -q '^ *mtls$' <<<"$answer" &&
        grep -q 'name: Multiplexed TLS for OpenSSL$' <<<"$answer" &&
        grep -q 'version: [0-9]*\.[0-9]*\.[0-9]*$' <<<"$answer" &&
        grep -q 'status: active$' <<<"$answer"
    ok "openssl list -providers shows name, version and status"

    run "$(example EVP_KDF-MTLS-PSK 1)"
    is "the manual's master_secret" "${answer%%[!0-9A-F:]*}" "$vector"
    run "$(example EVP_KDF-MTLS-PSK 2)"
    is "the manual's psk" "${answer%%[!0-9A-F:]*}" "$vector"
    grep -q "^ $vector\$" "$manual/EVP_KDF-MTLS-PSK.pod"
    ok "is printed there"
    run "$(example EVP_KDF-MTLS-PSK 3)"
    is "the manual's identity" "$answer" "$id"

    kdf "-kdfopt session_id:$id -kdfopt hexsecret:00"
    says "a short secret" "unusable master secret"
    kdf "-kdfopt hexsession_id:410042 -kdfopt hexsecret:${vector//:/}"
    says "a session ID with a zero octet" "unusable session ID"
    kdf "-kdfopt session_id:$id"
    says "no secret" "no master secret"
    kdf "-kdfopt hexsecret:${vector//:/}"
    says "no session ID" "no session ID"
    length=32 kdf "-kdfopt session_id:$id -kdfopt hexsecret:${vector//:/}"
    says "half a psk" "wrong length"

    cnf wrong "module = $modules/mtls.so" "backlog = many"
    run "OPENSSL_CONF='$dir/wrong.cnf' openssl list -providers"
    grep -A3 '^ *mtls$' <<<"$answer" | grep -q 'status: inactive'
    ok "with a wrong section the provider is inactive"
    run "OPENSSL_CONF='$dir/wrong.cnf' openssl kdf -keylen 48 \
        -kdfopt session_id:$id MTLS-PSK"
    says "it says why" "backlog = many: not a number from 0 to 65536"

    # TLS goes on with the module loaded
    cnf module "module = $modules/mtls.so"
    run "OPENSSL_CONF='$dir/module.cnf' openssl s_client -alpn mtls \
        -verify_return_error -CAfile '$dir/ca.pem' \
        -connect 'localhost:$port' </dev/null"
    grep -q "^ALPN protocol: mtls" <<<"$answer"
    ok "openssl s_client works with the module loaded"
}

start_server -echo -msg
if ! sanitized; then # openssl can't load a module that is
    openssl_commands
fi

# --- programs that nobody recompiled ------------------------------------------

# window: of the last Request that the server has seen
window() {
    sed -n 's/.*ChannelEstablishmentRequest.*, window \([0-9]*\),.*/\1/p' \
        "$server_log" | tail -n 1
}

plain() {
    timeout 60 "$programs/example_mtls_plain_client" "127.0.0.1:$port" \
        "$dir/ca.pem" localhost <<<hello
}

readme() {
    timeout 60 "${README_CLIENT:?}" "127.0.0.1:$port" "$dir/ca.pem"
}

tool() {
    echo hello | timeout 60 "$tool" s_client -connect "localhost:$port" \
        -CAfile "$dir/ca.pem" -W localhost:7 -quiet
}

cnf built-in "window = 131072"
cnf module "module = $modules/mtls.so" "window = 131072"
cnf wrong "window = 128K"
for program in plain readme tool; do
    is "$program: answered" "$($program 2>&1)" hello
    is "$program: the window" "$(window)" 65536
    for kind in built-in module; do
        export OPENSSL_CONF=$dir/$kind.cnf
        is "$program, configured ($kind): answered" "$($program 2>&1)" hello
        is "$program, configured ($kind): the window" "$(window)" 131072
    done
    OPENSSL_CONF=$dir/wrong.cnf
    run "$(declare -f $program); tool='$tool' port=$port dir='$dir' \
        programs='$programs'; $program"
    says "$program: a wrong section is told" \
        "window = 128K: not a number from 1 to 2147483647"
    unset OPENSSL_CONF
done

# --- the tool's own destinations -----------------------------------------------

run "OPENSSL_CONF='$dir/wrong.cnf' timeout 20 '$tool' s_server -accept 0 \
    -cert '$dir/server.pem' -key '$dir/server.key'"
says "s_server: a wrong section is told" "window = 128K"
is "status" "$status" 1
cnf nowhere "allow = localhost:80 frob"
run "OPENSSL_CONF='$dir/nowhere.cnf' timeout 20 '$tool' s_server -accept 0 \
    -cert '$dir/server.pem' -key '$dir/server.key'"
says "s_server: a wrong destination is told" "frob is not what -allow takes"
is "status" "$status" 1

# reach PORT: what comes of a channel to it
reach() {
    echo hello | timeout 60 "$tool" s_client -connect "localhost:$port" \
        -CAfile "$dir/ca.pem" -W "127.0.0.1:$1" 2>&1
}

start_peer one echo
start_peer two echo
cnf allow "allow = localhost:9, 127.0.0.1:$one"
export OPENSSL_CONF=$dir/allow.cnf
start_server
reach "$one" | grep -qx hello
ok "what the section allows is reached"
reach "$two" | grep -q prohibited
ok "what it does not is not, though it is on loopback"
start_server -allow "127.0.0.1:$two"
reach "$two" | grep -qx hello
ok "-allow counts for more"
reach "$one" | grep -q prohibited
ok "and then alone"

[ "$failures" -gt 0 ] || rm -f "$dir"/*.log
exit $((failures != 0))
