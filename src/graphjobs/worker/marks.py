"""Marks: which checkpoint the log may name as the place to resume.

A checkpoint is worth naming when its save was confirmed (durability ``sync``) and the stream has told how many
events came before it. The two arrive in either order, from different threads.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from graphjobs.core.slot import Mark


class Marks:
    """Pairs saved checkpoints with their boundaries and hands each pair on as a `Mark`."""

    def __init__(self, thread: str, publish: Callable[[Mark], None]) -> None:
        self._thread = thread
        self._publish = publish
        self._lock = threading.Lock()
        # Both under the lock: by the thread that saves, and by the loop's thread.
        self._saved: set[str] = set()
        self._boundaries: dict[str, int] = {}

    def saved(self, config: Any, checkpoint_id: str) -> None:
        """The save of a checkpoint was confirmed; those of subgraphs are not resumed from by themselves."""
        if config["configurable"].get("checkpoint_ns", ""):
            return
        with self._lock:
            self._saved.add(checkpoint_id)
            self._pair(checkpoint_id)

    def reached(self, checkpoint_id: str, boundary_seq: int) -> None:
        """The stream has come to a checkpoint, after event `boundary_seq`."""
        with self._lock:
            self._boundaries[checkpoint_id] = boundary_seq
            self._pair(checkpoint_id)

    def _pair(self, checkpoint_id: str) -> None:
        if checkpoint_id in self._saved and checkpoint_id in self._boundaries:
            boundary = self._boundaries.pop(checkpoint_id)
            self._saved.discard(checkpoint_id)
            self._publish(Mark(self._thread, checkpoint_id, boundary))
