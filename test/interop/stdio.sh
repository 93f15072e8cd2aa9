#!/usr/bin/env bash
# Copyright 2026 The MTLS for OpenSSL authors.
# SPDX-License-Identifier: Apache-2.0

# s_client -W: standard input and output on one channel, and its exit status.
. "$(dirname "$0")/lib.sh"

certificates
certificates other
start_peer echo echo
start_peer count count
start_peer reset reset
start_peer early early
start_server


# client FILE OPTION...: s_client with that as its standard input
client() {
    local input=$1
    shift
    timeout 30 "$tool" s_client -connect "localhost:$port" "$@" \
        <"$input" >"$dir/out" 2>"$dir/client.log"
    status=$?
}

head -c 3000000 /dev/urandom >"$dir/random"
: >"$dir/empty"

client "$dir/random" -CAfile "$dir/ca.pem" -W "localhost:$echo"
is "an echo: status" "$status" 0
cmp -s "$dir/random" "$dir/out"
ok "an echo: 3 MB from a file"

client "$dir/empty" -CAfile "$dir/ca.pem" -W "localhost:$echo"
is "nothing at all: status" "$status $(wc -c <"$dir/out")" "0 0"

cat "$dir/random" | "$tool" s_client -connect "localhost:$port" -quiet \
    -CAfile "$dir/ca.pem" -W "localhost:$echo" | cmp -s - "$dir/random"
is "an echo: through pipes" "${PIPESTATUS[*]}" "0 0 0"

printf 1234567 | "$tool" s_client -connect "localhost:$port" -quiet \
    -CAfile "$dir/ca.pem" -W "localhost:$count" >"$dir/out"
is "half-close: the answer comes after the end" "$(cat "$dir/out")" 7

client /dev/null -CAfile "$dir/ca.pem" -W "localhost:$echo"
is "/dev/null as standard input" "$status" 0

(printf 'before\n' && timeout 30 "$tool" s_client -connect "localhost:$port" \
    -quiet -CAfile "$dir/ca.pem" -W "localhost:$echo" <<<"inside") >"$dir/both"
is "output goes behind what is in the file" "$(cat "$dir/both")" \
    "$(printf 'before\ninside')"

timeout 30 "$tool" s_client -connect "localhost:$port" -quiet \
    -CAfile "$dir/ca.pem" -W "localhost:$echo" <&- >&-
is "no standard input, no output" "$?" 0

# A terminal: script gives one, and its line discipline.
printf 'typed\n\004' | timeout 20 script -qec "'$tool' s_client -quiet \
    -connect localhost:$port -CAfile '$dir/ca.pem' -W localhost:$count" \
    "$dir/typescript" >/dev/null
grep -q "^6" "$dir/typescript"
ok "a terminal"

# The flags of the standard descriptors are others' too.
timeout 30 bash -c '"$1" s_client -connect "localhost:$2" -quiet \
    -CAfile "$3" -W "localhost:$4"; python3 -c "
import fcntl, os, sys
sys.exit(any(fcntl.fcntl(f, fcntl.F_GETFL) & os.O_NONBLOCK for f in (0, 1)))
"' - "$tool" "$port" "$dir/ca.pem" "$echo" < <(sleep 1) | cat
is "no O_NONBLOCK is left behind" "${PIPESTATUS[0]}" 0

# --- what fails, says so, and exits 1 ---

client "$dir/random" -CAfile "$dir/otherca.pem" -W "localhost:$echo"
is "wrong CA: status" "$status $(wc -c <"$dir/out")" "1 0"
grep -q "unable to get local issuer certificate" "$dir/client.log"
ok "wrong CA: OpenSSL's words"

client "$dir/empty" -CAfile "$dir/ca.pem" -servername other.example \
    -W "localhost:$echo"
is "wrong name: status" "$status" 1
grep -q "hostname mismatch" "$dir/client.log"
ok "wrong name: OpenSSL's words"

client "$dir/empty" -W "localhost:$echo"
is "no CA given: not trusted" "$status" 1

client "$dir/random" -noverify -W "localhost:$echo"
is "-noverify: status" "$status" 0
grep -q "NOT verified" "$dir/client.log"
ok "-noverify: says so"

timeout 30 "$tool" s_client -connect "127.0.0.1:$port" -quiet \
    -CAfile "$dir/ca.pem" -W "localhost:$echo" <<<x >"$dir/out"
is "an address instead of a name" "$? $(cat "$dir/out")" "0 x"

timeout 30 "$tool" s_client -connect "127.0.0.2:$port" -quiet \
    -CAfile "$dir/ca.pem" -W "localhost:$echo" <<<x >"$dir/out" 2>&1
is "nobody there" "$?" 1

client "$dir/empty" -CAfile "$dir/ca.pem" -W localhost:1
is "destination refuses: status" "$status" 1
grep -q "connect-failed: Connection refused" "$dir/client.log"
ok "destination refuses: the system's words"

client "$dir/empty" -CAfile "$dir/ca.pem" -W 198.51.100.1:80
is "destination not allowed: status" "$status" 1
grep -q "prohibited: " "$dir/client.log"
ok "destination not allowed: prohibited"

client "$dir/empty" -CAfile "$dir/ca.pem" -W no-such-host.invalid:80
is "no such host: status" "$status" 1
grep -q "unknown-host: " "$dir/client.log"
ok "no such host: unknown-host"

client <(sleep 2) -CAfile "$dir/ca.pem" -W "localhost:$reset"
is "destination resets" "$status $(cat "$dir/out")" "1 begin"

client <(sleep 1) -CAfile "$dir/ca.pem" -W "localhost:$early"
is "destination ends first" "$status $(cat "$dir/out")" "0 early"

client "$dir/empty" -CAfile "$dir/ca.pem"
is "no default channel without -echo" "$status" 1
grep -q "prohibited: " "$dir/client.log"
ok "no default channel without -echo: prohibited"

(sleep 0.7 && kill -9 "$server") &
client <(sleep 3) -CAfile "$dir/ca.pem" -W "localhost:$echo"
is "the server is killed" "$status" 1

# --- a server that answers by itself ---

start_server -echo
client "$dir/random" -CAfile "$dir/ca.pem"
cmp -s "$dir/random" "$dir/out"
is "default channel of -echo" "$? $status" "0 0"
client "$dir/random" -CAfile "$dir/ca.pem" -W any.example:1
cmp -s "$dir/random" "$dir/out"
is "-echo answers for any destination" "$? $status" "0 0"

# SIGTERM ends standard input: what was on its way still arrives.
mkfifo "$dir/fifo"
rm "$dir/client.log"
sleep 20 >"$dir/fifo" &
pids+=($!)
"$tool" s_client -connect "localhost:$port" -CAfile "$dir/ca.pem" \
    <"$dir/fifo" >"$dir/out" 2>"$dir/client.log" &
pids+=($!)
last=$!
until_true 10 grep -q "^channel" "$dir/client.log"
kill "$last"
ended "$last"
is "SIGTERM" "$status" 0

[ "$failures" -eq 0 ]
