"""The two functions: what the stream's records become, and how a webhook is delivered, retried and given up."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from graphjobs.http.public_url import UrlRefused
from graphjobs.notify import deliver, publish
from graphjobs.notify.change import status_change
from graphjobs.notify.deliver import Delivery, pause_seconds
from graphjobs.notify.publish import NotTaken, Publisher
from graphjobs.notify.sending import DeliveryFailed
from tests.unit.notify.test_change import JOB, image, record

MESSAGE = json.dumps({"id": f"{JOB}.completed", "data": {"job_id": JOB}})


class Bus:
    def __init__(self, *failed: int) -> None:
        self.entries: list[dict[str, Any]] = []
        self.failed = list(failed)

    def put_events(self, **given: Any) -> dict[str, Any]:
        self.entries += given["Entries"]
        failed = self.failed.pop(0) if self.failed else 0
        return {"FailedEntryCount": failed, "Entries": [{"ErrorCode": "InternalFailure"}]}


class Sqs:
    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []

    def send_message(self, **given: Any) -> None:
        assert given["QueueUrl"] == "queue"
        self.bodies.append(json.loads(given["MessageBody"]))


def published(monkeypatch: pytest.MonkeyPatch, bus: Bus, sqs: Sqs, *records: dict[str, Any]) -> dict[str, Any]:
    made = Publisher(bus, sqs, "default", "queue")  # type: ignore[arg-type]
    monkeypatch.setattr(publish, "publisher", lambda: made)
    return publish.handler({"Records": list(records)}, None)


def test_each_change_is_an_event_and_the_end_of_a_job_with_a_webhook_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    bus, sqs = Bus(), Sqs()
    hooked = {"webhook": {"BOOL": True}}
    answer = published(
        monkeypatch,
        bus,
        sqs,
        record(image("running", **hooked), image("queued")),
        record(image("running", **hooked), image("running")),
        record(image("completed", **hooked), image("running")),
        record(image("failed"), image("running")),
    )
    assert answer == {"batchItemFailures": []}
    assert [json.loads(entry["Detail"])["type"] for entry in bus.entries] == [
        "job.running",
        "job.completed",
        "job.failed",
    ]
    assert {(entry["Source"], entry["DetailType"], entry["EventBusName"]) for entry in bus.entries} == {
        ("graphjobs", "graphjobs Job Status Change", "default")
    }
    assert [body["type"] for body in sqs.bodies] == ["job.completed"]


def test_lambda_comes_again_with_the_first_record_that_the_bus_did_not_take(monkeypatch: pytest.MonkeyPatch) -> None:
    bus, second = Bus(0, 1), record(image("completed"), image("running"))
    second["dynamodb"]["SequenceNumber"] = "2"
    answer = published(monkeypatch, bus, Sqs(), record(image("queued")), second, record(image("failed")))
    assert answer == {"batchItemFailures": [{"itemIdentifier": "2"}]}
    assert len(bus.entries) == 2, "what follows is not told before it"


def test_a_publisher_without_a_bus_tells_the_webhooks_alone() -> None:
    bus, sqs = Bus(), Sqs()
    change = status_change(record(image("completed", webhook={"BOOL": True}), image("running")))
    assert change is not None
    Publisher(bus, sqs, "", "queue").publish(change)  # type: ignore[arg-type]
    assert (len(bus.entries), len(sqs.bodies)) == (0, 1)
    with pytest.raises(NotTaken):
        Publisher(Bus(1), sqs, "bus", "").publish(change)  # type: ignore[arg-type]


class Jobs:
    def __init__(self, url: str | None) -> None:
        self.url = url

    def webhook(self, job_id: str) -> str | None:
        assert job_id == JOB
        return self.url


class Keys:
    def current(self) -> tuple[str, bytes]:
        return "k1", b"key"


class Sender:
    def __init__(self, answer: int | Exception) -> None:
        self.answer = answer
        self.sent: list[tuple[str, bytes, dict[str, str]]] = []

    def __call__(self, url: str, body: bytes, headers: Mapping[str, str], *, private: bool = False) -> int:
        self.sent.append((url, body, dict(headers)))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def delivery(sender: Sender, url: str | None = "https://example.com/") -> Delivery:
    return Delivery(Jobs(url), Keys(), False, sender, lambda: 17.9)  # type: ignore[arg-type]


@pytest.mark.parametrize("answer", [200, 204, 299, 410, UrlRefused("private")])
def test_a_delivery_is_over_when_it_was_taken_or_never_will_be(answer: int | Exception) -> None:
    sender = Sender(answer)
    delivery(sender).deliver(MESSAGE)
    ((url, body, headers),) = sender.sent
    assert (url, body) == ("https://example.com/", MESSAGE.encode())
    assert headers["webhook-id"] == f"{JOB}.completed"
    assert headers["webhook-timestamp"] == "17"
    assert headers["content-type"] == "application/json"


@pytest.mark.parametrize("answer", [199, 301, 400, 404, 429, 500, DeliveryFailed("no answer")])
def test_any_other_answer_is_tried_again(answer: int | Exception) -> None:
    with pytest.raises(DeliveryFailed):
        delivery(Sender(answer)).deliver(MESSAGE)


def test_a_job_that_is_gone_has_nobody_to_tell() -> None:
    sender = Sender(200)
    delivery(sender, None).deliver(MESSAGE)
    assert not sender.sent


def test_pauses_grow_up_to_three_hours() -> None:
    assert [pause_seconds(n) for n in (1, 2, 3, 4, 5, 6, 7, 8)] == [10, 40, 160, 640, 2560, 10_240, 10_800, 10_800]


def test_a_message_that_failed_is_named_and_comes_back_after_its_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    class Queue:
        def __init__(self) -> None:
            self.pauses: list[tuple[str, int]] = []

        def set_visibility(self, receipt: str, seconds: int) -> None:
            self.pauses.append((receipt, seconds))

    queue, sender = Queue(), Sender(500)
    monkeypatch.setattr(deliver, "wiring", lambda: (delivery(sender), queue))
    message = {
        "messageId": "m1",
        "receiptHandle": "r1",
        "body": MESSAGE,
        "attributes": {"ApproximateReceiveCount": "3"},
    }
    assert deliver.handler({"Records": [message]}, None) == {"batchItemFailures": [{"itemIdentifier": "m1"}]}
    assert queue.pauses == [("r1", 160)]
    sender.answer = 200
    assert deliver.handler({"Records": [message]}, None) == {"batchItemFailures": []}
