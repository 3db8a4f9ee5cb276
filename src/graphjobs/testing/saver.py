"""Checkpoints in memory, for a worker's run: needs LangGraph, so it is no part of what `graphjobs.testing` exports."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import ChannelVersions, Checkpoint, CheckpointMetadata
from langgraph.checkpoint.memory import InMemorySaver

from graphjobs.worker.checkpoints import Run, Saved


class MemorySaver(InMemorySaver):
    """In place of `ConfirmingSaver`, whose `watching` it has."""

    _on_saved: Saved | None = None

    @contextmanager
    def watching(self, run: Run, on_saved: Saved) -> Iterator[None]:
        """Tell `on_saved` of each save until the end of the block."""
        self._on_saved = on_saved
        try:
            yield
        finally:
            self._on_saved = None

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Save, then tell."""
        result = self.save(config, checkpoint, metadata, new_versions)
        if self._on_saved is not None:
            self._on_saved(config, checkpoint["id"])
        return result

    def save(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Save a checkpoint, and tell nobody. For those who want it to fail, or to take its time."""
        return super().put(config, checkpoint, metadata, new_versions)
