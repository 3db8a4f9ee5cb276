"""The client's types say what docs/openapi.json says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import pytest

import graphjobs
from graphjobs.client.answers import Status

SCHEMAS: dict[str, Any] = json.loads((Path(__file__).parents[3] / "docs" / "openapi.json").read_text())["components"][
    "schemas"
]


def members(schema: dict[str, Any]) -> tuple[set[str], set[str]]:
    """The members of a schema, and those of them that are required."""
    named, required = set(schema.get("properties", {})), set(schema.get("required", []))
    for part in schema.get("allOf", []):
        more, needed = members(SCHEMAS[part["$ref"].rpartition("/")[2]] if "$ref" in part else part)
        named, required = named | more, required | needed
    return named, required


@pytest.mark.parametrize(
    "name",
    [
        "Accepted",
        "JobSummary",
        "JobStatus",
        "JobList",
        "StateUpdated",
        "StreamTicket",
        "TicketsRevoked",
        "JobError",
        "Event",
        "Checkpoint",
        "Thread",
        "ThreadState",
    ],
)
def test_an_answer_has_the_members_of_its_schema(name: str) -> None:
    kind: Any = getattr(graphjobs, name)
    named, required = members(SCHEMAS[name])
    assert named <= set(kind.__annotations__), "documented, and not in the type"
    assert kind.__required_keys__ == required


def test_what_may_be_asked_for_is_what_a_request_may_hold() -> None:
    named, _ = members(SCHEMAS["JobRequest"])
    assert named <= {"query", *graphjobs.JobOptions.__annotations__}


def test_every_status_is_known() -> None:
    assert set(SCHEMAS["Status"]["enum"]) <= set(get_args(Status))
