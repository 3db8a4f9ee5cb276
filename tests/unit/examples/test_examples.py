"""Each example is a project of its own, and its graphs run as they do when they are deployed.

A process each, since their modules have plain names, as a user's have; all are forked from one that has loaded what
they share.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.forked import Run, forks

ROOT = Path(__file__).parents[3]
EXAMPLES = ROOT / "examples"
NAMES = sorted(path.parent.name for path in EXAMPLES.glob("*/langgraph.json"))

Log = list[dict[str, Any]]


PARITY, PRODUCTION = "tests.unit.examples.parity", "tests.unit.examples.production"
FUNCTIONS = ("graphjobs.api.create_job", "graphjobs.worker.handler", "tests.support.backend_loaded")
"""What `PRODUCTION` loads when it needs it."""


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("GRAPHJOBS_", "LANGSMITH_"))}
    environ |= {"GRAPHJOBS_OFFLINE_TOKEN_MS": "0"}
    with forks([PARITY, PRODUCTION, *FUNCTIONS], environ, tmp_path_factory.mktemp("processes")) as run:
        yield run


def run(process: Run, example: str, *jobs: dict[str, Any]) -> list[Log]:
    """The log of each of `jobs`, which share everything; each has to be completed."""
    said = process(PRODUCTION, str(EXAMPLES / example / "langgraph.json"), jobs)
    # The worker's own log has the same standard output.
    logs = [json.loads(line) for line in said.splitlines() if line.startswith("[")]
    assert len(logs) == len(jobs), said
    for log in logs:
        assert [event["seq"] for event in log] == list(range(1, len(log) + 1))
        assert log[-1]["data"]["status"] == "completed", log[-1]
    return logs


def asks(text: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text}]}


@pytest.mark.parametrize(
    ("example", "graph", "given", "least"),
    [
        (
            "memory",
            "agent",
            {"messages": [{"role": "user", "content": "Remember that I like tea."}]},
            ["whole tools", "update tools"],
        ),
        ("memory", "agent", {"messages": [{"role": "user", "content": "What do you know?"}]}, ["whole tools"]),
        ("glossary", "glossary", {"question": "What is a fence, and a lease?"}, ["update explain"]),
        ("research", "research", {"question": "Why is the sky blue?"}, ["custom"]),
    ],
    ids=["memory: a tool writes", "memory: a tool reads", "glossary", "research"],
)
def test_the_log_of_an_example_tells_what_a_direct_astream_tells(
    process: Run, example: str, graph: str, given: dict[str, Any], least: list[str]
) -> None:
    """Message by message; see `tests/unit/worker/test_as_astream.py` for the starter and for graphs of our own."""
    said = process(PARITY, str(EXAMPLES / example / "langgraph.json"), graph, given)
    direct, log = json.loads(said.splitlines()[-1])
    assert set(least) <= set(direct) and len(direct) > 1
    assert log == direct


def job(user: str = "anna", **body: Any) -> dict[str, Any]:
    return {"user": user, "body": body}


def says(text: str, **more: Any) -> dict[str, Any]:
    return job(**{"input": asks(text), **more})


def result(log: Log) -> Any:
    return log[-1]["data"]["result"]


def of_type(log: Log, kind: str) -> Log:
    return [event for event in log if event["type"] == kind]


def test_the_agent_calls_tools_and_knows_its_thread_and_its_user(process: Run) -> None:
    thread = {"thread_id": str(uuid.uuid4()), "if_not_exists": "create"}
    kept, known, others, again = run(
        process,
        "memory",
        says("Remember that I like tea."),
        says("What do you know?", **thread),
        says("What do you know?", user="boris"),
        says("Hello", **thread),
    )
    assert [message["type"] for message in result(kept)["messages"]] == ["human", "ai", "tool", "ai"]
    assert [event["data"]["role"] for event in of_type(kept, "message")] == ["assistant", "tool", "assistant"]
    assert result(known)["messages"][-1]["content"] == "that I like tea.", "another thread, the same user"
    assert result(others)["messages"][-1]["content"] == "nothing yet.", "another user"
    assert result(again)["messages"][-1]["content"] == "This is message 2 of our conversation."


def test_the_glossary_is_open_while_its_graph_runs_and_for_each_run_anew(process: Run) -> None:
    first, second = run(
        process,
        "glossary",
        job(input={"question": "What is a fence, and a lease?"}),
        job(input={"question": "And a spoon?"}),
    )
    assert result(first)["answer"].startswith("A fence: What keeps") and "A lease:" in result(first)["answer"]
    assert result(second)["answer"] == "I know no term in it."


def test_research_has_a_branch_for_each_topic_and_one_report(process: Run) -> None:
    some, everything = run(
        process, "research", job(input={"question": "Wind or solar?"}), job(input={"question": "Energy?"})
    )
    assert sorted(event["data"]["topic"] for event in of_type(some, "custom")) == ["solar", "wind"]
    branches = [event["data"] for event in of_type(some, "update") if event["data"]["node"] == "look_into"]
    assert len({branch["task"] for branch in branches}) == 2, "branches are told apart"
    assert [line.split(":")[0] for line in result(some)["report"].splitlines()] == ["- solar", "- wind"]
    assert len(result(everything)["report"].splitlines()) == 3


def test_the_starter_answers_and_reports_with_its_sources(process: Run) -> None:
    chat, report = run(process, "starter", job(query="refund policy"), job(graph="report", query="refund policy"))
    assert "".join(event["data"]["text"] for event in of_type(chat, "token")) == result(chat)["answer"] != ""
    assert of_type(chat, "sources") and of_type(report, "progress")
    assert len(of_type(report, "token")) > 10


@pytest.mark.parametrize("name", NAMES)
def test_an_example_names_its_packages(name: str) -> None:
    assert (EXAMPLES / name / "requirements.txt").is_file() or (EXAMPLES / name / "pyproject.toml").is_file()
