"""Jobs on a terminal: one job with its result as it reads best, many as a table."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from graphjobs.cli.event_text import compact, error_text
from graphjobs.cli.terminal import one_line
from graphjobs.cli.value_text import INDENT, value_lines

COLUMNS: Final = ("job_id", "status", "graph", "age", "took")
BELOW: Final = ("error", "interrupts", "result", "result_too_large", "result_url")
"""Members that are shown after the others, in this order."""


def job_text(job: Mapping[str, Any]) -> str:
    """One member a line, those without a value left out; then why it failed, what it asks, and its result."""
    known = {name: _text(value) for name, value in job.items() if value is not None and name not in BELOW}
    took = seconds_text(_seconds(job.get("started_at"), job.get("finished_at")))
    if took != NEVER:
        known["took"] = took
    if job.get("error"):
        known["error"] = one_line(error_text(job["error"]))
    if job.get("queue"):
        known["queue"] = f"{job['queue'].get('ahead')} of the same {job['queue'].get('of')} come first"
    width = max((len(name) for name in known), default=0)
    lines = [f"{name:<{width}}  {text}" for name, text in known.items()]
    for interrupt in job.get("interrupts") or []:
        lines += [f"asks {one_line(str(interrupt.get('id')))}:", *_below(interrupt.get("value"))]
    if job.get("result_too_large"):
        lines.append(f"The result is too large for this: it is in event {job.get('last_seq')} of the stream.")
    if job.get("result") is not None:
        lines += ["result:", *_below(job["result"])]
    return "\n".join(lines)


def table_text(jobs: Sequence[Mapping[str, Any]], now: datetime) -> str:
    """A row per job under the names of the columns."""
    return aligned([COLUMNS, *(_row(job, now) for job in jobs)])


def aligned(rows: Sequence[tuple[str, ...]]) -> str:
    """Rows of as many cells each, one below the other."""
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    return "\n".join(
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


NEVER: Final = "-"


def seconds_text(seconds: float | None) -> str:
    """A time as a person says it: ``12 s``, ``3 min``, ``5 h``, ``2 days``."""
    if seconds is None:
        return NEVER
    for unit, size, limit in (("s", 1, 120), ("min", 60, 7_200), ("h", 3_600, 172_800)):
        if seconds < limit:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds / 86_400:.0f} days"


def _row(job: Mapping[str, Any], now: datetime) -> tuple[str, ...]:
    ended = job.get("finished_at") or (now.isoformat() if job.get("started_at") else None)
    return (
        *(_text(job.get(name) or NEVER) for name in ("job_id", "status", "graph")),
        seconds_text(_seconds(job.get("created_at"), now.isoformat())),
        seconds_text(_seconds(job.get("started_at"), ended)),
    )


def _seconds(start: Any, end: Any) -> float | None:
    """From one RFC 3339 time to another, neither of which need be there."""
    try:
        return max(0.0, (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds())
    except (TypeError, ValueError):
        return None


def _below(value: Any) -> list[str]:
    return [INDENT + line for line in value_lines(value)]


def _text(value: Any) -> str:
    return one_line(value) if isinstance(value, str) else one_line(compact(value))
