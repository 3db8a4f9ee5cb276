"""The writer: what it makes of a log that fails, is slow, loses answers or is another's."""

from __future__ import annotations

import threading
from itertools import pairwise

import pytest

from graphjobs.aws.dynamo_log import DynamoEventLog
from graphjobs.aws.payload_store import PayloadStore
from graphjobs.core.event import MAX_EVENT_BYTES, EventTooLarge
from graphjobs.core.event_log import Fenced
from graphjobs.core.slot import MAX_INLINE_BYTES
from graphjobs.testing import MemoryLog
from graphjobs.worker.slot_buffer import MAX_PENDING_CHARACTERS, MAX_SLOT_EVENTS
from graphjobs.worker.writer import WriterClosed
from tests.support.backend import Backend
from tests.support.faults import FAULTS, Faults, client_error
from tests.support.worker.writing import LONG, WAIT, foreign_slot, writing


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graphjobs.aws.retry.backoff", lambda attempt: 0.0)


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


def test_closing_writes_what_was_accepted_and_takes_nothing_more() -> None:
    with writing(MemoryLog(), flush_seconds=LONG) as w:
        for text in "abc":
            w.token(text)
        assert w.writer.last_seq == 4
        assert w.writer.close().last_seq == 4
        with pytest.raises(WriterClosed):
            w.token("d")
