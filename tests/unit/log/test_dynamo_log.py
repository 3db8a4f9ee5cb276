"""The DynamoDB log: the common suite, and what only DynamoDB can do to it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from graphjobs.dynamo_log import DynamoEventLog
from graphjobs.event_log import Fenced
from graphjobs.payload_store import PayloadStore
from tests.support.backend import Backend, backend
from tests.support.faults import Faults
from tests.unit.log.suite import EventLogSuite, slot


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


def test_a_page_holds_one_large_body_at_most(aws: Backend) -> None:
    """Sixteen events of 5 MB in one page would be more than the stream function's memory."""
    for seq in range(1, 7):
        large = random.Random(seq).randbytes(300_000).hex() if seq in (3, 4, 6) else "small"
        aws.log.append(slot("job-a", seq, large))
    pages, seq = [], 1
    while page := aws.log.following("job-a", seq, max_slots=16):
        pages.append([s.seq for s in page])
        seq = page[-1].next_seq
    assert pages == [[1, 2, 3], [4], [5, 6]]


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
    incompressible = slot("job-a", 202, __import__("random").Random(1).randbytes(300_000).hex())
    assert incompressible.object_key is not None
    aws.log.append(incompressible)
    item = aws.dynamodb.get_item(TableName="events", Key={"job_id": {"S": "job-a"}, "seq": {"N": "202"}})["Item"]
    assert "body" not in item and len(str(item)) < 1_000
