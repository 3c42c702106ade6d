#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Draws the pictures of a benchmark: bench_pictures.py BENCH.json writes BENCH-latency.svg,
BENCH-throughput.svg and BENCH-overload.svg beside it. Needs nothing but Python."""
import json
import math
import sys
from html import escape
from pathlib import Path

WIDTH, HEIGHT = 960, 560
LEFT, RIGHT, TOP, BOTTOM = 76, 250, 64, 56
LABEL_STEP = 17  # between the names at the right
# Told apart also by those who see fewer colours, on white; the order is fixed.
COLOURS = ["#2a78d6", "#1baf7a", "#eda100", "#008300", "#4a3aa7", "#e34948", "#e87ba4", "#eb6834"]
INK, MUTED, GRID = "#0b0b0b", "#5d5c58", "#e4e3df"

LATENCY = [
    ("postgres_live", "/health/live"),
    ("postgres_epoch", "getEpoch"),
    ("postgres_send", "sendMessage, PostgreSQL"),
    ("postgres_hot", "sendMessage, one conversation"),
    ("postgres_send_512", "sendMessage, 512 clients"),
    ("sqlite_send", "sendMessage, SQLite"),
    ("postgres_direct_send", "sendMessage, actors off"),
    ("postgres_commit", "addMembers, real commits"),
]
THROUGHPUT = [
    ("postgres_send", "PostgreSQL"),
    ("sqlite_send", "SQLite"),
    ("postgres_hot", "PostgreSQL, one conversation"),
    ("postgres_direct_send", "PostgreSQL, actors off"),
    ("postgres_send_512", "PostgreSQL, 512 clients"),
]
OVERLOAD = [
    ("overload_80", "80 % load"),
    ("overload_5x", "500 % load"),
]


class Picture:
    """A frame with axes; x and y are functions from a value to a fraction of the frame."""

    def __init__(self, title, subtitle):
        self.parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" '
            f'height="{HEIGHT}" font-family="system-ui, sans-serif" font-size="13">',
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
            f'<text x="{LEFT}" y="26" font-size="17" font-weight="600" fill="{INK}">{escape(title)}</text>',
            f'<text x="{LEFT}" y="46" fill="{MUTED}">{escape(subtitle)}</text>',
        ]
        self.names = []

    @staticmethod
    def at_x(fraction):
        return LEFT + fraction * (WIDTH - LEFT - RIGHT)

    @staticmethod
    def at_y(fraction):
        return HEIGHT - BOTTOM - fraction * (HEIGHT - TOP - BOTTOM)

    def text(self, x, y, what, anchor, colour=MUTED):
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{escape(what)}</text>')

    def grid_y(self, fraction, name):
        y = self.at_y(fraction)
        self.parts.append(f'<line x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}" stroke="{GRID}"/>')
        self.text(LEFT - 8, y + 4, name, "end")

    def grid_x(self, fraction, name):
        x = self.at_x(fraction)
        self.parts.append(
            f'<line x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{HEIGHT - BOTTOM}" stroke="{GRID}"/>')
        self.text(x, HEIGHT - BOTTOM + 20, name, "middle")

    def axis_names(self, x, y):
        self.text(self.at_x(0.5), HEIGHT - 12, x, "middle")
        self.text(LEFT + 6, TOP + 16, y, "start")

    def line(self, points, name, colour):
        path = " ".join(f"{self.at_x(x):.1f},{self.at_y(y):.1f}" for x, y in points)
        self.parts.append(
            f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2" stroke-linejoin="round"/>')
        self.names.append((self.at_y(points[-1][1]), self.at_x(points[-1][0]), name, colour))

    def save(self, path):
        """The names stand at the lines' ends, moved apart where they would overlap."""
        placed = sorted(self.names)
        ys = [y for y, *_ in placed]
        for i in range(1, len(ys)):
            ys[i] = max(ys[i], ys[i - 1] + LABEL_STEP)
        if ys:
            ys[-1] = min(ys[-1], HEIGHT - BOTTOM)
        for i in range(len(ys) - 2, -1, -1):
            ys[i] = min(ys[i], ys[i + 1] - LABEL_STEP)
        for (end_y, end_x, name, colour), y in zip(placed, ys):
            x = WIDTH - RIGHT + 26
            self.parts.append(
                f'<polyline points="{end_x + 3:.1f},{end_y:.1f} {x - 16},{y:.1f} {x - 6},{y:.1f}" fill="none" '
                f'stroke="{colour}" stroke-width="1"/>')
            self.text(x, y + 4, name, "start", INK)
        path.write_text("\n".join(self.parts + ["</svg>", ""]), encoding="utf-8")


def cells_of(bench, wanted):
    """Each with its own colour, which does not depend on which of them this run has."""
    by_id = {cell["id"]: cell for cell in bench["cells"]}
    return [(by_id[key], name, COLOURS[i]) for i, (key, name) in enumerate(wanted) if key in by_id]


def latency(bench):
    """Percentiles over a scale of nines, so that the tail has room; both axes logarithmic."""
    picture = Picture("Latency of every answer", subtitle_of(bench, "64 clients unless said, closed loop"))
    nines = 3.0  # 99.9 % at the right
    cells = cells_of(bench, LATENCY)
    if not cells:
        return None
    values = [us for cell, *_ in cells for p, us in cell["distribution"] if 1 <= p <= 99.9]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    for power in range(low, high + 1):
        us = 10**power
        picture.grid_y((power - low) / (high - low), f"{us:g} µs" if us < 1000 else f"{us / 1000:g} ms")
    for p in (0, 50, 90, 99, 99.9):
        picture.grid_x(-math.log10(1 - p / 100) / nines, f"{p:g} %")
    picture.axis_names("share of the answers that came within", "")
    for cell, name, colour in cells:
        points = [
            (-math.log10(1 - p / 100) / nines, (math.log10(us) - low) / (high - low))
            for p, us in cell["distribution"] if 1 <= p <= 99.9
        ]
        picture.line(points, name, colour)
    return picture


def over_time(bench, title, what, wanted, together=1):
    """`together`: slots that become one point."""
    picture = Picture(title, subtitle_of(bench, what))
    series = []
    for cell, name, colour in cells_of(bench, wanted):
        rates = cell["answers_per_second"]
        means = [sum(rates[i:i + together]) / together for i in range(0, len(rates) - together + 1, together)]
        if len(means) > 1:
            series.append((cell["slot_ms"] / 1000 * together, means, name, colour))
    if not series:
        return None
    top = max(max(rates) for _, rates, *_ in series)
    step = 10 ** math.floor(math.log10(top))
    step = next(step * m for m in (0.2, 0.5, 1, 2) if top / (step * m) <= 8)
    top = math.ceil(top / step) * step
    for i in range(round(top / step) + 1):
        picture.grid_y(i * step / top, f"{i * step:,.0f}")
    seconds = max(slot * len(rates) for slot, rates, *_ in series)
    for i in range(6):
        picture.grid_x(i / 5, f"{i * seconds / 5:.1f} s")
    picture.axis_names("time, one repetition after the other", "answers per second")
    for slot, rates, name, colour in series:
        picture.line([((i + 0.5) * slot / seconds, rate / top) for i, rate in enumerate(rates)], name, colour)
    return picture


def throughput(bench):
    return over_time(bench, "sendMessage: throughput over time", "closed loop, 64 clients unless said", THROUGHPUT)


def overload(bench):
    return over_time(bench, "Overload: answers with 200 over time", "open loop, log flushes of 100 ms", OVERLOAD, 5)


def subtitle_of(bench, what):
    quick = " · --quick: not for its figures" if bench["quick"] else ""
    return f"{what} · {bench['cores']} cores shared with generator and database · {bench['processor']}{quick}"


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: bench_pictures.py BENCH.json")
    source = Path(sys.argv[1])
    bench = json.loads(source.read_text(encoding="utf-8"))
    stem = source.name.removesuffix(".json")
    for draw in (latency, throughput, overload):
        picture = draw(bench)
        if picture is None:  # a part of a run has not everything
            continue
        path = source.with_name(f"{stem}-{draw.__name__}.svg")
        picture.save(path)
        print(path)


if __name__ == "__main__":
    main()
