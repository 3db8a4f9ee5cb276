"""What the machines have in common: a history that does the same each time, and the search for a defect."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from itertools import count
from typing import Any
from unittest.mock import patch

from hypothesis import Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

SEEDS = 16


def repeatable() -> ExitStack:
    """Patches for one history: no pauses between tries, and ids in order: the reconciler's order is theirs."""
    patches = ExitStack()
    patches.enter_context(patch("graphjobs.aws.retry.backoff", lambda _: 0.0))
    ids = (f"job-{number:08x}-0000-4000-8000-000000000000" for number in count(1))
    patches.enter_context(patch("graphjobs.api.submission.new_job_id", lambda: next(ids)))
    return patches


def hunting(of: settings) -> settings:
    """`of` for `hunt`: a fixed number of histories, and none that fails is made shorter."""
    return settings(of, max_examples=40, phases=[Phase.generate], print_blob=False, report_multiple_bugs=False)


def hunt(machine: Any, found_with: settings, first: int) -> None:
    """Run the machine until it fails, or all seeds are used up."""
    for number in (first, *(other for other in range(SEEDS) if other != first)):
        run(machine, found_with, number)


def run(machine: Any, found_with: settings, number: int) -> None:
    """Run the machine with one seed."""
    # Of a function hypothesis would look for the text, and of a class in the whole file, anew at each run.
    made: Any = partial(machine)
    run_state_machine_as_test(seed(number)(made), settings=found_with)
