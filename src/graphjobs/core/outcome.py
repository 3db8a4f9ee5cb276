"""How a job ends, and the events that say so. The stable codes of a failed job are all here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

from graphjobs.core.change import Change
from graphjobs.core.event import DONE, ERROR, METADATA
from graphjobs.core.job import Job, Status
from graphjobs.core.slot import Mark, Slot

GRAPH_ERROR: Final = "graph_error"
TIMED_OUT: Final = "timed_out"
WORKER_LOST: Final = "worker_lost"
STEP_EXCEEDS_LIMIT: Final = "step_exceeds_limit"
TOO_MANY_HANDOFFS: Final = "too_many_handoffs"
GRAPH_UNAVAILABLE: Final = "graph_unavailable"
INTERRUPT_UNSUPPORTED: Final = "interrupt_unsupported"
RECURSION_LIMIT: Final = "recursion_limit"
EVENT_TOO_LARGE: Final = "event_too_large"

MESSAGES: Final = {
    GRAPH_ERROR: "The graph failed.",
    TIMED_OUT: "The job did not finish within its timeout.",
    WORKER_LOST: "The job was given up after its workers were lost too often.",
    STEP_EXCEEDS_LIMIT: "A single step of the graph takes longer than the worker may run.",
    TOO_MANY_HANDOFFS: "The job was handed from worker to worker too often.",
    GRAPH_UNAVAILABLE: "The graph could not be loaded.",
    INTERRUPT_UNSUPPORTED: "The graph asked for a person's answer, which a job cannot wait for.",
    RECURSION_LIMIT: "The graph took more steps than its recursion limit allows.",
    EVENT_TOO_LARGE: "The graph produced an event or a result that is too large.",
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of a job: its terminal status, its result or its error code."""

    status: Status
    result: Any = None
    code: str | None = None

    def error(self) -> dict[str, str] | None:
        """The error as clients see it: code and message, never a trace."""
        return {"code": self.code, "message": MESSAGES[self.code]} if self.code else None


CANCELLED: Final = Outcome(Status.CANCELLED)


def completed(result: Any) -> Outcome:
    """The graph has ended with `result`."""
    return Outcome(Status.COMPLETED, result)


def failed(code: str) -> Outcome:
    """The job has failed; `code` is one of the codes above."""
    return Outcome(Status.FAILED, code=code)


def settled(job: Job, outcome: Outcome, now: int) -> Outcome:
    """What `outcome` becomes in view of the row: a cancel wins over all, the deadline over the rest."""
    if job.status is Status.CANCELLING:
        return CANCELLED
    if outcome.status is Status.COMPLETED and job.past_deadline(now):
        return failed(TIMED_OUT)
    return outcome


def ending(job: Job, tail: Slot | None, outcome: Outcome, now: int) -> Change:
    """The change that ends `job` with `outcome` (as `settled` sees it)."""
    outcome = settled(job, outcome, now)
    error = outcome.error()
    done: dict[str, Any] = {"status": outcome.status.value, "result": outcome.result}
    if error:
        done["error"] = error
    events: list[tuple[str, dict[str, Any]]] = []
    if tail is None:
        # A job that never started has exactly `metadata, done`; the error is in `done`.
        events.append((METADATA, {"graph": job.graph, "model": None}))
    elif error:
        events.append((ERROR, dict(error)))
    events.append((DONE, done))
    after = replace(job, status=outcome.status, finished_at=now, lease_until=0, due_at=0, released=None, mark=None)
    return Change(after, events, carried_mark(job, tail))


def error_code(tail: Slot | None) -> str | None:
    """Why a job has failed, as the last slot of its log says; None if it has not."""
    last = tail.events()[-1] if tail else None
    if last is None or last.type != DONE:
        return None
    error = last.parse().data.get("error")
    return str(error["code"]) if error else None


def carried_mark(job: Job, tail: Slot | None) -> Mark | None:
    """Where the log says to resume: the tail's mark, or the row's after a hand-off, whichever is newer."""
    marks = [mark for mark in (job.mark, tail.mark if tail else None) if mark]
    return max(marks, key=lambda mark: mark.boundary_seq, default=None)
