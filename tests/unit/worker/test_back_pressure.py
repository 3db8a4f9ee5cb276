"""A node that writes far more at once than the log takes: it is held up, and what is in memory has a bound."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from botocore.exceptions import ClientError
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage
from langgraph._internal._queue import AsyncQueue  # type: ignore[attr-defined]
from langgraph.config import get_stream_writer

from graphjobs.core.job import Job
from graphjobs.worker import node_executor, node_loop, slot_buffer
from graphjobs.worker.node_loop import MAX_PARTS, NodeLoop
from tests.support.faults import client_error
from tests.support.worker.checks import check_sound
from tests.support.worker.graphs import HOOKS
from tests.support.worker.rig import Rig, RiggedWorker, until

EVENTS = 10_000
PENDING_EVENTS = 300
"""What the writer takes before it is full, with the bound that these tests set."""


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer that is soon full, and threads that wait for nothing but room."""
    monkeypatch.setattr(slot_buffer, "MAX_PENDING_CHARACTERS", PENDING_EVENTS * 100)
    monkeypatch.setattr(node_loop, "PATIENCE_SECONDS", 3600.0)


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
        self._append = worker.worker.log.append
        monkeypatch.setattr(worker.worker.log, "append", self.append)

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
    workers: Rig, monkeypatch: pytest.MonkeyPatch, processing: Any, kind: str
) -> None:
    job, worker, flood = workers.job("sync_hook"), workers.worker(), Flood()
    log = HeldLog(worker, monkeypatch)
    HOOKS["in_thread"] = getattr(flood, kind)
    thread = processing(worker, job)
    # While the log takes nothing, the node comes to a stand with a bounded number of events before it.
    loop: Any = worker.worker.loop
    until(lambda: loop._waiting > 0 and loop._on_the_way == 0 and not loop._ready)
    assert flood.written <= PENDING_EVENTS + 2 * MAX_PARTS < EVENTS
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


def test_a_held_up_node_goes_on_when_its_run_is_over(
    workers: Rig, monkeypatch: pytest.MonkeyPatch, processing: Any
) -> None:
    job, worker, flood = workers.job("sync_hook"), workers.worker(), Flood()
    log = HeldLog(worker, monkeypatch)
    HOOKS["in_thread"] = flood.events
    thread = processing(worker, job)
    until(lambda: worker.worker.loop._waiting > 0)
    log.error = client_error("AccessDeniedException")
    log.go_on.set()
    thread.join(60)
    assert flood.written == EVENTS, "it wrote the rest to nobody"
    assert worker.exits == [] and workers.row(job).status == "running", "left to another worker, by this one alive"


def on_another_thread(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    return thread


@pytest.fixture
def loop() -> Iterator[NodeLoop]:
    made = NodeLoop()
    yield made
    made.close()


def test_a_graph_that_waits_for_itself_is_not_locked_up(loop: NodeLoop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody takes anything here until the thread has written all: it goes on, part by part."""
    monkeypatch.setattr(node_loop, "PATIENCE_SECONDS", 0.001)
    queue = AsyncQueue()

    async def work() -> None:
        with loop.bounded():
            await asyncio.to_thread(
                lambda: [loop.call_soon_threadsafe(queue.put_nowait, number) for number in range(MAX_PARTS + 5)]
            )
        assert [queue.get_nowait() for _ in range(queue.qsize())] == list(range(MAX_PARTS + 5))

    loop.run_until_complete(work())


def test_what_is_no_part_of_the_stream_is_never_held_up(loop: NodeLoop) -> None:
    """A graph's own queues are its own affair: it may well fill one before it looks into it."""
    own: asyncio.Queue[int] = asyncio.Queue()
    seen: list[int] = []

    def fill() -> None:
        for number in range(MAX_PARTS * 10):
            loop.call_soon_threadsafe(own.put_nowait, number)
            loop.call_soon_threadsafe(seen.append, number)

    async def work() -> None:
        with loop.bounded():
            await asyncio.to_thread(fill)
        assert own.qsize() == len(seen) == MAX_PARTS * 10

    loop.run_until_complete(work())


def test_what_the_loop_itself_writes_is_never_held_up(loop: NodeLoop) -> None:
    """It would wait for itself."""
    queue = AsyncQueue()

    async def work() -> None:
        with loop.bounded():
            for number in range(MAX_PARTS * 2):
                loop.call_soon_threadsafe(queue.put_nowait, number)
            await asyncio.sleep(0)
        assert queue.qsize() == MAX_PARTS * 2

    loop.run_until_complete(work())


def test_a_thread_that_outlives_its_run_is_not_held_up(loop: NodeLoop) -> None:
    queue = AsyncQueue()

    def write() -> None:
        for number in range(MAX_PARTS * 2):
            loop.call_soon_threadsafe(queue.put_nowait, number)

    async def work() -> threading.Thread:
        with loop.bounded():
            thread = on_another_thread(write)
            while queue.qsize() < MAX_PARTS:
                await asyncio.sleep(0)
        return thread

    thread = loop.run_until_complete(work())
    thread.join(30)
    assert not thread.is_alive()
