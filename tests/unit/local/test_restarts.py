"""How long a process that ends again and again is waited for."""

from __future__ import annotations

from graphjobs.local.restarts import Restarts


def test_the_pause_doubles_up_to_five_seconds_for_a_process_that_ends_at_once() -> None:
    restarts = Restarts()
    assert [restarts.pause(0.0) for _ in range(8)] == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]


def test_what_it_lived_is_part_of_the_pause() -> None:
    restarts = Restarts()
    assert restarts.pause(1.0) == 0.0
    assert restarts.pause(0.05) == 0.2 - 0.05


def test_a_process_that_was_stable_begins_anew() -> None:
    restarts = Restarts()
    for _ in range(5):
        restarts.pause(0.0)
    assert restarts.pause(11.0) == 0.0
    assert restarts.pause(0.0) == 0.1
