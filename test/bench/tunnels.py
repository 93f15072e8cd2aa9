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
import signal
import subprocess
import time

from harness import (CIPHER, FAR, NEAR, Failed, Place, arguments, await_echo,
                     cpu_seconds, entry, figures, find, ratio, resident, run,
                     say, short, spread, table)

CELLS = ["iperf1", "iperf8", "conn1", "conn64", "idle", "busy", "memory"]
TUNNELS = ["direct", "mtls", "ssh", "stunnel", "stunnel-full"]
HELD = [1000, 10000]


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
            await_echo(self.echo, self.processes[-1])
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
    if os.geteuid() == 0: # as the package's own service does
        os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
    config = rig.place.write("sshd_config", f"""Port {port}
ListenAddress 127.0.0.1
HostKey {rig.place.path("host")}
PidFile none
AuthorizedKeysFile {rig.place.path("user.pub")}
StrictModes no
UsePAM no
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
    """A tunnel of its own, so that nothing that went before counts."""
    rig = tunnel.rig
    own = Tunnel(tunnel.name, rig).start()
    client = rig.place.start([rig.load, "hold", str(own.echo)], rig.near,
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             text=True)
    found = {"empty": resident(own.pids())}
    for count in HELD:
        until = time.monotonic() + 60
        client.stdin.write(f"{count}\n")
        client.stdin.flush()
        answer = figures(read_line(client, until))
        time.sleep(0.5)
        found[f"held{count}"] = answer["held"]
        found[f"memory{count}"] = resident(own.pids())
    client.stdin.close()
    rig.place.stop(client)
    own.stop()
    return found


def read_line(process, until):
    """A line of its output, before a time."""
    def late(*_):
        raise Failed(f"{process.args[0]} does not answer")
    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(max(1, int(until - time.monotonic())))
    try:
        return process.stdout.readline()
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


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
    """{cell: {tunnel: [{figure: value} a run]}}"""
    results = {cell: {name: [] for name in options.tunnels}
               for cell in options.only}
    with Place() as place:
        rig = Rig(place, options)
        tunnels = [Tunnel(name, rig).start() for name in options.tunnels]
        for number in range(options.runs):
            for cell in options.only:
                if cell == "memory" and number > 0:
                    continue
                say(f"tunnels: run {number + 1} of {options.runs}, {cell}")
                for tunnel in tunnels:
                    if cell == "memory" and tunnel.name == "direct":
                        continue
                    results[cell][tunnel.name].append(MEASURE[cell](tunnel))
                    time.sleep(0.2)
    return results


# --- what is told ------------------------------------------------------------

# What a row says, its cell and figure, and what makes a unit of it.
ROWS = [
    ("1 stream, MB/s", "iperf1", "rate", 1),
    ("— processor seconds a GB", "iperf1", "cpu", 1),
    ("8 streams, MB/s", "iperf8", "rate", 1),
    ("— processor seconds a GB", "iperf8", "cpu", 1),
    ("connections/s, 1 at a time", "conn1", "rate", 1),
    ("connections/s, 64 at a time", "conn64", "rate", 1),
    ("there and back, p50 µs", "idle", "p50", 1),
    ("there and back, p99 µs", "idle", "p99", 1),
    ("beside bulk, p50 µs", "busy", "p50", 1),
    ("beside bulk, p99 µs", "busy", "p99", 1),
    ("— the bulk meanwhile, MB/s", "busy", "bulk", 1),
    ("memory of a new tunnel, MiB", "memory", "empty", 2 ** -20),
]
for _count in HELD:
    ROWS += [
        (f"memory, {_count:,} idle connections, MiB", "memory",
         f"memory{_count}", 2 ** -20),
        (f"— connections that it held of {_count:,}", "memory",
         f"held{_count}", 1),
    ]

# What the project aims at: cell, figure, against what, and how far.
TARGETS = [
    ("iperf1", "rate", "ssh", ">= 1.2"),
    ("iperf1", "rate", "stunnel", ">= 1.2"),
    ("iperf8", "rate", "ssh", ">= 1.0"),
    ("iperf8", "rate", "stunnel", ">= 1.0"),
    ("iperf1", "cpu", "ssh", "<= 0.85"),
    ("conn64", "rate", "ssh", ">= 1.4"),
    ("conn64", "rate", "stunnel", ">= 7"),
    ("conn64", "rate", "stunnel-full", ">= 9"),
    ("busy", "p99", "ssh", "<= 0.25"),
    ("memory", "memory10000", "stunnel", "<= 0.1"),
]


def column(results, cell, figure, tunnel, scale=1):
    runs = results.get(cell, {}).get(tunnel, [])
    return [r[figure] * scale for r in runs if r.get(figure) is not None]


def lines(results, tunnels):
    """The tables of a run."""
    rows = []
    for text, cell, figure, scale in ROWS:
        if cell in results:
            rows.append([text, *(
                spread(column(results, cell, figure, tunnel, scale))
                for tunnel in tunnels)])
    told = table(["", *tunnels], rows)
    rows = []
    for cell, figure, peer, target in TARGETS:
        name = next(t for t, c, f, _ in ROWS if (c, f) == (cell, figure))
        if name.startswith("—"):
            name = ROWS[[r[1:3] for r in ROWS].index((cell, figure)) - 1][0] \
                .split(",")[0] + ": " + name[2:]
        mine = ratio(column(results, cell, figure, "mtls"),
                     column(results, cell, figure, peer))
        if mine is not None:
            rows.append([name.split(", MiB")[0].split(", MB")[0], peer,
                         short(mine), target])
    if rows:
        told += ["", *table(["mtls against", "", "ratio", "target"], rows)]
    return told


def chosen(text):
    cells = text.split(",")
    if not set(cells) <= set(CELLS):
        raise ValueError
    return [cell for cell in CELLS if cell in cells]


def main():
    parser = arguments(__doc__)
    parser.add_argument("-only", type=chosen, default=CELLS, metavar="CELL,..")
    parser.add_argument("-place", choices=["ends", "free"], default="ends")
    parser.add_argument("tunnels", nargs="*", metavar="TUNNEL")
    options = parser.parse_args()
    if not set(options.tunnels) <= set(TUNNELS):
        parser.error("the tunnels are " + ", ".join(TUNNELS))
    options.tunnels = [t for t in TUNNELS
                       if not options.tunnels or t in options.tunnels]
    print("\n".join(lines(measure(options), options.tunnels)))


if __name__ == "__main__":
    entry(main)
