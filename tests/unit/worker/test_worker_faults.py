"""Every AWS call of the worker fails, first and last of its kind: not noticed, or made good by the next delivery."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from graphjobs.aws.bulk import BackendUnavailable
from graphjobs.core.job import Job
from tests.support.faults import FAULTS, client_error
from tests.support.worker.checks import check_nothing_repeated, check_sound, story
from tests.support.worker.gate import Gate, Trouble
from tests.support.worker.graphs import HOOKS, steps_of
from tests.support.worker.rig import Rig, RiggedWorker

LARGE = 2_000
"""What is over this goes to S3 here."""

LEFT_TO_SQS = {"worker.GetItem", "worker.Query"}
"""Reads before the claim or at the end, which botocore has tried five times: the message comes back."""

CALLS = {
    "worker.GetItem",  # the row to claim, the input, the row to finish
    "worker.TransactWriteItems",
    "worker.PutItem",
    "s3.PutObject",
    "saver.PutItem",
    "saver-s3.PutObject",
}
SLOTS = {"worker.PutItem", "s3.PutObject"}
RESUMING_CALLS = {
    "worker.GetItem",
    "worker.Query",  # the tail, which names the mark
    "saver.Query",
    "saver.BatchGetItem",
    "saver-s3.GetObject",
}
FOREVER = 10_000
UNDISTURBED = Trouble("", RuntimeError())


@pytest.fixture(autouse=True)
def small_and_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graphjobs.aws.retry.backoff", lambda attempt: 0.0)
    monkeypatch.setattr("graphjobs.core.slot.MAX_INLINE_BYTES", LARGE)
    monkeypatch.setattr("graphjobs.worker.slot_buffer.UPDATE_HOLD_SECONDS", 60.0)  # the mark is with the step's update
    monkeypatch.setattr("graphjobs.aws.checkpoint_table.LARGE", LARGE)


def deliver(workers: Rig, job: Job, gate: Gate) -> RiggedWorker:
    """Deliver the message once; should that fail, SQS keeps it, and the lease has lapsed when it comes back."""
    worker = workers.worker(gate, durable_saver=True)
    try:
        worker.process(job)
    except (ClientError, BotoCoreError, BackendUnavailable) as error:
        injected = getattr(gate, "error", None)
        assert gate.dead or injected in (error, error.__cause__), "no other fault than that of the test"
    workers.retire(worker)
    workers.lapse()
    return worker


def half_done(workers: Rig) -> Job:
    """A job whose worker has died in its last step."""
    job, gate = workers.job("heavy"), Gate()

    def die() -> None:
        workers.until_logged(job, "update", 2)
        gate.die()

    HOOKS["unload"] = die
    deliver(workers, job, gate)
    return job


def check(workers: Rig, job: Job, expected: dict[str, Any]) -> None:
    assert workers.row(job).status == "completed"
    check_sound(workers.events(job), workers.row(job))
    assert story(workers.events(job)) == expected


def fault_of(name: str) -> tuple[Exception, bool]:
    """An error, and whether it takes the place of an answer only."""
    return (FAULTS["internal"](), True) if name == "answer lost" else (FAULTS[name](), False)


@pytest.fixture(scope="module")
def seen() -> dict[str, Any]:
    """What a run without faults tells, and the calls that it makes; by the first test that needs it."""
    return {}


def undisturbed(workers: Rig, seen: dict[str, Any]) -> dict[str, Any]:
    if not seen:
        for name, job in (("calls", workers.job("heavy")), ("resuming", half_done(workers))):
            probe = Trouble("", RuntimeError())
            deliver(workers, job, probe)
            seen[name] = [call for call in probe.calls if not call.startswith("heartbeat")]
            seen["story"] = story(workers.events(job))
    return seen


def test_the_tables_name_every_call(workers: Rig, seen: dict[str, Any]) -> None:
    assert set(undisturbed(workers, seen)["calls"]) == CALLS
    assert set(seen["resuming"]) - CALLS == RESUMING_CALLS - CALLS


@pytest.mark.parametrize("fault", ["throttled", "answer lost"])
@pytest.mark.parametrize("which", ["first", "last"])
@pytest.mark.parametrize("call", sorted(CALLS))
def test_a_call_that_fails_loses_and_repeats_nothing(
    workers: Rig, seen: dict[str, Any], call: str, which: str, fault: str
) -> None:
    expected = undisturbed(workers, seen)
    # How many slots there are is a matter of time: the first is certain.
    nth = 1 if which == "first" or call in SLOTS else expected["calls"].count(call)
    error, lost = fault_of(fault)
    job, trouble = workers.job("heavy"), Trouble(call, error, nth=nth, lost=lost)
    deliver(workers, job, trouble)
    assert trouble.met
    if call not in LEFT_TO_SQS:
        assert workers.row(job).status == "completed" and workers.row(job).attempt == 1, "not noticed"
    elif not workers.row(job).status.terminal:
        again = deliver(workers, job, UNDISTURBED)
        check_nothing_repeated(workers.events(job), again.name)
    check(workers, job, expected["story"])


@pytest.mark.parametrize("fault", ["timeout", "reset"])
@pytest.mark.parametrize("call", sorted(RESUMING_CALLS))
def test_a_call_of_a_worker_that_resumes_may_fail_too(
    workers: Rig, seen: dict[str, Any], call: str, fault: str
) -> None:
    expected = undisturbed(workers, seen)
    error, lost = fault_of(fault)
    job, trouble = half_done(workers), Trouble(call, error, lost=lost)
    resumed = deliver(workers, job, trouble)
    assert trouble.met
    if call in LEFT_TO_SQS:
        resumed = deliver(workers, job, UNDISTURBED)
    assert steps_of(resumed.name) == ["unload"], "from the checkpoint that the log names"
    check(workers, job, expected["story"])


CHECKPOINTS = ["saver.PutItem", "saver.BatchGetItem", "saver.Query", "saver-s3.PutObject", "saver-s3.GetObject"]


@pytest.mark.parametrize("call", CHECKPOINTS)
def test_checkpoints_that_cannot_be_had_for_long_are_no_error_of_the_graph(
    workers: Rig, seen: dict[str, Any], call: str
) -> None:
    """The job is left as after a crash, and another worker ends it when the table is well again."""
    expected = undisturbed(workers, seen)
    job = half_done(workers) if "Put" not in call else workers.job("heavy")
    deliver(workers, job, Trouble(call, FAULTS["unavailable"](), times=FOREVER))
    assert workers.row(job).status == "running"
    deliver(workers, job, UNDISTURBED)
    check(workers, job, expected["story"])


def test_a_fault_of_the_checkpoints_that_will_not_pass_is_not_waited_for(workers: Rig) -> None:
    job, trouble = workers.job("heavy"), Trouble("saver.PutItem", client_error("AccessDeniedException"), times=FOREVER)
    deliver(workers, job, trouble)
    assert workers.row(job).status == "failed" and trouble.calls.count("saver.PutItem") <= 3


def conflict() -> ClientError:
    error = client_error("TransactionCanceledException")
    error.response["CancellationReasons"] = [{"Code": "TransactionConflict"}, {"Code": "None"}]
    return error


@pytest.mark.parametrize("nth", [1, 2], ids=["claim", "finish"])
def test_a_transaction_that_meets_others_is_made_all_the_same(workers: Rig, nth: int) -> None:
    job, trouble = workers.job("heavy"), Trouble("worker.TransactWriteItems", conflict(), nth=nth, times=5)
    deliver(workers, job, trouble)
    assert trouble.met and workers.row(job).status == "completed" and workers.row(job).epoch == 1
