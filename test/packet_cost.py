#!/usr/bin/env python3
# Copyright 2026 The MTLS for OpenSSL authors.
# SPDX-License-Identifier: Apache-2.0

"""packet_cost.py [-update] [PROGRAM]: instructions that the library spends on a
packet, as callgrind counts them, beside those in doc/performance.md.

Fails when they have grown by more than a tenth. -update writes them into the
file instead. PROGRAM is packet_cost, that of build/ unless told.
"""

import argparse
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
PAGE = ROOT / "doc" / "performance.md"
BEGIN, END = "<!-- packet cost: begin -->", "<!-- packet cost: end -->"
FUNCTION = "counted"
PACKETS = 5000
# The longest packet fills a TLS record together with its header, 9 octets.
SIZES = [64, 16375]
SKIPPED = 77


class Failed(Exception):
    """The text says why."""


def run(command):
    try:
        done = subprocess.run(command, capture_output=True, text=True,
                              check=False, timeout=140)
    except (OSError, subprocess.TimeoutExpired) as e:
        raise Failed(f"{command[0]} did not do: {e}") from e
    if done.returncode != 0:
        raise Failed(f"{' '.join(command)} ended with {done.returncode}:\n"
                     f"{done.stderr.strip()}")
    return done.stdout


def add_up(profile):
    """Instructions by source file, of what callgrind wrote. Those of inlined
    functions are their own file's."""
    cost, source, inclusive = {}, None, False
    for line in profile.splitlines():
        if match := re.match(r"f[lie]=(.*)", line):
            source = match[1]
        elif line.startswith("calls="):
            inclusive = True
        elif match := re.fullmatch(r"\d+ (\d+)", line):
            if not inclusive:
                cost[source] = cost.get(source, 0) + int(match[1])
            inclusive = False
    return cost


def is_ours(source):
    return pathlib.PurePath(source).parent.name == "bio_mtls"


def measure(program, octets, folder):
    """Instructions a packet: the library's, and those of all it stands on."""
    out = pathlib.Path(folder) / "callgrind.out"
    run(["valgrind", "--tool=callgrind", f"--toggle-collect={FUNCTION}*",
         f"--callgrind-out-file={out}", "--compress-strings=no",
         "--compress-pos=no", str(program), str(octets), str(PACKETS)])
    cost = add_up(out.read_text())
    ours = sum(n for source, n in cost.items() if is_ours(source))
    others = sum(n for source, n in cost.items()
                 if not is_ours(source) and "packet_cost.c" not in source)
    if ours == 0:
        raise Failed(f"callgrind saw nothing of bio_mtls/ in {program}: "
                     "was it built with debugging information?")
    return round(ours / PACKETS), round(others / PACKETS)


def table(figures, compiler):
    """What stands between the marks."""
    rows = [f"| {octets:,} octets | {ours:,} |"
            for octets, ours in figures.items()]
    return "\n".join([BEGIN, "", "| packet | instructions a packet |",
                      "|---|---:|", *rows, "",
                      f"Compiler: {compiler}, {platform.machine()}.", "", END])


def split_page():
    """The page in three: before the marks, between, after."""
    text = PAGE.read_text()
    if text.count(BEGIN) != 1 or text.count(END) != 1 or \
            text.index(BEGIN) > text.index(END):
        raise Failed(f"{PAGE} has no {BEGIN} that {END} follows")
    before, rest = text.split(BEGIN)
    between, after = rest.split(END)
    return before, between, after


def recorded(between):
    """Figures by octets, the compiler, the machine."""
    number = r"(\d[\d,]*)"
    rows = re.findall(rf"^\| {number} octets \| {number} \|$", between, re.M)
    figures = {int(octets.replace(",", "")): int(n.replace(",", ""))
               for octets, n in rows}
    made = re.search(r"^Compiler: (.*), (\S+)\.$", between, re.M)
    if set(figures) != set(SIZES) or 0 in figures.values() or not made:
        raise Failed(f"the table in {PAGE} is not one that -update wrote")
    return figures, made[1], made[2]


def compare(octets, now, then):
    """False when it has grown too much."""
    both = (f"a packet of {octets:,} octets takes {now:,} instructions, "
            f"{then:,} in doc/performance.md")
    if 10 * now > 11 * then:
        print(f"NOT OK - {both}: more than a tenth above. Make it cheaper, or "
              "write the new figure there: test/packet_cost.py -update")
        return False
    if 10 * now < 9 * then:
        print(f"ok - {both}: more than a tenth below. "
              "Keep the gain: test/packet_cost.py -update")
    else:
        print(f"ok - {both}")
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("-update", action="store_true",
                        help="write the figures into doc/performance.md")
    parser.add_argument("program", nargs="?",
                        default=ROOT / "build" / "test" / "packet_cost")
    options = parser.parse_args()
    if not shutil.which("valgrind"):
        print("valgrind is not installed (Debian: valgrind)")
        return 1 if options.update else SKIPPED
    compiler = run([str(options.program)]).strip()
    before, between, after = split_page()
    if not options.update:
        then, its_compiler, its_machine = recorded(between)
        if its_machine != platform.machine():
            print(f"doc/performance.md counted on {its_machine}; instructions "
                  f"of {platform.machine()} can't be compared with those")
            return SKIPPED
        if its_compiler != compiler:
            print(f"Built by {compiler}; doc/performance.md has figures of "
                  f"{its_compiler}. Compared all the same.")
    figures, good = {}, True
    with tempfile.TemporaryDirectory() as folder:
        for octets in SIZES:
            figures[octets], others = measure(options.program, octets, folder)
            print(f"{octets:,} octets: {figures[octets]:,} of the library, "
                  f"{others:,} of OpenSSL and the C library", flush=True)
    if options.update:
        PAGE.write_text(before + table(figures, compiler) + after)
        print(f"written to {PAGE}")
        return 0
    for octets in SIZES:
        good &= compare(octets, figures[octets], then[octets])
    return 0 if good else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failed as e:
        sys.exit(f"packet_cost.py: {e}")
