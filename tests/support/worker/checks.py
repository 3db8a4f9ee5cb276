"""What must hold for the log of a job that was run by several workers, whatever happened to them."""

from __future__ import annotations

from typing import Any

from graphjobs.core.job import Job
from tests.support.worker.graphs import steps_of

Event = dict[str, Any]


def check_sound(events: list[Event], row: Job) -> None:
    """Seqs unbroken; `metadata` first and once; `done` last and once, as the row says."""
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert [event["seq"] for event in events if event["type"] == "metadata"] == [1]
    assert [event["seq"] for event in events if event["type"] == "done"] == [len(events)]
    assert row.status.value == events[-1]["data"]["status"]


def kept(events: list[Event]) -> list[Event]:
    """The events that still hold: those that no later `attempt` has declared void."""
    held: list[Event] = []
    for event in events:
        if event["type"] == "attempt":
            held = [earlier for earlier in held if earlier["seq"] <= event["data"]["discard_after"]]
        else:
            held.append(event)
    return held


def story(events: list[Event]) -> dict[str, list[Any]]:
    """What the kept events tell, by node: parallel branches may take turns in any order, and ids differ."""
    told: dict[str, list[Any]] = {}
    for event in kept(events):
        data = {name: value for name, value in event["data"].items() if name not in ("message_id", "task")}
        told.setdefault(_teller(event), []).append((event["type"], data))
    return told


def _teller(event: Event) -> str:
    data = event["data"]
    if "step" in data:
        return str(data["step"]).rsplit("-", 1)[0]
    return str(data.get("node", event["type"])).rsplit("/", 1)[-1]


def completed_steps(events: list[Event]) -> list[str]:
    """The steps whose work the newest `attempt` keeps: it must not be done again."""
    attempts = [event for event in events if event["type"] == "attempt"]
    if not attempts:
        return []
    before = [event for event in events if event["seq"] <= attempts[-1]["data"]["discard_after"]]
    return [step for event in kept(before) if event["type"] == "update" for step in _steps(event["data"])]


def _steps(data: dict[str, Any]) -> list[str]:
    node = data["node"].rsplit("/", 1)[-1]
    return list(data["output"].get("done", [node]))


def check_nothing_repeated(events: list[Event], worker: str) -> None:
    """No step that the attempt of `worker` keeps was run by it, and none was run twice."""
    ran = steps_of(worker)
    assert set(ran).isdisjoint(completed_steps(events)), (ran, completed_steps(events))
    assert len(ran) == len(set(ran))


def error_code(events: list[Event]) -> str:
    """The code with which the job failed; the event and `done` agree on it."""
    *_, told, done = events
    assert told["type"] == "error" and done["data"]["status"] == "failed"
    assert told["data"] == done["data"]["error"] and set(told["data"]) <= {"code", "message", "type", "where"}
    return str(told["data"]["code"])
