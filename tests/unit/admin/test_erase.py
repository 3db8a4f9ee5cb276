"""`graphjobs admin erase`: what it asks, what it says, and its exit code."""

from __future__ import annotations

import io
import json
import sys

import pytest

from tests.support.backend import Backend
from tests.support.operator import Operator
from tests.support.stores import stored
from tests.unit.lifecycle.steps import claimed


class Terminal(io.StringIO):
    """Standard input at which somebody sits."""

    def isatty(self) -> bool:
        return True


def test_it_erases_and_says_what_and_what_stays_for_a_while(aws: Backend, admin: Operator) -> None:
    aws.new_job(owner="alice")
    other = aws.new_job(owner="bob")
    ran = admin("erase", "--owner", "alice", "--yes")
    assert ran.code == 0
    assert [line.split() for line in ran.out.splitlines()[:3]] == [
        ["removed"],
        ["slots", "of", "events", "1"],
        ["inputs", "1"],
    ]
    assert ran.out.splitlines()[3].startswith("1 rows stay without content until 2027-01-15T08:20:00.000Z")
    aws.clock.advance(1201)
    ran = admin("erase", "--owner", "alice", "--yes")
    assert (ran.code, ran.out.split()) == (0, ["removed", "rows", "of", "jobs", "1"])
    assert admin("erase", "--owner", "alice", "--yes").out == "nothing to remove\n"
    assert {where[1] for where in stored(aws)} == {f"job#{other.job_id}", f"input#{other.job_id}"}


def test_what_is_left_is_named_and_exit_code_1(aws: Backend, admin: Operator) -> None:
    job = aws.new_job(owner="alice")
    claimed(aws, job)
    ran = admin("erase", "--owner", "alice", "--yes", "--wait", "1", "--json")
    assert ran.code == 1
    assert json.loads(ran.out)["left"] == {job.job_id: "its worker has not let go of it yet"}


@pytest.mark.parametrize(("typed", "gone"), [("alice\n", True), ("Alice\n", False), ("yes\n", False), ("", False)])
def test_it_asks_for_the_name(
    aws: Backend, admin: Operator, monkeypatch: pytest.MonkeyPatch, typed: str, gone: bool
) -> None:
    aws.new_job(owner="alice")
    monkeypatch.setattr(sys, "stdin", Terminal(typed))
    before = stored(aws)
    ran = admin("erase", "--owner", "alice")
    assert "alice has 1 jobs, 0 threads and 0 items of the store" in ran.err
    assert (ran.code, stored(aws) != before) == ((0, True) if gone else (1, False))


def test_where_nobody_can_be_asked_it_wants_yes(aws: Backend, admin: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("alice\n"))
    aws.new_job(owner="alice")
    ran = admin("erase", "--owner", "alice")
    assert (ran.code, ran.err) == (1, "graphjobs: Nothing is erased: --yes is needed where nobody can be asked.\n")


@pytest.mark.parametrize("arguments", [[], ["--owner", ""], ["--owner", " "]])
def test_it_wants_an_owner(admin: Operator, arguments: list[str]) -> None:
    assert admin("erase", "--yes", *arguments).code == 2
