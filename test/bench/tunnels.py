#!/usr/bin/env python3
# Copyright 2026 The MTLS for OpenSSL authors.
# SPDX-License-Identifier: Apache-2.0

"""Forwarded connections: mtls s_client -L, ssh -L and stunnel, in turns.

    tunnels.py [-runs N] [-seconds S] [-only CELL,...] [-place ends|free]
               [-build FOLDER] [TUNNEL...]

For instance, after ./dev build, two cells once, in some ten seconds:

    test/bench/tunnels.py -runs 1 -only iperf1,conn64 mtls ssh

Cells:
    iperf1, iperf8  iperf3 with 1 and with 8 streams: MB/s, and the processor
                    time of all processes of the tunnel for a GB
    conn1, conn64   connect, 64 octets there and back, close: a second, 1 and
                    64 at a time
    idle            64 octets there and back on one connection: p50, p99
    busy            the same beside one stream of iperf3
    memory          resident memory of the tunnel's processes with 1,000 and
                    10,000 connections that are open and idle (once)
Tunnels: direct (nothing between), mtls, ssh, stunnel (sessions are resumed),
stunnel-full (they are not).

Each tunnel has its own port of the echo server, TLS 1.3 (or ssh) with
AES-128-GCM and no Nagle. A run measures a cell through each tunnel in turn
before the next run does. "ends" puts the client and its end of the tunnel on
one processor, the server and the other end on another; "free" leaves that to
the kernel.
"""

import getpass
import json
import os
import select
import subprocess
import time

from harness import (CIPHER, FAR, NEAR, Failed, Place, arguments, await_port,
                     cpu_seconds, entry, figures, find, in_turns, resident,
                     run, say, words)
from report import aims, compared, draw, package, panel, version

CELLS = ["iperf1", "iperf8", "conn1", "conn64", "idle", "busy", "memory"]
FREE_CELLS = ["iperf1", "iperf8", "conn64", "busy"]
TUNNELS = ["direct", "mtls", "ssh", "stunnel", "stunnel-full"]
HELD = [1000, 10000]
HOLD_TIME = 60
# Bulk data goes through a stunnel alike, resumed or not.
LEFT_OUT = {("stunnel-full", cell) for cell in CELLS} - \
    {("stunnel-full", "conn1"), ("stunnel-full", "conn64")} | \
    {("direct", "memory")}


class Rig:
    """The servers behind all tunnels, and where things run."""

    def __init__(self, place, options):
        self.place = place
        self.load = os.path.join(options.build, "test/bench/bench_load")
        self.tool = os.path.join(options.build, "apps/mtls")
        self.seconds = options.seconds
        ends = options.place == "ends"
        self.near, self.far = (NEAR, FAR) if ends else (None, None)
        self.bulk = place.free_port()
        place.start([find("iperf3"), "-s", "-B", "127.0.0.1", "-p",
                     str(self.bulk)], self.far)
        echo = place.start([self.load, "echo", str(len(TUNNELS))], self.far,
                           stdout=subprocess.PIPE, text=True)
        self.echo = {name: int(echo.stdout.readline()) for name in TUNNELS}


class Tunnel:
    """A tunnel's processes, and its ports for bulk data and for echo."""

    def __init__(self, name, rig):
        self.name, self.rig = name, rig
        self.processes = []
        self.bulk, self.echo = rig.bulk, rig.echo[name]

    def start(self):
        if self.name != "direct":
            self.bulk, self.echo = (self.rig.place.free_port()
                                    for _ in range(2))
            START[self.name](self)
            await_port(self.echo, self.processes[-1], b"hello")
        return self

    def stop(self):
        self.rig.place.stop(*reversed(self.processes))

    def run(self, argv, cpus):
        self.processes.append(self.rig.place.start(argv, cpus))

    def pids(self):
        return [process.pid for process in self.processes]

    def forwards(self):
        """Where each port of ours leads to."""
        return [(self.bulk, self.rig.bulk),
                (self.echo, self.rig.echo[self.name])]


# --- the tunnels -------------------------------------------------------------

def start_mtls(tunnel):
    rig = tunnel.rig
    cert, key = rig.place.certificate()
    port = rig.place.free_port()
    common = ["-quiet", "-tls1_3", "-ciphersuites", CIPHER]
    tunnel.run([rig.tool, "s_server", "-accept", f"127.0.0.1:{port}",
                "-cert", cert, "-key", key, *common], rig.far)
    forwards = []
    for own, target in tunnel.forwards():
        forwards += ["-L", f"127.0.0.1:{own}:127.0.0.1:{target}"]
    time.sleep(0.2)
    tunnel.run([rig.tool, "s_client", "-connect", f"127.0.0.1:{port}",
                "-CAfile", cert, *common, *forwards], rig.near)


def start_ssh(tunnel):
    rig = tunnel.rig
    port = rig.place.free_port()
    for name in ("host", "user"):
        if not os.path.exists(rig.place.path(name)):
            run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f",
                 rig.place.path(name)])
    root = os.geteuid() == 0
    if root: # as the package's own service does
        os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
    config = rig.place.write("sshd_config", f"""Port {port}
ListenAddress 127.0.0.1
HostKey {rig.place.path("host")}
PidFile none
AuthorizedKeysFile {rig.place.path("user.pub")}
StrictModes no
UsePAM {"no" if root else "yes"}
PermitRootLogin yes
LogLevel ERROR
""")
    tunnel.run([find("sshd"), "-D", "-e", "-f", config], rig.far)
    options = []
    for option in ("StrictHostKeyChecking=no", "ExitOnForwardFailure=yes",
                   "UserKnownHostsFile=/dev/null", "LogLevel=ERROR",
                   "IdentitiesOnly=yes", "BatchMode=yes"):
        options += ["-o", option]
    for own, target in tunnel.forwards():
        options += ["-L", f"127.0.0.1:{own}:127.0.0.1:{target}"]
    time.sleep(0.2)
    tunnel.run([find("ssh"), "-F", "none", "-N", "-c",
                "aes128-gcm@openssh.com", "-i", rig.place.path("user"),
                "-p", str(port), *options, f"{getpass.getuser()}@127.0.0.1"],
               rig.near)


def start_stunnel(tunnel):
    rig = tunnel.rig
    cert, key = rig.place.certificate()
    resume = "no" if tunnel.name == "stunnel-full" else "yes"
    common = f"""foreground = yes
pid =
debug = 3
sslVersion = TLSv1.3
ciphersuites = {CIPHER}
sessionResume = {resume}
socket = l:TCP_NODELAY=1
socket = r:TCP_NODELAY=1
"""
    server = common + f"cert = {cert}\nkey = {key}\n"
    client = common + f"client = yes\nverifyChain = yes\nCAfile = {cert}\n"
    for own, target in tunnel.forwards():
        between = rig.place.free_port()
        server += f"[{own}]\naccept = 127.0.0.1:{between}\n" \
                  f"connect = 127.0.0.1:{target}\n"
        client += f"[{own}]\naccept = 127.0.0.1:{own}\n" \
                  f"connect = 127.0.0.1:{between}\n"
    for end, text, cpus in (("server", server, rig.far),
                            ("client", client, rig.near)):
        config = rig.place.write(f"{tunnel.name}-{end}.conf", text)
        tunnel.run([find("stunnel"), config], cpus)


START = {"mtls": start_mtls, "ssh": start_ssh, "stunnel": start_stunnel,
         "stunnel-full": start_stunnel}


# --- the cells ---------------------------------------------------------------

def received(text):
    """Octets and seconds of a report of iperf3's."""
    report = json.loads(text)
    if "error" in report:
        raise Failed(f"iperf3: {report['error']}")
    total = report["end"]["sum_received"]
    return total["bytes"], total["seconds"]


def iperf_command(tunnel, seconds, streams):
    """iperf3 takes whole seconds alone."""
    return [find("iperf3"), "-c", "127.0.0.1", "-p", str(tunnel.bulk), "-J",
            "-t", str(seconds), "-P", str(streams)]


def iperf(tunnel, streams):
    rig = tunnel.rig
    before = cpu_seconds(tunnel.pids())
    octets, seconds = received(
        run(iperf_command(tunnel, rig.seconds, streams), rig.near))
    time.sleep(0.1)
    spent = cpu_seconds(tunnel.pids()) - before
    return {"rate": octets / seconds / 1e6,
            "cpu": spent / (octets / 1e9) if tunnel.processes else None}


def connect(tunnel, at_once):
    rig = tunnel.rig
    found = figures(run([rig.load, "connect", str(tunnel.echo), str(at_once),
                         str(rig.seconds / 2)], rig.near))
    if found["failed"] > found["count"] / 100:
        raise Failed(f"{found['failed']:.0f} connections failed")
    if found["failed"]:
        say(f"{tunnel.name}: {found['failed']:.0f} connections failed")
    return found


def ping(tunnel, seconds):
    rig = tunnel.rig
    return figures(run([rig.load, "ping", str(tunnel.echo), str(seconds)],
                       rig.near))


def busy(tunnel):
    """Pings amid a transfer that begins before them and ends after."""
    rig = tunnel.rig
    bulk = rig.place.start(iperf_command(tunnel, rig.seconds + 1, 1),
                           rig.near, stdout=subprocess.PIPE, text=True)
    time.sleep(0.6)
    found = ping(tunnel, rig.seconds)
    octets, seconds = received(bulk.communicate(timeout=30)[0])
    rig.place.stop(bulk)
    found["bulk"] = octets / seconds / 1e6
    return found


def memory(tunnel):
    """A tunnel of its own, so that nothing that went before counts. It has
    some time to take the connections; those that it took are told."""
    rig = tunnel.rig
    own = Tunnel(tunnel.name, rig).start()
    client = rig.place.start([rig.load, "hold", str(own.echo), str(HOLD_TIME)],
                             rig.near, stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, text=True)
    found = {"empty": resident(own.pids())}
    try:
        for count in HELD:
            client.stdin.write(f"{count}\n")
            client.stdin.flush()
            answer = figures(read_line(client, HOLD_TIME + 15))
            time.sleep(0.5)
            found[f"held{count}"] = answer["held"]
            found[f"memory{count}"] = resident(own.pids())
    finally:
        client.stdin.close()
        rig.place.stop(client)
        own.stop()
    return found


def read_line(process, seconds):
    """A line of its output, which comes within a time."""
    if not select.select([process.stdout], [], [], seconds)[0]:
        raise Failed(f"{process.args[0]} does not answer")
    return process.stdout.readline()


MEASURE = {
    "iperf1": lambda tunnel: iperf(tunnel, 1),
    "iperf8": lambda tunnel: iperf(tunnel, 8),
    "conn1": lambda tunnel: connect(tunnel, 1),
    "conn64": lambda tunnel: connect(tunnel, 64),
    "idle": lambda tunnel: ping(tunnel, tunnel.rig.seconds / 2),
    "busy": busy,
    "memory": memory,
}


def measure(options):
    """The results, and the commands and files of the tunnels."""
    with Place() as place:
        rig = Rig(place, options)
        tunnels = {name: Tunnel(name, rig).start() for name in options.who}
        setup = place.commands[2:], dict(place.files)

        def one(cell, name, number):
            if (name, cell) in LEFT_OUT or (cell == "memory" and number > 0):
                return None
            return MEASURE[cell](tunnels[name])
        return in_turns("tunnels", options.runs, options.only, options.who,
                        one), setup


# --- what is told ------------------------------------------------------------

MIB = 2 ** 20
# What a row says, its cell and figure, and what makes a unit of it.
FIGURES = [
    ("1 stream, MB/s", "iperf1", "rate", 1),
    ("— processor seconds a GB", "iperf1", "cpu", 1),
    ("8 streams, MB/s", "iperf8", "rate", 1),
    ("— processor seconds a GB", "iperf8", "cpu", 1),
    ("connections/s, 1 at a time", "conn1", "rate", 1),
    ("connections/s, 64 at a time", "conn64", "rate", 1),
    ("there and back, p50 µs", "idle", "p50", 1),
    ("— p99 µs", "idle", "p99", 1),
    ("the same beside bulk, p50 µs", "busy", "p50", 1),
    ("— p99 µs", "busy", "p99", 1),
    ("— MB/s of the bulk meanwhile", "busy", "bulk", 1),
    ("memory without connections, MiB", "memory", "empty", MIB),
    ("— 1,000 idle connections, MiB", "memory", "memory1000", MIB),
    ("— 10,000 idle connections, MiB", "memory", "memory10000", MIB),
    ("— of those 10,000 it held", "memory", "held10000", 1),
]


def target(text, cell, figure, peer, aim):
    return (f"{text}, against {peer}", ("mtls", cell, figure),
            (peer, cell, figure), aim)


TARGETS = [
    target("1 stream, MB/s", "iperf1", "rate", "ssh", ">= 1.2"),
    target("1 stream, MB/s", "iperf1", "rate", "stunnel", ">= 1.2"),
    target("8 streams, MB/s", "iperf8", "rate", "ssh", ">= 1.0"),
    target("8 streams, MB/s", "iperf8", "rate", "stunnel", ">= 1.0"),
    target("processor seconds a GB", "iperf1", "cpu", "ssh", "<= 0.85"),
    target("connections/s, 64 at a time", "conn64", "rate", "ssh", ">= 1.4"),
    target("connections/s, 64 at a time", "conn64", "rate", "stunnel", ">= 7"),
    target("connections/s, 64 at a time", "conn64", "rate", "stunnel-full",
           ">= 9"),
    target("beside bulk, p99", "busy", "p99", "ssh", "<= 0.25"),
    target("memory, 10,000 idle connections", "memory", "memory10000",
           "stunnel", "<= 0.1"),
]


def lines(results, who):
    return compared(results, who, FIGURES) + aims(results, TARGETS)


def plot(results, file):
    tunnels = [name for name in TUNNELS if name != "direct"]
    draw(file, [
        panel(results, "iperf3, MB/s", tunnels,
              [("1 stream", "iperf1", "rate", 1),
               ("8 streams", "iperf8", "rate", 1)]),
        panel(results, "connections a second", tunnels,
              [("1 at a time", "conn1", "rate", 1),
               ("64 at a time", "conn64", "rate", 1)]),
        panel(results, "64 octets there and back, 99th percentile, µs",
              tunnels,
              [("idle", "idle", "p99", 1),
               ("beside bulk data", "busy", "p99", 1)], log=True),
        panel(results, "memory with idle connections, MiB", tunnels,
              [("1,000", "memory", "memory1000", MIB),
               ("10,000", "memory", "memory10000", MIB)], log=True),
    ])


def versions():
    return [version(["openssl", "version"], r"OpenSSL \S+"),
            version([find("ssh"), "-V"], r"OpenSSH_[^ ,]+"),
            version([find("stunnel"), "-version"], r"stunnel \S+"),
            version([find("iperf3"), "-v"], r"iperf \S+"),
            package("libuv1")]


def part(options, svg):
    """This part of doc/benchmarks.md: what it ran on, and the rest."""
    options.who, options.only, options.place = TUNNELS, CELLS, "ends"
    pinned, (commands, files) = measure(options)
    plot(pinned, svg)
    options.who = ["mtls", "ssh", "stunnel"]
    options.only, options.place = FREE_CELLS, "free"
    free, _ = measure(options)
    return versions(), [
        *lines(pinned, TUNNELS), "",
        f"![The tunnels side by side]({os.path.basename(svg)})", "",
        "The same where the kernel may run any process on any processor:", "",
        *lines(free, options.who), "",
        "The tunnels, with everything in a folder of their own:", "",
        *("    " + command for command in commands), "",
        "stunnel-full has `sessionResume = no`. The others' files:",
        *(line for name in ("sshd_config", "stunnel-server.conf",
                            "stunnel-client.conf")
          for line in ["", f"    # {name}", *(
              "    " + text for text in files[name].splitlines())])]


def main():
    parser = arguments(__doc__)
    parser.add_argument("-only", type=words(CELLS), default=CELLS,
                        metavar="CELL,..")
    parser.add_argument("-place", choices=["ends", "free"], default="ends",
                        help="which processors may run what (ends)")
    parser.add_argument("who", nargs="*", metavar="TUNNEL")
    options = parser.parse_args()
    if not set(options.who) <= set(TUNNELS):
        parser.error("the tunnels are " + ", ".join(TUNNELS))
    options.who = [name for name in TUNNELS
                   if not options.who or name in options.who]
    results, _ = measure(options)
    print("\n".join(lines(results, options.who)))


if __name__ == "__main__":
    entry(main)
