"""A queue in memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from graphjobs.aws.queue import job_id_of


@dataclass(frozen=True, slots=True)
class Message:
    """One message; it stays in the queue until it is deleted."""

    job_id: str
    receipt: str


class MemoryQueue:
    """An SQS client, as far as `JobQueue` needs one. It hides no message: who delivers, decides which and when.

    Attributes:
        messages: what is in the queue, in the order of sending.
        calls: what was asked: ``("send", job id)``, ``("visibility", receipt, seconds)``, ``("delete", receipt)``.
        fail_visibility: what each change of a message's visibility raises, once it is noted.
    """

    meta: Any = None

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.calls: list[tuple[Any, ...]] = []
        self.fail_visibility: Exception | None = None

    @property
    def sent(self) -> list[str]:
        """The jobs that messages were sent for."""
        return [call[1] for call in self.calls if call[0] == "send"]

    def send_message(self, **message: Any) -> None:
        """See boto3's SQS client."""
        job_id = job_id_of(message["MessageBody"])
        self.calls.append(("send", job_id))
        self.messages.append(Message(job_id, f"receipt-{len(self.calls)}"))

    def change_message_visibility(self, **change: Any) -> None:
        """See boto3's SQS client."""
        self.calls.append(("visibility", change["ReceiptHandle"], change["VisibilityTimeout"]))
        if self.fail_visibility is not None:
            raise self.fail_visibility

    def delete_message(self, **message: Any) -> None:
        """See boto3's SQS client."""
        receipt = message["ReceiptHandle"]
        self.calls.append(("delete", receipt))
        self.messages = [other for other in self.messages if other.receipt != receipt]
