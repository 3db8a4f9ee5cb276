"""Making a thread and changing its metadata."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from graphjobs.api.thread_request import ThreadCreate, within_bounds
from graphjobs.auth.principal import Principal
from graphjobs.aws.cancel import delete_thread
from graphjobs.aws.job_store import JobStore, RowChanged
from graphjobs.aws.retry import Retry
from graphjobs.aws.thread_store import ThreadStore
from graphjobs.aws.transition import Contended
from graphjobs.core.thread import Thread, new_thread_id
from graphjobs.core.times import Clock, now_ms
from graphjobs.http.access import readable_thread
from graphjobs.http.problem import Problem, thread_not_found

PATIENCE: Final = Retry(tries=12, seconds=10)


@dataclass(frozen=True, slots=True)
class ThreadRows:
    """Changes rows of threads, but for what their jobs make of them."""

    jobs: JobStore
    threads: ThreadStore
    clock: Clock = now_ms

    def create(self, owner: str, asked: ThreadCreate) -> Thread:
        """A new thread, or with ``do_nothing`` the one that is there.

        Raises:
            Problem: 409 if there is one; 404 if it is another owner's, or one that is being erased.
            Contended: others were first at every try.
            ClientError, BotoCoreError: as DynamoDB answers.
        """
        thread_id = asked.thread_id or new_thread_id()
        for _ in PATIENCE:
            now = self.clock()
            there = self.threads.get(thread_id)
            if there is not None and not there.expired(now):
                if there.deleting or there.owner != owner:
                    raise thread_not_found()
                if asked.if_exists == "do_nothing":
                    return there
                raise _exists()
            first = self.jobs.get(f"job-{thread_id}") if asked.thread_id else None
            if first is not None and not first.expired(now) and (first.owner, first.thread_id) != (owner, thread_id):
                # The thread that a job has of its own: the next job that names it makes its row, if none was made yet.
                raise _exists() if first.owner == owner else thread_not_found()
            made = Thread(
                thread_id=thread_id,
                owner=owner,
                graph="",
                created_at=now,
                updated_at=now,
                expires_at=0,
                revision=there.revision if there else 0,
                metadata=asked.metadata or {},
            )
            try:
                return self._stored(self.threads.touched(made, now))
            except RowChanged:
                continue
        raise Contended(thread_id)

    def patch(self, owner: str, thread_id: str, metadata: Mapping[str, Any]) -> Thread:
        """The thread with `metadata` merged into its own; it lives no longer for it: that is from its last turn.

        Raises:
            Problem: 404; 400 if it becomes too large.
            Contended: others were first at every try.
            ClientError, BotoCoreError: as DynamoDB answers.
        """
        for _ in PATIENCE:
            now = self.clock()
            before = readable_thread(self.threads, thread_id, Principal(owner), now)
            merged = {**before.metadata, **metadata}
            if not within_bounds(merged):
                raise Problem(400, "metadata_too_large", "The metadata of the thread would become too large.")
            touched = self.threads.touched(replace(before, metadata=merged), now)
            try:
                return self._stored(replace(touched, expires_at=before.expires_at))
            except RowChanged:
                continue
        raise Contended(thread_id)

    def delete(self, owner: str, thread_id: str) -> None:
        """Delete the thread: it is gone for everybody, its jobs are asked to stop, and the reconciler erases it all.

        Raises:
            Problem: 404.
            Contended: others were first at every try.
            ClientError, BotoCoreError: as DynamoDB answers.
        """
        delete_thread(
            lambda: readable_thread(self.threads, thread_id, Principal(owner), self.clock()),
            self.threads,
            clock=self.clock,
        )

    def _stored(self, thread: Thread) -> Thread:
        self.threads.commit(thread)
        return thread


def _exists() -> Problem:
    return Problem(409, "thread_exists", "There is a thread of that id.")
