"""Defects in the life of a job, each to be put into the real code: the model must fail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from pytest import MonkeyPatch

from graphjobs.aws import dynamo_log, job_store
from graphjobs.aws.claims import Claim, Claims
from graphjobs.aws.job_lists import JobLists
from graphjobs.aws.job_store import JobStore
from graphjobs.aws.transition import Transitions
from graphjobs.core import lifecycle
from graphjobs.core.change import Applied, Change, Decide, Refusal, Situation
from graphjobs.core.job import Job, Status
from graphjobs.core.outcome import Outcome
from graphjobs.core.slot import Slot
from graphjobs.worker.graph_run import GraphRun
from graphjobs.worker.job_run import JobRun

Mutate = Callable[[MonkeyPatch], None]

ALWAYS = "attribute_exists(job_id) OR attribute_not_exists(job_id)"


def _newest(store: JobStore, claim: Claim) -> Claim:
    row = store.get(claim.job.job_id)
    return replace(claim, job=replace(claim.job, epoch=row.epoch)) if row else claim


def append_unconditionally(patch: MonkeyPatch) -> None:
    patch.setattr(dynamo_log, "PUT_CONDITION", ALWAYS)


def renew_without_epoch(patch: MonkeyPatch) -> None:
    renew = JobStore.renew

    def unfenced(self: JobStore, job: Job, lease_until: int, due_at: int) -> Job:
        row = self.get(job.job_id)
        return renew(self, replace(job, epoch=row.epoch if row else job.epoch), lease_until, due_at)

    patch.setattr(JobStore, "renew", unfenced)


def finish_without_epoch(patch: MonkeyPatch) -> None:
    finish = Claims.finish

    def unfenced(self: Claims, claim: Claim, outcome: Outcome, tail: Slot | None) -> Applied:
        return finish(self, _newest(self._jobs, claim), outcome, tail)

    patch.setattr(Claims, "finish", unfenced)


def release_without_epoch(patch: MonkeyPatch) -> None:
    release = Claims.release

    def unfenced(self: Claims, claim: Claim, how: Any, mark: Any) -> Applied:
        return release(self, _newest(self._jobs, claim), how, mark)

    patch.setattr(Claims, "release", unfenced)


def a_conflict_is_a_success(patch: MonkeyPatch) -> None:
    patch.setattr(Slot, "same_write", lambda self, other: True)


def a_conflict_is_always_a_fence(patch: MonkeyPatch) -> None:
    patch.setattr(Slot, "same_write", lambda self, other: False)


def own_transition_not_recognised(patch: MonkeyPatch) -> None:
    read = Transitions._read

    def anonymous(self: Transitions, job_id: str) -> tuple[Job, Slot | None] | None:
        found = read(self, job_id)
        return (found[0], replace(found[1], nonce="somebody")) if found and found[1] else found

    patch.setattr(Transitions, "_read", anonymous)


def claim_whatever_the_lease(patch: MonkeyPatch) -> None:
    patch.setattr(Job, "held", lambda self, now: False)


def lease_not_in_the_condition(patch: MonkeyPatch) -> None:
    patch.setattr(JobStore.change, "__defaults__", (("status", "epoch"),))


def resume_from_the_latest_checkpoint(patch: MonkeyPatch) -> None:
    config = GraphRun._config

    def latest(self: GraphRun) -> Any:
        made = config(self)
        made["configurable"].pop("checkpoint_id", None)
        return made

    patch.setattr(GraphRun, "_config", latest)


def end_in_two_unconditional_writes(patch: MonkeyPatch) -> None:
    make: Any = Transitions.__init__

    def split(self: Transitions, client: Any, *args: Any, **options: Any) -> None:
        make(self, Halves(client), *args, **options)

    patch.setattr(Transitions, "__init__", split)


class Halves:
    """A client whose transactions are two writes, one after the other."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def transact_write_items(self, **request: Any) -> None:
        items = request["TransactItems"]
        update, put = items[0]["Update"], items[1]["Put"]
        update = {name: value for name, value in update.items() if name != "ConditionExpression"}
        used = update["UpdateExpression"].replace(",", " ").split()
        update["ExpressionAttributeNames"] = {
            name: value for name, value in update["ExpressionAttributeNames"].items() if name in used
        }
        update["ExpressionAttributeValues"] = {
            name: value for name, value in update["ExpressionAttributeValues"].items() if not name.startswith(":old_")
        }
        self._client.update_item(**update)
        self._client.put_item(TableName=put["TableName"], Item=put["Item"])


def cancel_without_the_status(patch: MonkeyPatch) -> None:
    update = JobStore.update

    def unguarded(self: JobStore, before: Job, after: Job, *, guard: tuple[str, ...] = job_store.GUARD) -> Job:
        return update(self, before, after, guard=tuple(name for name in guard if name != "status"))

    patch.setattr(JobStore, "update", unguarded)


def a_terminal_row_is_no_end(patch: MonkeyPatch) -> None:
    """Every decision takes a terminal row for one that runs."""
    commit = Transitions.commit

    def unguarded(self: Transitions, job_id: str, decide: Decide, **options: Any) -> Applied | Refusal:
        def blind(at: Situation) -> Change | Refusal:
            return decide(replace(at, job=replace(at.job, status=Status.RUNNING)) if at.job.status.terminal else at)

        return commit(self, job_id, blind, **options)

    patch.setattr(Transitions, "commit", unguarded)


def renew_whatever_the_status(patch: MonkeyPatch) -> None:
    def unguarded(self: JobStore, job: Job, lease_until: int, due_at: int) -> Job:
        row = self.get(job.job_id) or job
        return self.update(row, replace(row, lease_until=lease_until, due_at=due_at), guard=("epoch",))

    patch.setattr(JobStore, "renew", unguarded)


def a_crash_is_never_noticed(patch: MonkeyPatch) -> None:
    patch.setattr(JobLists, "due", lambda self, shard, now, *, limit, after=None: ([], None))


def a_hand_off_forgets_its_mark(patch: MonkeyPatch) -> None:
    release = Claims.release
    patch.setattr(Claims, "release", lambda self, claim, how, mark: release(self, claim, how, None))


def a_cut_step_never_uses_up_an_attempt(patch: MonkeyPatch) -> None:
    patch.setattr(JobRun, "_went_on", lambda self: True)


def a_job_for_later_is_claimed_at_once(patch: MonkeyPatch) -> None:
    patch.setattr(Job, "waits", lambda self, now: self.waiting)


def void_events_are_not_declared(patch: MonkeyPatch) -> None:
    """The `attempt` event claims that nothing is void."""
    opening = lifecycle._opening

    def forgetful(before: Job, after: Job, tail: Slot | None, *args: Any) -> tuple[str, dict[str, Any]]:
        kind, data = opening(before, after, tail, *args)
        return kind, {**data, "discard_after": tail.last_seq} if tail else data

    patch.setattr(lifecycle, "_opening", forgetful)
