"""The test of the model: each defect of `mutants` and `thread_mutants`, put into the real code, must make it fail.

Most are found within a few histories; a mutant that is not found says that the model has become blind to it.
"""

from __future__ import annotations

import pytest
from hypothesis.errors import FlakyFailure
from pytest import MonkeyPatch

from tests.model import mutants, thread_mutants
from tests.model.machine import SETTINGS, JobMachine
from tests.model.mutants import Mutate
from tests.model.runs import hunt, hunting

MUTANTS: dict[Mutate, int] = {
    mutants.append_unconditionally: 0,
    mutants.renew_without_epoch: 0,
    mutants.finish_without_epoch: 34,
    mutants.release_without_epoch: 0,
    mutants.a_conflict_is_a_success: 0,
    mutants.a_conflict_is_always_a_fence: 1,
    mutants.own_transition_not_recognised: 0,
    mutants.claim_whatever_the_lease: 0,
    mutants.lease_not_in_the_condition: 36,
    mutants.resume_from_the_latest_checkpoint: 0,
    mutants.end_in_two_unconditional_writes: 0,
    mutants.cancel_without_the_status: 5,
    mutants.a_terminal_row_is_no_end: 0,
    mutants.renew_whatever_the_status: 0,
    mutants.a_crash_is_never_noticed: 0,
    mutants.a_hand_off_forgets_its_mark: 31,
    mutants.a_cut_step_never_uses_up_an_attempt: 2,
    mutants.a_job_for_later_is_claimed_at_once: 0,
    mutants.void_events_are_not_declared: 0,
    thread_mutants.claim_out_of_turn: 0,
    thread_mutants.a_busy_thread_is_taken_for_free: 0,
    thread_mutants.threads_are_changed_unconditionally: 39,
    thread_mutants.a_rollback_keeps_the_head: 7,
    thread_mutants.resume_on_the_shared_checkpoint: 8,
    thread_mutants.any_answer_will_do: 0,
    thread_mutants.the_turn_is_not_handed_on: 0,
    thread_mutants.a_fenced_worker_moves_the_head: 19,
    thread_mutants.a_head_is_what_was_saved_last: 15,
    thread_mutants.a_fork_hides_the_branch_it_left: 1,
}
"""Those of forks that are rolled back or never confirmed are in `test_forks` and `test_expiry`.

Each with the seed to begin with, which `tests.model.seeds` finds; the others follow, if the machine has changed.
"""

HUNT = hunting(SETTINGS)


@pytest.mark.mutants
@pytest.mark.parametrize(("mutate", "first"), MUTANTS.items(), ids=[mutate.__name__ for mutate in MUTANTS])
def test_the_model_finds_the_defect(monkeypatch: MonkeyPatch, mutate: Mutate, first: int) -> None:
    mutate(monkeypatch)
    with pytest.raises((AssertionError, FlakyFailure)) as found:
        hunt(JobMachine, HUNT, first)
    # OS threads take part, so a find may not come again when hypothesis tries: the invariant was broken all the same.
    if isinstance(found.value, FlakyFailure):
        assert found.value.subgroup(AssertionError) is not None, "it failed otherwise than by an invariant"
