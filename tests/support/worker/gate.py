"""A process that dies: from one chosen write on, nothing that its AWS clients are asked reaches AWS any more.

Death between two calls to AWS is all that the outside can ever see of a crash. What the dead worker's code still
does in the test's process is of no effect, so it need not be killed.
"""

from __future__ import annotations

import threading
from enum import StrEnum
from typing import Any

from botocore.exceptions import ClientError

WRITES = frozenset({"PutItem", "BatchWriteItem", "TransactWriteItems"})


class Died(ClientError):
    """The answer to every call after the death."""

    def __init__(self) -> None:
        super().__init__(
            {"Error": {"Code": "ProcessDied", "Message": "dead"}, "ResponseMetadata": {"HTTPStatusCode": 400}},  # type: ignore[typeddict-item]
            "Operation",
        )


class Phase(StrEnum):
    """Where in the fatal write the process dies."""

    BEFORE = "before"
    """The write never happens."""
    AFTER = "after"
    """The write has happened, its answer never came."""


class Gate:
    """Counts the writes that pass it and cuts everything off at write `die_at` (from 1), of all or of kind `of`."""

    def __init__(self, die_at: int | None = None, phase: Phase = Phase.BEFORE, *, of: str = "") -> None:
        self.die_at = die_at
        self.of = of
        self.phase = phase
        self.writes: list[str] = []
        self.died_in = ""
        self._fatal = threading.local()
        self._lock = threading.Lock()

    @property
    def dead(self) -> bool:
        """Whether the process has died."""
        return bool(self.died_in)

    def die(self, where: str = "here") -> None:
        """Die now."""
        self.died_in = where

    def enter(self, call: str, *, counted: bool = True) -> None:
        """Before a call.

        Raises:
            Died: the process is dead, or dies with this call before it is made.
        """
        with self._lock:
            self._fatal.here = False
            if self.dead:
                raise Died
            if not counted:
                return
            self.writes.append(call)
            if call.startswith(self.of) and sum(each.startswith(self.of) for each in self.writes) == self.die_at:
                if self.phase is Phase.BEFORE:
                    self.died_in = call
                    raise Died
                self._fatal.here = True

    def leave(self, call: str) -> None:
        """After a call, on the same thread.

        Raises:
            Died: the process dies with this call, which was made.
        """
        if self._fatal.here:
            self.died_in = call
            raise Died


class Trouble(Gate):
    """A backend in trouble: calls number `nth` (from 1) and following of one kind, `times` of them, raise `error`.

    With `lost` they are made first, and their answer is what is lost.
    """

    def __init__(self, of: str, error: Exception, *, nth: int = 1, times: int = 1, lost: bool = False) -> None:
        super().__init__(of=of)
        self.error = error
        self.fatal = range(nth, nth + times)
        self.lost = lost
        self.calls: list[str] = []

    @property
    def met(self) -> bool:
        """Whether the worker ran into it."""
        return self.calls.count(self.of) >= self.fatal.start

    def enter(self, call: str, *, counted: bool = True) -> None:
        """Before a call; raises `error` in its place."""
        with self._lock:
            self.calls.append(call)
            self._fatal.here = call == self.of and self.calls.count(call) in self.fatal
        if self._fatal.here and not self.lost:
            raise self.error

    def leave(self, call: str) -> None:
        """After a call, on the same thread; raises `error` in place of its answer."""
        if self._fatal.here:
            self._fatal.here = False
            raise self.error


class Wire:
    """AWS clients that pass a gate, which is changed when another process takes them over: making one is slow."""

    def __init__(self) -> None:
        self.gate = Gate()

    def attach(self, client: Any, name: str, *, counted: bool = True) -> Any:
        """Put the gate before `client`; its writes are counted unless `counted` is false."""

        def before(model: Any, **_: Any) -> None:
            self.gate.enter(f"{name}.{model.name}", counted=counted and model.name in WRITES)

        def after(model: Any, **_: Any) -> None:
            self.gate.leave(f"{name}.{model.name}")

        client.meta.events.register("before-parameter-build", before)
        client.meta.events.register("after-call", after)
        return client
