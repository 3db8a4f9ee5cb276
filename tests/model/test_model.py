"""The five invariants, over random histories of the real code. GRAPHJOBS_MODEL_EXAMPLES=1000 looks further."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis.stateful import run_state_machine_as_test

from tests.model.machine import SETTINGS, JobMachine, on_backend


@pytest.fixture
def machine() -> Iterator[type[JobMachine]]:
    yield from on_backend()


def test_the_invariants_hold_in_every_history(machine: type[JobMachine]) -> None:
    run_state_machine_as_test(machine, settings=SETTINGS)
