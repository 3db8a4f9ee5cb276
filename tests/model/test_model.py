"""The five invariants, over random histories of the real code. GRAPHJOBS_MODEL_EXAMPLES=1000 looks further.

The seeds are fixed, so that a run of the tests says the same every time.
"""

from __future__ import annotations

import pytest

from tests.model.machine import SETTINGS, JobMachine
from tests.model.runs import run


@pytest.mark.parametrize("number", range(4))
def test_the_invariants_hold_in_every_history(number: int) -> None:
    run(JobMachine, SETTINGS, number)
