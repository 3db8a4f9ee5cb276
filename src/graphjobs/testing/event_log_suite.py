"""The suite that every event log is held to. Subclass it and give `log`; the fixtures do the rest."""

from __future__ import annotations

import random

import pytest

from graphjobs.core.event import Event
from graphjobs.core.event_log import EventLog, Fenced
from graphjobs.core.job import new_job_id
from graphjobs.core.slot import Mark, Slot, freeze

EXPIRES = 1_900_000_000


def slot(job_id: str, seq: int, *texts: str, nonce: str = "writer", mark: Mark | None = None) -> Slot:
    """A slot of token events."""
    lines = [Event(seq + i, "token", "2026-01-01T00:00:00.000Z", {"text": text}).line() for i, text in enumerate(texts)]
    return freeze(job_id, seq, lines, nonce=nonce, mark=mark, expires_at=EXPIRES)


class EventLogSuite:
    """What holds for an event log, whatever it is stored in."""

    @pytest.fixture
    def log(self) -> EventLog:
        raise NotImplementedError

    @pytest.fixture
    def job_id(self) -> str:
        return new_job_id()

    def test_an_empty_log_has_no_tail(self, log: EventLog, job_id: str) -> None:
        assert log.tail(job_id) is None
        assert log.containing(job_id, 1) is None
        assert log.following(job_id, 1, max_slots=10) == []

    def test_what_was_appended_is_read_back_whole(self, log: EventLog, job_id: str) -> None:
        mark = Mark("thread", "checkpoint", 2)
        written = slot(job_id, 1, "가", "b", "c", mark=mark)
        log.append(written)
        assert log.tail(job_id) == written
        assert [event.parse().data["text"] for event in log.following(job_id, 1, max_slots=9)[0].events()] == [
            "가",
            "b",
            "c",
        ]

    def test_the_first_of_two_slots_under_one_key_stays(self, log: EventLog, job_id: str) -> None:
        log.append(slot(job_id, 1, "mine"))
        with pytest.raises(Fenced):
            log.append(slot(job_id, 1, "other", nonce="another writer"))
        tail = log.tail(job_id)
        assert tail is not None and tail.nonce == "writer"

    def test_a_retry_of_the_identical_slot_is_a_success(self, log: EventLog, job_id: str) -> None:
        log.append(slot(job_id, 1, "a"))
        log.append(slot(job_id, 2, "b"))
        log.append(slot(job_id, 1, "a"))
        assert [s.seq for s in log.following(job_id, 1, max_slots=9)] == [1, 2]

    def test_the_same_writer_with_other_bytes_is_fenced_too(self, log: EventLog, job_id: str) -> None:
        log.append(slot(job_id, 1, "a"))
        with pytest.raises(Fenced):
            log.append(slot(job_id, 1, "a", "b"))

    def test_the_same_bytes_of_another_writer_are_fenced(self, log: EventLog, job_id: str) -> None:
        log.append(slot(job_id, 1, "a"))
        with pytest.raises(Fenced):
            log.append(slot(job_id, 1, "a", nonce="another writer"))

    def test_containing_finds_the_slot_of_any_event(self, log: EventLog, job_id: str) -> None:
        sizes = [1, 5, 2, 7, 1]
        seq = 1
        for size in sizes:
            log.append(slot(job_id, seq, *["x"] * size))
            seq += size
        for wanted in range(1, seq):
            found = log.containing(job_id, wanted)
            assert found is not None and found.seq <= wanted <= found.last_seq
        beyond = log.containing(job_id, seq + 100)
        assert beyond is not None and beyond.next_seq == seq

    def test_read_tells_absent_from_found_and_jobs_apart(self, log: EventLog, job_id: str) -> None:
        other = new_job_id()
        log.append(slot(job_id, 1, "a"))
        log.append(slot(other, 1, "b"))
        batch = log.read([(job_id, 1), (job_id, 2), (other, 1), (job_id, 1)])
        assert set(batch.found) == {(job_id, 1), (other, 1)}
        assert not batch.unknown
        assert log.read([(job_id, 2)]).found == {}
        assert set(log.read([(job_id, 1)]).found) == {(job_id, 1)}

    def test_read_of_more_keys_than_one_request_takes(self, log: EventLog, job_id: str) -> None:
        jobs = [new_job_id() for _ in range(130)]
        for job in jobs:
            log.append(slot(job, 1, "x"))
        assert len(log.read([(job, 1) for job in jobs]).found) == 130

    def test_following_is_consecutive_and_bounded(self, log: EventLog, job_id: str) -> None:
        for seq in range(1, 9):
            log.append(slot(job_id, seq, "x"))
        assert [s.seq for s in log.following(job_id, 3, max_slots=4)] == [3, 4, 5, 6]
        assert log.following(job_id, 9, max_slots=4) == []

    def test_following_stops_at_a_gap(self, log: EventLog, job_id: str) -> None:
        log.append(slot(job_id, 1, "x"))
        log.append(slot(job_id, 3, "out of turn"))
        assert [s.seq for s in log.following(job_id, 1, max_slots=9)] == [1]

    def test_a_body_of_megabytes_comes_back(self, log: EventLog, job_id: str) -> None:
        text = random.Random(7).randbytes(1_200_000).hex()
        log.append(slot(job_id, 1, text))
        log.append(slot(job_id, 1, text))
        for read in (
            log.whole(found) if (found := log.tail(job_id)) else None,
            log.containing(job_id, 1),
            log.whole(log.read([(job_id, 1)]).found[job_id, 1]),
            log.following(job_id, 1, max_slots=1)[0],
        ):
            assert read is not None and read.events()[0].parse().data["text"] == text
