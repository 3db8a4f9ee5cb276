"""Jobs and results as a person reads them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from graphjobs.cli.job_view import job_text, seconds_text, table_text
from graphjobs.cli.value_text import value_lines

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "lines"),
    [
        ("one", ["one"]),
        ("# Report\n\n* a\n", ["# Report", "", "* a", ""]),
        ("a\x1b[2Jb", ["a\ufffd[2Jb"]),
        ({"answer": "yes", "n": 1.5, "ok": True, "none": None}, ["answer: yes", "n: 1.5", "ok: true", "none: null"]),
        ({"text": "a\nb"}, ["text:", "  a", "  b"]),
        ({"empty": {}, "list": [], "text": ""}, ["empty: {}", "list: []", "text:"]),
        ({"of": {"of": [1, [2, 3]]}}, ["of:", "  of:", "    - 1", "    - - 2", "      - 3"]),
        ([{"a": 1, "b": 2}, "c\nd"], ["- a: 1", "  b: 2", "- c", "  d"]),
        ([], ["[]"]),
        (None, ["null"]),
    ],
)
def test_a_value_is_text_below_text(value: Any, lines: list[str]) -> None:
    assert value_lines(value) == lines


def test_a_queued_job_says_what_comes_before_it() -> None:
    job = {"job_id": "job-1", "status": "queued", "queue": {"ahead": 2, "of": "thread"}}
    assert job_text(job).splitlines()[-1].split(maxsplit=1) == ["queue", "2 of the same thread come first"]


def test_a_failed_job_says_why_and_how_long_it_took() -> None:
    job = {
        "job_id": "job-1",
        "status": "failed",
        "started_at": "2026-01-01T11:00:00.000Z",
        "finished_at": "2026-01-01T11:00:03.200Z",
        "result": None,
        "error": {"code": "graph_error", "message": "The graph failed.", "type": "KeyError", "where": "model"},
    }
    assert job_text(job).splitlines() == [
        "job_id       job-1",
        "status       failed",
        "started_at   2026-01-01T11:00:00.000Z",
        "finished_at  2026-01-01T11:00:03.200Z",
        "took         3 s",
        "error        graph_error: The graph failed. (KeyError in model)",
    ]


def test_a_table_has_ages_and_durations() -> None:
    jobs: list[dict[str, Any]] = [
        {"job_id": "a", "status": "queued", "graph": "g", "created_at": "2026-01-01T11:59:50Z", "started_at": None},
        {
            "job_id": "b",
            "status": "running",
            "graph": "g",
            "created_at": "2026-01-01T11:50:00Z",
            "started_at": "2026-01-01T11:55:00Z",
            "finished_at": None,
        },
        {
            "job_id": "c",
            "status": "completed",
            "graph": "g",
            "created_at": "2025-12-29T12:00:00Z",
            "started_at": "2025-12-29T12:00:01Z",
            "finished_at": "2025-12-29T12:00:13Z",
        },
    ]
    assert [line.split() for line in table_text(jobs, NOW).splitlines()] == [
        ["job_id", "status", "graph", "age", "took"],
        ["a", "queued", "g", "10", "s", "-"],
        ["b", "running", "g", "10", "min", "5", "min"],
        ["c", "completed", "g", "3", "days", "12", "s"],
    ]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "-"), (0.4, "0 s"), (119, "119 s"), (120, "2 min"), (7_200, "2 h"), (172_800, "2 days")],
)
def test_times(seconds: float | None, text: str) -> None:
    assert seconds_text(seconds) == text
