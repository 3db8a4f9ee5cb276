"""LangGraph's own DynamoDB checkpointer, made to read consistently and to tell when a save is confirmed.

What fails for a moment is tried again, as the log's writer does: each of its calls may be made twice. A backend that
goes on failing is `CheckpointsUnavailable`, which is no error of the graph: another worker resumes from the mark.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, TypeVar

from botocore.exceptions import BotoCoreError, ClientError
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    get_checkpoint_id,
)
from langgraph_checkpoint_aws import DynamoDBSaver

from graphjobs.aws.clients import WORKER, is_transient
from graphjobs.aws.retry import Retry
from graphjobs.core.job import EVENTS_KEEP_SECONDS
from graphjobs.core.settings import Settings
from graphjobs.worker.unsaveable import naming

T = TypeVar("T")

Saved = Callable[[RunnableConfig, str], None]

PREFIX: Final = "checkpoints"
"""Of large checkpoints in the payload bucket, which expire by a rule on this prefix."""

PATIENCE: Final = Retry(tries=10, seconds=30)


class CheckpointsUnavailable(RuntimeError):
    """The backend of the checkpoints is failing for now: says nothing of the graph."""


@dataclass(frozen=True, slots=True)
class Run:
    """What a run may take for the newest state of a subgraph: its own, and what was there where it resumed.

    A worker that was fenced may have saved on the same thread since; see `ConfirmingSaver.get_tuple`.
    """

    thread: str
    resumed_at: str
    saved: set[str] = field(default_factory=set)

    def knows(self, checkpoint_id: str) -> bool:
        """Whether the checkpoint is not somebody else's; ids are in the order of time."""
        return checkpoint_id in self.saved or checkpoint_id <= self.resumed_at


class ConfirmingSaver(DynamoDBSaver):
    """`DynamoDBSaver` that tells of each save (`watching`).

    A passing fault of its backend is a `CheckpointsUnavailable`, to be told from what a node raises.
    """

    # Both are set by the main thread, between two runs, and read by the threads that save.
    _run: Run | None = None
    _on_saved: Saved | None = None

    @contextmanager
    def watching(self, run: Run, on_saved: Saved) -> Iterator[None]:
        """While `run` is under way: read as it may, and call `on_saved(config, checkpoint_id)` after each save."""
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
        # Without the job's metadata, by which `DynamoDBSaver` overwrites LangGraph's own: a "step" of the caller's
        # would be read for the graph's.
        own: RunnableConfig = {**config, "metadata": {}}
        with naming(checkpoint["channel_values"].items(), self.serde):
            result = _persistently(partial(super().put, own, checkpoint, metadata, new_versions))
        if self._run is not None:
            self._run.saved.add(checkpoint["id"])
        if self._on_saved is not None:
            self._on_saved(config, checkpoint["id"])
        return result

    def put_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Save what a task has written."""
        with naming(writes, self.serde):
            _persistently(partial(super().put_writes, config, writes, task_id, task_path))

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """Read one; "the newest" of a subgraph, which keeps its state on the thread, is the newest the run knows."""
        found = _persistently(partial(super().get_tuple, config))
        wanted, run = config["configurable"], self._run
        if found is None or run is None or run.thread != wanted["thread_id"] or get_checkpoint_id(config):
            return found
        if not wanted.get("checkpoint_ns") or run.knows(found.checkpoint["id"]):
            return found
        listed = partial(super().list, config)
        return _persistently(lambda: next((each for each in listed() if run.knows(each.checkpoint["id"])), None))


def checkpoint_saver(settings: Settings) -> ConfirmingSaver:
    """The saver of one worker process."""
    saver = ConfirmingSaver(
        settings.checkpoints_table,
        boto_config=WORKER,
        s3_offload_config={"bucket_name": settings.payload_bucket, "key_prefix": PREFIX},
    )
    # Given to the constructor together with a bucket, a TTL would have it rewrite the bucket's lifecycle,
    # which is declared with the bucket. A checkpoint is written at any time until the deadline.
    kept = max(settings.retention_seconds, settings.thread_retention_seconds)
    ttl = settings.max_timeout_seconds + kept + EVENTS_KEEP_SECONDS
    saver.storage.ttl_seconds = saver.repo.ttl_seconds = ttl
    saver.client.meta.events.register("provide-client-params.dynamodb.GetItem", _consistent)
    saver.client.meta.events.register("provide-client-params.dynamodb.Query", _consistent)
    return saver


def _persistently(call: Callable[[], T]) -> T:
    failure: Exception | None = None
    for _ in PATIENCE:
        try:
            return call()
        except (ClientError, BotoCoreError) as error:
            if not is_transient(error):
                raise
            failure = error
    raise CheckpointsUnavailable(str(failure)) from failure


def _consistent(params: dict[str, Any], **_: Any) -> dict[str, Any]:
    return {**params, "ConsistentRead": True}
