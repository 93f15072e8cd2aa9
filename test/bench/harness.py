# Copyright 2026 The MTLS for OpenSSL authors.
# SPDX-License-Identifier: Apache-2.0

"""What the parts of the benchmark share.

Everything is on loopback, in a folder of its own. What was started ends with
the part, by its process id; what runs has a time limit.
"""

import argparse
import os
import random
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "../.."))
TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
CPUS = sorted(os.sched_getaffinity(0))
# The two ends of a connection: a client's half and a server's half. With one
# processor they share it.
NEAR, FAR = {CPUS[0]}, {CPUS[-1] if len(CPUS) < 2 else CPUS[1]}
CIPHER = "TLS_AES_128_GCM_SHA256"


class Failed(Exception):
    """A benchmark can't go on; the text says why."""


def say(*words):
    """Progress, for who waits."""
    print("==", *words, file=sys.stderr, flush=True)


def raise_limits():
    """As many descriptors as we may have, for what we start too."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for wish in (131072, hard):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wish, max(wish, hard)))
            return
        except (ValueError, OSError):
            pass


def find(name):
    """The path of a program that may be in a folder for administrators."""
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
    program = shutil.which(name, path=path)
    if program is None:
        raise Failed(f"{name} is not installed (./dev bench installs it)")
    return program


# --- what the kernel knows of processes --------------------------------------

def stat(pid):
    """The fields of /proc/PID/stat after the name, or None."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii",
                  errors="replace") as file:
            return file.read().rpartition(")")[2].split()
    except OSError:
        return None


def alive(pid):
    fields = stat(pid)
    return bool(fields) and fields[0] not in "ZX"


def with_children(pids):
    """These processes and all that descend from them."""
    parent = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            fields = stat(name)
            if fields:
                parent[int(name)] = int(fields[1])
    found = set(pids)
    grown = True
    while grown:
        more = {pid for pid, of in parent.items() if of in found} - found
        found |= more
        grown = bool(more)
    return found


def cpu_seconds(pids):
    """Processor time so far, of children that have ended too."""
    total = 0
    for pid in with_children(pids):
        fields = stat(pid)
        if fields:
            total += sum(int(field) for field in fields[11:15])
    return total / TICK


def resident(pids):
    """Octets of resident memory."""
    total = 0
    for pid in with_children(pids):
        fields = stat(pid)
        if fields:
            total += int(fields[21]) * PAGE
    return total


# --- processes ---------------------------------------------------------------

class Place:
    """A folder, the processes that belong to it, and their end."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="mtls-bench.")
        self.running = []
        self.commands, self.files = [], {} # as one would see them in |dir|
        self.used = set()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop(*reversed(self.running))
        shutil.rmtree(self.dir, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="ascii") as file:
            file.write(text)
        self.files[name] = text.replace(self.dir, ".")
        return self.path(name)

    def free_port(self):
        """Below the range from which outgoing connections get theirs."""
        for _ in range(1000):
            port = random.randrange(10000, 32000)
            with socket.socket() as s:
                if port not in self.used:
                    try:
                        s.bind(("127.0.0.1", port))
                    except OSError:
                        continue
                    self.used.add(port)
                    return port
        raise Failed("no free port")

    def start(self, argv, cpus=None, **more):
        """A process of ours in the background; its output goes to a file."""
        self.commands.append(" ".join(
            [os.path.basename(argv[0]), *argv[1:]]).replace(self.dir, "."))
        log = self.path(f"{len(self.commands)}.log")
        with open(log, "ab") as out:
            more.setdefault("stdin", subprocess.DEVNULL)
            more.setdefault("stdout", out)
            process = subprocess.Popen(argv, stderr=out,
                                       preexec_fn=pin(cpus), **more)
        process.log = log
        self.running.append(process)
        return process

    def stop(self, *processes):
        """Ends these, and what they have started, and waits for it."""
        pids = with_children([p.pid for p in processes if p.poll() is None])
        for how in (signal.SIGTERM, signal.SIGKILL):
            for pid in pids:
                try:
                    os.kill(pid, how)
                except ProcessLookupError:
                    pass
            until = time.monotonic() + 5
            while pids and time.monotonic() < until:
                for process in processes:
                    process.poll()
                pids = {pid for pid in pids if alive(pid)}
                time.sleep(0.02)
        self.running = [p for p in self.running if p not in processes]

    def certificate(self):
        """A certificate that vouches for itself: its file, its key's."""
        cert, key = self.path("cert.pem"), self.path("key.pem")
        if not os.path.exists(cert):
            run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                 "ec_paramgen_curve:P-256", "-noenc", "-days", "2",
                 "-subj", "/CN=localhost", "-addext",
                 "subjectAltName=DNS:localhost,IP:127.0.0.1",
                 "-keyout", key, "-out", cert])
        return cert, key


def pin(cpus):
    """Where a process is to run, as what it does before it begins."""
    if not cpus:
        return None
    return lambda: os.sched_setaffinity(0, cpus)


def run(argv, cpus=None, limit=60, **more):
    """What a program prints; it must succeed, and within the limit."""
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=limit, preexec_fn=pin(cpus),
                          check=False, **more)
    if done.returncode != 0:
        raise Failed(f"{' '.join(argv)}: exit {done.returncode}\n"
                     f"{done.stdout[-1000:]}{done.stderr[-1000:]}")
    return done.stdout


def in_turns(part, runs, cells, who, measure):
    """Measures each cell for each of |who| in turn, so often.

    |measure| gets a cell, one of |who| and the number of the run, and gives
    {figure: value}, or None for what is not to be measured. What fails is
    tried once more. Gives {cell: {who: [{figure: value} a run]}}."""
    results = {cell: {name: [] for name in who} for cell in cells}
    for number in range(runs):
        for cell in cells:
            say(f"{part}: run {number + 1} of {runs}, {cell}")
            for name in who:
                try:
                    found = measure(cell, name, number)
                except (Failed, subprocess.TimeoutExpired) as error:
                    say(f"{name}: once more, because: {error}")
                    found = measure(cell, name, number)
                if found is not None:
                    results[cell][name].append(found)
                    time.sleep(0.2)
    return results


def figures(text):
    """'name figure name figure' as a dictionary."""
    words = text.split()
    return {n: float(f) for n, f in zip(words[::2], words[1::2])}


def await_port(port, process, message=b""):
    """Until |process| listens there, and sends back what it may be sent."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        try:
            with socket.create_connection(("127.0.0.1", port), 2) as s:
                s.settimeout(2)
                s.sendall(message)
                if not message or s.recv(len(message)):
                    return
        except OSError:
            pass
        if process.poll() is not None:
            break
        time.sleep(0.05)
    with open(process.log, encoding="ascii", errors="replace") as file:
        raise Failed(f"{process.args[0]} does not answer:\n"
                     f"{file.read()[-2000:]}")


# --- options that all parts have ---------------------------------------------

def positive(text):
    number = int(text)
    if not 1 <= number <= 100:
        raise ValueError
    return number


def arguments(what):
    """A parser of options with openssl's single dash."""
    parser = argparse.ArgumentParser(
        description=what, add_help=False, allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-help", action="help", help="this text")
    parser.add_argument("-runs", type=positive, default=5, metavar="N",
                        help="runs of which the median is told (5)")
    parser.add_argument("-seconds", type=positive, default=2, metavar="S",
                        help="how long a measurement takes (2)")
    parser.add_argument("-build", default=os.path.join(ROOT, "build"),
                        metavar="FOLDER", help="where it was built (build)")
    return parser


def words(known):
    """A type of option: some of the |known| words, with commas between."""
    def parse(text):
        found = text.split(",")
        if not set(found) <= set(known):
            raise argparse.ArgumentTypeError("one of " + ", ".join(known))
        return [word for word in known if word in found]
    return parse


def entry(work):
    """Runs |work|, so that all that was started ends whatever happens."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    raise_limits()
    try:
        sys.exit(work())
    except (Failed, subprocess.TimeoutExpired, OSError) as error:
        sys.exit(f"{os.path.basename(sys.argv[0])}: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
