"""The log in memory that other tests stand on is an event log like any other."""

from __future__ import annotations

import pytest

from graphjobs.testing import MemoryLog
from graphjobs.testing.event_log_suite import EventLogSuite, slot


class TestMemoryLog(EventLogSuite):
    @pytest.fixture
    def log(self) -> MemoryLog:
        return MemoryLog()


def test_what_is_hidden_is_seen_later_and_at_once_by_consistent_reads() -> None:
    log = MemoryLog()
    for seq in (1, 2, 3):
        log.append(slot("job-a", seq, "x"))
    log.hidden["job-a", 2] = 2
    assert [s.seq for s in log.following("job-a", 1, max_slots=9)] == [1]
    assert log.read([("job-a", 2)]).found == {}
    assert log.tail("job-a") == log.written["job-a", 3]
    assert [s.seq for s in log.following("job-a", 1, max_slots=9)] == [1, 2, 3]


def test_what_is_withheld_is_unknown() -> None:
    log = MemoryLog()
    log.append(slot("job-a", 1, "x"))
    log.withheld["job-a", 1] = 1
    assert log.read([("job-a", 1)]).unknown == {("job-a", 1)}
    assert set(log.read([("job-a", 1)]).found) == {("job-a", 1)}
