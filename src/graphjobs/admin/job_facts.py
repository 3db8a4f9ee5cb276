"""All that is known of one job, but for what its user wrote and what its graph answered."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from graphjobs.admin.prospect import next_step
from graphjobs.aws.queue_place import place_in_queue
from graphjobs.core.lifecycle import Policy, carried_mark
from graphjobs.core.times import rfc3339, rfc3339_or_none

if TYPE_CHECKING:
    from graphjobs.aws.backend import Backend
    from graphjobs.core.job import Job
    from graphjobs.core.slot import Slot

COUNTS: Final = ("attempt", "epoch", "handoffs", "sends", "start_failures", "tickets_revoked")
FLAGS: Final = ("waiting", "rollback", "deleting")


def job_facts(backend: Backend, job: Job) -> dict[str, Any]:
    """The row, its thread, its place in the queue, the end of its log, and what happens next.

    Raises:
        ClientError, BotoCoreError: as DynamoDB or S3 answer.
    """
    now, tail = backend.clock(), backend.log.tail(job.job_id)
    mark = carried_mark(job, tail)
    return {
        "job_id": job.job_id,
        "owner": job.owner,
        "thread_id": job.thread,
        "graph": job.graph,
        "status": job.status.value,
        "next": next_step(job, now, Policy.of(backend.settings)),
        "created_at": rfc3339(job.created_at),
        "started_at": rfc3339_or_none(job.started_at),
        "finished_at": rfc3339_or_none(job.finished_at),
        "not_before": rfc3339_or_none(job.not_before),
        "deadline_at": rfc3339(job.deadline_at),
        "expires_at": rfc3339(job.expires_at * 1000),
        **{name: getattr(job, name) for name in COUNTS},
        "released": job.released.value if job.released else None,
        "lease_until": rfc3339_or_none(job.lease_until or None),
        "due_at": rfc3339_or_none(job.due_at or None),
        "sent_at": rfc3339_or_none(job.sent_at),
        "watched_until": rfc3339_or_none(job.watched_until),
        **{name: True for name in FLAGS if getattr(job, name)},
        "digest": job.digest or None,
        "queue": place_in_queue(job, backend.jobs, backend.threads),
        "thread": _thread(backend, job),
        "resumes_at": f"{mark.thread} {mark.checkpoint_id}" if mark and not job.status.terminal else None,
        "last_slot": _slot(backend, tail) if tail else None,
        "error": _error(backend, tail) if tail and job.status.terminal else None,
    }


def _thread(backend: Backend, job: Job) -> dict[str, Any] | None:
    thread = backend.threads.get(job.thread)
    if thread is None:
        return None
    return {
        "status": "deleting" if thread.deleting else thread.status.value,
        "turn": thread.turn,
        "waiting": list(thread.waiting),
        "questions": len(thread.interrupts),
    }


def _slot(backend: Backend, tail: Slot) -> dict[str, Any]:
    events = [event.parse() for event in backend.log.whole(tail).events()]
    return {
        "seqs": f"{tail.seq}-{tail.last_seq}",
        "at": events[-1].ts,
        "types": list(dict.fromkeys(event.type for event in events)),
        "in_s3": tail.object_key is not None,
    }


def _error(backend: Backend, tail: Slot) -> dict[str, Any] | None:
    last = json.loads(backend.log.whole(tail).events()[-1].line)
    error: dict[str, Any] | None = last["data"].get("error")
    return error
