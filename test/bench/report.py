# Copyright 2026 The MTLS for OpenSSL authors.
# SPDX-License-Identifier: Apache-2.0

"""Figures as tables, plots, and sections of doc/benchmarks.md.

Results are {cell: {who: [{figure: value} a run]}}.
"""

import datetime
import os
import platform
import re
import statistics
import subprocess

from harness import CPUS, ROOT, Failed, find, run


# --- numbers -----------------------------------------------------------------

def short(value):
    """Three digits that count."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def column(results, who, cell, figure, unit=1):
    runs = results.get(cell, {}).get(who, [])
    return [r[figure] / unit for r in runs if r.get(figure) is not None]


def spread(values):
    """The median, and from where to where."""
    if not values:
        return "-"
    text = short(statistics.median(values))
    if len(values) > 1:
        text += f" ({short(min(values))}–{short(max(values))})"
    return text


# --- tables ------------------------------------------------------------------

def table(head, rows):
    """Lines of a table, as Markdown and for the eye."""
    cells = [[str(cell) for cell in row] for row in [head, *rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    cells.insert(1, [widths[0] * "-"] +
                 [(width - 1) * "-" + ":" for width in widths[1:]])
    return ["| " + " | ".join(
        cell.ljust(width) if i == 0 else cell.rjust(width)
        for i, (cell, width) in enumerate(zip(row, widths))) + " |"
        for row in cells]


def compared(results, who, figures):
    """One line a figure, one column for each of |who|.

    |figures| are (text, cell, figure, unit)."""
    rows = [[text, *(spread(column(results, name, cell, figure, unit))
                     for name in who)]
            for text, cell, figure, unit in figures if cell in results]
    return table(["", *who], rows)


def aims(results, targets):
    """Ratios of medians beside what the project aims at.

    |targets| are (text, (who, cell, figure), (who, cell, figure), target)."""
    rows = []
    for text, ours, theirs, target in targets:
        a, b = column(results, *ours), column(results, *theirs)
        if a and b:
            rows.append([text, short(statistics.median(a) /
                                     statistics.median(b)), target])
    return ["", *table(["", "ratio", "target"], rows)] if rows else []


# --- plots -------------------------------------------------------------------

OURS = ("mtls", "channels", "memory")
BLUE, OTHERS = "#1f5fa8", ["#8a8a8a", "#c9a227", "#b35c44", "#5b8c5a"]


def colours(names):
    """Each name with its colour; what is ours is always blue."""
    others = iter(OTHERS)
    return [(name, BLUE if name in OURS else next(others)) for name in names]


def panel(results, title, who, groups, log=False):
    """A panel of bars: for each of |groups|, (text, cell, figure, unit), one
    bar for each of |who|, with a line from the least to the greatest. Who has
    no figure has no bar, and the others keep their colours."""
    data, bars = [], []
    for name, colour in colours(who):
        rows = []
        for text, cell, figure, unit in groups:
            values = column(results, name, cell, figure, unit)
            bar = [statistics.median(values), min(values), max(values)] \
                if values else ["?"] * 3
            rows.append(" ".join([f'"{text}"', *map(str, bar)]))
        if not all(row.endswith("?") for row in rows):
            data.append("\n".join(rows) + "\ne\n")
            bars.append("'-' using 2:3:4:xtic(1) "
                        f"title '{name}' linecolor rgb '{colour}'")
    scale = "set logscale y; set yrange [*:*]\n" if log else \
        "unset logscale y; set yrange [0:*]\n"
    return f"set title '{title}'\n{scale}plot {', '.join(bars)}\n" + \
        "".join(data)


def curves(title, series):
    """A panel of lines: {name: [(x, y)]}, both scales logarithmic."""
    data = "".join("\n".join(f"{x} {y}" for x, y in at) + "\ne\n"
                   for at in series.values())
    plots = ", ".join(
        f"'-' using 1:2 with linespoints title '{name}' linewidth 2 "
        f"linecolor rgb '{colour}'" for name, colour in colours(series))
    return f"""set title '{title}'
set logscale xy; set autoscale xy; set xtics 4
plot {plots}
{data}unset logscale x; set xtics autofreq
"""


def draw(file, panels):
    """Panels side by side, two in a row."""
    rows = (len(panels) + 1) // 2
    size = f"900,{350 * rows}"
    gnuplot(f"""set terminal svg size {size} font 'sans-serif,12' \\
    background '#ffffff'
set output '{file}'
set datafile missing '?'
set style data histograms
set style histogram errorbars gap 1.5 linewidth 1
set style fill solid 0.9 border -1
set key bmargin center horizontal
set format y '%.0f'
set grid ytics
set multiplot layout {rows},{min(2, len(panels))}
{''.join(panels)}unset multiplot
""")


def gnuplot(script):
    done = subprocess.run([find("gnuplot")], input=script, text=True,
                          capture_output=True, timeout=60, check=False)
    if done.returncode != 0:
        raise Failed(f"gnuplot: {done.stderr[-1000:]}")


# --- what it ran on ----------------------------------------------------------

def field(file, name):
    """The first line of a file in /proc or /etc that begins with |name|."""
    try:
        with open(file, encoding="utf-8") as lines:
            for line in lines:
                if line.startswith(name):
                    return re.split("[:=]", line, 1)[1].strip().strip('"')
    except OSError:
        pass
    return "unknown"


def machine():
    with open("/proc/sys/net/ipv4/tcp_congestion_control",
              encoding="ascii") as file:
        congestion = file.read().strip()
    memory = int(field("/proc/meminfo", "MemTotal").split()[0]) / 2 ** 20
    return (f"{field('/proc/cpuinfo', 'model name')}, {len(CPUS)} processors, "
            f"{memory:.0f} GiB, Linux {platform.release()}, "
            f"TCP with {congestion}, "
            f"{field('/etc/os-release', 'PRETTY_NAME')}")


def version(argv, pattern):
    """What a program says of its version."""
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=10)
    match = re.search(pattern, done.stdout)
    return match.group(0) if match else f"{os.path.basename(argv[0])} unknown"


def package(name):
    return f"{name} " + run(["dpkg-query", "-W", "-f", "${Version}", name])


def commit():
    def git(*words):
        return run(["git", "-C", ROOT, *words]).strip()
    try:
        changed = git("status", "--porcelain", "--untracked-files=no",
                      ":!doc/bench*")
        return git("rev-parse", "--short", "HEAD") + \
            (" with changes" if changed else "")
    except Failed:
        return "unknown"


# --- the document ------------------------------------------------------------

def stamp(command, versions):
    return [f"`{command}` on {datetime.date.today()}, commit {commit()}: "
            f"{machine()}; {', '.join(versions)}."]


def put(file, part, lines):
    """Lines between the marks of a part in the document."""
    begin, end = f"<!-- {part}: begin -->", f"<!-- {part}: end -->"
    with open(file, encoding="utf-8") as old:
        text = old.read()
    head, mark, rest = text.partition(begin + "\n")
    _, other, tail = rest.partition(end)
    if not mark or not other:
        raise Failed(f"{file} has no place for {part}")
    with open(file, "w", encoding="utf-8") as new:
        new.write("\n".join([head + begin, "", *lines, "", end]) + tail)
