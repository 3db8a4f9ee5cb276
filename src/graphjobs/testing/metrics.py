"""Metrics in memory."""

from __future__ import annotations

from typing import Any


class MemoryMetrics:
    """In place of Powertools' `Metrics`.

    Attributes:
        names: of all metrics that were ever added, in order.
        metric_set: what was added since the last flush; of two values of one metric the later one.
        flushed: each flushed `metric_set`.
    """

    def __init__(self) -> None:
        self.names: list[str] = []
        self.metric_set: dict[str, float] = {}
        self.flushed: list[dict[str, float]] = []

    def add_metric(self, name: str, unit: Any, value: float) -> None:
        """See Powertools' `Metrics.add_metric`."""
        self.names.append(name)
        self.metric_set[name] = value

    def flush_metrics(self) -> None:
        """See Powertools' `Metrics.flush_metrics`."""
        self.flushed.append(self.metric_set)
        self.metric_set = {}
