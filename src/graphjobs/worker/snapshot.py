"""A checkpoint as bytes, value by value: what it held at the moment it was taken, whatever the graph does later."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    writes_sort_key,
)
from langgraph.checkpoint.serde.base import SerializerProtocol

Typed = tuple[str, bytes]
"""What LangGraph's serializer makes of a value: the name of the encoding, and the bytes."""

Writes = dict[tuple[str, int], "Write"]
"""Pending writes of one checkpoint by task and place, which is negative for LangGraph's own channels."""


@dataclass(frozen=True, slots=True)
class Value:
    """The value of one channel."""

    version: Any
    typed: Typed


@dataclass(frozen=True, slots=True)
class Write:
    """What one task has written to one channel, with the task's path, by which writes are put in order."""

    path: str
    channel: str
    typed: Typed


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One checkpoint.

    Attributes:
        head: the checkpoint without its values, and its metadata.
        needs_ancestors: whether LangGraph computes a value from what was written before (`DeltaChannel`).
        root_id: of a subgraph's: the checkpoint of the outermost graph in whose step it was saved.
    """

    namespace: str
    checkpoint_id: str
    parent_id: str | None
    head: Typed
    values: Mapping[str, Value]
    needs_ancestors: bool
    root_id: str | None


def take(
    serde: SerializerProtocol,
    config: RunnableConfig,
    checkpoint: Checkpoint,
    metadata: CheckpointMetadata,
    base: Snapshot | None = None,
) -> Snapshot:
    """The snapshot of a checkpoint whose parent `config` names; of `base`, if that is the parent, it shares values."""
    parent_id = config["configurable"].get("checkpoint_id")
    before = base.values if base is not None and base.checkpoint_id == parent_id else {}
    values = {}
    for channel, value in checkpoint["channel_values"].items():
        version, known = checkpoint["channel_versions"].get(channel), before.get(channel)
        if known is None or version is None or known.version != version:
            known = Value(version, serde.dumps_typed(value))
        values[channel] = known
    slim = {name: part for name, part in checkpoint.items() if name != "channel_values"}
    return Snapshot(
        namespace=config["configurable"].get("checkpoint_ns", ""),
        checkpoint_id=checkpoint["id"],
        parent_id=parent_id,
        head=serde.dumps_typed({"checkpoint": slim, "metadata": dict(metadata)}),
        values=values,
        needs_ancestors=bool(metadata.get("counters_since_delta_snapshot")),
        root_id=(metadata.get("parents") or {}).get(""),
    )


def read(
    serde: SerializerProtocol, namespace: str, parent_id: str | None, head: Typed, typed: Mapping[str, Typed]
) -> Snapshot:
    """The snapshot that was stored as `head` and `typed` values."""
    parts = serde.loads_typed(head)
    versions, metadata = parts["checkpoint"]["channel_versions"], parts["metadata"]
    return Snapshot(
        namespace=namespace,
        checkpoint_id=parts["checkpoint"]["id"],
        parent_id=parent_id,
        head=head,
        values={channel: Value(versions.get(channel), value) for channel, value in typed.items()},
        needs_ancestors=bool(metadata.get("counters_since_delta_snapshot")),
        root_id=(metadata.get("parents") or {}).get(""),
    )


def restore(serde: SerializerProtocol, thread: str, snapshot: Snapshot, writes: Writes) -> CheckpointTuple:
    """What LangGraph asks for."""
    parts = serde.loads_typed(snapshot.head)
    values = {channel: serde.loads_typed(value.typed) for channel, value in snapshot.values.items()}
    ordered = sorted(writes.items(), key=lambda each: writes_sort_key(each[1].path, *each[0]))
    return CheckpointTuple(
        config=config_of(thread, snapshot.namespace, snapshot.checkpoint_id),
        checkpoint=cast(Checkpoint, {**parts["checkpoint"], "channel_values": values}),
        metadata=parts["metadata"],
        parent_config=config_of(thread, snapshot.namespace, snapshot.parent_id) if snapshot.parent_id else None,
        pending_writes=[(task, write.channel, serde.loads_typed(write.typed)) for (task, _), write in ordered],
    )


def config_of(thread: str, namespace: str, checkpoint_id: str) -> RunnableConfig:
    """How LangGraph names a checkpoint."""
    return {"configurable": {"thread_id": thread, "checkpoint_ns": namespace, "checkpoint_id": checkpoint_id}}


def taken_writes(
    serde: SerializerProtocol, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str
) -> Iterable[tuple[tuple[str, int], Write]]:
    """What `put_writes` was given, with its places."""
    for index, (channel, value) in enumerate(writes):
        place = (task_id, WRITES_IDX_MAP.get(channel, index))
        yield place, Write(task_path, channel, serde.dumps_typed(value))


def add_writes(known: Writes, more: Iterable[tuple[tuple[str, int], Write]]) -> None:
    """Of a task's own writes the first counts, of what LangGraph notes about it (errors, answers) the last."""
    for place, write in more:
        if place[1] < 0 or place not in known:
            known[place] = write
