"""Jobs whose graphs have subgraphs: what a lost attempt left in them is as void as its events."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from graphjobs.core.job import Job
from graphjobs.worker import slot_buffer
from tests.support.backend import Backend
from tests.support.worker import graphs as worker_graphs
from tests.support.worker import subgraphs as worker_subgraphs
from tests.support.worker.checks import check_sound
from tests.support.worker.gate import Died, Gate
from tests.support.worker.graphs import HOOKS, JOURNAL
from tests.support.worker.rig import Parts, Rig, rig


@pytest.fixture
def workers(aws: Backend, spare: list[Parts], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """Worker processes that know the graphs with subgraphs."""
    worker_graphs.clear()
    module = worker_subgraphs.__name__
    graphs = {name: f"{module}:{name}" for name in ("fan_out", "within", "remembering")}
    with rig(aws, tmp_path_factory.mktemp("project"), graphs, spare) as made:
        yield made


def updates(workers: Rig, job: Job) -> list[dict[str, Any]]:
    return [event for event in workers.events(job) if event["type"] == "update"]


def lose_a_worker(workers: Rig, job: Job, step: str, written: int) -> None:
    """A worker dies within `step`, when the log holds `written` updates more."""
    gate, before = Gate(), len(updates(workers, job))

    def die() -> None:
        workers.until_logged(job, "update", before + written)
        gate.die()

    HOOKS[step] = lambda: asyncio.to_thread(die)
    with pytest.raises(Died):
        workers.worker(gate).process(job)
    workers.lapse()


def test_what_a_subgraph_saved_in_a_lost_attempt_is_never_gone_on_from(workers: Rig) -> None:
    """The second attempt is lost too, in the same step: the third must not find the second's half-done subgraphs."""
    job = workers.job("fan_out")
    lose_a_worker(workers, job, "second", written=5)
    lose_a_worker(workers, job, "second", written=4)
    workers.worker().process(job)
    check_sound(workers.events(job), workers.row(job))
    assert workers.events(job)[-1]["data"]["result"]["done"] == ["before", "first+second", "first+second"]


def test_a_drain_ends_at_a_boundary_of_the_graph_and_not_within_its_subgraph(
    workers: Rig, drain: Callable[[], None]
) -> None:
    job = workers.job("within")
    HOOKS["first"] = drain
    workers.worker().process(job)
    assert workers.row(job).released == "handoff"
    workers.worker().process(job)
    events = workers.events(job)
    check_sound(events, workers.row(job))
    assert [step for _, step in JOURNAL] == ["first", "second", "after"]
    attempt = next(event for event in events if event["type"] == "attempt")
    assert attempt["data"] == {"attempt": 1, "reason": "handoff", "discard_after": attempt["seq"] - 1}


def test_what_a_woken_worker_saved_of_a_subgraph_is_never_gone_on_from(
    workers: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A subgraph that keeps its state asks for its newest checkpoint, which may be the woken worker's."""
    monkeypatch.setattr(slot_buffer, "UPDATE_HOLD_SECONDS", 30.0)  # the slot of an update carries its step's mark
    job = workers.job("remembering")
    zombie, heir = workers.worker(durable_saver=True), workers.worker(durable_saver=True)
    zombie.blind()
    woken, has_saved = threading.Event(), threading.Event()
    taking_over = threading.Thread(target=heir.process, args=[job])
    put = zombie.worker.graphs.saver.put

    def saves(*given: Any) -> Any:
        result = put(*given)
        if woken.is_set():
            has_saved.set()
        return result

    def sleep() -> None:
        workers.until_marked(job)
        workers.lapse()
        taking_over.start()
        assert woken.wait(30)

    def wake() -> None:
        woken.set()
        assert has_saved.wait(30)

    monkeypatch.setattr(zombie.worker.graphs.saver, "put", saves)
    HOOKS.update(note=lambda: asyncio.to_thread(sleep), between=lambda: asyncio.to_thread(wake))
    zombie.process(job)
    taking_over.join(30)
    check_sound(workers.events(job), workers.row(job))
    words = workers.events(job)[-1]["data"]["result"]["words"]
    assert words == [heir.name] * 3
