"""Which seed finds each mutant soonest: to be run after a change of a machine, which gives every seed new histories.

    python -m tests.model.seeds [name of a mutant ...]

Prints the lines of `MUTANTS`. A minute or two per mutant at most.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import settings
from hypothesis.errors import FlakyFailure
from pytest import MonkeyPatch

import tests.conftest  # noqa: F401 - the credentials that no account has
from tests.model import test_expiry, test_mutants
from tests.model.expiry import ExpiryMachine
from tests.model.machine import JobMachine
from tests.model.mutants import Mutate
from tests.model.runs import run

SEEDS = 60
SOON = 1.0
"""Seconds in which a seed is good enough to look no further."""


@dataclass(frozen=True)
class Hunt:
    """A machine, its mutants, and how far a seed is to be followed."""

    machine: Any
    mutants: Mapping[Mutate, int]
    settings: settings
    finds: tuple[type[BaseException], ...]


def hunts() -> Iterator[Hunt]:
    """Of all machines."""
    yield Hunt(ExpiryMachine, test_expiry.MUTANTS, test_expiry.HUNT, test_expiry.FINDS)
    few = settings(test_mutants.HUNT, max_examples=4)
    yield Hunt(JobMachine, test_mutants.MUTANTS, few, (AssertionError, FlakyFailure))


def main(names: Sequence[str]) -> None:
    """Print a line for each mutant."""
    for hunt in hunts():
        for mutate in hunt.mutants:
            if not names or mutate.__name__ in names:
                number, seconds = best(hunt, mutate)
                print(
                    f"    {mutate.__module__.split('.')[-1]}.{mutate.__name__}: {number},  # {seconds:.1f} s",
                    flush=True,
                )


def best(hunt: Hunt, mutate: Mutate) -> tuple[int, float]:
    """The seed that finds a mutant soonest, and how long it takes."""
    found: tuple[int, float] = (hunt.mutants[mutate], float("inf"))
    for number in range(SEEDS):
        began = time.monotonic()
        if finds(hunt, mutate, number) and time.monotonic() - began < found[1]:
            found = number, time.monotonic() - began
            if found[1] < SOON:
                break
    return found


def finds(hunt: Hunt, mutate: Mutate, number: int) -> bool:
    """Whether a seed finds a mutant within a few histories."""
    with MonkeyPatch.context() as patch:
        mutate(patch)
        try:
            run(hunt.machine, hunt.settings, number)
        except hunt.finds:
            return True
    return False


if __name__ == "__main__":
    main(sys.argv[1:])
