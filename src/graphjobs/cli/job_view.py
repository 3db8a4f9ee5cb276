"""Jobs on a terminal: one job as a list of its members, many as a table."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from graphjobs.cli.event_view import compact
from graphjobs.cli.terminal import one_line

COLUMNS: Final = ("job_id", "status", "graph", "created_at")


def job_text(job: Mapping[str, Any]) -> str:
    """One member a line, those without a value left out."""
    known = {name: _text(value) for name, value in job.items() if value is not None}
    width = max((len(name) for name in known), default=0)
    return "\n".join(f"{name:<{width}}  {text}" for name, text in known.items())


def table_text(jobs: Sequence[Mapping[str, Any]]) -> str:
    """A row a job under the names of the columns."""
    rows = [COLUMNS, *(tuple(_text(job.get(name) or "-") for name in COLUMNS) for job in jobs)]
    widths = [max(len(row[at]) for row in rows) for at in range(len(COLUMNS))]
    return "\n".join(
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _text(value: Any) -> str:
    return one_line(value) if isinstance(value, str) else one_line(compact(value))
