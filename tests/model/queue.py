"""SQS as the model needs it: at least once, in any order; a client for the real `JobQueue`.

moto's queue hides messages by the wall clock, which the model's clock cannot move.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from graphjobs.aws.queue import job_id_of


@dataclass
class Message:
    """One message; it stays in the queue until it is deleted."""

    job_id: str
    receipt: str


class MemoryQueue:
    """What is in the queue, and how often each call was made."""

    def __init__(self) -> None:
        self.meta: Any = None
        self.messages: list[Message] = []
        self.sent = 0

    def send_message(self, **message: Any) -> None:
        self.sent += 1
        self.messages.append(Message(job_id_of(message["MessageBody"]), f"r{self.sent}"))

    def change_message_visibility(self, **_: Any) -> None:
        """Nothing: the model delivers whatever is in the queue at any time."""

    def delete(self, message: Message) -> None:
        if message in self.messages:
            self.messages.remove(message)
