"""A writer on a log in memory, for a claim that nobody else knows of."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from graphjobs.aws.claims import Claim
from graphjobs.core.event import Event
from graphjobs.core.event_log import EventLog, Fenced
from graphjobs.core.job import Job, Status, new_job_id
from graphjobs.core.slot import Mark, Slot, freeze
from graphjobs.testing import MemoryLog
from graphjobs.testing.clock import START
from graphjobs.worker.jsonable import encode
from graphjobs.worker.writer import LogWriter, WriterClosed

WAIT = 20
"""Seconds within which what is awaited has happened, on a machine under load."""
LONG = 3600.0
"""Seconds after which a slot would be put without a reason: never, in a test."""


def claim(log: EventLog, *, mark: Mark | None = None, nonce: str = "mine") -> Claim:
    """A claim whose opening slot is in `log`."""
    job = Job(
        job_id=new_job_id(),
        owner="user-1",
        graph="chat",
        status=Status.RUNNING,
        created_at=START,
        deadline_at=START + 3_600_000,
        expires_at=START // 1000 + 90_000,
        epoch=1,
        attempt=1,
    )
    line = Event(1, "metadata", "2026-01-01T00:00:00.000Z", {"graph": "chat"}).line()
    opening = freeze(job.job_id, 1, [line], nonce=nonce, mark=mark, expires_at=job.expires_at)
    log.append(opening)
    return Claim(job, nonce, opening, mark)


def foreign_slot(held: Claim, seq: int) -> Slot:
    """What another worker would write at `seq`."""
    line = Event(seq, "attempt", "2026-01-01T00:00:00.000Z", {"attempt": 2}).line()
    return freeze(held.job.job_id, seq, [line], nonce="another", mark=None, expires_at=held.job.expires_at)


@dataclass
class Writing:
    """A writer at work."""

    log: Any
    held: Claim
    writer: LogWriter
    failures: list[Exception] = field(default_factory=list)

    @property
    def job_id(self) -> str:
        """The job that is written."""
        return self.held.job.job_id

    def token(self, text: str) -> int:
        """Write a token."""
        return self.append("token", {"text": text})

    def append(self, kind: str, data: Any) -> int:
        """Write an event."""
        return self.writer.append(kind, encode(data).text)

    def texts(self) -> list[str]:
        """The tokens in the log, in order."""
        return [event.data["text"] for event in self.log.events(self.job_id) if event.type == "token"]


@contextmanager
def writing(log: Any = None, *, flush_seconds: float = 0.0, mark: Mark | None = None) -> Iterator[Writing]:
    """A writer on `log` (a fresh one in memory by default); no thread of it is left in the end."""
    log = log or MemoryLog()
    log_claim = claim(log, mark=mark)
    failures: list[Exception] = []
    writer = LogWriter(log, log_claim, flush_seconds=flush_seconds, on_failure=failures.append, clock=lambda: START)
    try:
        yield Writing(log, log_claim, writer, failures)
    finally:
        try:
            writer.abandon()
        except (Fenced, WriterClosed, ClientError, BotoCoreError):
            assert failures
