"""The small parts: marks, pace, the node executor, the checkpointer."""

from __future__ import annotations

import threading
from concurrent.futures import CancelledError
from typing import Any

import pytest
from botocore.exceptions import ClientError
from langgraph.checkpoint.base import empty_checkpoint

from graphjobs.core.slot import Mark
from graphjobs.worker.checkpoints import Run, checkpoint_saver
from graphjobs.worker.marks import Marks
from graphjobs.worker.node_executor import NodeExecutor
from graphjobs.worker.pace import GROW_AFTER_PUTS, GROW_OVER_PUTS, GROWTH, PAUSE_INTERVALS, UNWATCHED_SECONDS, Pace
from tests.support.backend import Backend


@pytest.fixture
def published() -> list[Mark]:
    return []


def config(namespace: str = "") -> Any:
    return {"configurable": {"thread_id": "t", "checkpoint_ns": namespace}}


@pytest.mark.parametrize("saved_first", [True, False])
def test_a_mark_needs_both_the_save_and_the_boundary(published: list[Mark], saved_first: bool) -> None:
    marks = Marks("t", published.append)
    acts = [lambda: marks.saved(config(), "c1"), lambda: marks.reached("c1", 4)]
    first, second = acts if saved_first else reversed(acts)
    first()
    assert published == []
    second()
    assert published == [Mark("t", "c1", 4)]


def test_a_subgraphs_save_makes_no_mark(published: list[Mark]) -> None:
    marks = Marks("t", published.append)
    marks.saved(config("sub:1"), "c1")
    marks.reached("c1", 4)
    assert published == []


def test_the_first_put_and_one_after_a_pause_do_not_wait() -> None:
    pace = Pace(0.05)
    assert pace.wait_seconds(0.0) <= 0
    pace.put_started(0.0, 1)
    assert pace.wait_seconds(0.01) == pytest.approx(0.04)
    assert pace.wait_seconds(0.06) <= 0


def test_the_interval_grows_while_events_pour_and_falls_back_after_a_pause() -> None:
    pace, now = Pace(0.05), 0.0
    seen = []
    for _ in range(GROW_AFTER_PUTS + GROW_OVER_PUTS + 5):
        pace.put_started(now, 10)
        seen.append(pace.interval)
        now += pace.interval
    assert seen == sorted(seen)
    assert seen[GROW_AFTER_PUTS - 1] == 0.05 and seen[-1] == pytest.approx(0.05 * GROWTH)
    pace.put_started(now + 0.05 * PAUSE_INTERVALS * 2, 10)
    assert pace.interval == 0.05


def test_a_single_event_shortens_a_burst_and_many_end_it() -> None:
    pace, now = Pace(0.05), 0.0
    for _ in range(40):
        pace.put_started(now, 10)
        now += 0.05
    longest = pace.interval
    pace.put_started(now, 1)
    assert 0.05 < pace.interval < longest
    for _ in range(40):
        now += 0.05
        pace.put_started(now, 1)
    assert pace.interval == 0.05


def test_while_nobody_follows_a_put_comes_each_second_but_the_end_of_a_step_at_once() -> None:
    pace = Pace(0.05)
    pace.watched = False
    assert pace.wait_seconds(10.0) < 0, "after a pause nothing waits"
    pace.put_started(10.0, 1)
    assert pace.wait_seconds(10.0) == pytest.approx(UNWATCHED_SECONDS)
    assert pace.wait_seconds(10.0, step_ends=True) == pytest.approx(0.05)
    pace.watched = True
    assert pace.wait_seconds(10.0) == pytest.approx(0.05)


def test_an_executor_knows_what_still_runs_in_it() -> None:
    executor, go_on, begun = NodeExecutor(), threading.Event(), threading.Event()

    def node() -> bool:
        begun.set()
        return go_on.wait(30)

    future = executor.submit(node)
    assert begun.wait(30)
    assert not executor.wait_idle(0)
    go_on.set()
    assert future.result(30) and executor.wait_idle(30)
    executor.shutdown()
    with pytest.raises(RuntimeError):
        executor.submit(node)
    assert executor.wait_idle(0)


def test_what_never_began_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graphjobs.worker.node_executor.MAX_THREADS", 1)
    executor, go_on = NodeExecutor(), threading.Event()
    executor.submit(go_on.wait, 30)
    queued = executor.submit(go_on.wait, 30)
    executor.shutdown(wait=False, cancel_futures=True)
    go_on.set()
    assert executor.wait_idle(30)
    with pytest.raises(CancelledError):
        queued.result()


def test_a_node_that_raises_is_counted_down() -> None:
    executor = NodeExecutor()
    future = executor.submit(int, "not a number")
    assert isinstance(future.exception(30), ValueError) and executor.wait_idle(30)
    executor.shutdown()


def test_the_saver_tells_of_a_save_only_once_it_is_confirmed(aws: Backend) -> None:
    saver, told = checkpoint_saver(aws.settings), []
    checkpoint = empty_checkpoint()

    def refused(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": ""}}, "PutItem")

    with saver.watching(Run("thread", "thread", ""), lambda config, checkpoint_id: told.append(checkpoint_id)):
        saver.put(config(), checkpoint, {}, {})
        assert told == [checkpoint["id"]]
        saver.table.dynamodb.meta.events.register("before-parameter-build.dynamodb.PutItem", refused)
        with pytest.raises(ClientError):
            saver.put(config(), empty_checkpoint(), {}, {})
        assert len(told) == 1


def test_a_jobs_metadata_does_not_overwrite_what_langgraph_notes_of_a_checkpoint(aws: Backend) -> None:
    saver = checkpoint_saver(aws.settings)
    of_job: Any = {**config(), "metadata": {"step": "checkout", "source": "web"}}
    saved = saver.put(of_job, empty_checkpoint(), {"step": 1, "source": "loop"}, {})
    found = saver.get_tuple(saved)
    assert found is not None and found.metadata == {"step": 1, "source": "loop"}


def test_every_read_of_a_checkpoint_is_consistent(aws: Backend) -> None:
    saver, reads = checkpoint_saver(aws.settings), []
    saver.put(config(), empty_checkpoint(), {}, {})
    for operation in ("GetItem", "Query", "BatchGetItem"):
        saver.table.dynamodb.meta.events.register(
            f"before-call.dynamodb.{operation}", lambda params, **_: reads.append(params["body"])
        )
    found = saver.get_tuple(config())
    assert found is not None and saver.get_tuple(found.config) is not None
    assert reads and all(b'"ConsistentRead": true' in body for body in reads)


def test_checkpoints_expire(aws: Backend) -> None:
    checkpoint_saver(aws.settings).put(config(), empty_checkpoint(), {}, {})
    items = aws.dynamodb.scan(TableName="checkpoints")["Items"]
    assert items and all("ttl" in item or "expires_at" in item for item in items), items[0].keys()
