"""The order of the tests: what takes longest is what the processes begin with."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.support.order import HEADS, spread

FOLDERS = ["deploy"] * 20 + ["e2e"] * 7 + ["infra"] * 9 + ["integration"] * 2 + ["model"] * 3 + ["unit"] * 80
TESTS = list(enumerate(FOLDERS))


def order(processes: int, tests: Sequence[tuple[int, str]] = TESTS) -> list[tuple[int, str]]:
    return spread(tests, lambda test: test[1], processes)


@pytest.mark.parametrize("processes", [0, 1, 2, 3, 8, 500])
def test_every_test_is_there_once_and_those_of_a_folder_keep_their_order(processes: int) -> None:
    found = order(processes)
    assert sorted(found) == TESTS
    for name in set(FOLDERS):
        numbers = [number for number, folder in found if folder == name]
        assert numbers == sorted(numbers)


@pytest.mark.parametrize("processes", [2, 3, 5])
def test_each_head_is_where_the_part_of_a_process_begins(processes: int) -> None:
    left, begins = list(order(processes)), []
    for taken in range(processes):  # as pytest-xdist's WorkStealingScheduling.check_schedule
        share = len(left) // (processes - taken)
        begins.append(left[0][1])
        left = left[share:]
    assert begins[: len(HEADS)] == [names[0] for names in HEADS]


def test_where_a_head_is_longer_than_its_part_nothing_is_lost() -> None:
    tests = list(enumerate(["e2e"] * 50 + ["infra"] * 2))
    assert order(2, tests) == tests
