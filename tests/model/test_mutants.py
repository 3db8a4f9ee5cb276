"""The test of the model: each of these defects, put into the real code, must make the model fail.

Most are found within a few histories; a mutant that is not found says that the model has become blind to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from pytest import MonkeyPatch

from functions.worker.graph_run import GraphRun
from graphjobs import claims, dynamo_log, job_store
from graphjobs.claims import Claim, Claims
from graphjobs.dynamo_log import DynamoEventLog
from graphjobs.event_log import Fenced
from graphjobs.job import Job
from graphjobs.job_store import JobStore
from graphjobs.outcome import Outcome
from graphjobs.slot import Slot
from graphjobs.transition import Transitions
from tests.model.machine import SETTINGS, JobMachine, on_backend

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

    def unfenced(self: Claims, claim: Claim, outcome: Outcome, tail: Slot | None) -> Job:
        return finish(self, _newest(self._jobs, claim), outcome, tail)

    patch.setattr(Claims, "finish", unfenced)


def release_without_epoch(patch: MonkeyPatch) -> None:
    release = Claims.release

    def unfenced(self: Claims, claim: Claim, how: Any, mark: Any) -> None:
        release(self, _newest(self._jobs, claim), how, mark)

    patch.setattr(Claims, "release", unfenced)


def a_conflict_is_a_success(patch: MonkeyPatch) -> None:
    patch.setattr(Slot, "same_write", lambda self, other: True)


def a_conflict_is_always_a_fence(patch: MonkeyPatch) -> None:
    patch.setattr(Slot, "same_write", lambda self, other: False)


def own_transition_not_recognised(patch: MonkeyPatch) -> None:
    read = Transitions._read

    def anonymous(self: Transitions, job_id: str) -> tuple[Job, Slot | None]:
        job, tail = read(self, job_id)
        return job, replace(tail, nonce="somebody") if tail else None

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
    commit_one: Any = Transitions.__init__

    def split(self: Transitions, client: Any, *args: Any, **options: Any) -> None:
        commit_one(self, Halves(client), *args, **options)

    patch.setattr(Transitions, "__init__", split)


class Halves:
    """A client whose transactions are two writes, one after the other."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def transact_write_items(self, **request: Any) -> None:
        items = request["TransactItems"]
        update, put = items[0]["Update"], items[1]["Put"]
        update = {name: value for name, value in update.items() if name != "ConditionExpression"}
        used = update["UpdateExpression"]
        update["ExpressionAttributeNames"] = {
            name: value
            for name, value in update["ExpressionAttributeNames"].items()
            if name in used.replace(",", " ").split()
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


def finish_a_terminal_job_again(patch: MonkeyPatch) -> None:
    """The guard of terminal rows taken out of every decision, and out of the log's: `done` is no end."""
    from graphjobs import job

    patch.setattr(job, "TERMINAL", frozenset())


def a_crash_is_never_noticed(patch: MonkeyPatch) -> None:
    patch.setattr(JobStore, "due", lambda self, shard, now, *, limit, after=None: ([], None))


def a_hand_off_forgets_its_mark(patch: MonkeyPatch) -> None:
    release = Claims.release
    patch.setattr(Claims, "release", lambda self, claim, how, mark: release(self, claim, how, None))


def void_events_are_not_declared(patch: MonkeyPatch) -> None:
    """The `attempt` event claims that nothing is void."""
    taken = Claims._taken

    def forgetful(self: Claims, job: Job, tail: Slot | None, now: int, model: str | None) -> Any:
        change = taken(self, job, tail, now, model)
        (kind, data), *_ = change.events
        if tail is not None:
            data = {**data, "discard_after": tail.last_seq}
        return replace(change, events=[(kind, data)])

    patch.setattr(Claims, "_taken", forgetful)


def a_reader_skips_a_gap(patch: MonkeyPatch) -> None:
    following = DynamoEventLog.following

    def skipping(self: DynamoEventLog, job_id: str, seq: int, *, max_slots: int) -> list[Slot]:
        return following(self, job_id, seq, max_slots=max_slots)[-1:]

    patch.setattr(DynamoEventLog, "following", skipping)


MUTANTS: list[Mutate] = [
    append_unconditionally,
    renew_without_epoch,
    finish_without_epoch,
    release_without_epoch,
    a_conflict_is_a_success,
    a_conflict_is_always_a_fence,
    own_transition_not_recognised,
    claim_whatever_the_lease,
    lease_not_in_the_condition,
    resume_from_the_latest_checkpoint,
    end_in_two_unconditional_writes,
    cancel_without_the_status,
    finish_a_terminal_job_again,
    a_crash_is_never_noticed,
    a_hand_off_forgets_its_mark,
    void_events_are_not_declared,
]

HUNT = settings(SETTINGS, max_examples=400, derandomize=True, phases=[Phase.generate], print_blob=False)


@pytest.fixture(scope="module")
def machine() -> Iterator[type[JobMachine]]:
    yield from on_backend()


@pytest.mark.parametrize("mutate", MUTANTS, ids=lambda mutate: mutate.__name__)
def test_the_model_finds_the_defect(machine: type[JobMachine], monkeypatch: MonkeyPatch, mutate: Mutate) -> None:
    mutate(monkeypatch)
    with pytest.raises((AssertionError, Fenced, KeyError, StopIteration, ExceptionGroup)):
        run_state_machine_as_test(machine, settings=HUNT)


__all__ = ["claims"]
