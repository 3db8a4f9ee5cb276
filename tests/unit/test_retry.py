"""`Retry`: how often, how long, and the pauses in between."""

from __future__ import annotations

import pytest

from graphjobs.aws.retry import NoTimeLeft, Retry, backoff, no_try_after


def test_so_many_tries_and_a_pause_before_each_but_the_first() -> None:
    pauses: list[float] = []
    assert list(Retry(tries=4, seconds=60).paced(pauses.append)) == [False, False, False, True]
    assert len(pauses) == 3


def test_none_begins_after_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("graphjobs.aws.retry.time.monotonic", lambda: clock[0])
    tries = 0
    for last in Retry(tries=100, seconds=20).paced(lambda _: None):
        tries += 1
        clock[0] += 8  # a call that times out
        assert last == (tries == 4)
    assert tries == 4


def test_none_begins_after_the_moment_at_which_somebody_must_have_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr("graphjobs.aws.retry.time.monotonic", lambda: clock[0])

    begun: list[float] = []

    def try_often() -> None:
        for _ in Retry(tries=9, seconds=60).paced(lambda _: None):
            begun.append(clock[0])
            clock[0] += 2

    with no_try_after(104.0):
        with pytest.raises(NoTimeLeft):
            try_often()
        assert begun == [100, 102]
        with pytest.raises(NoTimeLeft):
            try_often()
        assert begun == [100, 102, 104], "there is always one"
    try_often()
    assert len(begun) == 3 + 9, "and it holds for nobody else"


def test_one_try_is_the_last() -> None:
    assert list(Retry(tries=1, seconds=0)) == [True]


def test_pauses_grow_up_to_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graphjobs.aws.retry.JITTER.uniform", lambda low, high: high)
    pauses = [backoff(number) for number in range(10)]
    assert pauses[0] == 0.02 and pauses == sorted(pauses) and pauses[-1] == 1.0
