"""Figures and how they are printed: medians, 99th percentiles, and ratios against what ran beside them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Series:
    """Measurements of one thing, in one unit."""

    values: tuple[float, ...]

    @classmethod
    def of(cls, values: Iterable[float]) -> Series:
        """The series of `values`, in any order; at least one."""
        ordered = tuple(sorted(values))
        if not ordered:
            raise ValueError("nothing was measured")
        return cls(ordered)

    def percentile(self, percent: float) -> float:
        """The smallest value that `percent` of all do not exceed (nearest rank)."""
        rank = max(1, math.ceil(len(self.values) * percent / 100))
        return self.values[rank - 1]

    @property
    def p50(self) -> float:
        """The median."""
        return self.percentile(50)

    @property
    def p99(self) -> float:
        """The 99th percentile."""
        return self.percentile(99)


def in_turns(title: str, ours: str, runs: Mapping[str, Callable[[], float]], times: int) -> str:
    """A table of the medians of `runs`, each of which returns its seconds, run in turns after one turn to warm up.

    The first of `runs` is ours, called `ours` in the header of its ratio to the others.
    """
    turns = [[run() for run in runs.values()] for _ in range(times + 1)][1:]
    rows = []
    for name, took in zip(runs, zip(*turns, strict=True), strict=True):
        ratio = Series.of(turn[0] / seconds for turn, seconds in zip(turns, took, strict=True))
        rows.append([name, Series.of(took).p50, ratio.p50])
    return table(f"{title} (median of {times})", ["run", "seconds", f"{ours} / this"], rows)


def table(title: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table under a heading."""
    lines = [f"### {title}", "", _row(header), _row(["---"] * len(header))]
    return "\n".join([*lines, *(_row(row) for row in rows), ""])


def _row(cells: Sequence[object]) -> str:
    return "| " + " | ".join(f"{cell:.3g}" if isinstance(cell, float) else str(cell) for cell in cells) + " |"
