#!/usr/bin/env python3
# Copyright 2026 The MTLS for OpenSSL authors.
# SPDX-License-Identifier: Apache-2.0

"""Channels beside yamux's and HTTP/2's streams, in turns.

    opens.py [-runs N] [-seconds S] [-only CELL,...] [-build FOLDER] [PEER...]

Cells:
    open1, open64, open100
            open, 64 octets there and back, close: a second, so many at a time
            (of HTTP/2, requests for one octet)
    ping    64 octets there and back on one channel: p50, p99
    bulk    MB/s that one channel carries
    both    the two beside each other, in one session
Peers: mtls (bench_mux, a program that uses BIO_f_mtls), yamux (the same in Go,
over crypto/tls), nghttp2 (h2load and nghttpd; opens alone).

Each has one connection over loopback, TLS 1.3 with AES-128-GCM and no Nagle;
the client runs on one processor and the server on another.
"""

import os
import re
import subprocess

from harness import (CIPHER, FAR, NEAR, Failed, Place, arguments, await_port,
                     entry, figures, find, in_turns, run, say, words)
from report import aims, compared, draw, package, panel, version

CELLS = ["open1", "open64", "open100", "ping", "bulk", "both"]
PEERS = ["mtls", "yamux", "nghttp2"]
HERE = os.path.dirname(os.path.realpath(__file__))


def build_yamux(folder):
    """The program in Go, from Debian's packages alone."""
    program = os.path.join(folder, "test/bench/bench_yamux")
    sources = "/usr/share/gocode"
    if not os.path.isdir(sources + "/src/github.com/hashicorp/yamux"):
        raise Failed("golang-github-hashicorp-yamux-dev is not installed "
                     "(./dev bench installs it)")
    say("opens: go build")
    run([find("go"), "build", "-o", program, "."], limit=300,
        cwd=os.path.join(HERE, "yamux"), env=dict(
            os.environ, GOPATH=sources, GO111MODULE="off", GOFLAGS="",
            GOPROXY="off", GOCACHE=os.path.join(folder, "test/bench/go")))
    return program


class Pair:
    """A server of ours or yamux's, and its client: they talk alike."""

    def __init__(self, program, place, seconds):
        self.program, self.seconds = program, str(seconds)
        self.cert, key = place.certificate()
        server = place.start([program, "server", self.cert, key], FAR,
                             stdout=subprocess.PIPE, text=True)
        self.port = server.stdout.readline().strip()

    def measure(self, cell):
        mode, at_once = (cell[:4], [cell[4:]]) if cell.startswith("open") \
            else (cell, [])
        found = figures(run([self.program, mode, self.port, self.cert,
                             *at_once, self.seconds], NEAR))
        if found["failed"]:
            raise Failed(f"{found['failed']:.0f} channels failed")
        return found


class Http:
    """nghttpd, and h2load."""

    def __init__(self, place, seconds):
        cert, key = place.certificate()
        self.seconds, port = seconds, place.free_port()
        os.mkdir(place.path("www"))
        place.write("www/small", "x")
        self.url = f"https://127.0.0.1:{port}/small"
        server = place.start([find("nghttpd"), "-n1", "-d", place.path("www"),
                              "--address=127.0.0.1", str(port), key, cert],
                             FAR)
        await_port(port, server)

    def measure(self, cell):
        if not cell.startswith("open"):
            return None
        report = run([find("h2load"), "-c1", "-t1", "-m", cell[4:],
                      "-D", str(self.seconds), f"--tls13-ciphers={CIPHER}",
                      self.url], NEAR)
        rate = re.search(r"([\d.]+) req/s", report)
        failed = re.search(r"(\d+) failed, (\d+) errored", report)
        if not rate or not failed or failed.groups() != ("0", "0") or \
                CIPHER not in report:
            raise Failed(f"h2load: {report[-1000:]}")
        return {"rate": float(rate.group(1))}


def measure(options):
    with Place() as place:
        make = {
            "mtls": lambda: Pair(os.path.join(
                options.build, "test/bench/bench_mux"), place,
                options.seconds),
            "yamux": lambda: Pair(build_yamux(options.build), place,
                                  options.seconds),
            "nghttp2": lambda: Http(place, options.seconds),
        }
        peers = {name: make[name]() for name in options.who}
        return in_turns("opens", options.runs, options.only, options.who,
                        lambda cell, name, _: peers[name].measure(cell))


# --- what is told ------------------------------------------------------------

FIGURES = [
    ("opened and closed/s, 1 at a time", "open1", "rate", 1),
    ("— 64 at a time", "open64", "rate", 1),
    ("— 100 at a time", "open100", "rate", 1),
    ("there and back, p50 µs", "ping", "p50", 1),
    ("— p99 µs", "ping", "p99", 1),
    ("one channel's bulk data, MB/s", "bulk", "bulk", 1),
    ("there and back beside it, p50 µs", "both", "p50", 1),
    ("— p99 µs", "both", "p99", 1),
    ("— MB/s of the bulk data meanwhile", "both", "bulk", 1),
]
TARGETS = [
    ("opened and closed/s, 100 at a time, against yamux with 64",
     ("mtls", "open100", "rate"), ("yamux", "open64", "rate"), ">= 5"),
    ("— against requests of nghttp2 with 100",
     ("mtls", "open100", "rate"), ("nghttp2", "open100", "rate"), ">= 1.0"),
    ("there and back beside bulk data, p99, against yamux",
     ("mtls", "both", "p99"), ("yamux", "both", "p99"), "<= 0.5"),
    ("— bulk data meanwhile, against its rate alone",
     ("mtls", "both", "bulk"), ("mtls", "bulk", "bulk"), ">= 0.8"),
]


def lines(results, who):
    return compared(results, who, FIGURES) + aims(results, TARGETS)


def plot(results, file):
    pair = ["mtls", "yamux"]
    draw(file, [
        panel(results, "opened, 64 octets there and back, closed, a second",
              PEERS, [(f"{n} at a time", f"open{n}", "rate", 1)
                      for n in (1, 64, 100)], log=True),
        panel(results, "64 octets there and back, 99th percentile, µs", pair,
              [("alone", "ping", "p99", 1),
               ("beside bulk data", "both", "p99", 1)]),
        panel(results, "bulk data on one channel, MB/s", pair,
              [("alone", "bulk", "bulk", 1),
               ("beside pings", "both", "bulk", 1)]),
    ])


def part(options, svg):
    """This part of doc/benchmarks.md: what it ran on, and the rest."""
    options.who, options.only = PEERS, CELLS
    options.seconds = max(1, options.seconds // 2)
    results = measure(options)
    plot(results, svg)
    return [version(["openssl", "version"], r"OpenSSL \S+"),
            version([find("go"), "version"], r"go\d\S+"),
            package("golang-github-hashicorp-yamux-dev"),
            version([find("nghttpd"), "--version"], r"nghttp2/\S+")], [
        *lines(results, PEERS), "",
        f"![Channels and streams side by side]({os.path.basename(svg)})"]


def main():
    parser = arguments(__doc__)
    parser.add_argument("-only", type=words(CELLS), default=CELLS,
                        metavar="CELL,..")
    parser.add_argument("who", nargs="*", metavar="PEER")
    options = parser.parse_args()
    if not set(options.who) <= set(PEERS):
        parser.error("the peers are " + ", ".join(PEERS))
    options.who = [name for name in PEERS
                   if not options.who or name in options.who]
    print("\n".join(lines(measure(options), options.who)))


if __name__ == "__main__":
    entry(main)
