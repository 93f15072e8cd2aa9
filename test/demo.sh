#!/usr/bin/env bash
# Copyright 2026 The MTLS for OpenSSL authors.
# SPDX-License-Identifier: Apache-2.0

# A file from nginx and a benchmark of redis, at the same time, through one
# TLS connection:
#
#   curl ------------.                                      .---- nginx
#                     mtls s_client ===== mtls s_server ----
#   redis-benchmark -'       (one TCP, one TLS)             '---- redis-server
#
# Usage: test/demo.sh TOOL [MIB]. All on loopback, in a folder of its own that
# goes away at the end. What the table shows was counted by the kernel (ss), by
# the log of TLS keys and by the programs at the ends.
set -euo pipefail

tool=$(realpath "${1:?usage: test/demo.sh TOOL [MIB]}")
mib=${2:-256}
clients=20
PATH=$PATH:/usr/sbin:/sbin

umask 077
dir=$(mktemp -d "${TMPDIR:-/tmp}/mtls-demo.XXXXXX")
pids=()
done=
web='' database='' server='' forward_web='' forward_database=''

say() {
    printf '%s\n' "$*"
}

fail() {
    say "The demo failed: $*" >&2
    exit 1
}

finish() {
    local status=$? pid log
    trap - EXIT INT TERM
    # The last started is the first to end.
    for ((pid = ${#pids[@]} - 1; pid >= 0; pid--)); do
        kill "${pids[pid]}" 2>/dev/null || true
    done
    wait 2>/dev/null || true
    if [ -z "$done" ] && [ "$status" -ne 130 ]; then
        for log in "$dir"/*.log; do
            [ ! -s "$log" ] || { say "--- ${log##*/}" && tail -n 15 "$log"; } >&2
        done
    fi
    rm -rf "$dir"
    exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

listening() {
    [ -n "$(ss -Hltn "sport = :$1")" ]
}

# free_port VARIABLE: one that nobody listens on, below the range from which
# the kernel takes those of outgoing connections.
used=" "
free_port() {
    local candidate
    for _ in {1..200}; do
        candidate=$((10000 + RANDOM % 22000))
        [[ $used != *" $candidate "* ]] || continue
        listening $candidate && continue
        used+="$candidate "
        printf -v "$1" %s "$candidate"
        return
    done
    fail "no free port"
}

# start NAME PORT COMMAND... and wait until it listens.
start() {
    local name=$1 port=$2 pid
    shift 2
    "$@" >"$dir/$name.log" 2>&1 </dev/null &
    pid=$!
    pids+=("$pid")
    for _ in {1..100}; do
        listening "$port" && return
        kill -0 $pid 2>/dev/null || fail "$name ended"
        sleep 0.1
    done
    fail "$name does not listen on port $port"
}

make_certificates() {
    local key=(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 2)
    openssl req -x509 "${key[@]}" -subj "/CN=MTLS demo CA" \
        -keyout "$dir/ca.key" -out "$dir/ca.pem" 2>"$dir/openssl.log"
    openssl req -x509 "${key[@]}" -subj "/CN=localhost" \
        -CA "$dir/ca.pem" -CAkey "$dir/ca.key" \
        -addext "subjectAltName=DNS:localhost,IP:127.0.0.1" \
        -addext "basicConstraints=critical,CA:FALSE" \
        -keyout "$dir/server.key" -out "$dir/server.pem" 2>>"$dir/openssl.log"
}

start_nginx() {
    local user=""
    [ "$(id -u)" -ne 0 ] || user="user root;"
    mkdir "$dir/www" "$dir/nginx"
    head -c "$((mib * 1048576))" /dev/urandom >"$dir/www/random.bin"
    cat >"$dir/nginx.conf" <<END
$user
daemon off;
worker_processes 1;
pid $dir/nginx/pid;
error_log $dir/nginx/error.log;
events { worker_connections 256; }
http {
    access_log $dir/nginx/access.log;
    client_body_temp_path $dir/nginx/body;
    proxy_temp_path $dir/nginx/proxy;
    fastcgi_temp_path $dir/nginx/fastcgi;
    uwsgi_temp_path $dir/nginx/uwsgi;
    scgi_temp_path $dir/nginx/scgi;
    sendfile on;
    server {
        listen 127.0.0.1:$web;
        root $dir/www;
    }
}
END
    start nginx "$web" nginx -e "$dir/nginx/error.log" -c "$dir/nginx.conf"
}

start_redis() {
    start redis "$database" redis-server --bind 127.0.0.1 --port "$database" \
        --save "" --appendonly no --daemonize no --dir "$dir"
}

start_tunnel() {
    : >"$dir/keys"
    start server "$server" "$tool" s_server -accept "127.0.0.1:$server" \
        -cert "$dir/server.pem" -key "$dir/server.key" \
        -allow "127.0.0.1:$web" -allow "127.0.0.1:$database" \
        -keylogfile "$dir/keys" -json
    start client "$forward_web" "$tool" s_client \
        -connect "127.0.0.1:$server" -CAfile "$dir/ca.pem" \
        -L "$forward_web:127.0.0.1:$web" \
        -L "$forward_database:127.0.0.1:$database" -json
}

# Notes each TCP connection to the server that the kernel knows, and the
# octets that each has carried so far.
watch_connections() {
    while sleep 0.1; do
        ss -Htni state established "sport = :$server" |
            tr '\n\t' '  ' | sed 's/ESTAB/\n&/g' >"$dir/ss.now"
        grep -o "127\.0\.0\.1:$server *127\.0\.0\.1:[0-9]*" "$dir/ss.now" \
            >>"$dir/ss.seen" || true
        [ ! -s "$dir/ss.now" ] || cp "$dir/ss.now" "$dir/ss.last"
    done
}

# The sum of one of ss's counters over all connections to the server.
transport_octets() {
    grep -o "$1:[0-9]*" "$dir/ss.last" | awk -F: '{ n += $2 } END { print n+0 }'
}

# Runs the benchmark again and again until the file has arrived.
benchmark_until_done() {
    until [ -e "$dir/fetched" ]; do
        timeout 90 redis-benchmark -h 127.0.0.1 -p "$forward_database" \
            -c $clients -n 10000 -t set,get --csv \
            >>"$dir/benchmark.csv" 2>&1 || return 1
    done
}

commands_done() {
    redis-cli -h 127.0.0.1 -p "$database" info stats |
        awk -F: '/^total_commands_processed/ { print $2 + 0 }'
}

fetch() {
    local status=0
    curl -sS --fail --noproxy '*' --max-time 100 -o "$dir/copy.bin" \
        -w '%{http_code} %{size_download} %{time_total} %{speed_download}\n' \
        "http://127.0.0.1:$forward_web/random.bin" >"$dir/curl.txt" \
        2>"$dir/curl.log" || status=$?
    commands_done >"$dir/fetched.new"
    mv "$dir/fetched.new" "$dir/fetched"
    return $status
}

show_progress() {
    local have step=0
    until [ -e "$dir/fetched" ]; do
        sleep 0.5
        have=$(stat -c %s "$dir/copy.bin" 2>/dev/null || echo 0)
        step=$((step + 1))
        if [ -t 1 ]; then
            printf '\r  %3d %% of the file, %s commands by redis  ' \
                $((have * 100 / (mib * 1048576))) "$(commands_done)"
        elif [ $((step % 4)) -eq 1 ]; then
            printf '  %3d %% of the file, %s commands by redis\n' \
                $((have * 100 / (mib * 1048576))) "$(commands_done)"
        fi
    done
    [ ! -t 1 ] || printf '\n'
}

# Channels that the client opened, by its own log.
channels_opened() {
    grep -c '"event": *"channel-open"' "$dir/client.log" || true
}

run() {
    local fetcher bench
    watch_connections &
    pids+=("$!")
    benchmark_until_done &
    bench=$!
    pids+=("$bench")
    until [ -s "$dir/benchmark.csv" ]; do
        kill -0 $bench 2>/dev/null || fail "redis-benchmark did not finish"
        sleep 0.1
    done
    commands_before=$(commands_done)
    fetch &
    fetcher=$!
    pids+=("$fetcher")
    show_progress
    wait $fetcher || fail "curl: $(cat "$dir/curl.log")"
    wait $bench || fail "redis-benchmark: $(tail -n 3 "$dir/benchmark.csv")"
    commands=$(($(cat "$dir/fetched") - commands_before))
    sleep 0.3
}

row() {
    printf '  %-38s %s\n' "$1" "$2"
}

report() {
    local connections handshakes same=no seconds speed rates
    connections=$(sort -u "$dir/ss.seen" | wc -l)
    handshakes=$(grep -cE '^(CLIENT_RANDOM|CLIENT_TRAFFIC_SECRET_0) ' \
        "$dir/keys" || true)
    read -r _ _ seconds speed <"$dir/curl.txt"
    [ "$(sha256sum <"$dir/www/random.bin")" != \
        "$(sha256sum <"$dir/copy.bin")" ] || same=yes
    rates=$(awk -F'"' '$2 == "SET" || $2 == "GET" { n[$2]++; r[$2] += $4 }
        END { printf "SET %.0f, GET %.0f", r["SET"] / (n["SET"] + !n["SET"]),
              r["GET"] / (n["GET"] + !n["GET"]) }' "$dir/benchmark.csv")
    say ""
    row "TCP connections to the server" "$connections"
    row "TLS handshakes" "$handshakes"
    row "channels opened" "$(channels_opened)"
    row "octets to the server (TCP)" "$(transport_octets bytes_received)"
    row "octets from the server (TCP)" "$(transport_octets bytes_sent)"
    row "file, MB/s" "$(awk -v s="$speed" -v t="$seconds" \
        'BEGIN { printf "%.0f (%s s)", s / 1e6, t }')"
    row "redis commands while the file went" "$commands"
    row "redis requests a second ($clients clients)" "$rates"
    row "SHA-256 of file and copy equal" "$same"
    say ""
    [ "$same" = yes ] || fail "the copy differs"
    [ "$connections" -eq 1 ] || fail "$connections TCP connections, not 1"
    [ "$handshakes" -eq 1 ] || fail "$handshakes TLS handshakes, not 1"
    [ "$commands" -gt 0 ] || fail "redis did nothing"
}

for port in web database server forward_web forward_database; do
    free_port $port
done
say "A CA and a server certificate, in $dir"
make_certificates
say "nginx on port $web, with a file of $mib MiB of random data"
start_nginx
say "redis-server on port $database"
start_redis
say "mtls s_server on port $server"
say "mtls s_client: $forward_web leads to nginx," \
    "$forward_database to redis"
start_tunnel
say "curl and redis-benchmark, at the same time:"
run
report
done=yes
say "Both went through one TLS connection."
