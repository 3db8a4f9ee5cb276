"""Config and context of a run, held against the rules of LangGraph's own server."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import pytest
from aws_lambda_powertools import Logger
from langgraph.graph import START, StateGraph
from pydantic import BaseModel
from typing_extensions import TypedDict

from graphjobs.core.job import Job, Status
from graphjobs.core.run_request import RunConfig, RunRequest
from graphjobs.worker.run_config import context_for, given_context, run_config

UUID = "11111111-2222-4333-8444-555555555555"
JOB = Job(
    job_id=f"job-{UUID}",
    owner="user-1",
    graph="agent",
    status=Status.RUNNING,
    created_at=0,
    deadline_at=1,
    expires_at=1,
    due_at=0,
)
OURS = {"thread_id": UUID, "job_id": f"job-{UUID}", "run_id": f"job-{UUID}", "graph_id": "agent", "user_id": "user-1"}
LOGGER = Logger(service="run-config", stream=io.StringIO())


def configurable(**members: Any) -> dict[str, Any]:
    """Of a run whose request has `members`."""
    found: dict[str, Any] = run_config(JOB, RunRequest(**members))["configurable"]
    return found


def test_a_run_says_which_it_is() -> None:
    found = configurable()
    assert {key: found[key] for key in OURS} == OURS
    assert found["langgraph_auth_user"].identity == found["langgraph_auth_user_id"] == "user-1"


def test_configurable_reaches_the_run() -> None:
    assert configurable(config=RunConfig(configurable={"model": "m"})).items() >= {**OURS, "model": "m"}.items()


def test_context_is_mirrored_into_configurable_where_ours_wins() -> None:
    found = configurable(context={"tone": "kind", "user_id": "somebody", "__x": 1, "checkpoint_id": "c"})
    assert found.items() >= {**OURS, "tone": "kind"}.items()
    assert not {"__x", "checkpoint_id"} & set(found)


def test_the_rest_of_the_config_is_there_only_if_it_was_given() -> None:
    assert set(run_config(JOB, RunRequest())) == {"configurable", "metadata", "run_name"}
    full = run_config(JOB, RunRequest(config=RunConfig(recursion_limit=5, tags=("a",)), metadata={"b": 1}))
    assert (full["recursion_limit"], full["tags"], full["metadata"]) == (5, ["a"], {"b": 1})


@pytest.mark.parametrize(
    ("members", "context"),
    [
        ({}, {}),
        ({"context": {"a": 1}}, {"a": 1}),
        ({"config": RunConfig(configurable={"b": 1})}, {"b": 1}),
        ({"context": {}, "config": RunConfig(configurable={"b": 1})}, {"b": 1}),
    ],
)
def test_configurable_alone_becomes_the_context(members: dict[str, Any], context: dict[str, Any]) -> None:
    assert given_context(RunRequest(**members)) == context


class State(TypedDict, total=False):
    text: str


@dataclass
class DataclassContext:
    tone: str = "kind"


class ModelContext(BaseModel):
    tone: str = "kind"


class DictContext(TypedDict, total=False):
    tone: str


class OddContext(TypedDict, total=False):
    tone: io.StringIO


def graph(schema: Any) -> Any:
    builder: Any = StateGraph(State, context_schema=schema)
    return builder.add_node("n", lambda state: state).add_edge(START, "n").compile()


@pytest.mark.parametrize("schema", [DataclassContext, ModelContext, DictContext])
def test_a_context_is_cut_to_the_graphs_schema(schema: Any) -> None:
    assert context_for(graph(schema), {"tone": "dry", "model_name": "m"}, LOGGER) == {"tone": "dry"}


@pytest.mark.parametrize("schema", [None, OddContext])
def test_without_a_schema_that_can_be_read_all_of_it_is_given(schema: Any) -> None:
    assert context_for(graph(schema), {"any": 1}, LOGGER) == {"any": 1}
    assert context_for(graph(schema), {}, LOGGER) == {}
