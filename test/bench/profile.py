#!/usr/bin/env python3
# Copyright 2026 The MTLS for OpenSSL authors.
# SPDX-License-Identifier: Apache-2.0

"""Where a tunnel's time goes: one cell of tunnels.py, under perf.

    profile.py [-seconds S] [-place ends|free] [-build FOLDER] CELL TUNNEL

For instance, after ./dev build:

    test/bench/profile.py iperf1 mtls
    test/bench/profile.py busy mtls

iperf1, iperf8, conn64: the share that each part has of the tunnel's processor
time; in the kernel by system call, and of that what copies and what is the way
of segments over loopback to where they are received. busy: how long each hop of
a round trip beside bulk data takes, all of them and those of the slowest
fiftieth. It needs perf (Debian's linux-perf) and the right to trace the system.
"""

import collections
import os
import re
import shutil
import signal
import subprocess
import time

import tunnels
from harness import Failed, Place, arguments, entry, run, with_children

LEAST = 1 # per cent; what is less is put together


def perf():
    path = shutil.which("perf")
    if path is None:
        raise Failed("perf is not installed (Debian: linux-perf)")
    return path


def recorded(place, options, work):
    """What |work| gives, and the text of what perf has seen meanwhile."""
    data = place.path("perf.data")
    with subprocess.Popen([perf(), "record", "-q", "-a", "-o", data,
                           *options], stderr=subprocess.DEVNULL) as recorder:
        time.sleep(0.5)
        try:
            found = work()
        finally:
            recorder.send_signal(signal.SIGINT)
    fields = "comm,pid,ip,sym,dso" if "-g" in options \
        else "comm,pid,time,event"
    return found, run([perf(), "script", "-i", data, "-F", fields, "--ns"],
                      limit=120)


# --- shares -------------------------------------------------------------------

def call(symbols):
    """The system call that led there, outermost frame first."""
    for symbol in reversed(symbols):
        found = re.match(r"(?:__x64_sys_|ksys_|__sys_)(\w+)", symbol)
        if found:
            return found.group(1)
    return "interrupts and the scheduler"


def kind(frames):
    """What a stack's top is part of."""
    symbols = [frame.rpartition(" (")[0].partition("+")[0]
               for frame in frames]
    if "kernel" not in frames[0]:
        return os.path.basename(frames[0].rpartition("(")[2].rstrip(")"))
    name = "kernel, " + call(symbols)
    if any("softirq" in symbol for symbol in symbols):
        return name + ": segments' way"
    if any(re.search("copy_(to|from)_iter", symbol) for symbol in symbols):
        return name + ": copying"
    return name


def shares(text, pids):
    """{pid: Counter of kinds} of these processes' samples."""
    found = {pid: collections.Counter() for pid in pids}
    for block in text.split("\n\n"):
        head, *frames = block.strip().split("\n")
        pid = int(head.split()[-1]) if head else 0
        if pid in found and frames:
            found[pid][kind([frame.strip().partition(" ")[2]
                             for frame in frames])] += 1
    return found


def show_shares(found, result, client):
    print(" ".join(f"{key} {value:.2f}" for key, value in result.items()))
    total = sum(counts.total() for counts in found.values())
    for pid, counts in found.items():
        if counts.total() < total / 100:
            continue
        end = "client" if pid == client else "server"
        print(f"the {end}'s end: {counts.total() / total:.0%} of the samples")
        rest = 100.0
        for name, count in counts.most_common():
            share = 100 * count / counts.total()
            if share >= LEAST:
                rest -= share
                print(f"  {share:5.1f} %  {name}")
        print(f"  {rest:5.1f} %  all else")


# --- hops ---------------------------------------------------------------------

# A message of 64 octets is on its way alone: who has just read or sent one.
HOPS = [("other", "sendto", ""),
        ("client", "recvfrom", "to our client, which reads it"),
        ("server", "sendmsg", "to our server, which sends it on"),
        ("other", "recvfrom", "the echo server gets a processor"),
        ("other", "sendto", "and answers"),
        ("server", "recvfrom", "our server reads that"),
        ("client", "sendmsg", "to our client, which sends it on"),
        ("other", "recvfrom", "who asked gets a processor")]


def trips(text, server, client):
    """Lists of the times, in microseconds, at which a trip's hops ended."""
    whole, one = [], []
    ends = {server: "server", client: "client"}
    for line in text.split("\n"):
        found = re.search(r" (\d+) +([\d.]+): +syscalls:sys_exit_(\w+)", line)
        if not found:
            continue
        who = ends.get(int(found.group(1)), "other"), found.group(3)
        if who != HOPS[len(one)][:2]:
            one = []
        if who == HOPS[len(one)][:2]:
            one.append(float(found.group(2)) * 1e6)
        if len(one) == len(HOPS):
            whole.append(one)
            one = []
    return whole


def show_hops(whole):
    if len(whole) < 100:
        raise Failed("too few round trips were seen")
    whole.sort(key=lambda one: one[-1] - one[0])
    slow = whole[-(len(whole) // 50):]

    def row(text, begin, end):
        times = sorted(one[end] - one[begin] for one in whole)
        mean = sum(one[end] - one[begin] for one in slow) / len(slow)
        print(f"{text:36} {times[len(times) // 2]:6.0f}"
              f" {times[len(times) * 99 // 100]:6.0f} {mean:12.0f}")
    print(f"{len(whole):<6} round trips, µs {'p50':>21} {'p99':>6} "
          f"{'slowest 2 %':>12}")
    for number in range(1, len(HOPS)):
        row(HOPS[number][2], number - 1, number)
    row("there and back", 0, len(HOPS) - 1)


# --- the command --------------------------------------------------------------

def main():
    parser = arguments(__doc__)
    parser.add_argument("-place", choices=["ends", "free"], default="ends")
    parser.add_argument("cell", choices=["iperf1", "iperf8", "conn64", "busy"])
    parser.add_argument("tunnel", choices=["mtls", "ssh"])
    options = parser.parse_args()
    if options.cell == "busy" and options.tunnel != "mtls":
        parser.error("hops are known of our own tunnel alone")
    with Place() as place:
        tunnel = tunnels.Tunnel(options.tunnel, tunnels.Rig(place, options))
        tunnel.start()
        how = ["-g", "-F", "4000", "-e", "cpu-clock"]
        if options.cell == "busy":
            how = [word for name in ("recvfrom", "sendmsg", "sendto")
                   for word in ("-e", f"syscalls:sys_exit_{name}",
                                "--filter", "ret==64")]
        result, text = recorded(
            place, how, lambda: tunnels.MEASURE[options.cell](tunnel))
        if options.cell == "busy":
            show_hops(trips(text, *tunnel.pids()))
        else:
            show_shares(shares(text, with_children(tunnel.pids())), result,
                        tunnel.pids()[-1])


if __name__ == "__main__":
    entry(main)
