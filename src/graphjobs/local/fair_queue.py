"""moto's standard queues, made fair as those of SQS are: whoever has less under way is served first.

A message names its group; one without is a group of its own. SQS only mitigates, from some tens of messages on, and
its thresholds are approximate. Here the order is strict, so that two people on one machine see what fairness is: first
by messages that are being worked on, then by how long ago the group was served, then by age.

moto asks for the time two or three times per message that waits, at each message that is sent or received, and takes it
from dates. With hundreds of them that was most of the call; here it is the clock's.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from moto.sqs import models

SERVED = "_graphjobs_served"
"""The attribute of a queue that says of each group when it was last served, as a running number."""


@contextmanager
def fair_queues() -> Iterator[None]:
    """While this is open, every standard queue of moto in this process is fair."""
    original_messages: property = models.Queue.messages  # type: ignore[assignment]
    original_receive: Callable[..., list[Any]] = models.SQSBackend.receive_message

    def messages(queue: Any) -> list[Any]:
        visible: list[Any] = original_messages.fget(queue)  # type: ignore[misc]
        if queue.fifo_queue or len(visible) < 2:
            return visible
        under_way = Counter(_group(message) for message in queue.pending_messages if not message.visible)
        served = getattr(queue, SERVED, {})
        return sorted(visible, key=lambda message: (under_way[_group(message)], served.get(_group(message), 0)))

    def receive_message(backend: Any, queue_name: str, *given: Any, **named: Any) -> list[Any]:
        received = original_receive(backend, queue_name, *given, **named)
        queue: Any = backend.get_queue(queue_name)
        served = queue.__dict__.setdefault(SERVED, {})
        for message in received:
            served[_group(message)] = max(served.values(), default=0) + 1
        return received

    with (
        patch.object(models.Queue, "messages", property(messages)),
        patch.object(models.SQSBackend, "receive_message", receive_message),
        patch.object(models, "unix_time_millis", lambda: time.time() * 1000),
    ):
        yield


def _group(message: Any) -> str:
    return str(message.group_id or message.id)
