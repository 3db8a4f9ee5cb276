"""The writer: what it puts when, and what it makes of a log that fails, loses answers or is another's."""

from __future__ import annotations

import threading
from itertools import pairwise

import pytest

from graphjobs.aws.dynamo_log import DynamoEventLog
from graphjobs.aws.payload_store import PayloadStore
from graphjobs.core.event import MAX_EVENT_BYTES, EventTooLarge
from graphjobs.core.event_log import Fenced
from graphjobs.core.slot import MAX_INLINE_BYTES, Mark
from graphjobs.testing import MemoryLog
from graphjobs.worker import slot_buffer
from graphjobs.worker.slot_buffer import MAX_PENDING_CHARACTERS, MAX_SLOT_CHARACTERS, MAX_SLOT_EVENTS
from graphjobs.worker.writer import WriterClosed
from tests.support.backend import Backend
from tests.support.faults import FAULTS, Faults, client_error
from tests.support.worker.rig import until
from tests.support.worker.writing import foreign_slot, writing

WAIT = 20
LONG = 3600.0


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graphjobs.aws.retry.backoff", lambda attempt: 0.0)


def test_the_first_event_is_put_at_once_and_the_rest_is_gathered() -> None:
    with writing(flush_seconds=LONG) as w:
        begun, go_on = w.log.hold()
        w.token("a")
        assert begun.wait(WAIT), "the first is not held back, however long the interval"
        go_on.set()
        for text in "bcd":
            w.token(text)
        w.writer.close()
        assert [slot.count for slot in w.log.slots(w.job_id)] == [1, 1, 3]
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


@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_a_failing_put_is_tried_again_with_the_identical_slot_and_goes_unnoticed(fault: str) -> None:
    with writing() as w:
        w.log.fail(FAULTS[fault](), times=5)
        begun, go_on = w.log.hold()
        w.token("a")
        assert begun.wait(WAIT)
        w.token("b")
        go_on.set()
        w.writer.close()
        assert w.failures == []
        assert w.texts() == ["a", "b"]
        assert len(w.log.tries) == 1 + 6 + 1
        assert len({id(slot) for slot in w.log.tries[1:7]}) == 1, "frozen: not made again with what came since"


@pytest.mark.parametrize("fault", ["internal", "timeout", "reset"])
def test_a_put_whose_answer_was_lost_is_recognised_though_more_was_waiting(fault: str) -> None:
    with writing() as w:
        begun, go_on = w.log.hold()
        w.log.lose_answer(FAULTS[fault]())
        w.token("a")
        assert begun.wait(WAIT)
        w.token("b")
        go_on.set()
        w.token("c")
        w.writer.close()
        assert w.failures == []
        assert [event.seq for event in w.log.events(w.job_id)] == [1, 2, 3, 4]
        assert w.texts() == ["a", "b", "c"]


def test_an_answer_lost_while_more_waits_is_recognised_in_dynamodb_too(aws: Backend) -> None:
    faults = Faults(aws.dynamodb)
    log = DynamoEventLog(faults.client, "events", PayloadStore(aws.s3, "payloads"))
    with writing(log) as w:
        waiting = threading.Event()
        faults.before("put_item", waiting.wait)
        faults.lose_answer("put_item")
        w.token("a")
        for text in "bcd":
            w.token(text)
        waiting.set()
        tail = w.writer.close()
        assert tail.last_seq == 5
        events = aws.events(w.job_id)
        assert [event["seq"] for event in events] == [1, 2, 3, 4, 5]


def test_a_fenced_writer_stops_and_says_so_once() -> None:
    with writing() as w:
        w.log.store(foreign_slot(w.held, 2))
        begun, go_on = w.log.hold()
        w.token("late")
        assert begun.wait(WAIT)
        w.token("later")
        go_on.set()
        with pytest.raises(Fenced):
            w.writer.close()
        with pytest.raises(WriterClosed):
            w.token("never")
        assert [type(error) for error in w.failures] == [Fenced]
        assert [slot.nonce for slot in w.log.slots(w.job_id)] == ["mine", "another"]


def test_a_writer_that_is_overtaken_between_two_tries_stops() -> None:
    with writing() as w:
        w.log.overtake(foreign_slot(w.held, 2), client_error("InternalServerError", 500))
        w.token("a")
        with pytest.raises(Fenced):
            w.writer.close()
        assert [slot.nonce for slot in w.log.slots(w.job_id)] == ["mine", "another"]


def test_a_permanent_failure_is_not_tried_again() -> None:
    with writing() as w:
        w.log.fail(client_error("AccessDeniedException"))
        w.token("a")
        with pytest.raises(Exception, match="AccessDenied"):
            w.writer.close()
        assert len(w.log.tries) == 2 and len(w.failures) == 1


def test_after_abandon_nothing_reaches_the_log() -> None:
    with writing() as w:
        begun, go_on = w.log.hold()
        w.token("in flight")
        assert begun.wait(WAIT)
        w.token("waiting")
        w.writer.refuse()
        with pytest.raises(WriterClosed):
            w.token("late")
        go_on.set()
        assert w.writer.abandon().last_seq == 2
        assert w.texts() == ["in flight"]


def test_ten_thousand_events_at_once_hold_the_node_up_and_arrive_in_order() -> None:
    with writing() as w:
        begun, go_on = w.log.hold()
        waited = threading.Event()
        most = 0

        def node() -> None:
            nonlocal most
            for number in range(10_000):
                w.append("token", {"text": str(number), "pad": "x" * 2_000})
                most = max(most, w.writer._buffer._characters)
                if w.writer.full:
                    waited.set()
                    w.writer.wait_for_room()

        thread = threading.Thread(target=node)
        thread.start()
        assert begun.wait(WAIT) and waited.wait(WAIT), "what waits is bounded: the node is held up"
        go_on.set()
        thread.join()
        w.writer.close()
        assert w.texts() == [str(number) for number in range(10_000)]
        assert most < MAX_PENDING_CHARACTERS + 3_000
        slots = w.log.slots(w.job_id)
        assert all(earlier.next_seq == later.seq for earlier, later in pairwise(slots))
        assert all(slot.count <= MAX_SLOT_EVENTS for slot in slots)


def test_a_node_that_waits_for_room_goes_on_when_the_writer_fails() -> None:
    with writing() as w:
        begun, go_on = w.log.hold()
        w.token("a")
        assert begun.wait(WAIT)
        while not w.writer.full:
            w.token("x" * 1_000_000)
        w.log.store(foreign_slot(w.held, 2))
        thread = threading.Thread(target=w.writer.wait_for_room)
        thread.start()
        go_on.set()
        thread.join(WAIT)
        assert not thread.is_alive()


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


def test_a_body_that_does_not_shrink_is_in_s3_before_its_slot_is_put(aws: Backend) -> None:
    calls: list[str] = []
    dynamodb, s3 = Faults(aws.dynamodb), Faults(aws.s3)
    dynamodb.calls = s3.calls = calls
    log = DynamoEventLog(dynamodb.client, "events", PayloadStore(s3.client, "payloads"))
    noise = "".join(chr(0x4E00 + (number * 7919 + number**3) % 20_000) for number in range(200_000))
    with writing(log) as w:
        del calls[:]
        s3.fail("put_object", client_error("SlowDown", 503))
        w.token(noise)
        tail = w.writer.close()
        assert tail.object_key is not None and len(tail.stored_bytes) > MAX_INLINE_BYTES
        assert calls == ["put_object", "put_object", "put_item"]
        assert aws.events(w.job_id)[-1]["data"]["text"] == noise
        item = aws.dynamodb.get_item(TableName="events", Key={"job_id": {"S": w.job_id}, "seq": {"N": "2"}})["Item"]
        assert "body" not in item


def test_an_event_over_the_bound_is_refused_and_leaves_no_gap() -> None:
    with writing() as w:
        w.token("a")
        with pytest.raises(EventTooLarge):
            w.token("가" * (MAX_EVENT_BYTES // 3))
        assert w.token("b") == 3
        w.writer.close()
        assert [event.seq for event in w.log.events(w.job_id)] == [1, 2, 3]


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


def test_closing_writes_what_was_accepted_and_takes_nothing_more() -> None:
    with writing(MemoryLog(), flush_seconds=LONG) as w:
        for text in "abc":
            w.token(text)
        assert w.writer.last_seq == 4
        assert w.writer.close().last_seq == 4
        with pytest.raises(WriterClosed):
            w.token("d")


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
