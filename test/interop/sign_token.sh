#!/usr/bin/env bash
# Copyright 2026 The MTLS for OpenSSL authors.
# SPDX-License-Identifier: Apache-2.0

# -sign with a key that never leaves its device: a TPM 2.0, which is emulated,
# behind a provider of its own, tpm2-openssl, and named by a URI.
. "$(dirname "$0")/lib.sh"

modules=$(openssl version -m | sed 's/.*"\(.*\)"/\1/')
for need in "$(command -v swtpm)" "$(command -v tpm2_createprimary)" \
    "$modules/tpm2.so"; do
    [ -e "$need" ] || {
        echo "swtpm, tpm2-tools or tpm2-openssl is not there"
        exit 77
    }
done
if sanitized; then
    echo "the provider is not built with sanitizers"
    exit 77
fi

# answers: whether the TPM does, at a port that was free a moment ago
answers() {
    tpm2_getcap properties-fixed >/dev/null 2>&1
}

start_tpm() {
    mkdir -p "$dir/tpm"
    for _ in 1 2 3 4 5; do
        tpm_port=$((20000 + RANDOM % 20000))
        export TPM2TOOLS_TCTI="swtpm:host=127.0.0.1,port=$tpm_port"
        export TPM2OPENSSL_TCTI=$TPM2TOOLS_TCTI
        background tpm tpm swtpm socket --tpm2 --tpmstate "dir=$dir/tpm" \
            --server "type=tcp,port=$tpm_port,disconnect=off" \
            --ctrl "type=tcp,port=$((tpm_port + 1))" \
            --flags not-need-init,startup-clear
        until_true 5 answers && return
    done
    die "no TPM"
}

# key NAME ALGORITHM HANDLE: in the TPM, with a certificate NAME.pem
key() {
    tpm2_createprimary -Q -C o -G "$2" -c "$dir/context" -a \
        'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|sign' &&
        tpm2_evictcontrol -Q -C o -c "$dir/context" "$3" &&
        tpm2_flushcontext -t &&
        openssl req -provider tpm2 -provider default \
            -propquery "?provider=tpm2" -new -key "handle:$3" -subj "/CN=$1" \
            -out "$dir/$1.csr" 2>>"$dir/openssl.log" &&
        openssl x509 -req -in "$dir/$1.csr" -CA "$dir/ca.pem" \
            -CAkey "$dir/ca.key" -days 2 -out "$dir/$1.pem" -extfile \
            <(echo "basicConstraints=critical,CA:FALSE") 2>>"$dir/openssl.log"
    ok "a key in the TPM: $1"
}

printf '%s\n' "openssl_conf=init" "[init]" "providers=all" "[all]" \
    "default=on" "tpm2=on" "[on]" "activate=1" >"$dir/with_tpm"
certificates
start_tpm
key ec-token ecc256 0x81000001
key rsa-token rsa2048 0x81000002

# order NAME HANDLE FORMAT
order() {
    tpm2_flushcontext -t
    start_server -CAfile "$dir/ca.pem" -sign "$3" -sign_require -echo
    echo "an order" | OPENSSL_CONF=$dir/with_tpm timeout 60 "$tool" s_client \
        -connect "localhost:$port" -CAfile "$dir/ca.pem" -quiet \
        -cert "$dir/$1.pem" -key "handle:$2" -sign "$3" -sign_require \
        -sign_receipt -evidence "$dir/$1-$3.ev" -W localhost:7 \
        >"$dir/out" 2>"$dir/client.log"
    is "$1, $3: status" "$?" 0
    is "$1, $3: signed and echoed" "$(cat "$dir/out")" "an order"
    timeout 60 "$tool" audit -CAfile "$dir/ca.pem" "$dir/$1-$3.ev" \
        >"$dir/audit.log" 2>&1
    is "$1, $3: the log passes audit" "$?" 0
    grep -q "message sent.*CN=$1" "$dir/audit.log"
    ok "$1, $3: which names the signer"
    killed "$server"
}

for format in pkcs7 smime; do
    order ec-token 0x81000001 $format
    order rsa-token 0x81000002 $format
done

[ "$failures" -eq 0 ]
