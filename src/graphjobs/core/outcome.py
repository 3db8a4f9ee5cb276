"""How a job ends. The stable codes of a failed job are all here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from graphjobs.core.job import Status

GRAPH_ERROR: Final = "graph_error"
TIMED_OUT: Final = "timed_out"
WORKER_LOST: Final = "worker_lost"
STEP_EXCEEDS_LIMIT: Final = "step_exceeds_limit"
TOO_MANY_HANDOFFS: Final = "too_many_handoffs"
GRAPH_UNAVAILABLE: Final = "graph_unavailable"
INVALID_INPUT: Final = "invalid_input"
INTERRUPT_UNSUPPORTED: Final = "interrupt_unsupported"
RECURSION_LIMIT: Final = "recursion_limit"
EVENT_TOO_LARGE: Final = "event_too_large"
INPUT_MISSING: Final = "input_missing"

MESSAGES: Final = {
    GRAPH_ERROR: "The graph failed.",
    TIMED_OUT: "The job did not finish within its timeout.",
    WORKER_LOST: "The job was given up after its workers were lost too often.",
    STEP_EXCEEDS_LIMIT: "A single step of the graph takes longer than the worker may run.",
    TOO_MANY_HANDOFFS: "The job was handed from worker to worker too often.",
    GRAPH_UNAVAILABLE: "The graph could not be loaded.",
    INVALID_INPUT: "The graph has no place for the query: send it as input.",
    INTERRUPT_UNSUPPORTED: "The graph asked for a person's answer, which a job cannot wait for.",
    RECURSION_LIMIT: "The graph took more steps than its recursion limit allows.",
    EVENT_TOO_LARGE: "The graph produced an event or a result that is too large.",
    INPUT_MISSING: "The input of the job is no longer stored.",
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

    def done(self) -> dict[str, Any]:
        """The data of the event ``done``."""
        done: dict[str, Any] = {"status": self.status.value, "result": self.result}
        error = self.error()
        return done | {"error": error} if error else done


CANCELLED: Final = Outcome(Status.CANCELLED)


def completed(result: Any) -> Outcome:
    """The graph has ended with `result`."""
    return Outcome(Status.COMPLETED, result)


def failed(code: str) -> Outcome:
    """The job has failed; `code` is one of the codes above."""
    return Outcome(Status.FAILED, code=code)
