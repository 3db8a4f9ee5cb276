"""Pages of frames, for streams that are behind: one read for all that ask for the same page at the same time.

The viewers of one job fall behind together. If each read for itself, a slow table would get more reads the
slower it gets, and would never recover.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import Executor
from typing import Final

from graphjobs.core.event_log import EventLog, Key
from graphjobs.core.slot import CorruptSlot
from graphjobs.stream.frame import Frame

PAGE_SLOTS: Final = 16


class Pages:
    """Reads pages on behalf of all streams of the process."""

    def __init__(self, log: EventLog, executor: Executor) -> None:
        self._log = log
        self._executor = executor
        self._reads: dict[Key, asyncio.Future[list[Frame]]] = {}

    async def page(self, key: Key) -> list[Frame]:
        """Up to `PAGE_SLOTS` consecutive frames from `key` on; fewer: no more were seen.

        Raises:
            ClientError, BotoCoreError, CorruptSlot: the page cannot be read.
        """
        read = self._reads.get(key)
        if read is None:
            loop = asyncio.get_running_loop()
            read = loop.run_in_executor(self._executor, self._following, key)
            self._reads[key] = read
            read.add_done_callback(lambda done: self._finished(key, done))
        return await asyncio.shield(read)  # others may wait for it when this stream ends

    def _following(self, key: Key) -> list[Frame]:
        """Read and inflated beside the event loop; what is before a slot that cannot be read is given."""
        job_id, seq = key
        frames: list[Frame] = []
        for slot in self._log.following(job_id, seq, max_slots=PAGE_SLOTS):
            try:
                frames.append(Frame(slot))
            except CorruptSlot:
                if not frames:
                    raise
                break
        return frames

    def _finished(self, key: Key, read: asyncio.Future[list[Frame]]) -> None:
        del self._reads[key]
        if not read.cancelled():
            read.exception()  # seen, should nobody wait for it any more
