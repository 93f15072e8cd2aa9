#!/usr/bin/env python3
# Copyright 2026 The MTLS for OpenSSL authors.
# SPDX-License-Identifier: Apache-2.0

"""Runs the benchmark and writes its tables and plots into the document.

    bench.py [-runs N] [-seconds S] [-build FOLDER] [-doc FILE] [PART...]

Parts: speed, tunnels, opens; all unless named. Each replaces its section of
doc/benchmarks.md, and doc/bench-PART.svg. ./dev bench installs and builds what
this needs, and passes its arguments on.
"""

import argparse
import os

import opens
import speed
import tunnels
from harness import ROOT, arguments, entry, say
from report import put, stamp

PARTS = {"speed": speed, "tunnels": tunnels, "opens": opens}


def main():
    parser = arguments(__doc__)
    parser.add_argument("-doc", metavar="FILE",
                        default=os.path.join(ROOT, "doc/benchmarks.md"))
    parser.add_argument("part", nargs="*", metavar="PART")
    options = parser.parse_args()
    if not set(options.part) <= set(PARTS):
        parser.error("the parts are " + ", ".join(PARTS))
    for name, module in PARTS.items():
        if options.part and name not in options.part:
            continue
        command = f"./dev bench -runs {options.runs} " \
                  f"-seconds {options.seconds} {name}"
        svg = os.path.join(os.path.dirname(options.doc), f"bench-{name}.svg")
        versions, lines = module.part(
            argparse.Namespace(**vars(options)), svg)
        put(options.doc, name, [*stamp(command, versions), "", *lines])
        say(f"{name}: written to {options.doc}")


if __name__ == "__main__":
    entry(main)
