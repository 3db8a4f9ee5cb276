"""Odd data all the way: through a graph's state, DynamoDB's checkpoints, events and the result."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

import pytest
from langchain_core.documents import Document
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.config import get_stream_writer
from pydantic import BaseModel

from graphjobs.core.job import Job
from tests.support.worker.checks import check_sound
from tests.support.worker.graphs import HOOKS
from tests.support.worker.rig import Rig


class Model(BaseModel):
    name: str
    score: float = math.inf


@dataclasses.dataclass
class Point:
    x: float
    label: bytes = b"\x00\xff"


class Opaque:
    """What has no form but its repr, and cannot be pickled."""

    def __init__(self) -> None:
        self.call = lambda: None

    def __repr__(self) -> str:
        return "<opaque>"


SAVED: dict[str, tuple[Any, Any]] = {
    "binary": (b"\x00\xff", {"base64": "AP8="}),
    "not a number": ([math.nan, math.inf, -math.inf], [None, None, None]),
    "dataclass": (Point(math.nan), {"x": None, "label": {"base64": "AP8="}}),
    "pydantic": (Model(name="환불"), {"name": "환불", "score": None}),
    "set": ({1}, [1]),
    "lone surrogate": ("a\ud800b", "a\ufffdb"),
    "control characters": ("a\nb\r\u2028\x00", "a\nb\r\u2028\x00"),
}
"""What a checkpoint can hold, and the JSON that becomes of it."""

NEVER_SAVED: dict[str, tuple[Any, Any]] = {
    "opaque": (Opaque(), "<opaque>"),
    "function": (print, "<built-in function print>"),
    "huge integer": (10**5000, "[integer too large]"),
}
"""What LangGraph itself cannot put into a checkpoint: it is welcome in events."""


def run(workers: Rig, step: Any) -> Job:
    job, worker = workers.job("sync_hook"), workers.worker(durable_saver=True)
    HOOKS["in_thread"] = step
    worker.process(job)
    check_sound(workers.events(job), workers.row(job))
    assert worker.exits == []
    return job


def strict(value: Any) -> Any:
    """As a client reads it: no NaN, nothing that UTF-8 cannot carry."""

    def refuse(name: str) -> Any:
        raise AssertionError(name)

    return json.loads(json.dumps(value).encode(), parse_constant=refuse)


@pytest.mark.parametrize("name", [*SAVED, *NEVER_SAVED])
def test_whatever_a_node_writes_is_an_event(workers: Rig, name: str) -> None:
    value, expected = (SAVED | NEVER_SAVED)[name]
    job = run(workers, lambda: get_stream_writer()({"type": "odd", "value": value}))
    (event,) = [event for event in workers.events(job) if event["type"] == "odd"]
    assert strict(event["data"]) == {"value": expected} and workers.row(job).status == "completed"


@pytest.mark.parametrize("name", SAVED)
def test_whatever_is_in_the_state_is_in_update_and_result(workers: Rig, name: str) -> None:
    value, expected = SAVED[name]
    job = run(workers, lambda: {"done": [value]})
    events = workers.events(job)
    assert events[-1]["data"]["status"] == "completed"
    assert strict(events[-1]["data"]["result"]["done"]) == [expected]
    (update,) = [event for event in events if event["type"] == "update"]
    assert strict(update["data"]["output"]) == {"done": [expected]}


def test_messages_and_documents_in_the_state_keep_their_parts(workers: Rig) -> None:
    job = run(workers, lambda: {"done": [HumanMessage("hi"), AIMessage("yo", id="m1"), Document("text")]})
    human, ai, document = workers.events(job)[-1]["data"]["result"]["done"]
    assert (human["type"], ai["content"], ai["id"], document["page_content"]) == ("human", "yo", "m1", "text")


@pytest.mark.parametrize("name", NEVER_SAVED)
def test_a_state_that_no_checkpoint_can_hold_is_the_graphs_error(workers: Rig, name: str) -> None:
    """Another worker would fare the same, so it is not tried again."""
    job = run(workers, lambda: {"done": [NEVER_SAVED[name][0]]})
    error = workers.events(job)[-1]["data"]["error"]
    assert (error["code"], error["type"]) == ("graph_error", "Unsaveable")
    assert workers.row(job).attempt == 1


def test_the_value_that_no_checkpoint_can_hold_is_named(workers: Rig) -> None:
    job, worker = workers.job("sync_hook"), workers.worker(durable_saver=True, error_detail="message")
    HOOKS["in_thread"] = lambda: {"words": ["fine"], "done": ["fine", {"a": 1, "b": 2**70}]}
    worker.process(job)
    message = workers.events(job)[-1]["data"]["error"]["message"]
    assert message.startswith("'done.1.b' cannot be saved in a checkpoint (")
