"""Conversations that are changed and deleted by the Python clients, over the real processes."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any

import pytest

from graphjobs.client.async_client import AsyncClient
from graphjobs.client.client import Client
from graphjobs.client.errors import ApiError
from graphjobs.core.thread import new_thread_id
from tests.e2e.user import eventually
from tests.support.instance import Target
from tests.unit.client.awaited import Awaited

pytestmark = pytest.mark.e2e

LONG_SECONDS = 60
"""Of a step that is still running when its thread is changed or deleted."""


@pytest.fixture(params=["sync", "async"])
def client(request: pytest.FixtureRequest, target: Target) -> Iterator[Any]:
    """Either client; the async one is called like the other."""
    target.need_graph("dialogue")
    url, token, stream_url = target.api_url, target.token("user-1"), target.stream_url
    if request.param == "async":
        with Awaited(AsyncClient(url, token, stream_url=stream_url)) as client:
            yield client
    else:
        with Client(url, token, stream_url=stream_url) as client:
            yield client


def turn(client: Any, thread_id: str, *said: str, pause: float = 0, **members: Any) -> str:
    """The id of the thread's next job."""
    given = {"said": list(said), "pause": pause}
    job = client.submit(graph="dialogue", thread_id=thread_id, if_not_exists="create", input=given, **members)
    return str(job["job_id"])


def last(client: Any, job_id: str) -> dict[str, Any]:
    """The data of a job's end."""
    *_, done = client.stream(job_id)
    data: dict[str, Any] = done["data"]
    return data


def begun(client: Any, job_id: str) -> None:
    """Wait until the job's first step runs."""
    events = client.stream(job_id)
    while next(events)["type"] != "step":
        pass
    events.close()


def word(name: str, said: list[str]) -> str:
    """What a step of the dialogue says after `said`."""
    return f"{name} {len(said)} {zlib.crc32(chr(10).join(said).encode())}"


def code_of(call: Any) -> tuple[int, str]:
    with pytest.raises(ApiError) as refused:
        call()
    return refused.value.status, refused.value.code


def test_a_state_is_updated_between_two_turns_and_the_next_one_builds_on_it(client: Any) -> None:
    """Given a turn, when the state is changed at its head or at an older checkpoint, then no step is run."""
    thread_id = new_thread_id()
    before = last(client, turn(client, thread_id, "one"))["result"]["said"]
    made = client.update_state(thread_id, {"said": ["noted"]}, as_node="reply")
    state = client.state(thread_id)
    assert (state["checkpoint_id"], state["values"]["said"]) == (made["checkpoint_id"], [*before, "noted"])
    assert (state["metadata"]["source"], state["next"]) == ("update", [])
    middle = next(each for each in client.history(thread_id) if each["next"] == ["think"])
    client.update_state(thread_id, {"said": ["elsewhere"]}, as_node="listen", checkpoint_id=middle["checkpoint_id"])
    forked = client.state(thread_id)
    assert forked["parent_checkpoint_id"] == middle["checkpoint_id"]
    job = client.submit(thread_id=thread_id)  # goes on where the update has led to
    said = last(client, job["job_id"])["result"]["said"]
    begin = [*middle["values"]["said"], "elsewhere"]
    thought = [*begin, word("think", begin)]
    assert said == [*thought, word("reply", thought)]
    old = client.state(thread_id, made["checkpoint_id"])
    assert old["values"]["said"] == [*before, "noted"], "the branch that was left stays readable"


def test_an_update_that_cannot_be_made_changes_nothing(client: Any) -> None:
    """Given a graph that does not take it, or a job that runs, then the update is refused and the state as it was."""
    thread_id = new_thread_id()
    last(client, turn(client, thread_id, "one"))
    before = client.history(thread_id)
    refused = code_of(lambda: client.update_state(thread_id, {"said": ["x"]}, as_node="nobody"))
    assert refused == (400, "invalid_update")
    running = turn(client, thread_id, "two", pause=LONG_SECONDS)
    begun(client, running)
    assert code_of(lambda: client.update_state(thread_id, {"said": ["x"]})) == (409, "thread_busy")
    client.cancel(running)
    assert last(client, running)["status"] == "cancelled"
    assert client.history(thread_id, limit=100)[-len(before) :] == before


def test_a_deleted_conversation_is_gone_and_what_ran_on_it_ends_as_cancelled(client: Any, target: Target) -> None:
    """Given a turn that runs and one that waits, when the thread is deleted, then both end, and nothing is left."""
    target.need_state_dir()  # the reconciler of others may run once a minute
    thread_id = new_thread_id()
    done = turn(client, thread_id, "one")
    last(client, done)
    running = turn(client, thread_id, "two", pause=LONG_SECONDS)
    waiting = turn(client, thread_id, "three")
    begun(client, running)
    client.delete_thread(thread_id)
    for call in (
        lambda: client.thread(thread_id),
        lambda: client.history(thread_id),
        lambda: client.update_state(thread_id, {"said": ["x"]}),
        lambda: client.delete_thread(thread_id),
        lambda: client.submit(thread_id=thread_id),
    ):
        assert code_of(call) == (404, "thread_not_found")
    tables = target.need_tables()

    def ended() -> bool:
        rows = [tables.jobs.get(each) for each in (running, waiting)]
        return all(row is not None and row.status == "cancelled" for row in rows)

    eventually(ended, "what ran or waited is cancelled")
    jobs = (done, running, waiting)
    eventually(lambda: not any(tables.log(each) for each in jobs), "their logs are erased")
    for job_id in jobs:
        assert code_of(lambda job_id=job_id: client.status(job_id)) == (404, "job_not_found")
    assert last(client, turn(client, new_thread_id(), "again"))["status"] == "completed", "and the workers are well"
