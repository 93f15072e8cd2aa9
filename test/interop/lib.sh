# Copyright 2026 The MTLS for OpenSSL authors.
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash

# What the tests of the tool share. Everything is on loopback, in a folder of
# its own, with ports that the system gives; what was started ends with the
# test. MTLS names the tool.
set -u
tool=${MTLS:?MTLS must name the tool}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PATH=$PATH:/usr/sbin:/sbin
umask 022
dir=$(mktemp -d "${TMPDIR:-/tmp}/mtls-test.XXXXXX")
pids=()
failures=0

finish() {
    local status=$? pid log
    trap - EXIT
    exec 2>/dev/null # who was killed need not be told
    for pid in "${pids[@]}"; do
        kill -9 "$pid"
    done
    wait
    if [ "$failures" -ne 0 ] || [ "$status" -ne 0 ]; then
        for log in "$dir"/*.log; do
            [ -s "$log" ] && printf -- '--- %s\n' "${log##*/}" &&
                tail -n 20 "$log"
        done
        [ "$status" -ne 0 ] || status=1
    fi
    rm -rf "$dir"
    exit "$status"
}
trap finish EXIT
trap 'exit 130' INT TERM

# ok NAME: the command before it decides.  is NAME GOT WANTED
ok() {
    # shellcheck disable=SC2319 # a condition is what it is for
    local status=$?
    if [ "$status" -eq 0 ]; then
        printf 'ok - %s\n' "$1"
    else
        printf 'NOT OK - %s\n' "$1"
        failures=$((failures + 1))
    fi
}

is() {
    if test "$2" = "$3"; then
        ok "$1"
    else
        false
        ok "$1"
        printf '    got: %s\n    not: %s\n' "$2" "$3"
    fi
}

die() {
    printf 'FAILED: %s\n' "$*"
    exit 1
}

# until_true SECONDS COMMAND...: tries until it succeeds
until_true() {
    local tries=$(($1 * 20))
    shift
    until "$@" >/dev/null 2>&1; do
        [ $((tries--)) -gt 0 ] || return 1
        sleep 0.05
    done
}

# background VARIABLE NAME COMMAND...: runs it with its output in NAME.log
background() {
    local variable=$1 log=$dir/$2.log
    shift 2
    "$@" >"$log" 2>&1 </dev/null &
    printf -v "$variable" %s $!
    pids+=($!)
}

# ended PID [SECONDS]: waits for one of ours to end, sets $status
ended() {
    local pid=$1
    until_true "${2:-20}" gone "$pid" || {
        status=running
        return 1
    }
    wait "$pid"
    status=$?
}

# killed PID: without a word of it
killed() {
    kill -9 "$1"
    wait "$1" 2>/dev/null
}

gone() {
    ! kill -0 "$1" 2>/dev/null || [ "$(ps -o stat= -p "$1")" = Z ]
}

# certificates NAME: a CA, and a server's and a client's certificate from it
certificates() {
    local key=(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 2)
    local name=${1:-}
    openssl req -x509 "${key[@]}" -subj "/CN=Test CA $name" \
        -keyout "$dir/${name}ca.key" -out "$dir/${name}ca.pem" \
        2>>"$dir/openssl.log" || die "no CA"
    for who in server client; do
        openssl req -x509 "${key[@]}" -subj "/CN=$who" \
            -CA "$dir/${name}ca.pem" -CAkey "$dir/${name}ca.key" \
            -addext "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1" \
            -addext "basicConstraints=critical,CA:FALSE" \
            -keyout "$dir/$name$who.key" -out "$dir/$name$who.pem" \
            2>>"$dir/openssl.log" || die "no certificate"
    done
}

# listening LOG [ADDRESS]: the ports that lines, or JSON, tell
listening() {
    local port=":\([0-9][0-9]*\)"
    sed -n -e "s/^listening on [^ ]*${2:-}$port for .*/\1/p" \
        -e "s/.*\"address\":\"[^\"]*${2:-}$port\",\"for.*/\1/p" \
        "$dir/$1.log" | grep .
}

# start_server [NAME] OPTION...: sets $server and $port
server_number=0
start_server() {
    local name=server$((++server_number))
    background server "$name" "$tool" s_server \
        -cert "$dir/server.pem" -key "$dir/server.key" \
        -accept "127.0.0.1:${server_port:-0}" "$@"
    until_true 20 listening "$name" || die "the server does not listen"
    port=$(listening "$name")
    server_log=$dir/$name.log
}

# start_client OPTION...: sets $client, and $forward to the ports of -L
client_number=0
start_client() {
    local name=client$((++client_number))
    background client "$name" "$tool" s_client -connect "localhost:$port" \
        -CAfile "$dir/ca.pem" "$@"
    client_log=$dir/$name.log
    until_true 20 grep -q "^session with\|\"session-open\"" "$client_log" ||
        die "the client has no session"
    mapfile -t forward < <(listening "$name" 127.0.0.1)
}

# start_tlsmux OPTION...: sets $client
start_tlsmux() {
    local name=client$((++client_number))
    background client "$name" "$tool" s_client -tlsmux \
        -connect "localhost:$port" -CAfile "$dir/ca.pem" "$@"
    client_log=$dir/$name.log
    until_true 20 listening "$name" || die "the client does not listen"
}

# local_port PURPOSE: the port that a line tells
local_port() {
    sed -n "s/^listening on 127.0.0.1:\([0-9]*\) for $1\$/\1/p" "$client_log"
}

# start_nginx: serves $dir/www, sets $web to its port
start_nginx() {
    local user=""
    [ "$(id -u)" -ne 0 ] || user="user root;"
    mkdir -p "$dir/www" "$dir/nginx"
    for _ in 1 2 3 4 5; do
        web=$((10000 + RANDOM % 20000))
        cat >"$dir/nginx.conf" <<END
$user
daemon off;
master_process off;
worker_processes 1;
pid $dir/nginx/pid;
error_log $dir/nginx/error.log;
events { worker_connections 8192; }
http {
    access_log off;
    client_body_temp_path $dir/nginx/body;
    proxy_temp_path $dir/nginx/proxy;
    fastcgi_temp_path $dir/nginx/fastcgi;
    uwsgi_temp_path $dir/nginx/uwsgi;
    scgi_temp_path $dir/nginx/scgi;
    server {
        listen 127.0.0.1:$web backlog=4096;
        root $dir/www;
    }
}
END
        background nginx nginx nginx -e "$dir/nginx/error.log" \
            -c "$dir/nginx.conf"
        until_true 5 curl -s -o /dev/null "http://127.0.0.1:$web/" && return
    done
    die "nginx does not start"
}

# start_dns: answers 192.0.2.55 for all of tunnel.test, sets $dns to its port
start_dns() {
    for _ in 1 2 3 4 5; do
        dns=$((10000 + RANDOM % 20000))
        background dns_pid dns dnsmasq -k -C /dev/null --no-resolv --no-hosts \
            --no-daemon --bind-interfaces --listen-address=127.0.0.1 \
            --port="$dns" --pid-file= --address=/tunnel.test/192.0.2.55 \
            --txt-record="big.test,$(printf 'x%.0s' {1..200})"
        until_true 5 dig +time=1 @127.0.0.1 -p "$dns" www.tunnel.test && return
    done
    die "dnsmasq does not start"
}

# start_peer NAME COMMAND...: libpeer.py, sets NAME to the port it listens on
start_peer() {
    local variable=$1 log=peer$RANDOM$RANDOM pid
    shift
    background pid "$log" python3 -u "$here/libpeer.py" "$@"
    until_true 10 grep -q '^port ' "$dir/$log.log" || die "no peer $*"
    printf -v "$variable" %s "$(sed -n 's/^port //p' "$dir/$log.log")"
    printf -v "${variable}_pid" %s "$pid"
}

digest() {
    sha256sum <"$1" | cut -d' ' -f1
}

# sanitized: the tool is an instrumented build
sanitized() {
    grep -q "__[at]san_init" "$tool"
}

# rss PID: resident memory in KiB
rss() {
    sed -n 's/^VmRSS:[ \t]*\([0-9]*\) kB/\1/p' "/proc/$1/status"
}

# ticks PID: processor time, in hundredths of a second
ticks() {
    awk '{ print $14 + $15 }' "/proc/$1/stat"
}
