# Copyright 2026 The MTLS for OpenSSL authors.
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC1091,SC2034,SC2154

# What the tests of the examples share, above what those of the tool do.
# EXAMPLES is the folder with the programs.
set -u
examples=${EXAMPLES:?EXAMPLES must name the folder of the programs}
export MTLS=${MTLS:-none}
. "$(dirname "${BASH_SOURCE[0]}")/../interop/lib.sh"

bound() {
    [ -n "$(ss -Hltn "sport = :$1")" ]
}

# serve VARIABLE NAME ARGUMENT...: a server, its port first among its
# arguments, or after the word -accept; sets VARIABLE and $port
serve() {
    local variable=$1 name=$2 words=()
    shift 2
    if [ "${1:-}" = -accept ]; then
        words=("$1")
        shift
    fi
    for _ in 1 2 3 4 5; do
        port=$((10000 + RANDOM % 20000))
        bound $port && continue
        background "$variable" "$name" "$examples/example_$name" \
            "${words[@]}" "127.0.0.1:$port" "$dir/server.pem" \
            "$dir/server.key" "$@"
        until_true 10 bound $port && return
    done
    die "$name does not listen"
}

# client NAME ARGUMENT...: its output is $answer, its errors in NAME.log
client() {
    local name=$1
    shift
    answer=$(timeout 100 "$examples/example_$name" "$@" 2>"$dir/$name.log")
}
