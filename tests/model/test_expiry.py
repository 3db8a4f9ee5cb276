"""What `expiry` holds true, over random histories; and the test of it: it must find each defect of `expiry_mutants`."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
from botocore.exceptions import ClientError
from pytest import MonkeyPatch

from graphjobs.aws.transition import Contended
from tests.model import expiry_mutants, thread_mutants
from tests.model.expiry import SETTINGS, ExpiryMachine
from tests.model.mutants import Mutate
from tests.model.runs import hunt, hunting, run

MUTANTS: dict[Mutate, int] = {
    expiry_mutants.a_thread_expires_though_a_job_waits: 0,
    expiry_mutants.a_turn_is_kept_by_a_job_that_is_gone: 22,
    expiry_mutants.a_turn_is_given_to_a_job_that_is_gone: 22,
    expiry_mutants.what_is_stored_does_not_outlive_a_delay: 9,
    expiry_mutants.a_row_does_not_outlive_its_delay: 0,
    expiry_mutants.checkpoints_expire_with_the_job_that_wrote_them: 4,
    expiry_mutants.states_expire_with_the_retention: 25,
    expiry_mutants.a_log_expires_before_its_row: 0,
    expiry_mutants.an_expired_thread_is_joined: 13,
    expiry_mutants.a_thread_comes_back_as_its_first_job_left_it: 1,
    expiry_mutants.what_was_rolled_back_is_a_beginning: 29,
    thread_mutants.a_fork_from_what_was_never_confirmed: 3,
}
"""Each with the seed to begin with; see `tests.model.test_mutants`. It gives other histories with other settings."""

HUNT = hunting(SETTINGS)
FINDS = (AssertionError, ClientError, Contended)
"""Also a body that is gone from S3, and a job that cannot be ended: there is nobody else here."""


def test_the_invariants_hold_in_every_history() -> None:
    run(ExpiryMachine, SETTINGS, 0)


@pytest.mark.mutants
@pytest.mark.parametrize(("mutate", "first"), MUTANTS.items(), ids=[mutate.__name__ for mutate in MUTANTS])
def test_the_model_finds_the_defect(monkeypatch: MonkeyPatch, mutate: Mutate, first: int) -> None:
    mutate(monkeypatch)
    with pytest.raises(FINDS):
        hunt(ExpiryMachine, HUNT, first)


@pytest.mark.parametrize("mutate", [None, expiry_mutants.a_job_joins_too_late])
def test_a_job_that_may_begin_too_late_is_refused(monkeypatch: MonkeyPatch, mutate: Mutate | None) -> None:
    """A history that random ones rarely come to: a thread that only jobs keep alive, none of which moves its head."""
    if mutate:
        mutate(monkeypatch)
    machine = ExpiryMachine()
    machine.deployed((1, 1), 2, in_s3=False, alone=False, end="well")
    machine.submit(0, "say", "enqueue", short=True, after=168, steps=0, end="")
    machine.hours_pass(160, outage=False)
    machine.submit(0, "say", "rollback", short=True, after=168, steps=0, end="")
    assert len(machine.keeping.accepted) == (3 if mutate else 2)
    machine.hours_pass(160, outage=False)
    machine.hours_pass(8, outage=True)
    machine.time_to_live(0, 1.0)
    with pytest.raises(AssertionError, match="nothing is stored") if mutate else nullcontext():
        machine.claim(2, 1, "well")
    machine.teardown()
