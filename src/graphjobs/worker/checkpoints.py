"""The worker's checkpointer: LangGraph's contract, on `CheckpointStore`.

While a run is watched, its conversation, which is the thread that the graph knows, is seen and saved as
`RunCheckpoints` says, on the run's checkpoint thread. Any other thread, and every thread when nobody is watching, is
read and written as by any checkpointer: each call is one of the table.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import run_in_executor
from langgraph.checkpoint.base import (
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    get_checkpoint_id,
)

from graphjobs.aws import clients as aws
from graphjobs.aws.checkpoint_table import CheckpointTable
from graphjobs.core.lifetimes import Lifetimes
from graphjobs.core.settings import Settings
from graphjobs.worker.checkpoint_store import CheckpointStore
from graphjobs.worker.run_checkpoints import Run, RunCheckpoints
from graphjobs.worker.serde import project_serializer
from graphjobs.worker.snapshot import add_writes, config_of, restore, take, taken_writes
from graphjobs.worker.unsaveable import naming

__all__ = ["ConfirmingSaver", "Run", "Saved", "checkpoint_saver"]

Saved = Callable[[RunnableConfig, str], None]


class ConfirmingSaver(BaseCheckpointSaver[int]):
    """A checkpointer that tells when a checkpoint is saved (`watching`).

    A passing fault of its backend is a `BackendUnavailable`, to be told from what a node raises.
    """

    # Both are set by the main thread, between two runs, and read by the threads that save.
    _run: RunCheckpoints | None = None
    _on_saved: Saved | None = None

    def __init__(self, table: CheckpointTable) -> None:
        super().__init__(serde=project_serializer())
        self.table = table
        self.store = CheckpointStore(table, self.serde)

    @contextmanager
    def watching(self, run: Run, on_saved: Saved) -> Iterator[None]:
        """While `run` is under way: read as it may, and call `on_saved(config, checkpoint_id)` after each save.

        At its end, but not when it was cancelled, the step that it is in is saved as far as it is.

        Raises:
            BackendUnavailable, ClientError, BotoCoreError: that could not be done.
        """
        own = self._run = RunCheckpoints(self.store, self.serde, run)
        self._on_saved = on_saved
        try:
            try:
                yield
            except Exception:
                own.flush()
                raise
            own.flush()
        finally:
            self._run = self._on_saved = None

    def with_allowlist(self, extra_allowlist: Any) -> ConfirmingSaver:
        """Itself: what may be read is `project_serializer`'s to say, and a copy would not be watched."""
        return self

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Save a checkpoint, with LangGraph's own metadata: a ``step`` of the job's would be read for the graph's."""
        name, namespace = _name(config), config["configurable"].get("checkpoint_ns", "")
        with naming(checkpoint["channel_values"].items(), self.serde):
            if (run := self._of(config)) is None:
                self.store.put(name, take(self.serde, config, checkpoint, metadata))
            else:
                run.put(config, checkpoint, metadata)
        if self._on_saved is not None and not namespace:
            self._on_saved(config, checkpoint["id"])
        return config_of(name, namespace, checkpoint["id"])

    def put_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Save what a task has written."""
        taken: Any = {}
        with naming(writes, self.serde):
            if (run := self._of(config)) is not None:
                run.put_writes(config, writes, task_id, task_path)
                return
            add_writes(taken, taken_writes(self.serde, writes, task_id, task_path))
        configurable = config["configurable"]
        namespace = configurable.get("checkpoint_ns", "")
        self.store.put_writes(_name(config), namespace, configurable["checkpoint_id"], taken)

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """The checkpoint that `config` names, or the newest of its namespace."""
        name, namespace = _name(config), config["configurable"].get("checkpoint_ns", "")
        checkpoint_id, run = get_checkpoint_id(config), self._of(config)
        thread = run.run.thread if run is not None else name
        if run is not None:
            known = run.known(namespace, checkpoint_id) if checkpoint_id else run.newest(namespace)
            if known is not None or not checkpoint_id:
                return restore(self.serde, name, known, run.writes(known)) if known else None
        found = (
            self.store.get(thread, namespace, checkpoint_id) if checkpoint_id else self.store.newest(thread, namespace)
        )
        return restore(self.serde, name, found.snapshot, found.writes) if found else None

    def list(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,  # noqa: A002 -- LangGraph's name
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> Iterator[CheckpointTuple]:
        """The checkpoints of a thread, the newest first; of a subgraph of a watched run what the run knows."""
        if config is None:
            raise ValueError("A thread must be named.")
        name, namespace = _name(config), config["configurable"].get("checkpoint_ns")
        run = self._of(config)
        thread = run.run.thread if run is not None else name
        if run is not None and namespace:
            each = ((snapshot, run.writes(snapshot)) for snapshot in run.line(namespace))
        else:
            each = ((found.snapshot, found.writes) for found in self.store.all(thread, namespace)[::-1])
        only, end = get_checkpoint_id(config), get_checkpoint_id(before) if before else None
        left = limit if limit is not None else -1
        for snapshot, writes in each:
            if left == 0:
                return
            if (end and snapshot.checkpoint_id >= end) or (only and snapshot.checkpoint_id != only):
                continue
            found = restore(self.serde, name, snapshot, writes)
            if all(found.metadata.get(name) == value for name, value in (filter or {}).items()):
                left -= 1
                yield found

    def subgraphs_of(self, thread_id: str, checkpoint_id: str) -> Sequence[CheckpointTuple] | None:
        """The newest checkpoints of the subgraphs, as a watched run left them; None if no run has told of them.

        Of one that the step is in, both: the one that the step began with comes first.
        """
        found = self.store.get(thread_id, "", checkpoint_id)
        if found is None or found.subgraphs is None:
            return None
        subgraphs = self.store.at(thread_id, [*found.subgraphs.values(), *found.within.values()])
        return [restore(self.serde, thread_id, each.snapshot, each.writes) for each in subgraphs]

    def delete_thread(self, thread_id: str) -> None:
        """Delete all of a thread."""
        self.table.delete(thread_id)

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """See `put`."""
        run = self._of(config)
        if run is not None and run.reads_nothing:
            if config["configurable"].get("checkpoint_ns"):
                return self.put(config, checkpoint, metadata, new_versions)
            run.begin(config, metadata)
        return await run_in_executor(None, self.put, config, checkpoint, metadata, new_versions)

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """See `put_writes`."""
        if self._of(config) is not None:
            self.put_writes(config, writes, task_id, task_path)
        else:
            await run_in_executor(None, self.put_writes, config, writes, task_id, task_path)

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """See `get_tuple`."""
        run = self._of(config)
        if run is not None and run.reads_nothing and not get_checkpoint_id(config):
            return self.get_tuple(config)
        return await run_in_executor(None, self.get_tuple, config)

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,  # noqa: A002 -- LangGraph's name
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        """See `list`."""
        listed = self.list(config, filter=filter, before=before, limit=limit)
        while (found := await run_in_executor(None, next, listed, None)) is not None:
            yield found

    async def adelete_thread(self, thread_id: str) -> None:
        """See `delete_thread`."""
        await run_in_executor(None, self.delete_thread, thread_id)

    def _of(self, config: RunnableConfig) -> RunCheckpoints | None:
        """The watched run, if `config` is of its thread."""
        run = self._run
        return run if run is not None and run.run.known_as == _name(config) else None


def _name(config: RunnableConfig) -> str:
    """What the caller knows the thread as: of a watched run its conversation, else a checkpoint thread."""
    return str(config["configurable"]["thread_id"])


def checkpoint_saver(settings: Settings) -> ConfirmingSaver:
    """The saver of one worker process."""
    ttl = Lifetimes.of(settings).checkpoint
    dynamodb, s3 = aws.dynamodb(aws.WORKER), aws.s3(aws.WORKER)
    return ConfirmingSaver(
        CheckpointTable(dynamodb, settings.checkpoints_table, s3, settings.payload_bucket, ttl_seconds=ttl)
    )
