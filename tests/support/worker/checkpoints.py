"""Checkpoints in memory: quick, seen by all workers of a test, each save behind the worker's `Gate`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import ChannelVersions, Checkpoint, CheckpointMetadata
from langgraph.checkpoint.memory import InMemorySaver

from graphjobs.testing.saver import MemorySaver
from tests.support.worker.gate import Gate


class MemoryCheckpoints(InMemorySaver):
    """What all workers share."""


class GatedSaver(MemorySaver):
    """One worker's way to the checkpoints; like `ConfirmingSaver` it tells of each save, from another thread."""

    def __init__(self, shared: MemoryCheckpoints, gate: Gate) -> None:
        super().__init__()
        self.storage, self.writes, self.blobs = shared.storage, shared.writes, shared.blobs
        self._gate = gate
        self.before_save: dict[int, Callable[[], object]] = {}
        """What happens, on the saving thread, before the state of a round is saved."""

    def save(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """See `MemorySaver.save`."""
        self.before_save.pop(checkpoint["channel_values"].get("round", 0), lambda: None)()
        self._gate.enter("saver.put")
        result = super().save(config, checkpoint, metadata, new_versions)
        self._gate.leave("saver.put")
        return result

    def put_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Save what a task has written."""
        self._gate.enter("saver.put_writes")
        super().put_writes(config, writes, task_id, task_path)
        self._gate.leave("saver.put_writes")

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """See `put`."""
        return await asyncio.to_thread(self.put, config, checkpoint, metadata, new_versions)

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """See `put_writes`."""
        await asyncio.to_thread(self.put_writes, config, writes, task_id, task_path)


def on(thread: str, checkpoint_id: str = "") -> Any:
    """The config of a run on a checkpoint thread, from one of its checkpoints on."""
    configurable = {"thread_id": thread} | ({"checkpoint_id": checkpoint_id} if checkpoint_id else {})
    return {"configurable": configurable, "recursion_limit": 100}
