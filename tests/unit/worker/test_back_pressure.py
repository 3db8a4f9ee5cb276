"""A node that writes far more at once than the log takes: it is held up, and what is in memory has a bound."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from botocore.exceptions import ClientError
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage
from langgraph.config import get_stream_writer

from graphjobs.core.job import Job
from graphjobs.worker import node_executor, slot_buffer
from graphjobs.worker.writer import LogWriter
from tests.support.faults import client_error
from tests.support.worker.checks import check_sound
from tests.support.worker.graphs import HOOKS
from tests.support.worker.rig import Rig, RiggedWorker

EVENTS = 10_000
PENDING_EVENTS = 300
"""What the writer takes before it is full, with the bound that these tests set."""


@pytest.fixture(autouse=True)
def waiting(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """A writer that is soon full; what is set when somebody waits for it."""
    monkeypatch.setattr(slot_buffer, "MAX_PENDING_CHARACTERS", PENDING_EVENTS * 100)
    waits, wait_for_room = threading.Event(), LogWriter.wait_for_room

    def seen(writer: LogWriter) -> None:
        waits.set()
        wait_for_room(writer)

    monkeypatch.setattr(LogWriter, "wait_for_room", seen)
    return waits


class Flood:
    """A node that writes that many events of a hundred characters or more, and how far it is."""

    def __init__(self, events: int = EVENTS) -> None:
        self.number = events
        self.written = 0

    def events(self) -> None:
        """Written to the stream."""
        write = get_stream_writer()
        for number in range(self.number):
            write({"type": "flood", "number": number, "pad": "x" * 50})
            self.written += 1

    def tokens(self) -> None:
        """Spoken by a model."""
        model = GenericFakeChatModel(messages=iter([AIMessage(" ".join(["x" * 50] * (self.number // 2)))]))
        for _ in model.stream("go"):
            self.written += 1


class HeldLog:
    """Lets no event into the log until told; the claim and the end are no puts."""

    def __init__(self, worker: RiggedWorker, monkeypatch: pytest.MonkeyPatch) -> None:
        self.go_on = threading.Event()
        self.error: Exception | None = None
        self._append = worker.worker.stores.log.append
        monkeypatch.setattr(worker.worker.stores.log, "append", self.append)

    def append(self, slot: Any) -> None:
        assert self.go_on.wait(60)
        if self.error:
            raise self.error
        self._append(slot)


@pytest.fixture
def processing() -> Iterator[Callable[[RiggedWorker, Job], threading.Thread]]:
    """Processes a job beside the test; whether it fails is seen from the job."""
    threads: list[threading.Thread] = []

    def work(worker: RiggedWorker, job: Job) -> None:
        with suppress(ClientError):
            worker.process(job)

    def begin(worker: RiggedWorker, job: Job) -> threading.Thread:
        threads.append(threading.Thread(target=work, args=(worker, job), daemon=True))
        threads[-1].start()
        return threads[-1]

    yield begin
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()


@pytest.mark.parametrize("kind", ["events", "tokens"])
def test_a_synchronous_burst_is_held_up_and_arrives_whole_and_in_order(
    workers: Rig, monkeypatch: pytest.MonkeyPatch, processing: Any, waiting: threading.Event, kind: str
) -> None:
    job, worker, flood = workers.job("sync_hook"), workers.worker(), Flood()
    log = HeldLog(worker, monkeypatch)
    HOOKS["in_thread"] = getattr(flood, kind)
    thread = processing(worker, job)
    # While the log takes nothing, the node comes to a stand with a bounded number of events before it.
    assert waiting.wait(60)
    assert flood.written <= PENDING_EVENTS + 2 < EVENTS
    log.go_on.set()
    thread.join(60)
    events = [event for event in workers.events(job) if event["type"] in ("flood", "token")]
    assert flood.written >= EVENTS - 1 and len(events) == flood.written
    if kind == "events":
        assert [event["data"]["number"] for event in events] == list(range(EVENTS))
    check_sound(workers.events(job), workers.row(job))


def test_more_nodes_than_threads_are_held_up_and_none_is_forgotten(
    workers: Rig, monkeypatch: pytest.MonkeyPatch, processing: Any
) -> None:
    """What waits for the writer must not need a thread of those that wait for it."""
    monkeypatch.setattr(node_executor, "MAX_THREADS", 2)
    job, worker, floods = workers.job("crowd"), workers.worker(), [Flood(1_000) for _ in range(3)]
    for number, flood in enumerate(floods):
        HOOKS[f"crowd-{number}"] = flood.events
    processing(worker, job).join(60)
    assert workers.row(job).status == "completed"
    assert [flood.written for flood in floods] == [1_000] * 3
    assert sum(event["type"] == "flood" for event in workers.events(job)) == 3_000


def test_a_held_up_node_is_let_go_when_its_run_is_over(
    workers: Rig, monkeypatch: pytest.MonkeyPatch, processing: Any, waiting: threading.Event
) -> None:
    job, worker, flood = workers.job("sync_hook"), workers.worker(), Flood()
    log = HeldLog(worker, monkeypatch)
    HOOKS["in_thread"] = flood.events
    thread = processing(worker, job)
    assert waiting.wait(60)
    log.error = client_error("AccessDeniedException")
    log.go_on.set()
    thread.join(60)
    assert flood.written < EVENTS, "its next event was refused"
    assert worker.exits == [] and workers.row(job).status == "running", "left to another worker, by this one alive"
