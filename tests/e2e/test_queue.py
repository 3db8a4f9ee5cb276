"""The queue delivers at least once, and anybody's mistakes: a job runs once all the same."""

from __future__ import annotations

import json
import uuid

import pytest

from tests.e2e.user import User, eventually

pytestmark = pytest.mark.e2e

POISON = [
    "not json",
    "",
    "{}",
    "[]",
    "null",
    '"job"',
    '{"job_id": 5}',
    '{"job_id": null}',
    '{"job_id": ""}',
    '{"job_id": "../../etc/passwd"}',
    json.dumps({"job_id": f"job-{uuid.UUID(int=4 << 76 | 8 << 60)}"}),
    "\ud55c" * 20_000,
]


def test_many_messages_of_one_job_at_once_run_it_once(user: User) -> None:
    """Given a job and four more messages of it for three workers, then its graph runs once."""
    queue = user.target.need_queue()
    user.target.need_graph("nap")
    job_id = user.start(graph="nap", input={"name": "once", "seconds": 0.8})
    for _ in range(4):
        queue.send(json.dumps({"job_id": job_id}))
    events = user.finished(job_id)
    assert [event["data"]["index"] for event in events if event["type"] == "awake"] == list(
        range(sum(event["type"] == "awake" for event in events))
    )
    eventually(queue.drained, "the queue is empty")
    user.check_log(job_id, events)
    assert user.status(job_id)["attempt"] == 1


def test_a_message_that_comes_after_the_end_changes_nothing(user: User) -> None:
    """Given a finished job and a cancelled one, when their messages come again, then log and row stay."""
    queue = user.target.need_queue()
    done, cancelled = user.start(query="hello"), user.start(query="hello", graph="report", input={"delay_seconds": 30})
    user.cancel(cancelled)
    before = {job_id: (user.finished(job_id), user.status(job_id)) for job_id in (done, cancelled)}
    for job_id in (done, cancelled, done):
        queue.send(json.dumps({"job_id": job_id}))
    eventually(queue.drained, "the queue is empty")
    for job_id, (events, status) in before.items():
        user.check_log(job_id, events)
        assert user.status(job_id) == status


def test_poisoned_messages_harm_neither_workers_nor_jobs(user: User) -> None:
    """Given messages that name no job, then they are gone from the queue and good jobs run beside them."""
    queue = user.target.need_queue()
    workers = user.target.facts()["pids"]["workers"] if user.target.state_dir else []
    for body in POISON:
        if body:  # SQS itself refuses an empty one
            queue.send(body)
    events = user.finished(user.start(query="hello"))
    assert events[-1]["data"]["status"] == "completed"
    eventually(queue.drained, "the poison is gone")
    if user.target.state_dir:
        assert user.target.facts()["pids"]["workers"] == workers, "a worker died of it"
