"""200 jobs of one person do not hold up another's single one, on one worker or on several."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from graphjobs.aws.queue import JobQueue, group_of, job_id_of
from graphjobs.core.job import new_job_id
from graphjobs.local.fair_queue import fair_queues
from graphjobs.testing.aws import client, empty_aws

VISIBILITY = 30


class Queue:
    """A queue with jobs in it, and their owners."""

    def __init__(self, client: Any) -> None:
        self._client = client
        attributes = {"VisibilityTimeout": str(VISIBILITY)}
        self.url = client.create_queue(QueueName="jobs", Attributes=attributes)["QueueUrl"]
        self._jobs = JobQueue(client, self.url)
        self._owners: dict[str, str] = {}

    def send(self, owner: str, number: int = 1) -> None:
        for _ in range(number):
            job_id = new_job_id()
            self._owners[job_id] = owner
            self._jobs.send(job_id, owner)

    def take(self) -> tuple[str, str]:
        """The owner of the message that a worker gets next, and its receipt."""
        (message,) = self._client.receive_message(QueueUrl=self.url, MaxNumberOfMessages=1)["Messages"]
        return self._owners[job_id_of(message["Body"])], message["ReceiptHandle"]

    def done(self, receipt: str) -> None:
        self._client.delete_message(QueueUrl=self.url, ReceiptHandle=receipt)


@pytest.fixture
def queue() -> Iterator[Queue]:
    with empty_aws(), fair_queues():
        yield Queue(client("sqs"))


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_a_single_job_waits_for_no_more_than_the_job_that_a_worker_has_at_hand(queue: Queue, workers: int) -> None:
    queue.send("alice", 200)
    at_work = [queue.take() for _ in range(workers)]
    queue.send("bob")
    queue.done(at_work.pop(0)[1])
    assert queue.take()[0] == "bob"


def test_two_who_have_many_take_turns(queue: Queue) -> None:
    queue.send("alice", 20)
    queue.send("bob", 20)
    owners = []
    for _ in range(10):
        owner, receipt = queue.take()
        owners.append(owner)
        queue.done(receipt)
    assert owners == ["alice", "bob"] * 5


def test_workers_are_shared_by_what_is_under_way(queue: Queue) -> None:
    queue.send("alice", 10)
    queue.send("bob", 2)
    queue.send("carol", 1)
    assert sorted(queue.take()[0] for _ in range(6)) == ["alice", "alice", "alice", "bob", "bob", "carol"]


def test_who_was_served_last_but_has_nothing_under_way_comes_first(queue: Queue) -> None:
    queue.send("alice", 3)
    assert [queue.take()[0], queue.take()[0]] == ["alice", "alice"]
    queue.send("bob", 2)
    owner, receipt = queue.take()
    queue.done(receipt)
    assert (owner, queue.take()[0]) == ("bob", "bob")


def test_one_persons_jobs_run_in_the_order_in_which_they_came(queue: Queue) -> None:
    queue.send("alice", 5)
    sent = list(queue._owners)
    client = queue._client
    received = [client.receive_message(QueueUrl=queue.url)["Messages"][0] for _ in range(5)]
    assert [job_id_of(message["Body"]) for message in received] == sent


def test_a_message_names_a_group_that_says_nothing_of_its_owner() -> None:
    assert group_of("alice@example.com") != group_of("bob@example.com")
    assert "alice" not in group_of("alice@example.com")
    assert len(group_of("\ud800" * 300)) == 32
