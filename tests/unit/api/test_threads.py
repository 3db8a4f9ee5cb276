"""Threads and their states through the API: LangGraph's forms, pages, what is refused."""

from __future__ import annotations

import random
from typing import Any

import pytest

from graphjobs.aws.state_store import INLINE_BYTES
from graphjobs.core.thread import is_thread_id
from tests.support.api.calls import Answer, Api
from tests.support.api.threads import CHAIN, position, state, with_states
from tests.unit.test_openapi import problems_of


def history(service: Api, thread_id: str, **asked: Any) -> list[str]:
    answer = service.call("POST", f"/threads/{thread_id}/history", body=asked)
    assert answer.status == 200, answer
    page: Any = answer.body
    assert not [problem for each in page for problem in problems_of("ThreadState", each)]
    return [each["checkpoint_id"] for each in page]


def made(service: Api, **body: Any) -> Answer:
    return service.call("POST", "/threads", body=body)


def test_a_thread_is_made_looked_at_and_changed(service: Api) -> None:
    thread = made(service, metadata={"title": "one", "graph_id": "chat"}).body
    assert is_thread_id(thread["thread_id"])
    assert (thread["status"], thread["values"], thread["interrupts"]) == ("idle", None, {})
    assert not problems_of("Thread", thread)
    path = f"/threads/{thread['thread_id']}"
    assert service.call("GET", path).body == thread
    patched = service.call("PATCH", path, body={"metadata": {"title": "two", "tags": ["a"]}}).body
    assert patched["metadata"] == {"title": "two", "tags": ["a"], "graph_id": "chat"}
    empty = service.call("GET", f"{path}/state")
    assert (empty.body["values"], empty.body["next"], empty.body["checkpoint"]) == ({}, [], None)
    assert not problems_of("ThreadState", empty.body)
    assert history(service, thread["thread_id"]) == []


def test_a_change_of_metadata_does_not_make_a_thread_live_longer(service: Api) -> None:
    thread_id = with_states(service.aws, *CHAIN)
    before = service.aws.threads.get(thread_id)
    service.call("PATCH", f"/threads/{thread_id}", body={"metadata": {"a": 1}})
    after = service.aws.threads.get(thread_id)
    assert before is not None and after is not None
    assert (after.expires_at, after.head, after.revision) == (before.expires_at, before.head, before.revision + 1)


def test_a_thread_that_is_there_is_not_made_again(service: Api) -> None:
    thread_id = made(service).body["thread_id"]
    assert made(service, thread_id=thread_id).code == "thread_exists"
    assert made(service, thread_id=thread_id, if_exists="raise").code == "thread_exists"
    there = made(service, thread_id=thread_id, if_exists="do_nothing", metadata={"ignored": True})
    assert (there.status, there.body["metadata"]) == (200, {})


def test_the_id_of_a_job_is_that_of_a_thread(service: Api) -> None:
    """Which is made by the next job that names it: made by itself it would hide what the job has left."""
    job = service.aws.new_job()
    assert made(service, thread_id=job.thread).code == "thread_exists"


@pytest.mark.parametrize(
    "body",
    [
        *({"thread_id": "one"}, {"metadata": []}, {"if_exists": "replace"}, {"ttl": 5}, {"supersteps": []}),
        {"metadata": {"a": "x" * 4_096}},
    ],
)
def test_what_cannot_be_made_is_refused(service: Api, body: dict[str, Any]) -> None:
    assert made(service, **body).code == "invalid_request"


def test_metadata_does_not_grow_without_bound(service: Api) -> None:
    thread_id = made(service, metadata={"a": "x" * 3_000}).body["thread_id"]
    answer = service.call("PATCH", f"/threads/{thread_id}", body={"metadata": {"b": "x" * 3_000}})
    assert answer.code == "metadata_too_large"


def test_the_history_comes_newest_first_and_in_pages(service: Api) -> None:
    thread_id = with_states(service.aws, *CHAIN)
    assert history(service, thread_id) == ["c3", "c2", "c1"]
    assert history(service, thread_id, limit=2) == ["c3", "c2"]
    for before in ("c2", {"checkpoint_id": "c2"}, {"configurable": {"checkpoint_id": "c2"}}):
        assert history(service, thread_id, before=before, limit=2) == ["c1"]
    assert history(service, thread_id, before="c1") == []
    assert history(service, thread_id, metadata={"source": "input"}) == []
    assert history(service, thread_id, metadata={"source": "loop"}, limit=1) == ["c3"]
    assert history(service, thread_id, checkpoint={"checkpoint_id": "c2", "checkpoint_ns": ""}) == ["c2"]
    got: Any = service.call("GET", f"/threads/{thread_id}/history?limit=1&before=c3").body
    assert [each["checkpoint_id"] for each in got] == ["c2"]


def test_the_state_is_that_of_the_head_or_of_the_checkpoint_that_is_named(service: Api) -> None:
    thread_id = with_states(service.aws, *CHAIN)
    path = f"/threads/{thread_id}/state"
    newest = service.call("GET", path).body
    assert (newest["checkpoint_id"], newest["parent_checkpoint_id"]) == ("c3", "c2")
    assert newest["checkpoint"] == {"thread_id": thread_id, "checkpoint_ns": "", "checkpoint_id": "c3"}
    assert newest["metadata"]["run_id"] == "11111111-2222-4333-8444-555555555555"
    assert service.call("GET", f"{path}/c1").body["parent_checkpoint"] is None
    asked = service.call("POST", f"{path}/checkpoint", body={"checkpoint": {"checkpoint_id": "c2"}})
    assert asked.body["checkpoint_id"] == "c2"
    assert service.call("POST", f"{path}/checkpoint", body={"checkpoint": {}}).body == newest
    assert service.call("GET", f"{path}/c4").code == "checkpoint_not_found"
    assert asked.body != newest


def task_within(state: dict[str, Any] | None) -> dict[str, Any]:
    """A task of the node `sub`, which is a graph; `state` is that of it, if its job has ended there."""
    named: dict[str, Any] = {"id": "t1", "name": "sub", "error": None, "interrupts": [], "result": None}
    return {**named, "checkpoint": {"checkpoint_ns": "sub:t1"}, "state": state}


def test_the_states_of_subgraphs_are_told_if_asked_for(service: Api) -> None:
    at = {"checkpoint_ns": "sub:t1", "checkpoint_id": "i2"}
    ended = {"values": {"n": 1}, "next": ["ask"], "tasks": [task_within(None)], "metadata": {"step": 0}}
    rest: dict[str, Any] = {
        "created_at": "2026-11-25T08:00:00.000000+00:00",
        "interrupts": [],
        "parent_checkpoint": None,
    }
    within = task_within({**ended, **rest, "checkpoint": at})
    thread_id = with_states(service.aws, state("c1", tasks=[task_within(None)]), state("c2", "c1", tasks=[within]))
    path = f"/threads/{thread_id}/state"
    named = {"thread_id": thread_id, "checkpoint_ns": "sub:t1"}
    (plain,) = service.call("GET", path).body["tasks"]
    assert (plain["checkpoint"], plain["state"]) == (named, None)
    asked = {"checkpoint": {"checkpoint_id": "c2"}, "subgraphs": True}
    answers = [
        service.call("GET", f"{path}?subgraphs=true"),
        service.call("GET", f"{path}/c2?subgraphs=true"),
        service.call("POST", f"{path}/checkpoint", body=asked),
        service.call("POST", f"{path}/checkpoint", body=asked | {"checkpoint": {}}),
    ]
    for answer in answers:
        assert not problems_of("ThreadState", answer.body)
        (task,) = answer.body["tasks"]
        assert task["checkpoint"] is None
        told = {**ended, **rest, "checkpoint": named | at, "checkpoint_id": "i2", "parent_checkpoint_id": None}
        assert task["state"] == told | {"tasks": [plain]}
    (before,) = service.call("GET", f"{path}/c1?subgraphs=true").body["tasks"]
    assert (before["checkpoint"], before["state"]) == (named, None), "no job has ended there"
    assert service.call("GET", f"{path}?subgraphs=perhaps").code == "invalid_request"


def test_the_state_of_a_subgraph_is_told_with_that_of_its_graph_alone(service: Api) -> None:
    thread_id = with_states(service.aws, *CHAIN)
    at = {"checkpoint_id": "c2", "checkpoint_ns": "inner:1"}
    for path in ("state/checkpoint", "history"):
        assert service.call("POST", f"/threads/{thread_id}/{path}", body={"checkpoint": at}).code == "invalid_request"


def test_what_is_no_ancestor_of_a_head_is_not_there(service: Api) -> None:
    lost = [state("c4", "c3"), state("c5", "c4"), state("c2b", "c1")]
    thread_id = with_states(service.aws, *CHAIN, *lost, head=position("c3"))
    assert history(service, thread_id) == ["c3", "c2", "c1"]
    assert service.call("GET", f"/threads/{thread_id}/state/c5").code == "checkpoint_not_found"
    body = {"query": "?", "thread_id": thread_id, "checkpoint_id": "c2b"}
    before = service.items()
    assert service.submit(**body).code == "checkpoint_not_found"
    assert service.items() == before, "nothing was stored"


def test_a_branch_that_was_left_stays_readable(service: Api) -> None:
    left = [state("c2b", "c1"), state("c3b", "c2b")]
    thread_id = with_states(service.aws, *CHAIN, *left, head=position("c3"), branches=(position("c3b"),))
    assert history(service, thread_id) == ["c3b", "c3", "c2b", "c2", "c1"]
    assert service.call("GET", f"/threads/{thread_id}/state").body["checkpoint_id"] == "c3"
    job = service.submit(query="?", thread_id=thread_id, checkpoint_id="c2b").body
    row = service.aws.jobs.get(job["job_id"])
    assert row is not None and row.start == position("c2b")


def test_a_job_that_names_no_graph_runs_that_of_its_thread(service: Api) -> None:
    assert service.aws.settings.graphs[0] == "chat"
    thread_id = made(service).body["thread_id"]
    first = service.submit(query="?", thread_id=thread_id, graph="report").body["job_id"]
    second = service.submit(query="?", thread_id=thread_id).body["job_id"]
    rows = [service.aws.jobs.get(each) for each in (first, second)]
    assert [row.graph for row in rows if row] == ["report", "report"]


def test_a_large_state_is_in_s3_and_comes_whole(service: Api) -> None:
    text = random.Random(1).randbytes(INLINE_BYTES).hex()
    states = [state(f"c{number}", values={"text": text + str(number)}) for number in range(3)]
    thread_id = with_states(service.aws, *states)
    for number, each in enumerate(states):
        found = service.aws.states.get(thread_id, position(f"c{number}"))
        assert found == each
    assert service.call("GET", f"/threads/{thread_id}/state").body["values"]["text"] == f"{text}2"
    objects = service.aws.s3.list_objects_v2(Bucket="payloads", Prefix=f"states/{thread_id}/")["Contents"]
    assert len(objects) == 3


def test_a_page_is_cut_where_it_would_not_fit_and_the_next_goes_on(service: Api) -> None:
    text = "x" * 2_000_000
    states = [state("c1", values=text), *(state(f"c{n}", f"c{n - 1}", values=text) for n in range(2, 6))]
    thread_id = with_states(service.aws, *states)
    seen: list[str] = []
    pages = 0
    while page := history(service, thread_id, **({"before": seen[-1]} if seen else {})):
        seen += page
        pages += 1
    assert seen == ["c5", "c4", "c3", "c2", "c1"] and pages > 1


def test_a_state_that_does_not_fit_says_so(service: Api) -> None:
    thread_id = with_states(service.aws, state("c1", values="x" * 7_000_000))
    path = f"/threads/{thread_id}"
    for answer in (
        service.call("GET", f"{path}/state"),
        service.call("GET", f"{path}/state/c1"),
        service.call("POST", f"{path}/history", body={}),
    ):
        assert (answer.status, answer.code) == (413, "state_too_large")
    assert service.call("GET", path).body["values"] is None


@pytest.mark.parametrize("odd", ["1", "%2e%2e", "thread-1", "ac2cec12-d0dc-4717-abe7-14eee10111dG", "a" * 5000])
def test_an_id_that_is_none_is_never_looked_up(service: Api, odd: str) -> None:
    service.forget_calls()
    assert service.call("GET", f"/threads/{odd}/state").code == "thread_not_found"
    assert not service.calls()


def test_an_id_in_capitals_is_the_same_thread(service: Api) -> None:
    thread_id = with_states(service.aws, *CHAIN)
    assert service.call("GET", f"/threads/{thread_id.upper()}/state").body["checkpoint_id"] == "c3"


def test_a_state_that_was_never_stored_is_not_taken_for_an_empty_one(service: Api) -> None:
    thread_id = with_states(service.aws, head=position("c1"))
    assert service.call("GET", f"/threads/{thread_id}/state").code == "checkpoint_not_found"
