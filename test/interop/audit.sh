#!/usr/bin/env bash
# Copyright 2026 The MTLS for OpenSSL authors.
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC1091,SC2154 # what lib.sh sets

# Evidence logs of real sessions: what mtls audit says of them, what other
# programs say of what is in them, time stamps, revoked and expired signers.
. "$(dirname "$0")/lib.sh"
orders=${SIGN_ORDERS:?}
certificates
certificates other

# audit OPTION...: its report in $answer, and $status
audit() {
    answer=$(timeout 60 "$tool" audit "$@" 2>"$dir/audit.log")
    status=$?
}

# session FORMAT N: fresh logs
session() {
    rm -f "$dir"/*.evidence*
    timeout 60 "$orders" "$dir" "$1" "$2" 2>"$dir/orders.log" ||
        die "no session with $1"
}

# extract N NAME: from the client's log
extract() {
    timeout 60 "$tool" audit -extract "$1" -out "$dir/$2" \
        "$dir/client.evidence" 2>"$dir/extract.log"
}

log=$dir/client.evidence

# --- both logs of a session, in each format -----------------------------------

# says FORMAT: the audit of both logs, as text and as JSON
both_are_good() {
    local who
    for who in client server; do
        audit -CAfile "$dir/ca.pem" "$dir/$who.evidence"
        is "$1: the $who's log is good" "$status" 0
        grep -q "8 entries: 4 messages, 4 receipts, 0 time stamps$" \
            <<<"$answer" && grep -q "^0 bad, 0 open: verified$" <<<"$answer"
        ok "$1: it has all that went over the wire"
    done
    audit -json -CAfile "$dir/ca.pem" "$log"
    python3 -c '
import json, sys
lines = [json.loads(line) for line in sys.stdin]
entries = [line for line in lines if line["event"] == "entry"]
assert [e["number"] for e in entries] == list(range(1, 9)), entries
assert all(e["verified"] and e["format"] == sys.argv[1] for e in entries)
sent = {e["number"] for e in entries if e["kind"] == "message sent"}
assert len(sent) == 2
assert sent == {e["of"] for e in entries if e["kind"] == "receipt received"}
assert {e["signer"] for e in entries} == {"CN=client", "CN=server"}
assert lines[-1]["event"] == "result" and lines[-1]["bad"] == 0
' "$1" <<<"$answer"
    ok "$1: so says the JSON"
}

# others FORMAT COMMAND...: verifies message and receipt that were extracted
extracted_is_good() {
    local format=$1 first receipt
    shift
    first=$(sed -n 's/^entry \([0-9]*\): .* message sent,.*/\1/p' <<<"$report" |
        head -n 1)
    receipt=$(sed -n 's/^entry \([0-9]*\): .* receipt received.*/\1/p' \
        <<<"$report" | head -n 1)
    extract "$first" message && extract "$receipt" receipt
    ok "$format: extracted"
    "$@" "$dir/message" "$dir/data" >"$dir/other.log" 2>&1 &&
        is "$format: it is verified, and says" "$(tr -d '\r' <"$dir/data")" \
            "order 0"
    ok "$format: another program verifies it"
    "$@" "$dir/receipt" "$dir/data" >"$dir/other.log" 2>&1
    ok "$format: and the receipt"
    # the order's number: in DER, in base64 of it, in base64 by itself
    python3 - "$dir/message" <<'END'
import base64
import sys

octets = open(sys.argv[1], "rb").read()
octets = octets if b"order 0" in octets else octets.replace(b"\r\n", b"\n")
head, blank, body = octets.partition(b"\n\n")
plain = base64.b64encode(b"order 0\n")
if b"order 0" in octets:
    changed = octets.replace(b"order 0", b"order 9")
elif plain in octets:
    changed = octets.replace(plain, base64.b64encode(b"order 9\n"))
else:
    der = base64.b64decode(body)
    assert b"order 0" in der
    changed = head + blank + base64.encodebytes(
        der.replace(b"order 0", b"order 9"))
open(sys.argv[1], "wb").write(changed)
END
    ! "$@" "$dir/message" "$dir/data" >"$dir/other.log" 2>&1
    ok "$format: and refuses it changed"
}

cms() {
    openssl cms -verify -inform "$1" -in "$2" -CAfile "$dir/ca.pem" \
        -purpose any -out "$3"
}

# as openssl-smime(1) has it: the older command
smime() {
    openssl smime -verify -inform "$1" -in "$2" -CAfile "$dir/ca.pem" \
        -purpose any -out "$3"
}

session pkcs7 2
both_are_good pkcs7
report=$(timeout 60 "$tool" audit -noverify "$log")
extracted_is_good pkcs7 cms DER
extracted_is_good pkcs7 smime DER

session smime 2
both_are_good smime
report=$(timeout 60 "$tool" audit -noverify "$log")
extracted_is_good smime cms SMIME
extracted_is_good smime smime SMIME

# what is signed is in base64: of what xmlsec1 has found good, the first Object
xml() {
    xmlsec1 --verify --trusted-pem "$dir/ca.pem" "$1" &&
        python3 - "$1" "$2" <<'END'
import base64
import sys
import xml.etree.ElementTree as tree

signature = tree.parse(sys.argv[1]).getroot()
data = signature.find("{http://www.w3.org/2000/09/xmldsig#}Object")
open(sys.argv[2], "wb").write(base64.b64decode(data.text))
END
}

if timeout 60 "$orders" "$dir" xmldsig 1 2>/dev/null &&
    command -v xmlsec1 >/dev/null; then
    session xmldsig 2
    both_are_good xmldsig
    report=$(timeout 60 "$tool" audit -noverify "$log")
    extracted_is_good xmldsig xml
else
    echo "xmldsig is not built in, or xmlsec1 not there: left out"
fi

# --- who signed ---------------------------------------------------------------

session pkcs7 2
audit "$log"
is "nobody is trusted by default here" "$status" 1
audit -CAfile "$dir/otherca.pem" "$log"
is "another CA" "$status" 1
grep -q "^bad: entry 1 .*unable to get local issuer certificate" <<<"$answer"
ok "says why"
audit -noverify "$log"
is "signatures alone" "$status" 0
grep -q "signers were not judged" <<<"$answer"
ok "says so"

# crl NAME WHEN [REASON] [WHO]: one that revokes the client, or WHO, then
crl() {
    local serial when
    serial=$(openssl x509 -in "$dir/${4:-client}.pem" -noout -serial |
        cut -d= -f2)
    when=$(date -u -d "$2" +%y%m%d%H%M%SZ)
    printf 'R\t491231235959Z\t%s%s\t%s\tunknown\t/CN=client\n' "$when" \
        "${3:+,$3}" "$serial" >"$dir/index"
    printf '[ca]\ndefault_ca=a\n[a]\ndatabase=%s\ndefault_md=sha256\n' \
        "$dir/index" >"$dir/ca.cnf"
    openssl ca -gencrl -config "$dir/ca.cnf" -cert "$dir/ca.pem" \
        -keyfile "$dir/ca.key" -crldays 30 -out "$dir/$1" 2>>"$dir/openssl.log" ||
        die "no CRL"
}
crl revoked.crl "1 hour ago"
crl later.crl "1 hour"
crl stolen.crl "1 hour" keyCompromise
trust=(-CAfile "$dir/ca.pem")
audit "${trust[@]}" -CRLfile "$dir/revoked.crl" "$log"
is "revoked before it signed" "$status" 1
grep -q "^bad: entry 1 .*certificate revoked" <<<"$answer"
ok "says so"
audit "${trust[@]}" -CRLfile "$dir/later.crl" "$log"
is "revoked after it signed" "$status" 0
audit "${trust[@]}" -CRLfile "$dir/stolen.crl" "$log"
is "its key was known to somebody else" "$status" 1
openssl crl -in "$dir/later.crl" -outform DER -out "$dir/later.der"
audit "${trust[@]}" -CRLfile "$dir/later.der" -crl_check_all "$log"
is "a CRL in DER" "$status" 0
audit "${trust[@]}" -crl_check "$log"
is "no CRL where one is needed" "$status" 1

# --- a log that was changed ----------------------------------------------------

digest=$(timeout 60 "$tool" audit -noverify "$log" | sed -n 's/^digest //p')
audit "${trust[@]}" -expect "$digest" "$log"
is "the digest that it ended with" "$status" 0
size=$(stat -c %s "$log")
cp "$log" "$dir/whole"
printf x | dd of="$log" bs=1 seek=$((size - 500)) conv=notrunc 2>/dev/null
audit "${trust[@]}" "$log"
is "an octet changed" "$status" 1
grep -q "^bad: entry 8 was changed" <<<"$answer"
ok "its entry is named"
truncate -s $((size - 1)) "$log"
audit "${trust[@]}" "$log"
is "cut" "$status" 1
grep -q "^bad: entry 8 is cut short" <<<"$answer"
ok "the entry is named"
# who writes on puts the torn end aside
timeout 60 "$orders" "$dir" pkcs7 1 || die "no session"
audit "${trust[@]}" "$log"
is "it goes on" "$status" 3
grep -q "^note: entry 8 tells of a crash: [0-9]* octets .* client.evidence.torn.1$" \
    <<<"$answer" && [ -s "$log.torn.1" ]
ok "the torn end was kept"
audit "${trust[@]}" -expect "$digest" "$log"
is "an entry that was expected is not there" "$status" 1
cp "$dir/whole" "$log"

# --- the log of the other end ---------------------------------------------------

session pkcs7 2
other=$dir/server.evidence
audit "${trust[@]}" -peer "$other" "$log"
is "beside the other end's log" "$status" 0
audit "${trust[@]}" -peer "$log" "$other"
is "and the reverse" "$status" 0
# the last entry dropped without a trace: begins where the 8th does
last=$(python3 - "$log" <<'END'
import struct
import sys
octets = open(sys.argv[1], "rb").read()
at = before = 64
while at < len(octets):
    before = at
    at += struct.unpack(">I", octets[at + 4:at + 8])[0]
print(before)
END
)
cp "$log" "$dir/whole"
truncate -s "$last" "$log"
audit "${trust[@]}" "$log"
is "the last entry dropped shows no trace, or a receipt missing" \
    "$((status == 0 || status == 3))" 1
audit "${trust[@]}" -peer "$other" "$log"
is "but beside the other log it does" \
    "$((status == 1 || status == 3))" 1
grep -q "lacks what was \(received\|sent\) as entry [0-9]* of the other log" \
    <<<"$answer"
ok "which says what is missing"
audit "${trust[@]}" -peer "$log" "$other"
grep -q "^\(bad\|open\): entry [0-9]* is not in the other log" <<<"$answer"
ok "and the reverse names the entry"
cp "$dir/whole" "$log"

# --- time stamps ----------------------------------------------------------------

tsa() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc \
        -days 2 -subj "/CN=A time stamp authority" -CA "$dir/ca.pem" \
        -CAkey "$dir/ca.key" -addext "basicConstraints=critical,CA:FALSE" \
        -addext "keyUsage=critical,digitalSignature" \
        -addext "extendedKeyUsage=critical,timeStamping" \
        -keyout "$dir/tsa.key" -out "$dir/tsa.pem" 2>>"$dir/openssl.log"
    printf '%s\n' "[tsa]" "default_tsa=t" "[t]" "serial=$dir/tsa.serial" \
        "signer_digest=sha256" "default_policy=1.2.3" "digests=sha256" \
        "ess_cert_id_alg=sha256" >"$dir/tsa.cnf"
}

# stamp NAME: asks, and has it answered
stamp() {
    timeout 60 "$tool" audit -ts_query -out "$dir/$1.tsq" "$log" &&
        openssl ts -reply -config "$dir/tsa.cnf" -queryfile "$dir/$1.tsq" \
            -signer "$dir/tsa.pem" -inkey "$dir/tsa.key" -out "$dir/$1.tsr" \
            2>>"$dir/openssl.log"
}

tsa
digest=$(timeout 60 "$tool" audit -noverify "$log" | sed -n 's/^digest //p')
stamp one
ok "a time stamp is asked for"
timeout 60 "$tool" audit -ts_reply "$dir/one.tsr" "$log"
ok "and appended"
audit "${trust[@]}" "$log"
is "with a time stamp" "$status" 0
grep -q "^entry 9: .* time stamp for entry 8, .*, verified$" <<<"$answer"
ok "it is of the last entry"
timeout 60 "$tool" audit -extract 9 -out "$dir/token" "$log"
openssl ts -verify -token_in -in "$dir/token" -digest "$digest" \
    -CAfile "$dir/ca.pem" >"$dir/ts.log" 2>&1
ok "openssl verifies it"
audit -CAfile "$dir/otherca.pem" "$log"
grep -q "^bad: entry 9 has a time stamp that is not good" <<<"$answer"
ok "an authority that is not trusted"
crl tsa.crl "1 hour ago" "" tsa
audit "${trust[@]}" -CRLfile "$dir/tsa.crl" "$log"
is "an authority that was revoked before it stamped" "$status" 1
grep -q "^bad: entry 9 has a time stamp that is not good" <<<"$answer"
ok "says so"
crl tsa.crl "1 hour" "" tsa
audit "${trust[@]}" -CRLfile "$dir/tsa.crl" "$log"
is "an authority that was revoked after it stamped" "$status" 0
session pkcs7 1
! timeout 60 "$tool" audit -ts_reply "$dir/one.tsr" "$log" 2>"$dir/ts.log" &&
    grep -q "of no entry of this log" "$dir/ts.log"
ok "a time stamp of another log is refused"
! timeout 60 "$tool" audit -ts_reply "$dir/ca.pem" "$log" 2>"$dir/ts.log"
ok "what is none is refused"

# --- the signers, as a store -----------------------------------------------------

if [ -f "${MTLS_PROVIDER_DIR:?}/mtls.so" ] && ! sanitized; then
    openssl storeutl -provider-path "$MTLS_PROVIDER_DIR" -provider mtls \
        -provider default -noout -text -certs "tlssign:$log" \
        >"$dir/store.log" 2>&1
    is "openssl storeutl" "$?" 0
    is "finds both signers" \
        "$(sed -n 's/.*Subject: CN *= *//p' "$dir/store.log" | tr '\n' ' ')" \
        "client server "
fi

# --- the command line -------------------------------------------------------------

usage() {
    audit "$@"
    is "usage: $*" "$status" 2
}
usage
usage one two
usage -expect 00 "$log"
usage -extract 0 "$log"
usage -extract 1 -ts_query "$log"
usage -out x "$log"
usage -peer
usage -noverify -CAfile x "$log"
usage -extract 1 -peer x "$log"
usage -ts_query -CAfile x "$log"
for wrong in "-CAfile $dir/none $log" "-CRLfile $dir/none $log" \
    "-untrusted $dir/none $log" "-extract 99 $log" "-peer $dir/none $log" "$dir/none" "$dir/ca.pem"; do
    # shellcheck disable=SC2086 # several words
    audit $wrong
    is "status of: $wrong" "$status" 1
done
audit -quiet "${trust[@]}" "$log"
is "-quiet: nothing" "$answer" ""
is "-quiet: but the status" "$status" 0
audit -quiet -json "${trust[@]}" "$log"
is "-quiet -json: nothing" "$answer" ""
timeout 60 "$tool" audit -extract 1 -CAfile "$dir/otherca.pem" -out "$dir/object" \
    "$log" 2>"$dir/extract.log"
is "-extract of what a stranger signed" "$?" 0
grep -q "entry 1 is not verified" "$dir/extract.log"
ok "says so"

[ "$failures" -gt 0 ] || rm -f "$dir"/*.log
