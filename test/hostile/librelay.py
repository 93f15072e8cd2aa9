# Copyright 2026 The MTLS for OpenSSL authors.
# SPDX-License-Identifier: Apache-2.0

"""A relay between a client and a server of MTLS over DTLS, with bad weather.

UDP and TCP have the same port number on both sides: the relay has the number
of the server, at another address of this machine. TCP passes as it is. What
becomes of datagrams is drawn from a seed, and said by Weather; nothing depends
on the time but what is late. As a program:

    librelay.py 127.0.0.2 127.0.0.1:PORT

takes commands from its standard input, and answers each with a line: "lose 30"
(percent, so do twice, late, corrupt, truncate, replay), "cut", "mend", "rebind",
"back", "counts", and "tcp off" to end the TCP connections.
"""

import heapq
import itertools
import os
import random
import selectors
import socket
import sys
import threading
import time

LATE = 0.05  # seconds at most, so that others overtake
KEPT = 64  # datagrams to be replayed


class Weather:
    """Of one direction; percent."""

    def __init__(self, chances):
        self.random = chances
        self.lose = self.twice = self.late = 0
        self.corrupt = self.truncate = self.replay = 0
        self.cut = False
        self.seen = self.passed = self.octets = 0
        self.old = []

    def calm(self):
        self.lose = self.twice = self.late = 0
        self.corrupt = self.truncate = self.replay = 0
        self.cut = False

    def chance(self, percent):
        return self.random.random() * 100 < percent

    def changed(self, data):
        at = self.random.randrange(len(data))
        if self.chance(self.corrupt):
            return data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1:]
        return data[:at] if self.chance(self.truncate) else data

    def become(self, data):
        """What arrives instead, and how many seconds later each."""
        self.seen += 1
        if self.cut or self.chance(self.lose):
            return []
        out = [(self.random.uniform(0, LATE) if self.chance(self.late) else 0,
                self.changed(data))]
        if self.chance(self.twice):
            out.append((0, data))
        if self.old and self.chance(self.replay):
            out.append((0, self.random.choice(self.old)))
        self.old = (self.old + [data])[-KEPT:]
        self.passed += len(out)
        self.octets += sum(len(d) for _, d in out)
        return out


class Flow:
    """One client, and the sockets that the server knows it by."""

    def __init__(self, client):
        self.client = client
        self.sockets = []
        self.current = 0

    def socket(self):
        return self.sockets[self.current]


class Relay:
    def __init__(self, server, at="127.0.0.2"):
        self.server = server
        chances = random.Random(int(os.environ.get("MTLS_TEST_SEED", 1)))
        self.up, self.down = Weather(chances), Weather(chances)
        self.selector = selectors.DefaultSelector()
        self.late, self.number = [], itertools.count()
        self.flows = {}
        self.lock = threading.RLock()
        self.pipes = []
        self.held = False
        address = (at, server[1])
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(address)
        self.tcp = socket.create_server(address, backlog=1000)
        self.closing = False
        self.wake, self.woken = socket.socketpair()
        for s, what in ((self.udp, self.from_client), (self.tcp, self.accept),
                        (self.woken, self.on_wake)):
            self.selector.register(s, selectors.EVENT_READ, what)
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    # --- what a test does to it ---

    def both(self):
        return self.up, self.down

    def set(self, **more):
        with self.lock:
            for weather in self.both():
                for name, value in more.items():
                    setattr(weather, name, value)

    def calm(self):
        for weather in self.both():
            weather.calm()

    def rebind(self):
        """As a NAT that has forgotten: from now on, from other ports."""
        with self.lock:
            for flow in self.flows.values():
                self.add_socket(flow)
                flow.current = len(flow.sockets) - 1

    def back(self):
        """From the first ones again."""
        with self.lock:
            for flow in self.flows.values():
                flow.current = 0

    def hold_tcp(self, held):
        """Nothing of it passes meanwhile."""
        with self.lock:
            self.held = held
            for pipe in self.pipes if not held else []:
                self.watch(pipe)
        self.wake.send(b"x")

    def drop_tcp(self):
        with self.lock:
            for pipe in list(self.pipes):
                self.end_pipe(pipe)

    def close(self):
        self.closing = True
        self.wake.send(b"x")
        self.thread.join()
        self.selector.close()

    # --- UDP ---

    def add_socket(self, flow):
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.connect(self.server)
        s.setblocking(False)
        flow.sockets.append(s)
        self.selector.register(
            s, selectors.EVENT_READ, lambda s=s: self.from_server(flow, s))

    def send(self, weather, data, to):
        for wait, octets in weather.become(data):
            if wait:
                heapq.heappush(self.late, (time.monotonic() + wait,
                                           next(self.number), octets, to))
            else:
                self.put(octets, to)

    @staticmethod
    def put(octets, to):
        try:
            to(octets)
        except OSError:
            pass  # nobody is there: lost

    def from_client(self):
        data, client = self.udp.recvfrom(65536)
        flow = self.flows.get(client)
        if not flow:
            flow = self.flows[client] = Flow(client)
            self.add_socket(flow)
        self.send(self.up, data, flow.socket().send)

    def from_server(self, flow, s):
        try:
            data = s.recv(65536)
        except OSError:
            return
        if s is not flow.socket():
            return  # to a port that the NAT has given up
        self.send(self.down, data,
                  lambda octets: self.udp.sendto(octets, flow.client))

    # --- TCP ---

    def accept(self):
        near = self.tcp.accept()[0]
        try:
            far = socket.create_connection(self.server)
        except OSError:
            near.close()
            return
        for s in near, far:
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.pipes.append((near, far))
        self.watch((near, far))

    def watch(self, pipe):
        for a, b in (pipe, pipe[::-1]):
            if a not in self.selector.get_map():
                self.selector.register(
                    a, selectors.EVENT_READ,
                    lambda a=a, b=b: self.pass_on(a, b, pipe))

    def pass_on(self, a, b, pipe):
        if self.held:
            self.selector.unregister(a)
            return
        try:
            data = a.recv(65536)
            if data:
                b.sendall(data)
                return
            self.selector.unregister(a)
            b.shutdown(socket.SHUT_WR)
        except (OSError, KeyError):
            self.end_pipe(pipe)

    def end_pipe(self, pipe):
        if pipe in self.pipes:
            self.pipes.remove(pipe)
        for s in pipe:
            try:
                self.selector.unregister(s)
            except (KeyError, ValueError):
                pass
            s.close()

    # --- the loop ---

    def on_wake(self):
        self.woken.recv(100)

    def run(self):
        while not self.closing:
            wait = None
            if self.late:
                wait = max(0, self.late[0][0] - time.monotonic())
            ready = self.selector.select(wait)
            with self.lock:
                while self.late and self.late[0][0] <= time.monotonic():
                    _, _, octets, to = heapq.heappop(self.late)
                    self.put(octets, to)
                for key, _ in ready:
                    if key.fileobj.fileno() >= 0:
                        key.data()
        for s in list(self.selector.get_map().values()):
            s.fileobj.close()


def command(relay, words):
    if words[0] in ("rebind", "back", "calm"):
        getattr(relay, words[0])()
    elif words[0] in ("cut", "mend"):
        relay.set(cut=words[0] == "cut")
    elif words[0] == "counts":
        return "%d %d %d %d" % (relay.up.seen, relay.up.passed,
                                relay.down.seen, relay.down.passed)
    elif words == ["tcp", "off"]:
        relay.drop_tcp()
    else:
        assert hasattr(relay.up, words[0]), words
        relay.set(**{words[0]: int(words[1])})
    return "ok"


def main():
    host, port = sys.argv[2].split(":")
    relay = Relay((host, int(port)), sys.argv[1])
    print("ready", flush=True)
    for line in sys.stdin:
        print(command(relay, line.split()), flush=True)
    relay.close()


if __name__ == "__main__":
    main()
