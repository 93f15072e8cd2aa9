#!/usr/bin/env python3
# Copyright 2026 The MTLS for OpenSSL authors.
# SPDX-License-Identifier: Apache-2.0

"""libdns.py PORT N: asks for N names at once, each from a port of its own.

Every query is sent before an answer is read; those that were lost are asked
again each second, as a resolver does. Each answer must be its query's own.
Prints how many were answered, and how many datagrams that took.
"""
import selectors
import socket
import struct
import sys
import time

ADDRESS = bytes([192, 0, 2, 55])


def query(number):
    name = b"".join(
        bytes([len(label)]) + label
        for label in (b"q%d" % number, b"tunnel", b"test")
    )
    header = struct.pack("!6H", number & 0xFFFF, 0x0100, 1, 0, 0, 0)
    return header + name + b"\0" + struct.pack("!2H", 1, 1)


def is_answer(data, number):
    asked = query(number)
    return (
        data[:2] == asked[:2]
        and data[12 : len(asked)].lower() == asked[12:]
        and data.endswith(ADDRESS)
    )


def main():
    port, count = int(sys.argv[1]), int(sys.argv[2])
    waiting = {}
    sent = 0
    all_of_them = selectors.DefaultSelector()
    for number in range(count):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.connect(("127.0.0.1", port))
        sock.setblocking(False)
        all_of_them.register(sock, selectors.EVENT_READ, number)
        waiting[number] = sock
    answered = 0
    end = time.monotonic() + 60
    again = 0
    while waiting and time.monotonic() < end:
        if time.monotonic() >= again:
            again = time.monotonic() + 1
            for number, sock in waiting.items():
                sock.send(query(number))
                sent += 1
        for key, _ in all_of_them.select(0.1):
            if key.data in waiting and is_answer(key.fileobj.recv(2048), key.data):
                answered += 1
                del waiting[key.data]
            all_of_them.unregister(key.fileobj)
            if key.data in waiting:
                sys.exit("the answer to query %d is not its own" % key.data)
    print("%d answered, %d sent" % (answered, sent))


main()
