"""Which seed finds each mutant soonest: to be run after a change of the machine, which gives every seed new histories.

    python -m tests.model.seeds [name of a mutant ...]

Prints the lines of `MUTANTS`. A minute or two per mutant at most.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

from hypothesis import seed, settings
from hypothesis.errors import FlakyFailure
from hypothesis.stateful import run_state_machine_as_test
from pytest import MonkeyPatch

import tests.conftest  # noqa: F401 - the credentials that no account has
from tests.model.machine import JobMachine, on_backend
from tests.model.mutants import Mutate
from tests.model.test_mutants import HUNT, MUTANTS

SEEDS = 60
EXAMPLES = 4
SOON = 1.0
"""Seconds in which a seed is good enough to look no further."""


def main(names: Sequence[str]) -> None:
    """Print a line for each mutant."""
    for machine in on_backend():
        for mutate in MUTANTS:
            if not names or mutate.__name__ in names:
                number, seconds = best(machine, mutate)
                print(
                    f"    {mutate.__module__.split('.')[-1]}.{mutate.__name__}: {number},  # {seconds:.1f} s",
                    flush=True,
                )


def best(machine: type[JobMachine], mutate: Mutate) -> tuple[int, float]:
    """The seed that finds a mutant soonest, and how long it takes."""
    found: tuple[int, float] = (MUTANTS[mutate], float("inf"))
    for number in range(SEEDS):
        began = time.monotonic()
        if finds(machine, mutate, number) and time.monotonic() - began < found[1]:
            found = number, time.monotonic() - began
            if found[1] < SOON:
                break
    return found


def finds(machine: type[JobMachine], mutate: Mutate, number: int) -> bool:
    """Whether a seed finds a mutant within a few histories."""
    with MonkeyPatch.context() as patch:
        mutate(patch)
        try:
            run_state_machine_as_test(seed(number)(machine), settings=settings(HUNT, max_examples=EXAMPLES))
        except (AssertionError, FlakyFailure):
            return True
    return False


if __name__ == "__main__":
    main(sys.argv[1:])
