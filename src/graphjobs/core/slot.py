"""A slot: one item of the Events table, holding 1..N consecutive events under the seq of its first.

A slot is frozen when it is made: its bytes and its writer's nonce never change, so a retry sends the
identical item and can tell its own earlier write from another writer's. The body is the events' JSON lines;
over `COMPRESS_ABOVE` bytes it is deflated, since DynamoDB bills a write by the KB.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from graphjobs.core.event import StoredEvent
from graphjobs.core.version import NewerVersion, stamp, version_of

PREFIX: Final = "events"
"""Of large bodies in the payload bucket."""

COMPRESS_ABOVE: Final = 600
MAX_INLINE_BYTES: Final = 200 * 1024
"""A stored body above this goes to S3 before the slot is put, so that a slot stays under 256 KB."""


VERSION: Final = 1


class CorruptSlot(RuntimeError):
    """A slot's body does not hold the events that its key and count promise."""


class NewerSlot(CorruptSlot, NewerVersion):
    """A slot in a form that only a newer release can read; nothing is wrong with it."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Where to resume the graph: the newest checkpoint whose save was confirmed, and the last seq before it."""

    thread: str
    checkpoint_id: str
    boundary_seq: int


@dataclass(frozen=True, slots=True)
class Slot:
    """One frozen slot.

    Attributes:
        seq: seq of the first event; the key.
        count: number of events.
        nonce: names the writer (one claim, or one transition).
        body: JSON lines as stored: text, or deflated text; empty when it is in S3.
        mark: where to resume the graph, if any checkpoint was confirmed.
        expires_at: TTL in epoch seconds.
        object_key: S3 key of the body, if it was too large for the item.
        quiet_ms: for how many milliseconds the writer meant to write no other, unless the job ends or so much comes
            that it fills one; 0 if it cannot say.
    """

    job_id: str
    seq: int
    count: int
    nonce: str
    body: str | bytes
    mark: Mark | None
    expires_at: int
    object_key: str | None = None
    quiet_ms: int = 0

    @property
    def next_seq(self) -> int:
        """The key of the slot that will follow this one."""
        return self.seq + self.count

    @property
    def last_seq(self) -> int:
        """The seq of the last event in this slot."""
        return self.seq + self.count - 1

    @property
    def has_body(self) -> bool:
        """Whether the body is here, not only in S3."""
        return self.object_key is None or bool(self.body)

    @property
    def stored_bytes(self) -> bytes:
        """The body's bytes as they are stored."""
        return self.body if isinstance(self.body, bytes) else self.body.encode()

    def events(self) -> list[StoredEvent]:
        """The events, in order.

        Raises:
            CorruptSlot: the body is still in S3, is no text, or holds another number of events than `count`.
        """
        if not self.has_body:
            raise CorruptSlot(f"The body of slot {self.seq} of {self.job_id} was not fetched from S3.")
        try:
            text = zlib.decompress(self.body).decode() if isinstance(self.body, bytes) else self.body
        except (zlib.error, UnicodeDecodeError) as error:
            raise CorruptSlot(f"The body of slot {self.seq} of {self.job_id} cannot be inflated.") from error
        lines = text.split("\n")
        if len(lines) != self.count:
            raise CorruptSlot(f"Slot {self.seq} of {self.job_id}: {len(lines)} events where {self.count} belong.")
        return [StoredEvent(self.seq + index, line) for index, line in enumerate(lines)]

    def same_write(self, other: "Slot") -> bool:
        """Whether `other` is this very write: the same nonce and the same bytes under the same key."""
        return self.to_item() == other.to_item()

    def to_item(self) -> dict[str, Any]:
        """The DynamoDB item, in the low-level attribute form."""
        item: dict[str, Any] = {
            "job_id": {"S": self.job_id},
            "seq": {"N": str(self.seq)},
            "n": {"N": str(self.count)},
            "nonce": {"S": self.nonce},
            "expires_at": {"N": str(self.expires_at)},
            **stamp(VERSION),
        }
        if self.object_key is not None:
            item["object"] = {"S": self.object_key}
        else:
            item["body"] = {"B": self.body} if isinstance(self.body, bytes) else {"S": self.body}
        if self.mark is not None:
            item["mark"] = mark_attribute(self.mark)
        if self.quiet_ms:
            item["quiet"] = {"N": str(self.quiet_ms)}
        return item


def mark_attribute(mark: Mark) -> dict[str, Any]:
    """`mark` as a DynamoDB attribute: a list, since names would be billed with every slot."""
    return {"L": [{"S": mark.thread}, {"S": mark.checkpoint_id}, {"N": str(mark.boundary_seq)}]}


def mark_from_attribute(attribute: dict[str, Any] | None) -> Mark | None:
    """The reverse of `mark_attribute`."""
    if attribute is None:
        return None
    thread, checkpoint_id, boundary = attribute["L"]
    return Mark(thread["S"], checkpoint_id["S"], int(boundary["N"]))


def slot_from_item(item: dict[str, Any]) -> Slot:
    """The slot that a DynamoDB item holds; its body is empty when it is in S3.

    Raises:
        CorruptSlot: an attribute is missing or of another kind; `NewerSlot` if the slot is of a newer release.
    """
    if version_of(item) > VERSION:
        raise NewerSlot(f"Slot {item['seq']['N']} of {item['job_id']['S']} was written by a newer release.")
    body = item.get("body", {"S": ""})
    try:
        return Slot(
            job_id=item["job_id"]["S"],
            seq=int(item["seq"]["N"]),
            count=int(item["n"]["N"]),
            nonce=item["nonce"]["S"],
            body=bytes(body["B"]) if "B" in body else body["S"],
            mark=mark_from_attribute(item.get("mark")),
            expires_at=int(item["expires_at"]["N"]),
            object_key=item["object"]["S"] if "object" in item else None,
            quiet_ms=int(item["quiet"]["N"]) if "quiet" in item else 0,
        )
    except (KeyError, ValueError, TypeError) as error:
        raise CorruptSlot(f"What is under {item['job_id']} {item['seq']} is no slot.") from error


def freeze(
    job_id: str,
    seq: int,
    lines: Sequence[str],
    *,
    nonce: str,
    mark: Mark | None,
    expires_at: int,
    quiet_ms: int = 0,
) -> Slot:
    """Freeze `lines` (JSON of consecutive events, the first of them `seq`) into a slot.

    A body that stays above `MAX_INLINE_BYTES` gets an `object_key`; the log stores it before the slot.
    """
    text = "\n".join(lines)
    body: str | bytes = text
    if len(text) > COMPRESS_ABOVE:
        body = zlib.compress(text.encode(), 1)
    slot = Slot(job_id, seq, len(lines), nonce, body, mark, expires_at, quiet_ms=quiet_ms)
    if len(slot.stored_bytes) > MAX_INLINE_BYTES:
        return replace(slot, object_key=f"{PREFIX}/{job_id}/{seq:012d}-{nonce}")
    return slot
