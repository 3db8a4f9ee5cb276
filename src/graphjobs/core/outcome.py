"""How a job ends. The stable codes of a failed job are all here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from graphjobs.core.job import Status
from graphjobs.core.thread import Position

GRAPH_ERROR: Final = "graph_error"
TIMED_OUT: Final = "timed_out"
WORKER_LOST: Final = "worker_lost"
STEP_EXCEEDS_LIMIT: Final = "step_exceeds_limit"
TOO_MANY_HANDOFFS: Final = "too_many_handoffs"
GRAPH_UNAVAILABLE: Final = "graph_unavailable"
INVALID_INPUT: Final = "invalid_input"
CHECKPOINT_GONE: Final = "checkpoint_gone"
INVALID_UPDATE: Final = "invalid_update"
RECURSION_LIMIT: Final = "recursion_limit"
EVENT_TOO_LARGE: Final = "event_too_large"
INPUT_MISSING: Final = "input_missing"
WORKER_INIT: Final = "worker_init"
NEW_VERSION: Final = "new_version"

MESSAGES: Final = {
    GRAPH_ERROR: "The graph failed.",
    TIMED_OUT: "The job did not finish within its timeout.",
    WORKER_LOST: "The job was given up after its workers were lost too often.",
    STEP_EXCEEDS_LIMIT: "A single step of the graph takes longer than the worker may run.",
    TOO_MANY_HANDOFFS: "The job was handed from worker to worker too often.",
    GRAPH_UNAVAILABLE: "The graph could not be loaded.",
    INVALID_INPUT: "The graph has no place for the query: send it as input.",
    CHECKPOINT_GONE: "The checkpoint that the job was to begin with is no longer stored.",
    INVALID_UPDATE: "The graph does not take the update: there is no such node, or as_node must name one.",
    RECURSION_LIMIT: "The graph took more steps than its recursion limit allows.",
    EVENT_TOO_LARGE: "The graph produced an event or a result that is too large.",
    INPUT_MISSING: "The input of the job is no longer stored.",
    WORKER_INIT: "No worker could be started for the job.",
    NEW_VERSION: "The graph was deployed anew before the job had ended.",
}


@dataclass(frozen=True, slots=True)
class Cause:
    """The exception behind an error code, as far as clients may know.

    Attributes:
        type: name of its class.
        where: path of the node that has raised it; None if no node has.
        text: what it says; None where that is not for clients.
    """

    type: str
    where: str | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of a job.

    Attributes:
        status: terminal.
        result: of a job that ran to its end, or the values so far of one that is interrupted.
        code: why it has failed.
        interrupts: the questions that wait for an answer, ``{"id", "value"}``; none if it stopped where it was told to.
        cause: the exception behind the code.
        cut: what the result does not hold of the graph's values, and why.
        position: the newest checkpoint that it saved and confirmed; where the next job of its thread begins.
    """

    status: Status
    result: Any = None
    code: str | None = None
    interrupts: tuple[Mapping[str, Any], ...] = ()
    position: Position | None = None
    cause: Cause | None = None
    cut: tuple[str, ...] = ()

    def error(self) -> dict[str, str] | None:
        """The error as clients see it: ``{code, message, type?, where?}``, never a trace."""
        if self.code is None:
            return None
        error = {"code": self.code, "message": MESSAGES[self.code]}
        if self.cause is not None:
            error |= {"message": self.cause.text or error["message"], "type": self.cause.type}
            if self.cause.where is not None:
                error["where"] = self.cause.where
        return error

    def done(self) -> dict[str, Any]:
        """The data of the event ``done``."""
        done: dict[str, Any] = {"status": self.status.value, "result": self.result}
        if self.status is Status.INTERRUPTED:
            done["interrupts"] = [dict(each) for each in self.interrupts]
        if self.cut:
            done["cut"] = list(self.cut)
        error = self.error()
        return done | {"error": error} if error else done


CANCELLED: Final = Outcome(Status.CANCELLED)


def completed(result: Any) -> Outcome:
    """The graph has ended with `result`."""
    return Outcome(Status.COMPLETED, result)


def interrupted(values: Any, interrupts: Iterable[Mapping[str, Any]]) -> Outcome:
    """The graph has stopped before its end, with `values` so far: for these questions, or as it was told to."""
    return Outcome(Status.INTERRUPTED, values, interrupts=tuple(interrupts))


def failed(code: str, cause: Cause | None = None) -> Outcome:
    """The job has failed; `code` is one of the codes above, `cause` what has led to it, if it was an exception."""
    return Outcome(Status.FAILED, code=code, cause=cause)
