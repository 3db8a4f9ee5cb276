"""What a person at a terminal may do with a job that was interrupted."""

import json
import shlex
from typing import Any, Final

from graphjobs.cli.event_text import compact, shortened
from graphjobs.cli.terminal import program
from graphjobs.client.answers import JobStatus

ANY: Final = "ANSWER"


def answer_hint(job: JobStatus) -> list[str]:
    """The lines that say what it asks, if that is more than one thing, and the command that goes on."""
    asked = job["interrupts"]
    if not asked:
        return [f"Nothing was asked. Go on with: {program()} submit --thread {job['thread_id']} --stream"]
    command = f"{program()} answer {job['job_id']}"
    if len(asked) == 1:
        return [f"Answer with: {command} {_example(asked[0]['value'])} --stream"]
    questions = [f"{each['id']} asks {shortened(compact(each['value']))}" for each in asked]
    one = f"{command} {_example(asked[0]['value'])} --interrupt {asked[0]['id']} --stream"
    all_at_once = ", ".join(f'"{each["id"]}": {ANY}' for each in asked)
    return [*questions, f"Answer one with: {one}", f"Answer all with: {command} '{{{all_at_once}}}' --stream"]


def _example(question: Any) -> str:
    """An answer of the form that is asked for, where that is known: by langchain's human-in-the-loop middleware."""
    requests = question.get("action_requests") if isinstance(question, dict) else None
    if not isinstance(requests, list) or not requests:
        return ANY
    return shlex.quote(json.dumps({"decisions": [{"type": "approve"}] * len(requests)}))
