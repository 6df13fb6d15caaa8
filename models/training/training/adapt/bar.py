"""How far something is, and how long it will take: a bar on a terminal, now and then a line elsewhere."""

from __future__ import annotations

import sys
import time
from typing import TextIO

BAR = 24
LINE_EVERY_S = 10.0


class Bar:
    """`told` is given the share that is done, 0 to 1; from 1 on the bar is finished."""

    def __init__(self, label: str, out: TextIO = sys.stderr) -> None:
        self._label = label
        self._out = out
        self._began_s = self._said_s = time.monotonic()
        self._first: float | None = None

    def told(self, share: float, note: str = "") -> None:
        now_s = time.monotonic()
        if self._first is None:
            # what an earlier run did took none of this one's time
            self._first = share if share < 1 else 0.0
        on_terminal = self._out.isatty()
        if share < 1 and now_s - self._said_s < (0.2 if on_terminal else LINE_EVERY_S):
            return
        self._said_s = now_s
        text = f"{self._label} {share:4.0%}{self._left(share, now_s - self._began_s)}{note and '  ' + note}"
        if on_terminal:
            filled = int(BAR * share)
            end = "\n" if share >= 1 else ""
            self._out.write(f"\r[{'#' * filled}{'.' * (BAR - filled)}] {text}\x1b[K{end}")
        else:
            self._out.write(text + "\n")
        self._out.flush()

    def _left(self, share: float, elapsed_s: float) -> str:
        done = share - (self._first or 0)
        if share >= 1 or done <= 0:
            return ""
        left_s = elapsed_s * (1 - share) / done
        return f", {left_s:.0f} s left" if left_s < 100 else f", {left_s / 60:.0f} min left"
