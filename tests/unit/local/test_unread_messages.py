"""A message that a client asked for and did not live to read is another's at once."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from graphjobs.local.emulator import Dispatcher
from graphjobs.local.unread_messages import UnreadMessages
from graphjobs.testing.aws import client, empty_aws
from tests.unit.local.test_quick_requests import environ

QUEUE = {"VisibilityTimeout": "900"}


@pytest.fixture
def url() -> Iterator[str]:
    """A queue with one message."""
    with empty_aws():
        made = client("sqs").create_queue(QueueName="jobs", Attributes=QUEUE)["QueueUrl"]
        client("sqs").send_message(QueueUrl=made, MessageBody="job")
        yield made


@pytest.fixture
def connection() -> Iterator[tuple[socket.socket, socket.socket]]:
    """The server's end, and the client's."""
    server, other = socket.socketpair()
    with server, other:
        yield server, other


def receive(url: str, server: socket.socket) -> list[Any]:
    """What the emulator answers to a client at the other end of `server`."""
    request = environ("", {"QueueUrl": url}, HTTP_X_AMZ_TARGET="AmazonSQS.ReceiveMessage")
    request["HTTP_AUTHORIZATION"] = request["HTTP_AUTHORIZATION"].replace("dynamodb", "sqs")
    app = UnreadMessages(Dispatcher())
    return list(app(request | {"werkzeug.socket": server}, lambda status, headers, error=None: None))


def left(url: str) -> list[str]:
    """What another worker gets."""
    return [message["Body"] for message in client("sqs").receive_message(QueueUrl=url).get("Messages", [])]


def test_what_its_client_waits_for_is_in_flight(url: str, connection: tuple[socket.socket, socket.socket]) -> None:
    (message,) = json.loads(b"".join(receive(url, connection[0])))["Messages"]
    assert message["Body"] == "job"
    assert left(url) == []


@pytest.mark.parametrize("how", ["closed", "reset"])
def test_what_nobody_will_read_is_visible_again(
    url: str, connection: tuple[socket.socket, socket.socket], how: str
) -> None:
    server, other = connection
    if how == "reset":
        server.sendall(b"what it has never read")
    other.close()
    receive(url, server)
    assert left(url) == ["job"]


def test_an_answer_without_a_message_is_passed_on(url: str, connection: tuple[socket.socket, socket.socket]) -> None:
    assert left(url) == ["job"]
    connection[1].close()
    assert receive(url, connection[0])
