"""One job's life in order of time: what its row says, what its log says of attempts, and what was logged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from graphjobs.core import event
from graphjobs.core.times import from_rfc3339

if TYPE_CHECKING:
    from graphjobs.admin.log_lines import Line
    from graphjobs.aws.backend import Backend
    from graphjobs.core.job import Job

PAGE_SLOTS: Final = 100
ROW: Final = "row"
LOG: Final = "events"

TURNS: Final = frozenset({event.METADATA, event.ATTEMPT, event.ERROR, event.INTERRUPT, event.DONE})
"""Events that tell of the job and not of its graph."""

SHOWN: Final = ("graph", "attempt", "reason", "status", "code", "type", "where", "id", "node", "digest")
"""Of an event: nothing of what users wrote or were answered."""

UNSAID: Final = frozenset(
    {"level", "location", "message", "timestamp", "service", "job_id", "exception", "exception_name", "stack_trace"}
    | {"release", "xray_trace_id", "type", "record", "time", "function_request_id"}
)
"""Members of a log line that are said otherwise, or of no use here."""


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happened: when (epoch milliseconds), who says so, what, and facts of it.

    Attributes:
        below: lines of text that belong to it, such as a trace.
    """

    at: int
    source: str
    what: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    below: tuple[str, ...] = ()


def life(backend: Backend, job: Job, lines: Iterable[Line]) -> list[Moment]:
    """All moments, in order of time.

    Raises:
        ClientError, BotoCoreError: as DynamoDB or S3 answer.
    """
    moments = [*_of_row(job), *_of_events(backend, job), *map(_of_line, lines)]
    return sorted(moments, key=lambda moment: moment.at)


def _of_row(job: Job) -> Iterator[Moment]:
    yield Moment(job.created_at, ROW, "created", {"owner": job.owner, "graph": job.graph, "thread_id": job.thread})
    if job.finished_at is not None:
        facts = {"attempt": job.attempt, "epoch": job.epoch, "handoffs": job.handoffs}
        yield Moment(job.finished_at, ROW, job.status.value, facts)


def _of_events(backend: Backend, job: Job) -> Iterator[Moment]:
    seq = 1
    while slots := backend.log.following(job.job_id, seq, max_slots=PAGE_SLOTS):
        for each in (stored.parse() for slot in slots for stored in slot.events()):
            if each.type in TURNS:
                data = {**each.data, **(each.data.get("error") or {})}
                facts = {"seq": each.seq} | {name: data[name] for name in SHOWN if data.get(name) is not None}
                yield Moment(from_rfc3339(each.ts), LOG, each.type, facts)
        seq = slots[-1].next_seq


def _of_line(line: Line) -> Moment:
    members = line.members
    if "record" in members:  # of Lambda itself
        record = members["record"]
        facts = {name: record.get(name) for name in ("requestId", "status", "errorType")} | record.get("metrics", {})
        return Moment(line.at, line.source, str(members.get("type")), _known(facts))
    facts = {name: value for name, value in members.items() if name not in UNSAID}
    if members.get("level") in ("WARNING", "ERROR", "CRITICAL"):
        facts = {"level": members["level"], **facts}
    if "function_request_id" in members:
        facts["request"] = members["function_request_id"]
    trace = str(members.get("exception") or "")
    return Moment(line.at, line.source, str(members.get("message")), _known(facts), tuple(trace.splitlines()))


def _known(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in facts.items() if value is not None}
