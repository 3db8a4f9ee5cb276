"""The demo's conversation: a tool that asks a person, the answer, and a second turn on the same thread."""

from collections.abc import Callable
from contextlib import closing
from typing import Any, Final

from graphjobs.cli.event_view import Readable
from graphjobs.client.client import Client
from graphjobs.client.errors import ApiError

GRAPH: Final = "desk"
REQUEST: Final = "Please refund order 17."
ANSWER: Final = "yes"
FOLLOW_UP: Final = "What did I ask for?"


class TalkError(Exception):
    """Something that the conversation shows did not hold."""


def converse(client: Client, step: Callable[[str], None]) -> None:
    """Ask, be asked, answer, be refused a second answer, and go on; `step` says what is being done.

    Raises:
        TalkError: what was to be shown did not hold.
        GraphjobsError: a call failed.
    """
    job = client.submit(REQUEST, graph=GRAPH)
    step(f'Submitted "{REQUEST}" to graph {GRAPH}. Its tool asks a person first:')
    _ended(client, job["job_id"], "interrupted")
    step(f'Nothing runs while it waits. Answering "{ANSWER}":')
    answered = client.answer(job["job_id"], ANSWER)
    _ended(client, answered["job_id"], "completed")
    try:
        client.answer(job["job_id"], "no")
    except ApiError as refused:
        if refused.status != 409:
            raise
        step(f"A second answer to the same question is refused: {refused.code}.")
    else:
        raise TalkError("a second answer to the same question was accepted")
    step(f'The next turn on the same thread, "{FOLLOW_UP}":')
    turn = client.submit(FOLLOW_UP, graph=GRAPH, thread_id=job["thread_id"])
    said = _ended(client, turn["job_id"], "completed")["result"]["messages"][-1]["content"]
    if REQUEST not in said:
        raise TalkError(f"the second turn does not know of the first: {said}")


def _ended(client: Client, job_id: str, status: str) -> dict[str, Any]:
    """Show the job to its end, which must be `status`; the data of its ``done``."""
    view = Readable()
    done: dict[str, Any] = {}
    with closing(client.stream(job_id)) as events:
        for event in events:
            view.show(event)
            done = event["data"]
    if done.get("status") != status:
        raise TalkError(f"the job is {done.get('status')}, not {status}: {done.get('error')}")
    return done
