"""Snapshots in the table: laid out, found again, with the pending writes that belong to them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from operator import attrgetter

from langgraph.checkpoint.base.id import uuid6
from langgraph.checkpoint.serde.base import SerializerProtocol

from graphjobs.aws.checkpoint_table import CheckpointTable, Item
from graphjobs.worker.checkpoint_layout import Stored, lay_out, lay_out_writes, read_out, read_writes
from graphjobs.worker.snapshot import Snapshot, Writes, add_writes


@dataclass(frozen=True, slots=True)
class Found:
    """A snapshot as it was found.

    Attributes:
        writes: its pending writes.
        subgraphs: of the outermost graph's: the newest checkpoint of each subgraph then, by namespace; None if nobody
            has told which they are.
        within: the same, of those that the step after it is in.
    """

    stored: Stored
    writes: Writes = field(default_factory=dict)
    subgraphs: Mapping[str, str] | None = None
    within: Mapping[str, str] = field(default_factory=dict)

    @property
    def snapshot(self) -> Snapshot:
        """What was saved."""
        return self.stored.snapshot


class CheckpointStore:
    """The checkpoints of all threads."""

    def __init__(self, table: CheckpointTable, serde: SerializerProtocol) -> None:
        self.table = table
        self._serde = serde

    def put(
        self,
        thread: str,
        snapshot: Snapshot,
        *,
        key: str | None = None,
        base: Stored | None = None,
        subgraphs: Mapping[str, Stored] | None = None,
    ) -> Stored:
        """Store one; see `lay_out`. It takes the place of what is at `key`.

        Raises:
            BackendUnavailable, ClientError, BotoCoreError: see `CheckpointTable.put`.
        """
        item, stored = lay_out(snapshot, key or own_key(snapshot), base, subgraphs)
        self.table.put(thread, item)
        return stored

    def put_writes(
        self,
        thread: str,
        namespace: str,
        checkpoint_id: str,
        writes: Writes,
        subgraphs: Mapping[str, str] | None = None,
    ) -> None:
        """Store pending writes of one checkpoint beside those that there are."""
        key = f"{namespace}#{checkpoint_id}#{uuid6()}"  # in the order of time
        self.table.put(thread, lay_out_writes(namespace, checkpoint_id, key, writes, subgraphs or {}))

    def get(self, thread: str, namespace: str, checkpoint_id: str) -> Found | None:
        """One checkpoint."""
        items = self.table.under(thread, f"{namespace}#{checkpoint_id}")
        if not any(_is(item, namespace, checkpoint_id) for item in items):
            # It may have been put at the key of an older one.
            items = [each for each in self.table.under(thread, f"{namespace}#") if each.checkpoint_id == checkpoint_id]
        return next(iter(self._founds(thread, items, checkpoint_id)), None)

    def newest(self, thread: str, namespace: str) -> Found | None:
        """The newest checkpoint of a namespace."""
        found = self.all(thread, namespace)
        return found[-1] if found else None

    def all(self, thread: str, namespace: str | None = None) -> list[Found]:
        """The checkpoints of a namespace, or of all, the newest last."""
        items = self.table.under(thread, "" if namespace is None else f"{namespace}#")
        return self._founds(thread, [item for item in items if namespace in (None, item.namespace)])

    def at(self, thread: str, keys: Iterable[str]) -> list[Found]:
        """The checkpoints that are at these keys, the newest last."""
        found: list[Found] = []
        for each in self.table.get(thread, keys):
            # With its pending writes, which are under its own id wherever it is itself.
            writes = self.table.under(thread, f"{each.namespace}#{each.checkpoint_id}#")
            found += self._founds(thread, [each, *writes], each.checkpoint_id)
        return sorted(found, key=attrgetter("snapshot.checkpoint_id"))

    def _founds(self, thread: str, items: list[Item], checkpoint_id: str | None = None) -> list[Found]:
        have = {item.key for item in items}
        wanted = [item for item in items if item.is_checkpoint and checkpoint_id in (None, item.checkpoint_id)]
        missing = {key for item in wanted for key in item.needs} - have
        more = self.table.get(thread, missing) if missing else ()
        stored = read_out(self._serde, [*items, *more], [item.key for item in wanted])
        found = {(each.snapshot.namespace, each.snapshot.checkpoint_id): each for each in stored.values()}
        writes: dict[tuple[str, str], Writes] = {}
        told: dict[tuple[str, str], dict[str, str]] = {}
        for item in (each for each in items if not each.is_checkpoint):
            these, subgraphs = read_writes(item)
            add_writes(writes.setdefault((item.namespace, item.checkpoint_id), {}), these)
            told.setdefault((item.namespace, item.checkpoint_id), {}).update(subgraphs)
        made = [Found(each, writes.get(name, {}), each.subgraphs, told.get(name, {})) for name, each in found.items()]
        return sorted(made, key=attrgetter("snapshot.checkpoint_id"))


def own_key(snapshot: Snapshot) -> str:
    """The key at which a checkpoint is, unless it takes another one's place."""
    return f"{snapshot.namespace}#{snapshot.checkpoint_id}"


def _is(item: Item, namespace: str, checkpoint_id: str) -> bool:
    return item.is_checkpoint and (item.namespace, item.checkpoint_id) == (namespace, checkpoint_id)
