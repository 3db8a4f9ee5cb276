"""The writer: which events go into a slot together, with which mark, and when it is put."""

from __future__ import annotations

import pytest

from graphjobs.core.slot import Mark
from graphjobs.worker import slot_buffer
from graphjobs.worker.slot_buffer import MAX_SLOT_CHARACTERS
from tests.support.worker.rig import until
from tests.support.worker.writing import LONG, WAIT, writing


def test_the_first_event_is_put_at_once_and_the_rest_is_gathered() -> None:
    with writing(flush_seconds=LONG) as w:
        begun, go_on = w.log.hold()
        w.token("a")
        assert begun.wait(WAIT), "the first is not held back, however long the interval"
        go_on.set()
        for text in "bcd":
            w.token(text)
        w.writer.close()
        slots = w.log.slots(w.job_id)
        assert [slot.count for slot in slots] == [1, 1, 3]
        assert [bool(slot.quiet_ms) for slot in slots[1:]] == [True, False], "the end follows the last one at once"
        assert w.texts() == ["a", "b", "c", "d"]


def test_what_comes_while_a_put_is_under_way_goes_into_one_slot() -> None:
    with writing() as w:
        begun, go_on = w.log.hold()
        w.token("a")
        assert begun.wait(WAIT)
        for text in "bcdef":
            w.token(text)
        assert [slot.seq for slot in w.log.tries[1:]] == [2], "one put is in flight at a time"
        go_on.set()
        w.writer.close()
        assert [slot.count for slot in w.log.slots(w.job_id)] == [1, 1, 5]


def test_a_slot_holds_a_bounded_number_of_characters() -> None:
    with writing() as w:
        begun, go_on = w.log.hold()
        w.token("first")
        assert begun.wait(WAIT)
        for number in range(40):
            w.token(f"{number:05d}" * 4_000)
        go_on.set()
        w.writer.close()
        slots = w.log.slots(w.job_id)[2:]
        sizes = [sum(len(event.line) for event in slot.events()) for slot in slots]
        assert len(slots) > 1 and max(sizes) <= MAX_SLOT_CHARACTERS
        assert all(len(slot.stored_bytes) <= 256 * 1024 for slot in slots)


def test_a_mark_never_points_past_its_slot() -> None:
    with writing() as w:
        begun, go_on = w.log.hold()
        w.token("a")
        assert begun.wait(WAIT)
        w.writer.mark(Mark("t", "c-early", 2))
        w.token("b")
        w.writer.mark(Mark("t", "c-late", 9))
        go_on.set()
        w.writer.close()
        assert [slot.mark for slot in w.log.slots(w.job_id)] == [None, None, Mark("t", "c-early", 2)]
        assert w.writer.mark_to_resume == Mark("t", "c-early", 2)


def test_an_update_waits_a_moment_for_the_mark_of_its_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slot_buffer, "UPDATE_HOLD_SECONDS", LONG)
    with writing() as w:
        seq = w.append("update", {"node": "n", "output": None})
        assert len(w.log.tries) == 1
        begun, go_on = w.log.hold()
        w.writer.mark(Mark("t", "c", seq))
        assert begun.wait(WAIT)
        go_on.set()
        w.writer.close()
        assert w.log.tail(w.job_id).mark == Mark("t", "c", seq)


def test_the_mark_of_the_claim_is_carried_on() -> None:
    mark = Mark("t", "c", 1)
    with writing(mark=mark) as w:
        w.token("a")
        w.writer.close()
        assert [slot.mark for slot in w.log.slots(w.job_id)] == [mark, mark]


def test_what_nobody_watches_goes_into_larger_slots_and_at_once_when_somebody_comes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("graphjobs.worker.pace.UNWATCHED_SECONDS", 3600.0)
    with writing() as w:
        w.writer.watch(False)
        w.token("first")  # after a pause
        until(lambda: w.texts() == ["first"])
        for number in range(50):
            w.token(str(number))
        before = len(w.log.slots(w.job_id))
        w.writer.watch(True)
        until(lambda: len(w.texts()) == 51)
        assert len(w.log.slots(w.job_id)) == before + 1


def test_a_step_that_ends_is_written_though_nobody_watches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a crash would resume before it."""
    monkeypatch.setattr("graphjobs.worker.pace.UNWATCHED_SECONDS", 3600.0)
    with writing() as w:
        w.writer.watch(False)
        w.token("first")
        until(lambda: w.texts() == ["first"])
        seq = w.append("update", {"node": "n", "output": None})
        w.writer.mark(Mark("t", "c", seq))
        until(lambda: w.log.slots(w.job_id)[-1].mark == Mark("t", "c", seq))


def test_closing_waits_for_no_viewer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graphjobs.worker.pace.UNWATCHED_SECONDS", 3600.0)
    with writing() as w:
        w.writer.watch(False)
        for number in range(3):
            w.token(str(number))
        w.writer.close()
        assert w.texts() == ["0", "1", "2"]


def test_a_node_is_held_up_by_the_log_and_not_for_want_of_a_viewer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graphjobs.worker.pace.UNWATCHED_SECONDS", 3600.0)
    monkeypatch.setattr("graphjobs.worker.slot_buffer.MAX_PENDING_CHARACTERS", 1_000)
    with writing() as w:
        w.writer.watch(False)
        for number in range(100):
            w.token(str(number) * 10)
            w.writer.wait_for_room()
        w.writer.close()
        assert len(w.texts()) == 100
