#!/usr/bin/env bash
# Copyright 2026 The MTLS for OpenSSL authors.
# SPDX-License-Identifier: Apache-2.0

# mtls speed prints each row that its manual page names, in a form that can be
# parsed; what it measures is nobody's business here.
. "$(dirname "$0")/lib.sh"
export LC_ALL=C # for sort

quick=(-seconds 0.002 -runs 2 -settle 0 -mr)

# speed ARGUMENT...: rows in $dir/rows, sets $status
speed() {
    timeout 200 "$tool" speed "$@" >"$dir/rows" 2>"$dir/speed.log" </dev/null
    status=$?
}

# rows: mode, row and octets of each, sorted
rows() {
    grep '^+R:' "$dir/rows" | cut -d: -f2-4 | sort
}

# expected MODE ROW[:OCTETS,...]...: the same of what should be there
expected() {
    local mode=$1 row octets
    shift
    for row; do
        for octets in $(tr , ' ' <<<"${row#*:}"); do
            printf '%s:%s:%s\n' "$mode" "${row%:*}" "$octets"
        done
    done | sort
}

# parses RUNS: every line is a row of numbers that fit one another
parses() {
    awk -F: -v runs="$1" '
        function number(n) { return $n ~ /^[0-9.]+(e[+-][0-9]+)?$/ && $n > 0 }
        function within(n) { return $n >= $(n + 1) && $n <= $(n + 2) }
        # as far as six digits tell
        function same(a, b) { return a <= b * 1.0001 && b <= a * 1.0001 }
        function fail(what) { print what ": " $0; bad = 1 }
        NR == 1 {
            if ($1 != "+H") fail("no heading")
            fields = NF
            next
        }
        { n++ }
        $1 != "+R" || NF != fields { fail("not a row") }
        $7 != runs { fail("runs") }
        $5 !~ /^(MB\/s|s\/GB|\/s|octets|ns|us|share)$/ { fail("unit") }
        $6 !~ /^(raw|full|resumed|ssl|few)$/ { fail("against what") }
        {
            for (i = 8; i <= NF; i++)
                if (!number(i)) fail("field " i)
            for (i = 8; i <= NF; i += 3)
                if (!within(i)) fail("median, least, greatest, at " i)
            for (i = 8; runs == 2 && i <= NF; i += 3)
                if (!same(2 * $i, $(i + 1) + $(i + 2))) fail("median at " i)
            if (runs == 1 && !same($14, $8 / $11)) fail("ratio")
        }
        END { exit bad || n == 0 }' "$dir/rows" >>"$dir/speed.log"
}

# mode NAME ROW...: prints these rows
mode() {
    local name=$1
    shift
    speed "$name" "${quick[@]}"
    is "$name: status" "$status" 0
    is "$name: rows" "$(rows)" "$(expected "$name" "$@")"
    parses 2
    ok "$name: numbers"
}

mode throughput memory:64,256,1024,4096,16384 memory-lent:16384 \
    memory-corked:64,256,1024,4096 memory-many:64,256,1024,4096 \
    tcp-8:64 tcp-8-cpu:64 tcp-1:16384 tcp-1-cpu:16384 tcp-1-corked:16384 \
    tcp-1-corked-cpu:16384 tcp-100:16384 tcp-100-cpu:16384 \
    tcp-100-corked:16384 tcp-100-corked-cpu:16384
mode open open-1:0,0 open-100:0,0
mode idle heap-10000:0 resident-10000:0 heap-30000:0 resident-30000:0 \
    packet:64 packet-tight:64
mode latency ping-p50:64 ping-p99:64 beside-p50:64 beside-p99:64 \
    bulk-alone:16384 bulk-beside:16384 bulk-kept:16384
mode relay one-channel:16384

# --- options ---

speed open throughput "${quick[@]}" -runs 1 -bytes 100
is "-runs and -bytes: status" "$status" 0
parses 1
ok "-runs, and the ratio of one"
is "-bytes: pieces of that size alone" "$(rows | grep throughput)" \
    "$(expected throughput memory:100 memory-lent:100 memory-corked:100 \
        memory-many:100 tcp-{8,1,1-corked,100,100-corked}{,-cpu}:100)"
speed throughput "${quick[@]}" -bytes 100000
is "-bytes: more than a window holds" "$status" 0

speed "${quick[@]}" -multi 2 -bytes 1000
is "-multi: status" "$status" 0
parses 2
ok "-multi: numbers"
is "-multi: what adds up" "$(rows | uniq)" \
    "$(expected open open-{1,100}:0
        expected throughput memory{,-corked,-lent,-many}:1000 \
            tcp-{1,1-corked,100,100-corked,8}:1000)"

for option in -tls1_2 -tls1_3 "-ciphersuites TLS_CHACHA20_POLY1305_SHA256" \
    "-tls1_2 -cipher ECDHE-ECDSA-CHACHA20-POLY1305"; do
    # shellcheck disable=SC2086 # words
    speed open $option "${quick[@]}"
    is "$option" "$status" 0
done
speed open -ciphersuites none
is "-ciphersuites none: status" "$status" 1
grep -q "ciphersuites none" "$dir/speed.log"
ok "-ciphersuites none: named"

speed open -seconds 0.001 -runs 1
is "the table: status" "$status" 0
grep -q "^open .* open-100 .* resumed .*(.*-.*)" "$dir/rows"
ok "the table"
grep -q "^Doing open open-100" "$dir/speed.log"
ok "what it does meanwhile"

# wrong WORD ARGUMENT...: status 2, and a sentence that names the word
wrong() {
    local word=$1
    shift
    speed "$@"
    is "status of: $*" "$status" 2
    grep -q -e "^mtls speed: .*$word" "$dir/speed.log"
    ok "names $word"
}

wrong frobnicate frobnicate
wrong -frob -frob
wrong -seconds -seconds
wrong -seconds -seconds 0
wrong -seconds -seconds -1
wrong -seconds -seconds 1.2.3
wrong -seconds -seconds 1e3
wrong -runs -runs 0
wrong -runs -runs 101
wrong -bytes -bytes 0
wrong -bytes -bytes 1k
wrong -multi -multi 0
wrong latency latency -multi 2
wrong idle throughput idle -multi 2

# --- drawing ---

speed open "${quick[@]}" -plot "$dir/none/x.svg"
is "-plot that can't be written: status" "$status" 1
if command -v gnuplot >/dev/null; then
    grep -q "none/x.svg" "$dir/speed.log"
    ok "-plot that can't be written: named"
    speed open throughput "${quick[@]}" -bytes 100 -plot "$dir/x.svg"
    is "-plot: status" "$status" 0
    is "-plot: rows as ever" "$(rows | grep -c open:)" 4
    python3 -c '
import sys, xml.dom.minidom
text = " ".join(t.firstChild.data for t in
                xml.dom.minidom.parse(sys.argv[1]).getElementsByTagName("tspan")
                if t.firstChild)
for wanted in "MTLS", "open, /s", "throughput, MB/s", "(resumed)", "corked":
    assert wanted in text, wanted + " is not in: " + text
' "$dir/x.svg" 2>>"$dir/speed.log"
    ok "-plot: a drawing of all"
fi
mkdir "$dir/empty"
PATH=$dir/empty "$(command -v env)" -- "$tool" speed open -plot "$dir/y.svg" \
    >"$dir/rows" 2>"$dir/speed.log"
is "-plot without gnuplot: status" "$?" 1
grep -q "needs gnuplot" "$dir/speed.log"
ok "-plot without gnuplot: says so"
is "-plot without gnuplot: nothing is measured" "$(grep -c + "$dir/rows")" 0

[ "$failures" -eq 0 ]
