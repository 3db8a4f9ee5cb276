"""Checkpoints in memory, for a worker's run: needs LangGraph, so it is no part of what `graphjobs.testing` exports."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import ChannelVersions, Checkpoint, CheckpointMetadata, CheckpointTuple
from langgraph.checkpoint.memory import InMemorySaver

from graphjobs.worker.checkpoints import Run, Saved


class MemorySaver(InMemorySaver):
    """In place of `ConfirmingSaver`, whose `watching` it has."""

    _run: Run | None = None
    _on_saved: Saved | None = None

    @contextmanager
    def watching(self, run: Run, on_saved: Saved) -> Iterator[None]:
        """Until the end of the block, tell `on_saved` of each save, and keep the conversation on the run's thread."""
        self._run, self._on_saved = run, on_saved
        try:
            yield
        finally:
            self._run = self._on_saved = None

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Save, then tell."""
        saved = self.save(self._kept_at(config), checkpoint, metadata, new_versions)
        if self._on_saved is not None:
            self._on_saved(config, checkpoint["id"])
        return _on(config["configurable"]["thread_id"], saved)

    def save(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Save a checkpoint, and tell nobody. For those who want it to fail, or to take its time."""
        return super().put(config, checkpoint, metadata, new_versions)

    def put_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Save what a task has written."""
        super().put_writes(self._kept_at(config), writes, task_id, task_path)

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """The checkpoint that `config` names, or the newest."""
        found = super().get_tuple(self._kept_at(config))
        return found and _known_as(config["configurable"]["thread_id"], found)

    def list(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,  # noqa: A002 -- LangGraph's name
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> Iterator[CheckpointTuple]:
        """The checkpoints of a thread, the newest first."""
        if config is None:
            yield from super().list(None, filter=filter, before=before, limit=limit)
            return
        for found in super().list(self._kept_at(config), filter=filter, before=before, limit=limit):
            yield _known_as(config["configurable"]["thread_id"], found)

    def _kept_at(self, config: RunnableConfig) -> RunnableConfig:
        run = self._run
        here = run is not None and run.known_as == config["configurable"]["thread_id"]
        return _on(run.thread, config) if run is not None and here else config


def _on(thread: str, config: RunnableConfig) -> RunnableConfig:
    return cast(RunnableConfig, {**config, "configurable": {**config["configurable"], "thread_id": thread}})


def _known_as(name: str, found: CheckpointTuple) -> CheckpointTuple:
    parent = found.parent_config
    return found._replace(config=_on(name, found.config), parent_config=parent and _on(name, parent))
