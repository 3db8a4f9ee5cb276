"""The event log: what readers and writers may ask of it, whatever it is stored in.

What holds for every implementation (tests/unit/log/suite.py is the suite they are held to):

* `append` is a compare-and-swap on the slot's key: of two slots under one key the first stays for ever.
* Appending the identical slot again (nonce and bytes) succeeds and changes nothing.
* The key of the slot after `slot` is ``slot.next_seq``, so a reader that asks for that key alone can
  neither skip, repeat nor reorder an event.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from graphjobs.core.slot import Slot

Key = tuple[str, int]
"""Job id and seq."""


class Fenced(Exception):
    """Another writer has taken over: this one must stop and write nothing more."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What a read of many keys said; a key that is in none of these is absent.

    Attributes:
        found: the slots that are there; the body of one that is in S3 is left there (`EventLog.whole`).
        unknown: keys that were not answered.
        corrupt: keys under which there is something that is no slot. Nothing is said against the others.
    """

    found: dict[Key, Slot]
    unknown: frozenset[Key] = frozenset()
    corrupt: frozenset[Key] = frozenset()


class EventLog(Protocol):
    """A job's log, as slots. Every method raises what its backend raises when that is failing."""

    def append(self, slot: Slot) -> None:
        """Write `slot` if nothing is under its key, or if it is there already by this very write.

        Raises:
            Fenced: another writer's slot is there.
        """

    def tail(self, job_id: str) -> Slot | None:
        """The last slot, read consistently; None for an empty log.

        Its body stays in S3 if it is there (`whole`): what hands a job on must not depend on S3.
        """

    def containing(self, job_id: str, seq: int) -> Slot | None:
        """The slot that holds event `seq`, or the last one before it; read consistently."""

    def read(self, keys: Iterable[Key]) -> Batch:
        """The slots at exactly these keys; may lag behind the newest write, never in another order."""

    def whole(self, slot: Slot) -> Slot:
        """`slot`, as `read` or `tail` found it, with its body."""

    def following(self, job_id: str, seq: int, *, max_slots: int) -> list[Slot]:
        """Up to `max_slots` consecutive slots from key `seq` on, without a gap between them; fewer if they are large.

        Fewer if a body is large; none only if there is none. Raises what it raises only for the first of them: those
        before one that cannot be read are returned.
        """
