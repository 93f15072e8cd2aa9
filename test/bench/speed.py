# Copyright 2026 The MTLS for OpenSSL authors.
# SPDX-License-Identifier: Apache-2.0

"""mtls speed, all of it, and what the project aims at beside it."""

import os
import subprocess

from harness import Failed, say
from report import curves, draw, panel, short, table, version

RUN_LIMIT = 900

# Row, octets and against what, where that matters; what is aimed at.
TARGETS = [
    ("memory", "64", None, ">= 0.95"),
    ("memory", "256", None, ">= 0.95"),
    ("memory", "1024", None, ">= 0.95"),
    ("memory", "4096", None, ">= 0.92"),
    ("memory", "16384", None, ">= 0.93"),
    ("memory-lent", "16384", None, ">= 0.97"),
    *((row, octets, None, aim) for row in ("memory-corked", "memory-many")
      for octets, aim in (("64", ">= 18"), ("256", ">= 6.5"),
                          ("1024", ">= 2.3"), ("4096", ">= 1.15"))),
    ("tcp-8", "64", None, ">= 10"),
    ("tcp-1-corked", "16384", None, ">= 1.0"),
    ("tcp-100-corked", "16384", None, ">= 1.0"),
    ("tcp-1", "16384", None, ""),
    ("tcp-100", "16384", None, ""),
    ("open-1", None, "full", ">= 80"),
    ("open-1", None, "resumed", ">= 45"),
    ("open-100", None, "full", ">= 300"),
    ("open-100", None, "resumed", ">= 170"),
    *((row, None, None, "<= 600 octets")
      for row in ("heap-10000", "resident-10000", "heap-30000",
                  "resident-30000")),
    ("packet", None, None, "<= 1.15"),
    ("packet-tight", None, None, "<= 1.15"),
    ("bulk-kept", None, None, ">= 0.8 share"),
    ("one-channel", None, None, ">= 0.9"),
]


def measure(options):
    """The lines of -mr as dictionaries, by the names in the first of them."""
    command = [os.path.join(options.build, "apps/mtls"), "speed", "-mr",
               "-runs", str(options.runs),
               "-seconds", str(options.seconds / 4)]
    say("speed:", *command)
    done = subprocess.run(command, stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, timeout=RUN_LIMIT,
                          check=False)
    names, rows = [], []
    for line in done.stdout.splitlines():
        kind, *fields = line.split(":")
        if kind == "+H":
            names = fields
        elif kind == "+R" and len(fields) == len(names):
            rows.append(dict(zip(names, fields)))
    if done.returncode != 0 or not rows:
        raise Failed(f"mtls speed: exit {done.returncode}, {len(rows)} rows")
    return rows


# --- what is told ------------------------------------------------------------

def target(row):
    for name, octets, against, aim in TARGETS:
        if row["row"] == name and octets in (None, row["octets"]) and \
                against in (None, row["against"]):
            return aim
    return ""


def spread(row, side):
    middle, least, most = (float(row[side + end])
                           for end in ("", "_min", "_max"))
    return short(middle) + (f" ({short(least)}–{short(most)})"
                            if int(row["runs"]) > 1 else "")


def lines(rows):
    return table(
        ["", "octets", "unit", "MTLS", "against", "", "ratio", "target"],
        [[f"{row['mode']} {row['row']}",
          row["octets"] if row["octets"] != "0" else "", row["unit"],
          spread(row, "mtls"), row["against"], spread(row, "base"),
          spread(row, "ratio"), target(row)] for row in rows])


def plot(rows, file):
    series = {}
    for row in rows:
        if row["mode"] == "throughput" and row["unit"] == "MB/s" and \
                row["row"].startswith("memory"):
            octets = float(row["octets"])
            series.setdefault(row["row"], []).append(
                (octets, float(row["mtls"])))
            if row["row"] == "memory":
                series.setdefault("raw TLS", []).append(
                    (octets, float(row["base"])))
    opens = {}
    for row in rows:
        if row["mode"] == "open":
            cell = opens.setdefault(row["row"], {})
            cell["channels"] = [sides(row, "mtls")]
            cell[f"{row['against']} handshakes"] = [sides(row, "base")]
    draw(file, [
        curves("in memory, MB/s by octets of a piece",
               {name: at for name, at in series.items() if len(at) > 1}),
        panel(opens, "opened and closed a second",
              ["channels", "full handshakes", "resumed handshakes"],
              [(name, name, "rate", 1) for name in opens], log=True),
    ])


def sides(row, side):
    return {"rate": float(row[side])}


def part(options, svg):
    """This part of doc/benchmarks.md: what it ran on, and the rest."""
    rows = measure(options)
    plot(rows, svg)
    return [version(["openssl", "version"], r"OpenSSL \S+")], [
        *lines(rows), "", f"![mtls speed]({os.path.basename(svg)})"]
