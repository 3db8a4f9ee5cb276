"""Properties of the DynamoDB log, over arbitrary slots, writers, cursors and sizes."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace

import pytest
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st

from graphjobs.aws.dynamo_log import DynamoEventLog
from graphjobs.aws.payload_store import PayloadStore
from graphjobs.core.event import Event
from graphjobs.core.event_log import Fenced
from graphjobs.core.job import new_job_id
from graphjobs.core.slot import MAX_INLINE_BYTES, Mark, Slot, freeze
from graphjobs.stream.frame import Delivery, Frame
from graphjobs.testing.event_log_suite import EXPIRES, slot
from tests.support.backend import Backend, backend
from tests.support.faults import FAULTS, Faults

PROPERTY = settings(max_examples=25, deadline=None, derandomize=True, database=None)

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
SIZES = st.lists(st.integers(1, 6), min_size=1, max_size=8)


@pytest.fixture(scope="module")
def aws() -> Iterator[Backend]:
    with backend() as fresh:
        yield fresh


def filled(aws: Backend, sizes: list[int]) -> tuple[str, list[Slot]]:
    """A log of slots of so many events."""
    job_id, slots, seq = new_job_id(), [], 1
    for size in sizes:
        slots.append(slot(job_id, seq, *[f"event {seq + i}" for i in range(size)]))
        aws.log.append(slots[-1])
        seq += size
    return job_id, slots


def lines(slots: list[Slot]) -> list[tuple[int, str]]:
    return [(event.seq, event.line) for one in slots for event in one.events()]


def test_a_slot_is_read_as_it_was_put_whether_or_not_it_says_when_the_next_may_come(aws: Backend) -> None:
    job_id = new_job_id()
    put = [slot(job_id, 1, "a"), replace(slot(job_id, 2, "b"), quiet_ms=150)]
    for each in put:
        aws.log.append(each)
    assert list(aws.log.following(job_id, 1, max_slots=9)) == put


@PROPERTY
@given(
    puts=st.lists(
        st.tuples(st.sampled_from("ab"), st.integers(0, 3), st.lists(TEXT, min_size=1, max_size=3)), max_size=12
    )
)
def test_append_is_a_compare_and_swap(aws: Backend, puts: list[tuple[str, int, list[str]]]) -> None:
    """Under each key the first slot stays for ever; only that very write succeeds again."""
    job_id, written = new_job_id(), dict[int, Slot]()
    for writer, key, texts in puts:
        new = slot(job_id, 1 + key * 3, *texts, nonce=writer)
        first = written.setdefault(new.seq, new)
        if first == new:
            aws.log.append(new)
        else:
            with pytest.raises(Fenced):
                aws.log.append(new)
        for seq, kept in written.items():
            assert aws.log.read([(job_id, seq)]).found == {(job_id, seq): kept}


@PROPERTY
@given(
    faults=st.lists(st.sampled_from([*FAULTS, "lost"]), max_size=6),
    sizes=SIZES,
    rival_at=st.none() | st.integers(0, 7),
)
def test_a_writer_that_retries_writes_each_slot_once_or_is_fenced(
    aws: Backend, faults: list[str], sizes: list[int], rival_at: int | None
) -> None:
    """Whatever becomes of the answers, and whenever another writer takes the next key."""
    shaky = Faults(aws.dynamodb)
    log = DynamoEventLog(shaky.client, "events", PayloadStore(aws.s3, "payloads"))
    for fault in faults:
        if fault == "lost":
            shaky.lose_answer("put_item")
        else:
            shaky.fail("put_item", FAULTS[fault]())
    job_id, seq, mine = new_job_id(), 1, list[Slot]()
    for number, size in enumerate(sizes):
        if number == rival_at:
            aws.log.append(slot(job_id, seq, "taken over", nonce="rival"))
        frozen = slot(job_id, seq, *["x"] * size)
        if number == rival_at:
            with pytest.raises(Fenced):
                retried(log, frozen)
            break
        retried(log, frozen)
        mine.append(frozen)
        seq = frozen.next_seq
    found = aws.log.following(job_id, 1, max_slots=100)
    assert found[: len(mine)] == mine
    assert [one.nonce for one in found[len(mine) :]] == (["rival"] if len(mine) < len(sizes) else [])


def retried(log: DynamoEventLog, frozen: Slot) -> None:
    while True:
        try:
            return log.append(frozen)
        except Fenced:
            raise
        except Exception as error:
            assert isinstance(error, ClientError) or type(error) in {type(make()) for make in FAULTS.values()}


@PROPERTY
@given(sizes=SIZES, data=st.data())
def test_from_any_cursor_the_rest_of_the_log_follows(aws: Backend, sizes: list[int], data: st.DataObject) -> None:
    """A cursor in the middle of a slot too: found, cut, and followed by pages or by point reads."""
    job_id, slots = filled(aws, sizes)
    whole = lines(slots)
    after = data.draw(st.integers(0, len(whole) - 1), label="after")
    pages = data.draw(st.lists(st.integers(1, 3), min_size=len(sizes), max_size=len(sizes)), label="pages")
    first = aws.log.containing(job_id, after + 1)
    assert first is not None and first.seq <= after + 1 <= first.last_seq
    received, tail = lines([first])[after + 1 - first.seq :], first
    for size in pages:
        if size == 1:  # as the tail is followed: the exact next key, and nothing else
            page = list(aws.log.read([(job_id, tail.next_seq)]).found.values())
        else:
            page = aws.log.following(job_id, tail.next_seq, max_slots=size)
        received += lines(page)
        tail = page[-1] if page else tail
    assert received == whole[after:]
    assert aws.log.tail(job_id) == tail


@PROPERTY
@given(sizes=SIZES, data=st.data())
def test_a_delivery_has_each_event_once_from_any_cursor(aws: Backend, sizes: list[int], data: st.DataObject) -> None:
    job_id, slots = filled(aws, sizes)
    total = sum(sizes)
    after = data.draw(st.integers(0, total - 1), label="after")
    delivery = Delivery(job_id, after)
    first = aws.log.containing(job_id, after + 1)
    assert first is not None
    sent = delivery.take([Frame(first)]) + delivery.take([Frame(one) for one in slots if one.seq > first.seq])
    ids = [int(line.removeprefix(b"id:")) for line in sent.split(b"\n") if line.startswith(b"id:")]
    assert ids == list(range(after + 1, total + 1))


NEAR_THE_LIMIT = st.sampled_from([1, 2_000, MAX_INLINE_BYTES - 4_000, MAX_INLINE_BYTES + 4_000, 3 * MAX_INLINE_BYTES])


def noise(seq: int, size: int) -> str:
    """JSON text that deflates to about `size` bytes."""
    return random.Random(seq).randbytes(size).hex()


@settings(PROPERTY, max_examples=8)
@given(sizes=st.lists(NEAR_THE_LIMIT, min_size=1, max_size=4), marked=st.booleans())
def test_a_body_of_any_size_is_read_back_whole_from_wherever_it_is(
    aws: Backend, sizes: list[int], marked: bool
) -> None:
    job_id = new_job_id()
    mark = Mark("thread", "checkpoint", 1) if marked else None
    written = []
    for seq, size in enumerate(sizes, start=1):
        line = Event(seq, "update", "t", {"text": noise(seq, size)}).line()
        written.append(freeze(job_id, seq, [line], nonce="writer", mark=mark, expires_at=EXPIRES))
        aws.log.append(written[-1])
        aws.log.append(written[-1])  # a retry is the same write, in S3 as well
        assert (written[-1].object_key is not None) == (len(written[-1].stored_bytes) > MAX_INLINE_BYTES)
        item = aws.dynamodb.get_item(TableName="events", Key={"job_id": {"S": job_id}, "seq": {"N": str(seq)}})["Item"]
        assert len(item.get("body", {}).get("B", b"")) <= MAX_INLINE_BYTES
    # A page may end early, before a megabyte: the next one begins where it ended.
    read: list[Slot] = []
    while page := aws.log.following(job_id, read[-1].next_seq if read else 1, max_slots=9):
        read += page
    assert read == written
    tail = aws.log.tail(job_id)
    assert tail is not None and aws.log.whole(tail) == written[-1]
    assert [aws.log.containing(job_id, one.seq) for one in written] == written
    found = aws.log.read([(job_id, one.seq) for one in written]).found
    assert {key: aws.log.whole(one) for key, one in found.items()} == {(job_id, w.seq): w for w in written}


@pytest.fixture
def huge() -> Slot:
    return slot(new_job_id(), 1, noise(1, MAX_INLINE_BYTES * 2))


def test_a_large_body_is_stored_before_the_slot_that_names_it(aws: Backend, huge: Slot) -> None:
    """Seen from S3 at the moment of the put: a reader of the slot can always read the body."""
    shaky = Faults(aws.dynamodb)
    seen: list[bytes] = []
    assert huge.object_key is not None

    def look() -> None:
        seen.append(aws.s3.get_object(Bucket="payloads", Key=huge.object_key)["Body"].read())

    shaky.before("put_item", look)
    DynamoEventLog(shaky.client, "events", PayloadStore(aws.s3, "payloads")).append(huge)
    assert seen == [huge.stored_bytes]


def test_a_large_body_that_cannot_be_stored_leaves_no_slot(aws: Backend, huge: Slot) -> None:
    shaky = Faults(aws.s3)
    log = DynamoEventLog(aws.dynamodb, "events", PayloadStore(shaky.client, "payloads"))
    shaky.fail("put_object", FAULTS["unavailable"]())
    with pytest.raises(ClientError):
        log.append(huge)
    assert aws.log.tail(huge.job_id) is None
    log.append(huge)
    assert aws.log.containing(huge.job_id, 1) == huge


def test_two_writers_of_large_bodies_do_not_write_over_one_another(aws: Backend, huge: Slot) -> None:
    """The object is under the writer's nonce, so the loser's body cannot replace the winner's."""
    aws.log.append(huge)
    with pytest.raises(Fenced):
        aws.log.append(slot(huge.job_id, 1, noise(2, MAX_INLINE_BYTES * 2), nonce="rival"))
    assert aws.log.containing(huge.job_id, 1) == huge
