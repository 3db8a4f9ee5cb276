"""Each example is a project of its own: loaded by its `langgraph.json`, in a process that has nothing but its packages.

A process each, since their modules have plain names, as a user's have.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).parents[3] / "examples"
NEW = ("glossary", "memory", "research")

RUN = """
import asyncio, json, sys
from aws_lambda_powertools import Logger
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.store.memory import InMemoryStore
from graphjobs.worker.factory import FactoryCall
from graphjobs.worker.graph_loader import GraphLoader
from graphjobs.worker.user import User

path, name, jobs = json.loads(sys.argv[1])
loader = GraphLoader(path)
saver, store = InMemorySaver(), InMemoryStore()

async def run(job):
    config = {"configurable": job.get("configurable", {"thread_id": "1"})}
    call = FactoryCall(config, {}, User("anna"), store)
    async with loader.open(name, saver, call, Logger()) as graph:
        parts = [part async for part in graph.astream(job["input"], config, stream_mode=["custom", "values"])]
    return {"custom": [part for mode, part in parts if mode == "custom"], "values": parts[-1][1]}

for job in jobs:
    print(json.dumps(asyncio.run(run(job)), default=lambda message: message.model_dump()))
"""


def run(example: str, name: str, *jobs: dict[str, Any]) -> list[dict[str, Any]]:
    """What each of `jobs` streams as custom parts, and the state at its end; they share one saver and one store."""
    arguments = json.dumps([str(EXAMPLES / example / "langgraph.json"), name, jobs])
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("GRAPHJOBS_", "LANGSMITH_"))}
    command = [sys.executable, "-c", RUN, arguments]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def says(text: str, thread: str = "1", user: str = "anna") -> dict[str, Any]:
    messages = {"messages": [{"role": "user", "content": text}]}
    return {"input": messages, "configurable": {"thread_id": thread, "user_id": user}}


def test_the_agent_calls_tools_and_knows_its_thread_and_its_user() -> None:
    kept, known, others, again = run(
        "memory",
        "agent",
        says("Remember that I like tea."),
        says("What do you know?", thread="2"),
        says("What do you know?", thread="3", user="boris"),
        says("Hello", thread="2"),
    )
    kinds = [message["type"] for message in kept["values"]["messages"]]
    assert kinds == ["human", "ai", "tool", "ai"]
    assert known["values"]["messages"][-1]["content"] == "that I like tea.", "another thread, the same user"
    assert others["values"]["messages"][-1]["content"] == "nothing yet.", "another user"
    assert again["values"]["messages"][-1]["content"] == "This is message 2 of our conversation."


def test_the_glossary_is_open_while_its_graph_runs_and_for_each_run_anew() -> None:
    first, second = run(
        "glossary",
        "glossary",
        {"input": {"question": "What is a fence, and a lease?"}},
        {"input": {"question": "And a spoon?"}, "configurable": {"thread_id": "2"}},
    )
    assert first["values"]["answer"].startswith("A fence: What keeps")
    assert "A lease:" in first["values"]["answer"]
    assert second["values"]["answer"] == "I know no term in it."


def test_research_has_a_branch_for_each_topic_and_one_report() -> None:
    some, everything = run(
        "research",
        "research",
        {"input": {"question": "Wind or solar?"}},
        {"input": {"question": "Energy?"}, "configurable": {"thread_id": "2"}},
    )
    assert sorted(part["topic"] for part in some["custom"]) == ["solar", "wind"]
    assert [line.split(":")[0] for line in some["values"]["report"].splitlines()] == ["- solar", "- wind"]
    assert len(everything["values"]["report"].splitlines()) == 3


@pytest.mark.parametrize("name", NEW)
def test_an_example_names_its_packages(name: str) -> None:
    assert (EXAMPLES / name / "requirements.txt").is_file() or (EXAMPLES / name / "pyproject.toml").is_file()
