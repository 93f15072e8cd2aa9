#!/usr/bin/env bash
# Copyright 2026 The MTLS for OpenSSL authors.
# SPDX-License-Identifier: Apache-2.0

# Signals, and what is told: lines, JSON, tables.
. "$(dirname "$0")/lib.sh"

certificates
start_peer echo echo
start_nginx
truncate -s 100M "$dir/www/file"
echo small >"$dir/www/small"

# download FORWARD: a slow one, in the background; sets $download
download() {
    background download download curl -s --limit-rate 40M -o "$dir/got" \
        "http://127.0.0.1:$1/file"
    until_true 10 test -s "$dir/got"
}

# --- SIGTERM at each end: what is open may finish, nothing new begins ---

start_server
start_client -L "0:127.0.0.1:$web"
download "${forward[0]}"
kill -TERM "$client"
sleep 0.3
curl -s -o /dev/null -m 5 "http://127.0.0.1:${forward[0]}/small"
is "SIGTERM at the client: nothing new" "$?" 7
ended "$download"
is "what was open finishes" "$status $(wc -c <"$dir/got")" "0 104857600"
ended "$client" 5
is "then it ends" "$status" 0

start_client -L "0:127.0.0.1:$web"
rm -f "$dir/got"
download "${forward[0]}"
kill -TERM "$server"
sleep 0.3
curl -s -o /dev/null -m 5 "http://127.0.0.1:${forward[0]}/small"
[ $? -ne 0 ]
ok "SIGTERM at the server: nothing new"
ended "$download"
is "what was open finishes, too" "$status $(wc -c <"$dir/got")" "0 104857600"
ended "$server" 5
is "then the server ends" "$status" 0
kill -INT "$client"
ended "$client" 5
is "SIGINT, without a session" "$status" 0

# --- what does not end by itself is waited for, but not for ever ---

start_server
start_client -L "0:127.0.0.1:$echo"
background idle idle timeout 60 nc 127.0.0.1 "${forward[0]}"
until_true 10 grep -q "^channel .* open" "$client_log"
kill -TERM "$client"
sleep 1
kill -0 "$client"
ok "an open channel is waited for"
kill -TERM "$client"
ended "$client" 3
is "a second signal ends at once" "$status" 0

start_client -L "0:127.0.0.1:$echo"
background idle idle timeout 60 nc 127.0.0.1 "${forward[0]}"
until_true 10 grep -q "^channel .* open" "$client_log"
SECONDS=0
kill -TERM "$client"
ended "$client" 15
is "the wait has a limit" "$status" 0
[ $SECONDS -ge 8 ]
ok "of about ten seconds ($SECONDS)"

# --- tables and JSON ---

start_client -L "0:127.0.0.1:$echo"
background idle idle timeout 60 nc 127.0.0.1 "${forward[0]}"
until_true 10 grep -q "^channel .* open" "$client_log"
kill -USR1 "$client" "$server"
until_true 5 grep -q "^[0-9a-f]\{8\}  open .* 127.0.0.1:$echo from 127" \
    "$client_log"
ok "SIGUSR1: a table of channels at the client"
until_true 5 grep -q "^[0-9a-f]\{8\}  open .* 127.0.0.1:$echo from 127" \
    "$server_log"
ok "and at the server"
kill "$client" "$server"
kill "$client" "$server"
ended "$client"
ended "$server"

start_server -json
start_client -json -L "0:127.0.0.1:$web" -L "0:127.0.0.1:1"
curl -s -o /dev/null "http://127.0.0.1:${forward[0]}/file"
curl -s -o /dev/null "http://127.0.0.1:${forward[1]}/file"
kill -USR1 "$client" "$server"
sleep 0.2
kill "$client"
ended "$client"
kill "$server"
ended "$server"
python3 - "$client_log" "$server_log" <<'END'
import json
import sys
wanted = {"listening", "session-open", "channel-open", "channel-close",
          "session", "session-close"}
for name in sys.argv[1:]:
    events = [json.loads(line) for line in open(name)]
    missing = wanted - {e["event"] for e in events}
    assert not missing, (name, missing)
    by = {}
    for e in events:
        by.setdefault(e["event"], []).append(e)
    opened = by["session-open"][0]
    assert opened["tls"] == "TLSv1.3" and opened["alpn"] == "mtls", opened
    assert opened["resumed"] is False and opened["handshakes"] == 1, opened
    ends = sorted(e["how"] for e in by["channel-close"])
    assert ends == ["ended", "refused"], ends
    good, = (e for e in by["channel-close"] if e["how"] == "ended")
    size = max(good["octets_in"], good["octets_out"])
    assert size > 104857600, good
    assert by["session-close"][0]["how"] == "ended", by["session-close"]
    bad, = (e for e in by["channel-close"] if e["how"] == "refused")
    assert "Connection refused" in bad["text"], bad
END
ok "-json: every line parses, and says what happened"

[ "$failures" -eq 0 ]
