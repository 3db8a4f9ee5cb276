"""The five invariants, checked on what a run has left behind: logs, rows, and what every viewer received."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from graphjobs.core.event import ATTEMPT, DONE, MESSAGE, METADATA, RETRY
from graphjobs.core.job import Job, Status
from tests.chaos.graphs.steps import EVENTS_PER_BRANCH

Event = dict[str, Any]


def check_log(events: list[Event]) -> None:
    """Invariants 1 and 3: unbroken seqs, `metadata` first, `done` last and once."""
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert [event["seq"] for event in events if event["type"] == METADATA] == [1]
    assert [event["seq"] for event in events if event["type"] == DONE] == [len(events)]


def check_row(job: Job, events: list[Event]) -> None:
    """Invariants 3 and 5: the row is terminal as the log says."""
    assert job.status.terminal
    assert events[-1]["data"]["status"] == job.status.value


def check_viewer(received: list[Event], log: list[Event]) -> None:
    """Invariant 2: whatever was cut, what came is exactly the log."""
    assert received == log


def kept(events: Iterable[Event]) -> list[Event]:
    """The events that still hold: those that no later `attempt` or `retry` has declared void."""
    held: list[Event] = []
    for event in events:
        if event["type"] == ATTEMPT:
            held = [earlier for earlier in held if earlier["seq"] <= event["data"]["discard_after"]]
        elif event["type"] == RETRY:
            held = [earlier for earlier in held if not void_by_retry(earlier, event["data"])]
        else:
            held.append(event)
    return held


def void_by_retry(event: Event, retry: dict[str, Any]) -> bool:
    """What README says of `retry`: only the events of its own task are void."""
    task = str(event.get("task") or event["data"].get("task") or "")
    own = task == retry["task"] or task.startswith(f"{retry['task']}/")
    return own and event["seq"] > int(retry["discard_after"])


def check_one_run(job: Job, events: list[Event], steps: int) -> None:
    """Invariants 4 and 5: what is kept is one run of the graph, each step once; a cancelled run is cut short."""
    work = [event["data"] for event in kept(events) if event["type"] in ("work", "joined")]
    for step in range(1, steps + 1):
        mine = [item for item in work if item["step"] == step]
        for branch in ("left", "right"):
            indexes = [item["index"] for item in mine if item.get("branch") == branch]
            assert indexes == list(range(len(indexes))), f"step {step} {branch}: {indexes}"
            whole = len(indexes) == EVENTS_PER_BRANCH
            assert whole or job.status is not Status.COMPLETED, f"step {step} {branch}: {indexes}"
        joins = sum(1 for item in mine if "branch" not in item)
        assert joins == 1 or (joins == 0 and job.status is not Status.COMPLETED)
    assert [item["step"] for item in work] == sorted(item["step"] for item in work)
    answers = [event["data"]["content"] for event in kept(events) if event["type"] == MESSAGE and _of_a_tool(event)]
    assert answers == [f"noted {step}" for step in range(1, len(answers) + 1)]
    assert len(answers) == steps or job.status is not Status.COMPLETED
    if job.status is Status.COMPLETED:
        result = events[-1]["data"]["result"]
        expected = [f"{branch}-{step}" for step in range(1, steps + 1) for branch in ("left", "right")]
        assert sorted(result["done"]) == sorted(expected)
        assert result["stored"] == list(range(1, steps + 1))


def _of_a_tool(event: Event) -> bool:
    return bool(event["data"]["role"] == "tool")


def check_all(job: Job, log: list[Event], viewers: list[list[Event]], steps: int) -> None:
    """All of them, for one job."""
    check_log(log)
    check_row(job, log)
    for received in viewers:
        check_viewer(received, log)
    check_one_run(job, log, steps)
