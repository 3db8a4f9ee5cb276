"""The jobs of one project: submitted, followed to their end, their questions answered, and what came of them."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from compat.prepare import Prepared
from compat.projects import Job, Project
from compat.services import Services
from graphjobs import Client
from graphjobs.cli.local_process import LOCAL, LocalProcess
from graphjobs.client.answers import Command
from graphjobs.core import langgraph_json
from graphjobs.local.issuer import mint_token

START_SECONDS: Final = 120
TOKEN_SECONDS: Final = 7200
USER: Final = "anna"

KEYS: Final = dict.fromkeys(("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "TAVILY_API_KEY"), "none-is-needed")
QUIET: Final = {"LANGSMITH_TRACING": "false", "LANGCHAIN_TRACING_V2": "false", "ANONYMIZED_TELEMETRY": "false"}


@dataclass(frozen=True, slots=True)
class Row:
    """What came of one job.

    Attributes:
        asked: what it is about, for the table.
        events: how many of each type its stream had.
        answer: the last message, or the result, or the error.
        wrong: what differs from what was expected; empty if nothing does.
    """

    project: str
    graph: str
    asked: str
    status: str
    events: Mapping[str, int]
    answer: str
    wrong: str = ""


def run(project: Project, prepared: Prepared, services: Services, variables: Mapping[str, str]) -> Iterator[Row]:
    """Start `graphjobs local` in the project's environment, with `variables`, and run every job of every graph.

    Raises:
        LocalStartError: it did not start.
    """
    state = prepared.config.parent.parent / "state"
    command = [str(prepared.python), *LOCAL[1:], "--json", "--until-eof", "--api-port", "0", "--stream-port", "0"]
    environ = {**os.environ, **KEYS, **QUIET, **variables, "GRAPHJOBS_STATE_DIR": str(state)}
    with LocalProcess([*command, "--config", str(prepared.config)], environ) as process:
        facts = process.ready(START_SECONDS)
        token = mint_token(state, USER, TOKEN_SECONDS)
        with Client(facts["api_url"], token, stream_url=facts["stream_url"]) as client:
            for graph in langgraph_json.read(prepared.config).names:
                for job in project.jobs.get(graph, (Job(),)):
                    yield _row(client, project, graph, job, services)


def _row(client: Client, project: Project, graph: str, job: Job, services: Services) -> Row:
    before = len(services.asked)
    answers = list(job.answers)
    accepted = client.submit(graph=graph, **job.body)
    events: Counter[str] = Counter()
    while True:
        for event in client.stream(accepted["job_id"]):
            events[event["type"]] += 1
        status: Mapping[str, Any] = client.status(accepted["job_id"])
        if status["status"] != "interrupted" or not answers:
            break
        command: Command = {"resume": answers.pop(0)}
        accepted = client.submit(graph=graph, thread_id=accepted["thread_id"], command=command)
    sent = json.dumps(services.asked[before:], ensure_ascii=False)
    whole = json.dumps([status.get("result"), status.get("error"), status.get("interrupts")], ensure_ascii=False)
    wrong = []
    if status["status"] != job.status:
        wrong.append(f"status is not {job.status}")
    if job.result not in whole:
        wrong.append(f"no {job.result!r} in it")
    if job.model_saw not in sent:
        wrong.append(f"the model was not sent {job.model_saw!r}")
    text = _answer(status)
    return Row(project.name, graph, job.note, status["status"], events, text, "; ".join(wrong))


def _answer(status: Mapping[str, Any]) -> str:
    if status.get("error"):
        return json.dumps(status["error"], ensure_ascii=False)
    if status.get("interrupts"):
        return json.dumps(status["interrupts"], ensure_ascii=False)
    result = status.get("result")
    messages = result.get("messages") if isinstance(result, dict) else None
    last = next((each["content"] for each in reversed(messages or ()) if each.get("content")), result)
    return last if isinstance(last, str) else json.dumps(last, ensure_ascii=False)
