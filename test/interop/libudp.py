# Copyright 2026 The MTLS for OpenSSL authors.
# SPDX-License-Identifier: Apache-2.0

"""What the tests of -dtls put at its two ends.

    echo                  answers each datagram; prints "port N"
    say PORT MS TEXT      sends TEXT until it comes back, and prints what did
    limit PORT N M        N octets come back, M do not, N do again
    flow PORT N           N datagrams, one after the other has come back
    flood PORT N          N datagrams, whatever comes back
    names PORT N          asks a DNS server for N names at once

PORT may have an address before it.
"""

import selectors
import socket
import struct
import sys
import time

AGAIN = 0.5  # seconds until what was lost is sent again


def connected(port):
    host, _, port = port.rpartition(":")
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.connect((host or "127.0.0.1", int(port)))
    return s


def echo():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("127.0.0.1", 0))
    print("port", s.getsockname()[1], flush=True)
    while True:
        data, peer = s.recvfrom(65536)
        s.sendto(data, peer)


def there_and_back(s, data, seconds):
    end = time.monotonic() + seconds
    while (now := time.monotonic()) < end:
        s.settimeout(min(AGAIN, end - now))
        try:
            s.send(data)
            while (got := s.recv(65536)) != data:
                pass
            return got
        except (TimeoutError, ConnectionRefusedError):
            time.sleep(0.01)
    sys.exit("%d octets did not come back" % len(data))


def say(port, ms, text):
    data = there_and_back(connected(port), text.encode(), int(ms) / 1000)
    print(data.decode())


def limit(port, good, bad):
    s = connected(port)
    there_and_back(s, b"g" * int(good), 30)
    s.send(b"b" * int(bad))
    got = there_and_back(s, b"G" * int(good), 30)
    s.settimeout(0.2)
    try:
        while got[:1] != b"b":
            got = s.recv(65536)
        sys.exit("%d octets came back" % len(got))
    except TimeoutError:
        print("limited")


def flow(port, count):
    s = connected(port)
    for i in range(int(count)):
        there_and_back(s, b"%d" % i, 30)
        if i == 0:
            print("flowing", flush=True)
        time.sleep(0.02)


def flood(port, count):
    s = connected(port)
    for i in range(int(count)):
        try:
            s.send(b"flood")
        except ConnectionRefusedError:
            pass
        if i % 20 == 0:
            time.sleep(0.001)


# --- DNS ---------------------------------------------------------------------

ADDRESS = bytes([192, 0, 2, 55])


def query(number):
    labels = (b"q%d" % number, b"tunnel", b"test")
    name = b"".join(bytes([len(label)]) + label for label in labels)
    header = struct.pack("!6H", number & 0xFFFF, 0x0100, 1, 0, 0, 0)
    return header + name + b"\0" + struct.pack("!2H", 1, 1)


def is_answer(data, number):
    asked = query(number)
    return (data[:2] == asked[:2] and data[12:len(asked)] == asked[12:] and
            data.endswith(ADDRESS))


def names(port, count):
    """Each from a port of its own, all sent before an answer is read. Those
    that were lost are asked again each second, as a resolver does. Each answer
    must be its query's own."""
    waiting = {}
    sockets = selectors.DefaultSelector()
    for number in range(int(count)):
        waiting[number] = connected(port)
        waiting[number].setblocking(False)
        sockets.register(waiting[number], selectors.EVENT_READ, number)
    sent = again = 0
    end = time.monotonic() + 60
    while waiting and time.monotonic() < end:
        if time.monotonic() >= again:
            again = time.monotonic() + 1
            for number, s in waiting.items():
                s.send(query(number))
                sent += 1
        for key, _ in sockets.select(0.1):
            if not is_answer(key.fileobj.recv(2048), key.data):
                sys.exit("the answer to query %d is not its own" % key.data)
            waiting.pop(key.data, None)
    print("%d answered, %d sent" % (int(count) - len(waiting), sent))


COMMANDS = {"echo": echo, "say": say, "limit": limit, "flow": flow,
            "flood": flood, "names": names}

if __name__ == "__main__":
    COMMANDS[sys.argv[1]](*sys.argv[2:])
