"""Messages that were received for a client which never read them: they are soon visible again.

A worker process that is killed, or ends to load a changed file, mostly does so while it waits for a message. Its
request goes on waiting in the emulator, and would be given the next message, which nobody would ever read: a job would
wait for it until its visibility runs out, a quarter of an hour later. On AWS it is Lambda that waits, and it lives on.
"""

from __future__ import annotations

import io
import json
import socket
import threading
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Final

from moto.backends import get_backend
from moto.sqs.exceptions import ReceiptHandleIsInvalid

from graphjobs.local.quick_requests import WsgiApp
from graphjobs.local.resources import ACCOUNT, REGION

TARGET: Final = "AmazonSQS.ReceiveMessage"

GRACE_SECONDS: Final = 2.0
"""A process that is being killed has its connections for a while; one that has read its message says so at once."""


class UnreadMessages:
    """WSGI middleware behind werkzeug's server, whose connections it looks at."""

    def __init__(self, app: WsgiApp, grace_seconds: float = GRACE_SECONDS) -> None:
        self._app = app
        self._grace_seconds = grace_seconds

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one request."""
        if environ.get("HTTP_X_AMZ_TARGET") != TARGET:
            return self._app(environ, start_response)
        asked = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        environ["wsgi.input"] = io.BytesIO(asked)
        answer = b"".join(self._app(environ, start_response))
        receipts = [message["ReceiptHandle"] for message in json.loads(answer or b"{}").get("Messages", [])]
        if receipts:
            queue = str(json.loads(asked)["QueueUrl"]).rpartition("/")[2]
            _look_after(environ["werkzeug.socket"], queue, receipts, self._grace_seconds)
        return [answer]


def _look_after(connection: socket.socket, queue: str, receipts: list[str], grace_seconds: float) -> None:
    """Make the messages visible if their client has gone, or does so within `grace_seconds`."""
    if not _has_gone(connection):
        if grace_seconds:
            again = threading.Timer(grace_seconds, _look_after, (connection, queue, receipts, 0.0))
            again.daemon = True
            again.start()
        return
    for receipt in receipts:
        with suppress(ReceiptHandleIsInvalid):  # it was read, and deleted
            get_backend("sqs")[ACCOUNT][REGION].change_message_visibility(queue, receipt, 0)


def _has_gone(connection: socket.socket) -> bool:
    """Whether the client has closed its end; one that waits for an answer sends nothing."""
    try:
        return not connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    except OSError:
        return True
