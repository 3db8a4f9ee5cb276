"""Defects in what is kept for how long, each to be put into the real code: the model of expiry must fail."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pytest import MonkeyPatch

from graphjobs.api.joining import Joining
from graphjobs.api.submission import Submission
from graphjobs.aws.thread_store import ThreadStore
from graphjobs.aws.transition import Transitions
from graphjobs.core import turns
from graphjobs.core.job import Job
from graphjobs.core.lifetimes import Lifetimes
from graphjobs.core.thread import Thread


def a_thread_expires_though_a_job_waits(patch: MonkeyPatch) -> None:
    """Its row lives from when its head was moved, or from now, whatever jobs it has."""
    touched = ThreadStore.touched

    def hasty(self: ThreadStore, thread: Thread, now: int, moved_at: int | None = None) -> Thread:
        made = touched(self, thread, now, moved_at)
        return replace(made, expires_at=touched(self, replace(thread, turn=None), now, moved_at).expires_at)

    patch.setattr(ThreadStore, "touched", hasty)


def a_turn_is_kept_by_a_job_that_is_gone(patch: MonkeyPatch) -> None:
    patch.setattr(Joining, "_rid_of_gone", lambda *_, **__: False)


def a_turn_is_given_to_a_job_that_is_gone(patch: MonkeyPatch) -> None:
    patch.setattr(Transitions, "_is_gone", lambda self, job_id: False)


def what_is_stored_does_not_outlive_a_delay(patch: MonkeyPatch) -> None:
    patch.setattr(Lifetimes, "longest_job", property(lambda self: self.max_timeout))


def a_row_does_not_outlive_its_delay(patch: MonkeyPatch) -> None:
    made = Submission._job

    def hasty(self: Submission, owner: str, request: Any) -> Job:
        job = made(self, owner, request)
        return replace(job, expires_at=job.expires_at - (request.after_seconds or 0))

    patch.setattr(Submission, "_job", hasty)


def checkpoints_expire_with_the_job_that_wrote_them(patch: MonkeyPatch) -> None:
    """Also those of a thread's head."""
    patch.setattr(Lifetimes, "checkpoint", property(lambda self: self.max_timeout + self.retention))


def states_expire_with_the_retention(patch: MonkeyPatch) -> None:
    patch.setattr(Lifetimes, "state", property(lambda self: self.thread_retention))


def a_log_expires_before_its_row(patch: MonkeyPatch) -> None:
    patch.setattr(Job, "log_expires_at", property(lambda self: self.deadline_at // 1000))


def an_expired_thread_is_joined(patch: MonkeyPatch) -> None:
    patch.setattr(Thread, "expired", lambda self, now: False)


def a_thread_comes_back_as_its_first_job_left_it(patch: MonkeyPatch) -> None:
    found = Joining._thread

    def again(self: Joining, job: Job, asked: Any, now: int) -> tuple[Thread, list[dict[str, Any]]]:
        thread, first = self.threads.get(str(asked.thread_id)), self.jobs.get(f"job-{asked.thread_id}")
        gone = thread is None or thread.expired(now)
        if not gone or first is None or first.expired(now) or not first.status.terminal:
            return found(self, job, asked, now)
        return self._adopted(first, now)[0], []

    patch.setattr(Joining, "_thread", again)


def a_job_joins_too_late(patch: MonkeyPatch) -> None:
    """It begins when the head, which nobody has moved, is not stored any more."""
    patch.setattr(turns, "_too_late", lambda thread, job: False)


def what_was_rolled_back_is_a_beginning(patch: MonkeyPatch) -> None:
    """A job without a thread that is made one leaves it what it had saved, although that was taken back."""
    adopted = Joining._adopted

    def with_all(self: Joining, first: Job, now: int) -> tuple[Thread, list[dict[str, Any]]]:
        return adopted(self, replace(first, rollback=False), now)[0], adopted(self, first, now)[1]

    patch.setattr(Joining, "_adopted", with_all)
