"""Lines over a logarithmic axis as SVG for light and dark pages alike: no background, middle tones.

Colours, letters and width are those of harkd's test/bench/chart.ts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH = 760
PLOT_HEIGHT = 300
LEFT, RIGHT = 46, 16
HEAD, FOOT = 56, 44
INK = "#7a828e"
COLOURS = ("#3b82f6", "#d97706", "#10b981", "#8b949e", "#a855f7")
FONT = 'font-family="system-ui, -apple-system, Segoe UI, sans-serif"'


@dataclass(frozen=True)
class Line:
    """Points (x > 0, y) in the order of x; `low` and `high` are bounds of y at each, where they are known."""

    name: str
    points: Sequence[tuple[float, float]]
    bounds: Sequence[tuple[float, float]] = ()
    dashed: bool = False


def ticks_between(low: float, high: float) -> list[float]:
    """1, 2 and 5 times powers of ten from `low` to `high` (both above 0); only powers where that is many."""
    powers = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 1)
    steps = (1, 2, 5) if high / low < 1e5 else (1,)
    made = [step * 10.0**power for power in powers for step in steps]
    return [tick for tick in made if low * 0.999 <= tick <= high * 1.001]


def ends_around(low: float, high: float) -> tuple[float, float]:
    """The ticks next below `low` and above `high`, or these themselves; never the same for both."""
    ticks = ticks_between(low / 10, high * 10)
    first = max(tick for tick in ticks if tick <= low * 1.001)
    return first, min(tick for tick in ticks if tick >= high * 0.999 and tick > first)


def figure(value: float) -> str:
    """1500 as 1.5k, 2000000 as 2M, 0.05 as 0.05."""
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"


def _text(x: float, y: float, content: str, attributes: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}"{" " if attributes else ""}{attributes}>{escape(content)}</text>'


def render_lines(lines: Sequence[Line], title: str, x_name: str, most: float, description: str) -> str:
    """`lines` over a logarithmic x axis and y from 0 to `most` (what is above is drawn at the top).

    Raises ValueError where no line has a point or an x is not above 0.
    """
    xs = [x for line in lines for x, _ in line.points]
    if not xs or min(xs) <= 0:
        raise ValueError(f"points: expected x above 0, got {'none' if not xs else min(xs)}")
    low, high = ends_around(min(xs), max(xs))

    def across(x: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * math.log(x / low) / math.log(high / low)

    def down(y: float) -> float:
        return HEAD + PLOT_HEIGHT * (1 - min(max(y / most, 0), 1))

    bottom = HEAD + PLOT_HEIGHT
    body = [_text(0, 19, title, 'font-size="14" font-weight="600"')]
    for part in range(6):
        y = most * part / 5
        body += [
            f'<line x1="{LEFT}" y1="{down(y):.1f}" x2="{WIDTH - RIGHT}" y2="{down(y):.1f}" stroke="{INK}" '
            f'stroke-opacity="{0.9 if part == 0 else 0.25}"/>',
            _text(LEFT - 8, down(y) + 4, f"{y:g} %", 'text-anchor="end"'),
        ]
    for tick in ticks_between(low, high):
        x = across(tick)
        body += [
            f'<line x1="{x:.1f}" y1="{bottom}" x2="{x:.1f}" y2="{bottom + 5}" stroke="{INK}"/>',
            _text(x, bottom + 18, figure(tick), 'text-anchor="middle"'),
        ]
    body.append(_text((LEFT + WIDTH - RIGHT) / 2, bottom + 36, x_name, 'text-anchor="middle"'))
    legend_x = float(LEFT)
    for at, line in enumerate(lines):
        colour = COLOURS[at % len(COLOURS)]
        dash = ' stroke-dasharray="5 4"' if line.dashed else ""
        body += [
            f'<line x1="{legend_x:.1f}" y1="37" x2="{legend_x + 16:.1f}" y2="37" stroke="{colour}" '
            f'stroke-width="2"{dash}/>',
            _text(legend_x + 21, 41, line.name),
        ]
        legend_x += 40 + len(line.name) * 6.4
        if not line.points:
            continue
        places = [(across(x), down(y)) for x, y in line.points]
        if line.bounds:
            above = [(x, down(high_y)) for (x, _), (_, high_y) in zip(places, line.bounds, strict=True)]
            below = [(x, down(low_y)) for (x, _), (low_y, _) in zip(places, line.bounds, strict=True)]
            around = _joined(above + below[::-1])
            body.append(f'<polygon points="{around}" fill="{colour}" fill-opacity="0.12"/>')
        body.append(
            f'<polyline points="{_joined(places)}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>'
        )
        body += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="{colour}"/>' for x, y in places]
    height = bottom + FOOT
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" '
        f'height="{height}" role="img" {FONT} font-size="12" fill="{INK}">'
    )
    return "\n".join([head, f"<title>{escape(description)}</title>", *body, "</svg>", ""])


def _joined(places: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
