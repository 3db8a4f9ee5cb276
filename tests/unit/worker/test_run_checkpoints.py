"""A watched run: what is saved can be gone on from, and costs what its content costs; nothing else is saved."""

from __future__ import annotations

import asyncio
import operator
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any, TypedDict

import pytest
from langgraph.checkpoint.base.id import uuid6
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, RetryPolicy, Send, interrupt

from graphjobs.worker.checkpoints import ConfirmingSaver, Run, checkpoint_saver
from graphjobs.worker.run_checkpoints import CheckpointLost
from graphjobs.worker.seed import seed
from graphjobs.worker.unsaveable import Unsaveable
from tests.support.backend import Backend
from tests.support.worker.checkpoints import on

Needed = Callable[[str], bool]


@pytest.fixture
def saver(aws: Backend) -> ConfirmingSaver:
    return checkpoint_saver(aws.settings)


@pytest.fixture
def thread() -> str:
    return f"thread-{uuid6()}"


class Meter:
    """What is asked of the table."""

    def __init__(self, saver: ConfirmingSaver) -> None:
        self.calls: list[str] = []
        self.bytes_put = 0
        self._events = saver.table.dynamodb.meta.events

    def _note(self, params: Any, model: Any, **_: Any) -> None:
        self.calls.append(model.name)
        if model.name == "PutItem":
            self.bytes_put += len(params["body"])

    @contextmanager
    def running(self) -> Iterator[Meter]:
        self._events.register("before-call.dynamodb", self._note, unique_id="meter")
        yield self
        self._events.unregister("before-call.dynamodb", unique_id="meter")


def items(aws: Backend, thread: str) -> list[dict[str, Any]]:
    query = {"KeyConditionExpression": "PK = :t", "ExpressionAttributeValues": {":t": {"S": thread}}}
    found: list[dict[str, Any]] = aws.dynamodb.query(TableName="checkpoints", **query)["Items"]
    return found


class Watched:
    """Runs graphs as the worker does, its log's mark `behind` steps behind."""

    def __init__(self, saver: ConfirmingSaver, thread: str, *, behind: int = 1) -> None:
        self.saver, self.thread, self.behind = saver, thread, behind
        self.saved: list[str] = []

    def needed(self, checkpoint_id: str) -> bool:
        return checkpoint_id >= (self.saved[-self.behind - 1 :] or [""])[0]

    def run(self, app: Any, given: Any, *, at: str = "", needed: Needed | None = None) -> Any:
        async def stream() -> Any:
            parts = app.astream(given, on(self.thread, at), durability="sync", stream_mode="values", subgraphs=False)
            return [part async for part in parts][-1]

        with self.saver.watching(
            Run(self.thread, self.thread, at, needed or self.needed),
            lambda config, checkpoint_id: self.saved.append(checkpoint_id),
        ):
            return asyncio.run(stream())


class Log(TypedDict, total=False):
    log: Annotated[list[Any], operator.add]
    total: int


def looping(saver: Any, steps: int, entry: Callable[[int], Any]) -> Any:
    builder: Any = StateGraph(Log)
    builder.add_node("work", lambda state: {"log": [entry(len(state.get("log", [])))]})
    builder.add_edge(START, "work")
    builder.add_conditional_edges("work", lambda state: "work" if len(state["log"]) < steps else END, ["work", END])
    return builder.compile(checkpointer=saver)


def noise(number: int) -> str:
    return random.Random(number).randbytes(2_500).hex()


@pytest.mark.parametrize("behind", [1, 4])
def test_forty_steps_of_a_growing_state_cost_and_leave_what_their_content_is(
    aws: Backend, saver: ConfirmingSaver, thread: str, behind: int
) -> None:
    watched = Watched(saver, thread, behind=behind)
    with Meter(saver).running() as meter:
        result = watched.run(looping(saver, 40, noise), {"log": []})
    assert len(result["log"]) == 40
    content = 40 * 2_500  # random, of which the text has twice as much
    assert len(items(aws, thread)) <= 6 + behind
    assert meter.bytes_put < 6 * content, "as base64, and log2(40) / 2 times; without sharing it is 26 times"
    assert set(meter.calls) == {"PutItem"} and len(meter.calls) == 42, "one put per checkpoint, and nothing is read"
    found = checkpoint_saver(aws.settings).get_tuple(on(thread, watched.saved[-1]))
    assert found is not None and found.checkpoint["channel_values"]["log"] == result["log"]


def test_a_graph_knows_its_thread_as_its_conversation(aws: Backend, saver: ConfirmingSaver, thread: str) -> None:
    seen: list[Any] = []

    def look(number: int) -> str:
        seen.append(saver.get_tuple(on("conversation")))
        return str(number)

    with saver.watching(Run(thread, "conversation", ""), lambda config, checkpoint_id: None):
        looping(saver, 3, look).invoke({"log": []}, on("conversation"), durability="sync")
        listed = list(saver.list(on("conversation")))
    assert [found.checkpoint["channel_values"]["log"] for found in seen] == [[], ["0"], ["0", "1"]]
    assert {found.config["configurable"]["thread_id"] for found in (*seen, *listed)} == {"conversation"}
    assert len(listed) == len(items(aws, thread)) == 5 and not items(aws, "conversation")
    assert saver.get_tuple(on("conversation")) is None
    newest = saver.get_tuple(on(thread))
    assert newest is not None and newest.checkpoint == listed[0].checkpoint


def test_a_thousand_branches_of_a_step_cost_one_checkpoint(saver: ConfirmingSaver, thread: str) -> None:
    builder: Any = StateGraph(Log)
    builder.add_node("branch", lambda state: {"log": [state["number"]]})
    builder.add_conditional_edges(
        START, lambda state: [Send("branch", {"number": n}) for n in range(1_000)], ["branch"]
    )
    builder.add_edge("branch", END)
    with Meter(saver).running() as meter:
        result = Watched(saver, thread).run(builder.compile(checkpointer=saver), {"log": []})
    assert sorted(result["log"]) == list(range(1_000))
    assert meter.calls == ["PutItem"] * 3


def nested(saver: Any, *, question: str = "") -> Any:
    """A step that is a graph of two steps, the second of which may ask."""
    inner: Any = StateGraph(Log)
    inner.add_node("first", lambda state: {"log": ["first"]})
    inner.add_node("second", lambda state: {"log": [interrupt(question) if question else "second"]})
    inner.add_edge(START, "first")
    inner.add_edge("first", "second")
    builder: Any = StateGraph(Log)
    builder.add_node("inner", inner.compile())
    builder.add_edge(START, "inner")
    return builder.compile(checkpointer=saver)


def test_where_a_subgraph_is_within_a_step_is_not_saved(aws: Backend, saver: ConfirmingSaver, thread: str) -> None:
    result = Watched(saver, thread).run(nested(saver), {"log": []}, needed=lambda checkpoint_id: True)
    assert result["log"] == ["first", "second"]
    assert {item["ns"]["S"] for item in items(aws, thread)} == {""}


def test_but_where_it_asks(aws: Backend, saver: ConfirmingSaver, thread: str) -> None:
    watched = Watched(saver, thread)
    watched.run(nested(saver, question="sure?"), {"log": []})
    fresh = checkpoint_saver(aws.settings)
    head = fresh.get_tuple(on(thread, watched.saved[-1]))
    assert head is not None and head.pending_writes
    for answer in ("yes", "no"):
        seed(fresh, source=thread, checkpoint_id=watched.saved[-1], to=f"{thread}-{answer}")
        end = Watched(fresh, f"{thread}-{answer}").run(
            nested(fresh, question="sure?"), Command(resume=answer), at=watched.saved[-1]
        )
        assert end["log"] == ["first", answer]


def remembering(saver: Any, rounds: int) -> Any:
    """A loop whose subgraph counts, on the thread, how often it was called."""
    inner: Any = StateGraph(Log)
    inner.add_node("count", lambda state: {"log": ["once"]})
    inner.add_edge(START, "count")
    counting = inner.compile(checkpointer=True)
    return looping(saver, rounds, lambda number: len(counting.invoke({"log": []})["log"]))


def test_what_a_subgraph_keeps_on_the_thread_is_found_where_a_run_resumes_and_by_the_next_job(
    aws: Backend, saver: ConfirmingSaver, thread: str
) -> None:
    watched = Watched(saver, thread)
    assert watched.run(remembering(saver, 6), {"log": []})["log"] == [1, 2, 3, 4, 5, 6]
    assert len(items(aws, thread)) <= 6, "those of the subgraph are overwritten, too"
    fresh, end = checkpoint_saver(aws.settings), watched.saved[-1]
    resumed = Watched(fresh, thread).run(remembering(fresh, 6), None, at=watched.saved[-2])
    assert resumed["log"] == [1, 2, 3, 4, 5, 6], "the last step again, from the state before it"
    seed(fresh, source=thread, checkpoint_id=end, to=f"{thread}-next")
    following = Watched(fresh, f"{thread}-next").run(remembering(fresh, 8), {"log": []}, at=end)
    assert following["log"] == [1, 2, 3, 4, 5, 6, 7, 8]


AT_ONCE = RetryPolicy(max_attempts=2, initial_interval=0.0, jitter=False)


def test_a_node_that_is_tried_again_finds_its_subgraph_as_in_memory(saver: ConfirmingSaver, thread: str) -> None:
    def ran(use: Any, run: Callable[[Any], Any]) -> tuple[list[str], Any]:
        steps: list[str] = []

        def step(name: str) -> Any:
            def work(state: Log) -> Log:
                steps.append(name)
                if steps == ["first", "second"]:
                    raise ConnectionError
                return {"log": [name]}

            return work

        inner: Any = StateGraph(Log)
        inner.add_sequence([("first", step("first")), ("second", step("second"))])
        inner.add_edge(START, "first")
        builder: Any = StateGraph(Log)
        builder.add_node("inner", inner.compile(), retry_policy=AT_ONCE)
        builder.add_edge(START, "inner")
        return steps, run(builder.compile(checkpointer=use))

    in_memory = ran(InMemorySaver(), lambda app: app.invoke({"log": []}, on(thread), durability="sync"))
    assert ran(saver, lambda app: Watched(saver, thread).run(app, {"log": []})) == in_memory


def test_what_tasks_have_written_when_one_fails_is_saved_with_the_checkpoint(
    aws: Backend, saver: ConfirmingSaver, thread: str
) -> None:
    def fail(state: Log) -> Log:
        raise ConnectionError

    builder: Any = StateGraph(Log)
    builder.add_node("good", lambda state: {"log": ["good"]})
    builder.add_node("bad", fail)
    builder.add_edge(START, "good")
    builder.add_edge(START, "bad")
    watched = Watched(saver, thread)
    with pytest.raises(ConnectionError):
        watched.run(builder.compile(checkpointer=saver), {"log": []})
    found = checkpoint_saver(aws.settings).get_tuple(on(thread, watched.saved[-1]))
    assert found is not None
    assert [value for _, channel, value in found.pending_writes or () if channel == "log"] in ([["good"]], [])


def test_a_value_that_no_checkpoint_can_hold_is_named(saver: ConfirmingSaver, thread: str) -> None:
    app = looping(saver, 1, lambda number: (_ for _ in ()))
    with pytest.raises(Unsaveable, match=r"'log\.0' cannot be saved"):
        Watched(saver, thread).run(app, {"log": []})


def test_a_run_that_should_resume_from_nothing_says_so(saver: ConfirmingSaver, thread: str) -> None:
    with pytest.raises(CheckpointLost):
        Watched(saver, thread).run(looping(saver, 1, str), None, at=str(uuid6()))
