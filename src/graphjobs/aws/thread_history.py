"""What can be seen of a thread: its states, by the rule of `graphjobs.core.lineage`; read without the graph's code."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from graphjobs.core.lifecycle import carried_mark
from graphjobs.core.lineage import visible
from graphjobs.core.state_record import StateNote, StateRecord
from graphjobs.core.thread import Position, Thread

if TYPE_CHECKING:
    from graphjobs.aws.dynamo_log import DynamoEventLog
    from graphjobs.aws.job_store import JobStore
    from graphjobs.aws.state_store import StateStore


class ThreadHistory:
    """The states of threads, for those who may see them: whose thread it is has been asked before."""

    def __init__(self, jobs: JobStore, log: DynamoEventLog, states: StateStore) -> None:
        self._jobs = jobs
        self._log = log
        self._states = states

    def newest(self, thread: Thread) -> StateRecord | None:
        """The state that the thread is in: of its running job as far as that has got, else of its head.

        None if nothing has run. Three reads at most, two more while a job runs.

        Raises:
            ClientError, BotoCoreError: as DynamoDB or S3 answer.
        """
        for tip in self._tips(thread)[:2]:
            if record := self._states.get(thread.thread_id, tip):
                return record
        return None

    def head(self, thread: Thread) -> StateRecord | None:
        """The state in which the last job has left the thread."""
        return self._states.get(thread.thread_id, thread.head) if thread.head else None

    def notes(self, thread: Thread, for_seconds: float = 0) -> list[StateNote]:
        """All states that can be seen, and live so much longer, the newest first, without their bodies."""
        return visible(self._states.notes(thread.thread_id, for_seconds), self._tips(thread))

    def find(self, thread: Thread, checkpoint_id: str, for_seconds: float = 0) -> StateNote | None:
        """The state of one checkpoint; None if there is none, it cannot be seen, or it will expire sooner than that."""
        seen = self.notes(thread, for_seconds)
        return next((note for note in seen if note.position.checkpoint_id == checkpoint_id), None)

    def records(self, thread: Thread, notes: Iterable[StateNote]) -> list[StateRecord]:
        """The states with their bodies, in the same order; one that has expired just now is left out."""
        return self._states.get_all(thread.thread_id, [note.position for note in notes])

    def _tips(self, thread: Thread) -> list[Position]:
        mark = self._running(thread.turn) if thread.turn else None
        first = [each for each in (mark, thread.head) if each is not None]
        return [*first, *reversed(thread.branches)]

    def _running(self, job_id: str) -> Position | None:
        """How far the job has got whose turn it is, unless that is to be taken back."""
        job = self._jobs.get(job_id)
        if job is None:
            return None
        tail = self._log.tail(job_id)
        mark = carried_mark(job, tail)
        if job.rollback or mark is None:
            return None
        return Position(mark.thread, mark.checkpoint_id)
