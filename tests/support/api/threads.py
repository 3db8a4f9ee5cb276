"""Threads with states that no graph has made."""

from __future__ import annotations

import json
from typing import Any

from graphjobs.core.state_record import StateNote, StateRecord
from graphjobs.core.thread import Position, Thread, new_thread_id
from graphjobs.core.times import now_ms
from tests.support.backend import Backend

OWN = "job-11111111-2222-4333-8444-555555555555"


def position(checkpoint_id: str) -> Position:
    """Where a checkpoint is."""
    return Position(f"{OWN}:1", checkpoint_id)


def state(checkpoint_id: str, parent: str | None = None, *, values: Any = None, **more: Any) -> StateRecord:
    """A state after which nothing comes."""
    body = {"values": values, "next": [], "tasks": [], "metadata": {"source": "loop", "step": 1, "parents": {}}}
    return StateRecord(
        note=StateNote(
            position=position(checkpoint_id), parent=position(parent) if parent else None, job_id=OWN, epoch=1
        ),
        body=json.dumps(body | {"created_at": "2026-11-25T08:00:00.000000+00:00"} | more),
    )


CHAIN = [state("c1"), state("c2", "c1"), state("c3", "c2")]
"""A conversation of three turns."""


def with_states(aws: Backend, *states: StateRecord, owner: str = "user-1", **members: Any) -> str:
    """The id of a thread with these; the last is its head unless `members` say otherwise."""
    now = now_ms()
    made = Thread(
        thread_id=new_thread_id(),
        owner=owner,
        graph="chat",
        created_at=now,
        updated_at=now,
        expires_at=0,
        **{"head": states[-1].note.position if states else None} | members,
    )
    aws.threads.commit(aws.threads.touched(made, now))
    for each in states:
        aws.states.put(made.thread_id, each)
    return made.thread_id


def with_a_state(aws: Backend, *, owner: str) -> str:
    """The id of a thread with the state ``c1``."""
    return with_states(aws, state("c1", values={"said": ["private words"]}), owner=owner)
