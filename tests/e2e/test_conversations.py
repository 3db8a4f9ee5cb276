"""Conversations over the real processes: turns whose workers are killed, questions that two people answer at once."""

from __future__ import annotations

import os
import random
import signal
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from threading import Barrier
from typing import Any

import pytest

from graphjobs.client.client import Client
from graphjobs.core.thread import new_thread_id
from tests.e2e.user import User
from tests.support.instance import Target

pytestmark = pytest.mark.e2e

TURNS = 20
SEED = 12
PAUSE_SECONDS = 0.03
KILLED_IN: list[tuple[str, ...]] = [(), (), ("listen",), ("think",), ("reply",), ("think", "reply"), ("reply", "reply")]
"""In which steps of a turn its worker is killed: not more often than a job has attempts."""

APPROVALS = int(os.environ.get("GRAPHJOBS_APPROVALS", "20"))
PAIRS_AT_ONCE = 5


def turn(client: Client, thread_id: str, number: int, kill_in: tuple[str, ...]) -> tuple[list[str], int]:
    """A turn whose worker is killed in these steps: all that has been said when it is over, and the kills."""
    given = {"said": [f"turn {number}"], "pause": PAUSE_SECONDS}
    job = client.submit(graph="dialogue", thread_id=thread_id, if_not_exists="create", input=given)
    pending, kills = list(kill_in), 0
    for event in client.stream(job["job_id"]):
        if event["type"] == "step" and pending and event["data"]["name"] == pending[0]:
            del pending[0]
            with suppress(ProcessLookupError):  # of a try whose worker was killed before this event arrived
                os.kill(event["data"]["pid"], signal.SIGKILL)
                kills += 1
    assert event["data"]["status"] == "completed", event
    said: list[str] = event["data"]["result"]["said"]
    return said, kills


def test_twenty_turns_whose_workers_are_killed_say_what_twenty_undisturbed_ones_say(target: Target) -> None:
    """Given two threads, when the workers of the one are killed in steps that the seed names, then both say the same.

    A word depends on all that was said before it, so that nothing lost, repeated or left by a dead worker is hidden.
    """
    target.need_state_dir()
    target.need_graph("dialogue")
    chance = random.Random(SEED)
    undisturbed, disturbed = new_thread_id(), new_thread_id()
    kills = 0
    with Client(target.api_url, target.token("user-1"), stream_url=target.stream_url) as client:
        for number in range(TURNS):
            expected, _ = turn(client, undisturbed, number, ())
            said, killed = turn(client, disturbed, number, chance.choice(KILLED_IN))
            assert said == expected, f"turn {number}"
            assert len(said) == 4 * (number + 1)
            kills += killed
    assert kills >= TURNS // 2


def test_of_two_people_who_answer_each_question_at_once_one_is_heard(target: Target) -> None:
    """Given open questions, when two people answer each at the same moment, then one answer is applied, once.

    20 questions; 100 by `make chaos`.
    """
    target.need_graph("approval")
    with User(target) as user:
        asked = [user.submit(graph="approval", input={"said": [f"do {number}"]}) for number in range(APPROVALS)]
        for job in asked:
            assert user.follow(job["job_id"])[-1]["data"]["status"] == "interrupted"
    at_once = [Barrier(2, timeout=60) for _ in asked]

    def person(name: str, first: int) -> list[tuple[int, str, int, dict[str, Any]]]:
        """Answer every so-manieth question, beginning with `first`, together with somebody else."""
        given = []
        with User(target) as user:
            for number in range(first, APPROVALS, PAIRS_AT_ONCE):
                at_once[number].wait()
                body = {"thread_id": asked[number]["thread_id"], "command": {"resume": name}}
                answer = user.call("POST", "/jobs", json=body)
                given.append((number, name, answer.status_code, answer.json()))
        return given

    with ThreadPoolExecutor(2 * PAIRS_AT_ONCE) as people:
        names = [(name, first) for name in ("ann", "ben") for first in range(PAIRS_AT_ONCE)]
        given = [each for answers in people.map(lambda one: person(*one), names) for each in answers]
    target.secrets.update(body["stream_url"].partition("?ticket=")[2] for *_, body in given if "stream_url" in body)

    outcomes = Counter((number, status) for number, _, status, _ in given)
    assert outcomes == Counter((number, status) for number in range(APPROVALS) for status in (202, 409))
    assert {body["code"] for *_, status, body in given if status == 409} <= {"thread_busy", "no_such_interrupt"}
    with User(target) as user:
        for number, name, status, body in given:
            if status == 202:
                events = user.follow(body["job_id"])
                heard = [f"do {number}", f"approved by {name}"]
                assert [event["data"]["on"] for event in events if event["type"] == "acted"] == [heard]
                assert events[-1]["data"]["result"]["said"] == [*heard, "acted"]


def test_a_delayed_job_begins_no_sooner(user: User) -> None:
    """Given `after_seconds`, then the job is queued that long, and then runs by itself."""
    user.target.need_graph("approval")
    job_id = user.start(graph="approval", input={"said": ["later"]}, after_seconds=2)
    assert user.finished(job_id)[-1]["data"]["status"] == "interrupted"
    status = user.status(job_id)
    created, started = (datetime.fromisoformat(status[name]) for name in ("created_at", "started_at"))
    assert (started - created).total_seconds() >= 2
