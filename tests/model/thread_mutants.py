"""Defects in the turns of a thread, each to be put into the real code: the model must fail."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pytest import MonkeyPatch

from graphjobs.aws.claims import Claim, Claims
from graphjobs.aws.thread_history import ThreadHistory
from graphjobs.aws.thread_store import ThreadStore
from graphjobs.core import lifecycle, turns
from graphjobs.core.change import Applied, Change, Refusal, Situation
from graphjobs.core.event_log import Fenced
from graphjobs.core.job import Job
from graphjobs.core.outcome import Outcome
from graphjobs.core.slot import Slot
from graphjobs.core.state_record import StateNote
from graphjobs.core.thread import Position, Thread
from graphjobs.worker.job_run import Ended, JobRun
from graphjobs.worker.worker import Worker


def claim_out_of_turn(patch: MonkeyPatch) -> None:
    claim = lifecycle.claim

    def impatient(at: Situation, **options: Any) -> Change | Refusal:
        return claim(replace(at, job=replace(at.job, waiting=False)), **options)

    patch.setattr(lifecycle, "claim", impatient)


def a_busy_thread_is_taken_for_free(patch: MonkeyPatch) -> None:
    """Two jobs of one thread at once."""
    join = turns.join
    patch.setattr(turns, "join", lambda thread, *args: join(replace(thread, turn=None), *args))


def threads_are_changed_unconditionally(patch: MonkeyPatch) -> None:
    change = ThreadStore.change

    def unguarded(self: ThreadStore, after: Thread) -> dict[str, Any]:
        made = change(self, replace(after, revision=1))
        made["ExpressionAttributeValues"][":revision"] = {"N": str(after.revision)}
        made["ConditionExpression"] = "attribute_not_exists(pk) OR expires_at > :now"
        return made

    patch.setattr(ThreadStore, "change", unguarded)


def a_rollback_keeps_the_head(patch: MonkeyPatch) -> None:
    """What an answer that was taken back has done stays."""
    ended = turns.ended
    patch.setattr(turns, "ended", lambda thread, job, outcome: ended(thread, replace(job, rollback=False), outcome))


def resume_on_the_shared_checkpoint(patch: MonkeyPatch) -> None:
    """A claim goes on on the checkpoint thread of the head, in place of a copy."""

    def shared(self: Claim) -> str:
        if self.mark is not None:
            return self.mark.thread
        return self.job.start.checkpoint_thread if self.job.start else f"{self.job.job_id}:{self.job.epoch}"

    patch.setattr(Claim, "thread", property(shared))


def any_answer_will_do(patch: MonkeyPatch) -> None:
    patch.setattr(turns, "_unanswerable", lambda thread, resume: None)


def the_turn_is_not_handed_on(patch: MonkeyPatch) -> None:
    ended = turns.ended

    def forgetful(thread: Thread, job: Job, outcome: Outcome) -> tuple[Thread, None]:
        return replace(ended(thread, job, outcome)[0], turn=None), None

    patch.setattr(turns, "ended", forgetful)


def a_fenced_worker_moves_the_head(patch: MonkeyPatch) -> None:
    """A worker that is told that the job is no longer its own leaves its thread with what it has saved."""
    finish = Claims.finish

    def stubborn(self: Claims, claim: Claim, outcome: Outcome, tail: Slot | None) -> Applied:
        try:
            return finish(self, claim, outcome, tail)
        except Fenced:
            threads = self._transitions._threads
            thread = threads.get(claim.job.thread_id) if claim.job.thread_id else None
            if thread is not None and outcome.position is not None:
                threads.commit(threads.touched(replace(thread, head=outcome.position, kept_until=0), self._clock()))
            raise

    patch.setattr(Claims, "finish", stubborn)


def a_head_is_what_was_saved_last(patch: MonkeyPatch) -> None:
    """A job that is ended early leaves its thread with a checkpoint that no log names."""
    finish = JobRun._finish

    def hasty(self: JobRun, outcome: Outcome, tail: Slot | None) -> Ended:
        writer: Any = self._writer
        marks = writer.buffer._marks  # those whose events are not in the log
        if outcome.position is None and marks:
            outcome = replace(outcome, position=Position(marks[-1].thread, marks[-1].checkpoint_id))
        return finish(self, outcome, tail)

    patch.setattr(JobRun, "_finish", hasty)


def a_fork_from_what_was_never_confirmed(patch: MonkeyPatch) -> None:
    """Whatever has been saved may be begun at."""

    def any_note(self: ThreadHistory, thread: Thread, checkpoint_id: str, for_seconds: float = 0) -> StateNote | None:
        notes = self._states.notes(thread.thread_id).values()
        return next((note for note in notes if note.position.checkpoint_id == checkpoint_id), None)

    patch.setattr(ThreadHistory, "find", any_note)


def a_fork_hides_the_branch_it_left(patch: MonkeyPatch) -> None:
    patch.setattr(turns, "_branches", lambda thread, job: ())


def a_fork_from_what_was_rolled_back(patch: MonkeyPatch) -> None:
    """A job that waited begins at what the one before it has saved, although that was taken back."""
    patch.setattr(Worker, "_forks_from_nothing", lambda self, claim, request: False)
