#!/usr/bin/env bash
# Copyright 2026 The MTLS for OpenSSL authors.
# SPDX-License-Identifier: Apache-2.0

# -tlsmux: real programs reach real servers by SOCKS 5 inside TLS.
. "$(dirname "$0")/lib.sh"

certificates
chmod 711 "$dir" # exim4 works as a user of its own
start_nginx
head -c 5000000 /dev/urandom >"$dir/www/file"
start_peer reset reset
start_peer count count
start_peer finger finger

# free_port: one that nobody listens on just now
free_port() {
    python3 -c 'import socket
s = socket.create_server(("127.0.0.1", 0))
print(s.getsockname()[1])'
}

start_redis() {
    for _ in 1 2 3 4 5; do
        redis=$(free_port)
        background redis_pid redis redis-server --bind 127.0.0.1 \
            --port "$redis" --save "" --dir "$dir"
        until_true 5 redis-cli -p "$redis" ping && return
    done
    die "redis does not start"
}

# An SMTP server that keeps what it gets in its spool.
start_exim() {
    mkdir "$dir/spool" "$dir/exim"
    [ "$(id -u)" -ne 0 ] || chown Debian-exim "$dir/spool" "$dir/exim"
    for _ in 1 2 3 4 5; do
        smtp=$(free_port)
        cat >"$dir/exim.conf" <<END
primary_hostname = mail.test
spool_directory = $dir/spool
log_file_path = $dir/exim/%s
local_interfaces = 127.0.0.1
daemon_smtp_ports = $smtp
queue_only
keep_environment =
tls_advertise_hosts =
host_lookup =
rfc1413_hosts =
acl_smtp_rcpt = accept
END
        background exim_pid exim exim4 -C "$dir/exim.conf" -bdf -oP /dev/null
        until_true 5 nc -z 127.0.0.1 "$smtp" && return
    done
    die "exim4 does not start"
}

start_redis
start_dns
start_exim
start_server -tlsmux

fetch() {
    local name=$1
    shift
    rm -f "$dir/got"
    timeout 60 "$@" >"$dir/fetch.log" 2>&1
    cmp -s "$dir/got" "$dir/www/file"
    ok "$name"
}

start_tlsmux -L "0:localhost:$web" -L "0:127.0.0.1:$smtp" \
    -L "0:127.0.0.1:$count" -L "0:127.0.0.1:$reset" -L "0:127.0.0.1:1" \
    -L "0:198.51.100.1:80" -L "0:127.0.0.1:$redis" \
    -L "0:localhost:$finger" -D 0
socks=$(local_port SOCKS)

# --- -L: programs that know nothing of it ---

fetch "curl and nginx" curl -s -o "$dir/got" \
    "http://127.0.0.1:$(local_port "localhost:$web")/file"
is "redis-cli and redis" \
    "$(redis-cli -p "$(local_port "127.0.0.1:$redis")" set by tlsmux)" OK
is "and it is there" "$(redis-cli -p "$redis" get by)" tlsmux
is "whois and a finger server" "$(timeout 60 whois -h 127.0.0.1 \
    -p "$(local_port "localhost:$finger")" somebody)" "Login: somebody"
mail=$(local_port "127.0.0.1:$smtp")
timeout 60 swaks --server "127.0.0.1:$mail" --from a@client.test \
    --to b@mail.test --body "sent by swaks" >"$dir/swaks.log" 2>&1
ok "swaks and exim4"
until_true 20 grep -rqs "sent by swaks" "$dir/spool"
ok "exim4 has the message"
printf 'Subject: test\r\n\r\nsent by curl\r\n' >"$dir/message"
timeout 60 curl -s "smtp://127.0.0.1:$mail" --mail-from a@client.test \
    --mail-rcpt b@mail.test -T "$dir/message" >"$dir/curl.log" 2>&1
ok "curl smtp:// and exim4"
until_true 20 grep -rqs "sent by curl" "$dir/spool"
ok "exim4 has that message too"
peer() {
    timeout 60 python3 "$here/libpeer.py" "$@"
}
is "an upload, and the answer behind its end" "$(timeout 60 nc -N 127.0.0.1 \
    "$(local_port "127.0.0.1:$count")" <"$dir/www/file")" 5000000
is "a reset travels" "$(peer outcome "$(local_port "127.0.0.1:$reset")" x |
    tail -n 1)" "5 reset"
is "refused by the destination: a reset" \
    "$(peer outcome "$(local_port 127.0.0.1:1)")" "0 reset"
is "not this machine: a reset" \
    "$(peer outcome "$(local_port 198.51.100.1:80)")" "0 reset"
is "-W" "$(timeout 60 "$tool" s_client -tlsmux -connect "localhost:$port" \
    -CAfile "$dir/ca.pem" -W "localhost:$count" <"$dir/www/file" \
    2>"$dir/w.log")" 5000000

# What goes wrong is told once, by whom it is.
once() {
    local name=$1 wanted=$2
    shift 2
    timeout 60 "$tool" s_client -tlsmux -CAfile "$dir/ca.pem" -quiet "$@" \
        </dev/null >"$dir/once.log" 2>&1
    is "$name" "$?: $(cat "$dir/once.log")" "1: mtls s_client: $wanted"
}
once "refused by the service" \
    "127.0.0.1:1: refused by the server: connection refused (5)" \
    -connect "localhost:$port" -W 127.0.0.1:1
once "not this machine" \
    "198.51.100.1:80: refused by the server: not allowed (2)" \
    -connect "localhost:$port" -W 198.51.100.1:80
once "no such name" "nobody.invalid:80: refused by the server:\
 host unreachable, or unknown (4)" \
    -connect "localhost:$port" -W nobody.invalid:80
once "no server" \
    "127.0.0.1:7: can't connect to localhost:1: Connection refused" \
    -connect localhost:1 -W 127.0.0.1:7

# --- -D: programs that speak SOCKS ---

fetch "curl --socks5" curl -s -o "$dir/got" --socks5 "127.0.0.1:$socks" \
    "http://127.0.0.1:$web/file"
fetch "curl --socks5-hostname" curl -s -o "$dir/got" \
    --socks5-hostname "127.0.0.1:$socks" "http://localhost:$web/file"
status() {
    timeout 60 curl -sS -o /dev/null --socks5-hostname "127.0.0.1:$socks" \
        "$2" 2>&1 | grep -q "$3"
    ok "$1"
}
status "another machine: 2" http://198.51.100.1/ "(2)"
status "no such name: 4" http://nobody.invalid/ "(4)"
status "nobody listens: 5" http://127.0.0.1:1/ "(5)"
printf 'strict_chain\nproxy_dns\n[ProxyList]\nsocks5 127.0.0.1 %s\n' \
    "$socks" >"$dir/proxychains.conf"
chained() {
    timeout 60 proxychains4 -q -f "$dir/proxychains.conf" "$@"
}
fetch "proxychains4 and curl" proxychains4 -q -f "$dir/proxychains.conf" curl -s -o "$dir/got" \
    "http://127.0.0.1:$web/file"
is "proxychains4 and redis-cli" "$(chained redis-cli -p "$redis" get by)" tlsmux
is "proxychains4 and dig +tcp" "$(chained dig +tcp +short @127.0.0.1 \
    -p "$dns" tcp.tunnel.test)" 192.0.2.55

background udp udp python3 -u "$here/libsocks.py" udp "$socks" 127.0.0.1 "$dns"
until_true 20 grep -q port "$dir/udp.log" || die "no UDP"
through=$(sed -n 's/^port //p' "$dir/udp.log")
is "dig through SOCKS's UDP" "$(timeout 60 dig +short @127.0.0.1 \
    -p "$through" udp.tunnel.test)" 192.0.2.55
for i in $(seq 20); do
    timeout 60 dig +short @127.0.0.1 -p "$through" "n$i.tunnel.test"
done >"$dir/digs"
is "and 20 more" "$(sort "$dir/digs" | uniq -c | tr -s ' ')" " 20 192.0.2.55"
background udp named python3 -u "$here/libsocks.py" udp "$socks" localhost \
    "$dns"
until_true 20 grep -q port "$dir/named.log" || die "no UDP"
is "the same by name" "$(timeout 60 dig +short @127.0.0.1 \
    -p "$(sed -n 's/^port //p' "$dir/named.log")" big.test TXT | wc -c)" 203
is "BIND" "$(timeout 60 python3 "$here/libsocks.py" bind "$socks")" bound

# --- TLS clients that are not ours ---

printf 'GET /file HTTP/1.0\r\n\r\n' >"$dir/request"
timeout 60 python3 "$here/libsocks.py" tls "$port" "$dir/ca.pem" localhost \
    "$web" <"$dir/request" 2>"$dir/python.log" | tail -c 5000000 >"$dir/got"
cmp -s "$dir/got" "$dir/www/file"
ok "Python's ssl"
# Greeting and request at once: what follows waits for the reply.
{
    printf '\005\001\000\005\001\000\003\011localhost'
    printf '%b' "\\x$(printf %02x $((web / 256)))\\x$(printf %02x $((web % 256)))"
    cat "$dir/request"
} >"$dir/octets"
has_all() {
    tail -c 5000000 "$dir/raw" | cmp -s - "$dir/www/file"
}
timeout 60 openssl s_client -quiet -no_ign_eof -connect "localhost:$port" \
    -CAfile "$dir/ca.pem" -servername localhost >"$dir/raw" 2>"$dir/raw.log" \
    < <(cat "$dir/octets"; until_true 30 has_all)
head -c 4 "$dir/raw" | cmp -s - <(printf '\005\000\005\000')
ok "openssl s_client: granted"
tail -c 5000000 "$dir/raw" | cmp -s - "$dir/www/file"
ok "openssl s_client: the file"

# It prints records as they come, if they are few.
echo "small enough for one record" >"$dir/www/small"
has_line() {
    grep -aq "small enough for one record" "$dir/raw"
}
timeout 60 gnutls-cli --logfile="$dir/gnutls.log" --x509cafile="$dir/ca.pem" \
    -p "$port" localhost >"$dir/raw" 2>>"$dir/gnutls.log" \
    < <(head -c "-$(stat -c %s "$dir/request")" "$dir/octets"
        printf 'GET /small HTTP/1.0\r\n\r\n'; until_true 30 has_line)
head -c 4 "$dir/raw" | cmp -s - <(printf '\005\000\005\000')
ok "gnutls-cli: granted"
has_line
ok "gnutls-cli: the file"

# --- many, and the end ---

for i in $(seq 30); do
    timeout 60 curl -s -o "$dir/many$i" --socks5 "127.0.0.1:$socks" \
        "http://127.0.0.1:$web/file" &
    jobs[i]=$!
done
same=0
for i in $(seq 30); do
    wait "${jobs[i]}"
    cmp -s "$dir/many$i" "$dir/www/file" && same=$((same + 1))
done
is "30 at a time" "$same" 30
kill "$client"
ended "$client" 30
is "the client ends" "$status" 0
kill "$server"
ended "$server" 30
is "the server ends" "$status" 0

# --- who may come, and where to ---

start_server -tlsmux -allow "127.0.0.1:$web" -Verify 2 -CAfile "$dir/ca.pem"
start_tlsmux -L "0:localhost:$web" -L "0:127.0.0.1:$redis"
is "no client certificate: refused" \
    "$(peer outcome "$(local_port "localhost:$web")" x | tail -n 1)" "0 reset"
start_tlsmux -L "0:localhost:$web" -L "0:127.0.0.1:$redis" \
    -cert "$dir/client.pem" -key "$dir/client.key"
fetch "with one" curl -s -o "$dir/got" \
    "http://127.0.0.1:$(local_port "localhost:$web")/file"
is "-allow: nothing else" \
    "$(peer outcome "$(local_port "127.0.0.1:$redis")" x | tail -n 1)" "0 reset"

[ "$failures" -eq 0 ]
