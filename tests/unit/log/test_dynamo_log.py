"""The DynamoDB log: the common suite, and what only DynamoDB can do to it."""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from graphjobs.aws.dynamo_log import DynamoEventLog
from graphjobs.aws.payload_store import PayloadStore
from graphjobs.core.event_log import Fenced
from graphjobs.core.slot import CorruptSlot, Slot
from graphjobs.testing.event_log_suite import EventLogSuite, slot
from tests.support.backend import Backend, backend
from tests.support.faults import Faults, client_error


@pytest.fixture
def aws() -> Iterator[Backend]:
    with backend() as fresh:
        yield fresh


class TestDynamoEventLog(EventLogSuite):
    @pytest.fixture
    def log(self, aws: Backend) -> DynamoEventLog:
        return aws.log


def test_a_put_whose_answer_was_lost_is_recognised(aws: Backend) -> None:
    faults = Faults(aws.dynamodb)
    log = DynamoEventLog(faults.client, "events", PayloadStore(aws.s3, "payloads"))
    faults.lose_answer("put_item")
    with pytest.raises(ClientError):
        log.append(slot("job-a", 1, "x"))
    log.append(slot("job-a", 1, "x"))
    tail = log.tail("job-a")
    assert tail is not None and tail.count == 1


def test_a_lost_answer_followed_by_another_writer_is_still_told_apart(aws: Backend) -> None:
    aws.log.append(slot("job-a", 1, "x", nonce="new owner"))
    with pytest.raises(Fenced):
        aws.log.append(slot("job-a", 1, "x", nonce="old owner"))


def test_an_unprocessed_key_is_unknown_not_absent(aws: Backend) -> None:
    aws.log.append(slot("job-a", 1, "x"))

    class HalfAnswered:
        def batch_get_item(self, **request: Any) -> Any:
            keys = request["RequestItems"]["events"]["Keys"]
            answer = aws.dynamodb.batch_get_item(RequestItems={"events": {"Keys": keys[:1]}})
            return {**answer, "UnprocessedKeys": {"events": {"Keys": keys[1:]}}}

    log = DynamoEventLog(HalfAnswered(), "events", PayloadStore(aws.s3, "payloads"))  # type: ignore[arg-type]
    batch = log.read([("job-a", 1), ("job-b", 1)])
    assert set(batch.found) == {("job-a", 1)}
    assert batch.unknown == {("job-b", 1)}


def test_small_slots_are_text_and_large_ones_deflated_and_huge_ones_in_s3(aws: Backend) -> None:
    small, large = slot("job-a", 1, "x"), slot("job-a", 2, *["word "] * 200)
    assert isinstance(small.body, str)
    assert isinstance(large.body, bytes) and len(large.body) < 2_000
    incompressible = slot("job-a", 202, random.Random(1).randbytes(300_000).hex())
    assert incompressible.object_key is not None
    aws.log.append(incompressible)
    item = aws.dynamodb.get_item(TableName="events", Key={"job_id": {"S": "job-a"}, "seq": {"N": "202"}})["Item"]
    assert "body" not in item and len(str(item)) < 1_000


def _large(job_id: str, seq: int) -> Slot:
    return slot(job_id, seq, random.Random(seq).randbytes(300_000).hex())


def _spoil(aws: Backend, job_id: str, seq: int) -> None:
    """Put something under the key that no writer of ours would."""
    item = {"job_id": {"S": job_id}, "seq": {"N": str(seq)}, "n": {"S": "many"}}
    aws.dynamodb.put_item(TableName="events", Item=item)


@pytest.mark.parametrize("alone", [True, False])
def test_a_corrupt_slot_is_said_to_be_so_and_spoils_no_other(aws: Backend, alone: bool) -> None:
    aws.log.append(slot("job-a", 1, "x"))
    _spoil(aws, "job-b", 1)
    batch = aws.log.read([("job-b", 1)] if alone else [("job-a", 1), ("job-b", 1), ("job-c", 1)])
    assert batch.corrupt == {("job-b", 1)} and not batch.unknown
    assert set(batch.found) == (set() if alone else {("job-a", 1)})


def test_a_read_of_many_slots_does_not_wait_for_s3(aws: Backend) -> None:
    """One body that S3 does not give, or gives slowly, must not hold up the other jobs of a batch."""
    s3 = Faults(aws.s3)
    log = DynamoEventLog(aws.dynamodb, "events", PayloadStore(s3.client, "payloads"))
    log.append(_large("job-a", 1))
    log.append(slot("job-b", 1, "x"))
    found = log.read([("job-a", 1), ("job-b", 1)]).found
    assert s3.calls == ["put_object"] and [found[key, 1].has_body for key in ("job-a", "job-b")] == [False, True]
    assert log.whole(found["job-b", 1]) == found["job-b", 1]
    assert log.whole(found["job-a", 1]).events() == _large("job-a", 1).events()


@pytest.mark.parametrize("wrong", ["corrupt slot", "no object", "S3 fails", "no text"])
def test_what_is_before_a_slot_that_cannot_be_read_is_given(aws: Backend, wrong: str) -> None:
    s3 = Faults(aws.s3)
    log = DynamoEventLog(aws.dynamodb, "events", PayloadStore(s3.client, "payloads"))
    large = _large("job-a", 3)
    for each in (slot("job-a", 1, "x"), slot("job-a", 2, "y"), large):
        log.append(each)
    if wrong == "corrupt slot":
        _spoil(aws, "job-a", 3)
    elif wrong == "no object":
        aws.s3.delete_object(Bucket="payloads", Key=large.object_key)
    elif wrong == "no text":
        aws.s3.put_object(Bucket="payloads", Key=large.object_key, Body=b"\xff", ContentType="application/json")
    else:
        s3.fail("get_object", client_error("SlowDown", 503), times=2)
    assert [each.seq for each in log.following("job-a", 1, max_slots=9)] == [1, 2]
    with pytest.raises((ClientError, CorruptSlot)):
        log.following("job-a", 3, max_slots=9)


@pytest.mark.parametrize("body", [b"no deflated text", zlib.compress(b"\xff\xfe"), "one line\nand another"])
def test_a_body_that_is_not_what_it_says_is_a_corrupt_slot(body: str | bytes) -> None:
    with pytest.raises(CorruptSlot):
        replace(slot("job-a", 1, "x"), body=body).events()


def test_a_job_is_handed_on_and_ended_though_s3_gives_nothing(aws: Backend) -> None:
    """The tail says what follows it without its body: a claim, a cancel and the reconciler need no S3."""
    s3 = Faults(aws.s3)
    log = DynamoEventLog(aws.dynamodb, "events", PayloadStore(s3.client, "payloads"))
    log.append(_large("job-a", 1))
    s3.fail("get_object", client_error("NoSuchKey", 404), times=9)
    tail = log.tail("job-a")
    assert tail is not None and (tail.next_seq, tail.has_body) == (2, False)
    assert tail.same_write(_large("job-a", 1))


def test_a_page_holds_one_large_body_at_most(aws: Backend) -> None:
    """A slow reader holds a page in memory: sixteen bodies of megabytes would be no bound."""
    for each in (slot("job-a", 1, "x"), _large("job-a", 2), _large("job-a", 3), slot("job-a", 4, "y")):
        aws.log.append(each)
    pages, seq = [], 1
    while page := aws.log.following("job-a", seq, max_slots=16):
        pages.append([each.seq for each in page])
        seq = page[-1].next_seq
    assert pages == [[1, 2], [3], [4]]
