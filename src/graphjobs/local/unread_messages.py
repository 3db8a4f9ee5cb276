"""Messages that were received for a client which had gone by then: they are visible again at once.

A worker process that is killed, or ends to load a changed file, mostly does so while it waits for a message. Its
request goes on waiting in the emulator, and would be given the next message, which nobody would ever read: a job would
wait for it until its visibility runs out, a quarter of an hour later. On AWS it is Lambda that waits, and it lives on.
A message that is sent to a process in the very moment in which it is killed is lost to it all the same.
"""

from __future__ import annotations

import io
import json
import socket
from collections.abc import Iterable
from typing import Any, Final

from moto.backends import get_backend

from graphjobs.local.quick_requests import WsgiApp
from graphjobs.local.resources import ACCOUNT, REGION

TARGET: Final = "AmazonSQS.ReceiveMessage"


class UnreadMessages:
    """WSGI middleware behind werkzeug's server, whose connections it looks at."""

    def __init__(self, app: WsgiApp) -> None:
        self._app = app

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one request."""
        if environ.get("HTTP_X_AMZ_TARGET") != TARGET:
            return self._app(environ, start_response)
        asked = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        environ["wsgi.input"] = io.BytesIO(asked)
        answer = b"".join(self._app(environ, start_response))
        if _has_gone(environ["werkzeug.socket"]):
            queue = str(json.loads(asked)["QueueUrl"]).rpartition("/")[2]
            for message in json.loads(answer or b"{}").get("Messages", []):
                get_backend("sqs")[ACCOUNT][REGION].change_message_visibility(queue, message["ReceiptHandle"], 0)
        return [answer]


def _has_gone(connection: socket.socket) -> bool:
    """Whether the client has closed its end; one that waits for an answer sends nothing."""
    try:
        return not connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    except OSError:
        return True
