"""A job's request: what every door refuses, and the JSON that the worker reads it back from."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphjobs.core.run_request import MAX_INTEGER, MIN_INTEGER, RequestInvalid, RunConfig, RunRequest, is_reserved

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(MIN_INTEGER, MAX_INTEGER)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text("abä❤"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=3), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text("abc", min_size=1, max_size=3), JSON, max_size=3)
NODES = st.lists(st.text("abc", min_size=1), max_size=3).map(tuple)
REQUESTS = st.builds(
    RunRequest,
    input=JSON,
    query=st.none() | st.text("abc", min_size=1),
    metadata=OBJECTS,
    context=st.none(),
    config=st.builds(
        RunConfig,
        recursion_limit=st.none() | st.integers(1, 1000),
        tags=st.lists(st.text("abc"), max_size=3).map(tuple),
        configurable=OBJECTS,
    ),
    command=st.none() | OBJECTS,
    checkpoint_id=st.none() | st.text("abc"),
    stream_mode=st.lists(st.sampled_from(["values", "debug"]), max_size=2).map(tuple),
    stream_subgraphs=st.booleans(),
    interrupt_before=NODES | st.just("*"),
    interrupt_after=NODES | st.just("*"),
    durability=st.sampled_from(["sync", "exit"]),
)


@given(REQUESTS)
def test_the_worker_reads_what_was_stored(request: RunRequest) -> None:
    assert RunRequest.from_json(request.to_json()) == request


def test_only_what_was_given_is_stored() -> None:
    assert RunRequest().to_json() == "{}"
    stored = json.loads(RunRequest(query="hi", config=RunConfig(tags=("a",))).to_json())
    assert stored == {"query": "hi", "config": {"tags": ["a"]}}


def test_an_empty_context_is_not_the_same_as_none() -> None:
    assert RunRequest.from_json(RunRequest(context={}).to_json()).context == {}


def test_a_member_of_a_later_version_is_left_out() -> None:
    assert RunRequest.from_json('{"query": "hi", "later": 1, "config": {"later": 2}}') == RunRequest(query="hi")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_json_has_no_form_for_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="JSON"):
        RunRequest(input=[value]).to_json()


@pytest.mark.parametrize(
    "key",
    [
        *("graph_id", "job_id", "run_id", "thread_id", "user_id", "assistant_id"),
        *("checkpoint_id", "checkpoint_ns", "checkpoint_map", "langgraph_auth_user", "__pregel_resuming"),
    ],
)
def test_a_reserved_key_is_refused_by_name(key: str) -> None:
    assert is_reserved(key)
    with pytest.raises(RequestInvalid, match=f"config.configurable must not hold {key}"):
        RunRequest(config=RunConfig(configurable={key: "x", "model": "y"}))


@pytest.mark.parametrize("key", ["model", "user", "thread", "checkpoints", "langgraph", "_x"])
def test_other_keys_are_the_callers(key: str) -> None:
    assert not is_reserved(key)
    RunRequest(config=RunConfig(configurable={key: "x"}))


def test_a_context_may_hold_any_key() -> None:
    """It is the graph's own: a `user_id` in it is a member of the graph's schema."""
    assert RunRequest(context={"user_id": "u"}).context == {"user_id": "u"}


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"context": {"a": 1}, "config": RunConfig(configurable={"b": 1})}, "not both"),
        ({"query": ""}, "query must not be empty"),
        ({"query": " \t\n　"}, "query must not be empty"),
    ],
)
def test_what_no_door_accepts(members: dict[str, Any], message: str) -> None:
    with pytest.raises(RequestInvalid, match=message):
        RunRequest(**members)


@pytest.mark.parametrize(
    "members", [{"context": {}, "config": RunConfig(configurable={"b": 1})}, {"context": {"a": 1}}]
)
def test_an_empty_one_beside_the_other_is_none(members: dict[str, Any]) -> None:
    RunRequest(**members)


@pytest.mark.parametrize("member", ["input", "command"])
@pytest.mark.parametrize("number", [MIN_INTEGER - 1, MAX_INTEGER + 1])
def test_an_integer_that_no_checkpoint_can_hold_is_refused_with_its_members_name(member: str, number: int) -> None:
    def holding(integer: int) -> RunRequest:
        given: Any = {member: {"resume": [{"a": integer}]}}
        return RunRequest(**given)

    for fits in (MIN_INTEGER, MAX_INTEGER):
        holding(fits)
    with pytest.raises(RequestInvalid, match=member):
        holding(number)
