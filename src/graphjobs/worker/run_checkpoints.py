"""The checkpoints of the run that is under way: what of them is in memory, and when they are saved.

What is saved is what somebody may go on from. That is each checkpoint of the outermost graph, which the log may name,
with the newest state of the subgraphs that keep theirs on the thread. Where a subgraph is within a step, and what the
tasks of a step have written, is kept in memory and forgotten with the step, since after a crash a step is begun again.
Only when a run ends within a step, as it does when somebody is asked, is this saved too (`flush`).

All of it is seen by this run alone: a worker that was fenced and still runs may save on the same thread, and what is
"the newest" to LangGraph is the newest that this run has saved, or that was there where it resumed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

from langchain_core.runnables import RunnableConfig
from langgraph._internal._constants import NS_END
from langgraph.checkpoint.base import Checkpoint, CheckpointMetadata
from langgraph.checkpoint.serde.base import SerializerProtocol

from graphjobs.worker.checkpoint_layout import Stored
from graphjobs.worker.checkpoint_store import CheckpointStore, Found, own_key
from graphjobs.worker.snapshot import Snapshot, Writes, add_writes, take, taken_writes
from graphjobs.worker.subgraph_lines import Line, SubgraphLines

Name = tuple[str, str]
"""Namespace and id of a checkpoint."""

BRANCHES: Final = ("fork", "update")
"""Sources of a checkpoint after which the step that followed its parent is begun again."""


@dataclass(frozen=True, slots=True)
class Run:
    """A run on a checkpoint thread.

    Attributes:
        thread: the checkpoint thread.
        known_as: the id of the conversation, which is what the graph knows as its ``thread_id``. It is the same for
            all runs of the conversation, each of which has a checkpoint thread of its own.
        resumed_at: the id of the checkpoint that it resumes from; "" if it begins the thread.
        is_needed: the retention: tells by its id whether somebody may still go on from a checkpoint. Others may
            make room for new ones. No means no for ever. None: every checkpoint of the outermost graph stays, as on
            a thread whose history may be asked for.
    """

    thread: str
    known_as: str
    resumed_at: str
    is_needed: Callable[[str], bool] | None = None


class CheckpointLost(LookupError):
    """There is nothing where the run should resume: it has expired, or was never saved."""


class RunCheckpoints:
    """What one run has saved and what it knows. Used by the threads of nodes and of the loop at once."""

    def __init__(self, store: CheckpointStore, serde: SerializerProtocol, run: Run) -> None:
        self.run = run
        self._store = store
        self._serde = serde
        self._lock = threading.RLock()
        # All from here on by the threads of nodes and of the loop, under the lock. `_loaded` is also read without it:
        # it turns true once, after what it stands for.
        self._loaded = not run.resumed_at
        # By namespace: the newest checkpoint, preceded by those that LangGraph computes it from. Where the run
        # found the newest within a step, also by the one that the step began with: from there it is begun again.
        self._lines: dict[str, Line] = {}
        self._found: set[Name] = set()  # what was there when it was loaded
        self._kept = SubgraphLines()
        self._writes: dict[Name, Writes] = {}
        self._unsaved: set[Name] = set()  # whose writes have changed
        self._stored: dict[Name, Stored] = {}
        # By key, what this run has put and may put something else in place of.
        self._places: dict[str, Stored] = {}

    def newest(self, namespace: str) -> Snapshot | None:
        """The newest checkpoint of a namespace, as far as this run knows."""
        self._load()
        with self._lock:
            line = self._lines.get(namespace)
            return line[-1] if line else None

    def known(self, namespace: str, checkpoint_id: str) -> Snapshot | None:
        """A checkpoint that is at hand; what is not may be in the table."""
        if checkpoint_id == self.run.resumed_at and not namespace:
            self._load()
        with self._lock:
            line = self._lines.get(namespace, ())
            return next((each for each in line if each.checkpoint_id == checkpoint_id), None)

    def line(self, namespace: str) -> Sequence[Snapshot]:
        """What is at hand of a namespace, the newest first."""
        self._load()
        with self._lock:
            return self._lines.get(namespace, [])[::-1]

    def writes(self, snapshot: Snapshot) -> Writes:
        """The pending writes of a checkpoint that is at hand."""
        with self._lock:
            return dict(self._writes.get((snapshot.namespace, snapshot.checkpoint_id), {}))

    @property
    def reads_nothing(self) -> bool:
        """Whether all that is asked for is at hand."""
        return self._loaded

    def put(self, config: RunnableConfig, checkpoint: Checkpoint, metadata: CheckpointMetadata) -> Snapshot:
        """Take a checkpoint over; the outermost graph's is saved when this returns.

        Raises:
            BackendUnavailable, ClientError, BotoCoreError: see `CheckpointTable.put`.
        """
        self._load()
        with self._lock:
            namespace = config["configurable"].get("checkpoint_ns", "")
            line = self._lines.get(namespace, [])
            snapshot = take(self._serde, config, checkpoint, metadata, line[-1] if line else None)
            follows = snapshot.needs_ancestors and line and line[-1].checkpoint_id == snapshot.parent_id
            self._replace(namespace, [*line, snapshot] if follows else [snapshot])
            if namespace:
                if NS_END not in namespace:
                    self._kept.add(namespace, line, self._lines[namespace])
                return snapshot
            self.begin(config, metadata)
            for each in [name for name in self._lines if NS_END in name]:
                newest = self._lines[each][-1]
                if newest.root_id != snapshot.checkpoint_id and self._is_before(newest, snapshot):
                    self._replace(each, [])
        self._save(snapshot)
        return snapshot

    def begin(self, config: RunnableConfig, metadata: CheckpointMetadata) -> None:
        """Note that a checkpoint is about to be saved.

        If it branches off, the step after its parent is begun again: what subgraphs had saved in that step before this
        run is void. LangGraph goes on with the step while the checkpoint is being saved, so this must be told first,
        and leaves alone what subgraphs of this run have saved by then.
        """
        root_id = config["configurable"].get("checkpoint_id")
        if metadata.get("source") not in BRANCHES or not root_id or config["configurable"].get("checkpoint_ns"):
            return

        def is_kept(each: Snapshot) -> bool:
            return each.checkpoint_id < root_id or _name(each) not in self._found

        with self._lock:
            for namespace in [each for each in self._lines if each and NS_END not in each]:
                self._replace(namespace, list(filter(is_kept, self._lines[namespace])))
                self._kept.keep(namespace, is_kept)

    def put_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str
    ) -> None:
        """Take pending writes over."""
        configurable = config["configurable"]
        taken = list(taken_writes(self._serde, writes, task_id, task_path))
        name = configurable.get("checkpoint_ns", ""), configurable["checkpoint_id"]
        with self._lock:
            add_writes(self._writes.setdefault(name, {}), taken)
            self._unsaved.add(name)

    def flush(self) -> None:
        """Save how far the step is that the run ends in: what its tasks have written, and where its subgraphs are.

        Raises:
            BackendUnavailable, ClientError, BotoCoreError: see `CheckpointTable.put`.
        """
        with self._lock:
            if "" not in self._lines:
                return
            root = self._lines[""][-1]
            within: dict[str, str] = {}
            for namespace, line in self._lines.items():
                newest = line[-1]
                here = NS_END in namespace and newest.root_id == root.checkpoint_id
                changed = _name(newest) not in self._stored or _name(newest) in self._unsaved
                if namespace and (here or (changed and NS_END not in namespace)):
                    within[namespace] = self._save_line(line, with_writes=True).key
            name = _name(root)
            if within or name in self._unsaved:
                writes = self._writes.get(name, {})
                self._store.put_writes(self.run.thread, "", root.checkpoint_id, writes, within)
                self._unsaved.discard(name)

    def _load(self) -> None:
        """What is there where the run resumes."""
        if self._loaded:
            return
        with self._lock:
            if self._loaded:
                return
            thread = self.run.thread
            root = self._store.get(thread, "", self.run.resumed_at)
            if root is None:
                raise CheckpointLost(f"{thread} {self.run.resumed_at}")
            self._know(root)
            self._know_subgraphs(root)
            self._loaded = True

    def _know_subgraphs(self, root: Found) -> None:
        if root.subgraphs is not None:
            for each in self._store.at(self.run.thread, [*root.subgraphs.values(), *root.within.values()]):
                self._know(each)
            return
        for each in self._store.all(self.run.thread):  # in the order of time
            if each.snapshot.namespace:
                self._know(each)

    def _know(self, found: Found) -> None:
        snapshot = found.snapshot
        self._lines.setdefault(snapshot.namespace, []).append(snapshot)
        self._found.add(_name(snapshot))
        self._stored[_name(snapshot)] = found.stored
        self._writes[_name(snapshot)] = found.writes

    def _replace(self, namespace: str, line: list[Snapshot]) -> None:
        """Put `line` in the place of what is at hand of a namespace, and forget what belongs to nothing any more."""
        kept = {_name(each) for each in line}
        newest = line[-1].checkpoint_id if line else ""
        for name in [each for each in self._writes if each[0] == namespace and each not in kept]:
            if name[1] < newest or not line:
                del self._writes[name]
                self._unsaved.discard(name)
        if line:
            self._lines[namespace] = line
        else:
            self._lines.pop(namespace, None)

    def _is_before(self, each: Snapshot, root: Snapshot) -> bool:
        """Whether a subgraph's checkpoint was there when `root` was made, or was saved in a step since then."""
        return _name(each) in self._found or (each.root_id or "") < root.checkpoint_id

    def _kept_at(self, root: Snapshot) -> dict[str, Line]:
        """By namespace what the subgraphs had kept on the thread when `root` was made."""
        with self._lock:
            lines = {
                namespace: self._kept.at(namespace, line, lambda each: self._is_before(each, root))
                for namespace, line in self._lines.items()
                if namespace and NS_END not in namespace
            }
        return {namespace: line for namespace, line in lines.items() if line}

    def _save(self, root: Snapshot) -> None:
        subgraphs = {namespace: self._save_line(line) for namespace, line in self._kept_at(root).items()}
        with self._lock:
            line = self._lines[""]
        self._save_line(line, subgraphs)
        at_hand = self._at_hand()
        self._stored = {name: stored for name, stored in self._stored.items() if name in at_hand}

    def _at_hand(self) -> set[Name]:
        with self._lock:
            return set(map(_name, chain(*self._lines.values(), self._kept)))

    def _save_line(
        self, line: Line, subgraphs: dict[str, Stored] | None = None, *, with_writes: bool = False
    ) -> Stored:
        """Save what is not saved of a line; the writes of those that the newest is computed from, too."""
        for each in line:
            name = _name(each)
            if name not in self._stored:
                self._stored[name] = self._put(each, subgraphs)
            if name in self._unsaved and (with_writes or each is not line[-1]):
                self._store.put_writes(self.run.thread, *name, self._writes[name])
                self._unsaved.discard(name)
        return self._stored[_name(line[-1])]

    def _put(self, snapshot: Snapshot, subgraphs: dict[str, Stored] | None) -> Stored:
        base = self._stored.get((snapshot.namespace, snapshot.parent_id or ""))
        key = self._free_key(snapshot)
        stored = self._places[key] = self._store.put(self.run.thread, snapshot, key=key, base=base, subgraphs=subgraphs)
        return stored

    def _free_key(self, snapshot: Snapshot) -> str:
        """The key of an older checkpoint that nobody can go on from any more: to overwrite it costs nothing."""
        is_needed = self.run.is_needed
        if is_needed is None or snapshot.needs_ancestors or NS_END in snapshot.namespace:
            return own_key(snapshot)
        needed = [each for each in self._places.values() if is_needed(each.snapshot.checkpoint_id)]
        free = {key for key, each in self._places.items() if each.snapshot.namespace == snapshot.namespace}
        for each in (*needed, *self._stored.values()):
            free -= {each.key, *each.needs}
        return min(free, default=own_key(snapshot))


def _name(snapshot: Snapshot) -> Name:
    return snapshot.namespace, snapshot.checkpoint_id
