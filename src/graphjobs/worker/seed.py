"""Begins a checkpoint thread with a copy of the head of another, so that what a job adds touches nobody else's.

`Command(resume=...)` runs on the very checkpoint that asked: the answer and the writes of its nodes become pending
writes of it, and a second job that resumes there is given the first one's answer. On a copy under the same checkpoint
id, from which LangGraph derives the ids of tasks and so of interrupts, the same questions are open, for this job alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from langchain_core.runnables import RunnableConfig
from langgraph._internal._constants import NS_END, NULL_TASK_ID, RESUME
from langgraph.checkpoint.base import BaseCheckpointSaver, CheckpointTuple, PendingWrite

from graphjobs.worker.checkpoints import ConfirmingSaver
from graphjobs.worker.run_checkpoints import BRANCHES


class NoSuchCheckpoint(LookupError):
    """There is nothing to seed a thread from: the checkpoint was never saved, or has expired."""


def seed(saver: BaseCheckpointSaver[Any], *, source: str, checkpoint_id: str, to: str) -> None:
    """Copy what a job needs to go on from checkpoint `checkpoint_id` of thread `source` to the fresh thread `to`.

    The copy has the same checkpoint id, values, metadata and open interrupts (same ids), and:

    - what tasks of the interrupted step had written, so that those that were done are not run again;
    - answers that a task had already used before it asked its next question; an answer that was given to the
      checkpoint as a whole (`Command(resume=value)`) does not come along: it was used up by the job that gave it;
    - of each subgraph that keeps its state on the thread (`checkpointer=True`), the state that the checkpoint's own
      past left, however many others have saved on `source` since: where no answer is given, the step begins with it;
    - of each subgraph that the interrupted step is in, how far it is: where one is given, it goes on from there.

    Run the graph on it with ``{"thread_id": to, "checkpoint_id": checkpoint_id}``. `source` is only read. A copy that
    was cut off is of no use: begin another thread.

    Raises:
        NoSuchCheckpoint: see there.
    """
    head = saver.get_tuple(_config(source, "", checkpoint_id))
    if head is None:
        raise NoSuchCheckpoint(f"{source} {checkpoint_id}")
    for each in (*_subgraphs(saver, source, head), head):
        for ancestor in _needed_ancestors(saver, each):
            _copy(saver, ancestor, to, head)
        _copy(saver, each, to, head)


def _config(thread: str, namespace: str, checkpoint_id: str | None) -> RunnableConfig:
    configurable: dict[str, Any] = {"thread_id": thread, "checkpoint_ns": namespace}
    return {"configurable": configurable | ({"checkpoint_id": checkpoint_id} if checkpoint_id else {})}


def _id(config: RunnableConfig | None) -> str | None:
    return config["configurable"].get("checkpoint_id") if config else None


def _namespace(found: CheckpointTuple) -> str:
    namespace: str = found.config["configurable"].get("checkpoint_ns", "")
    return namespace


def _subgraphs(saver: BaseCheckpointSaver[Any], source: str, head: CheckpointTuple) -> Iterable[CheckpointTuple]:
    """Of each subgraph the newest checkpoint before `head`, and in the step after it: LangGraph looks for either."""
    if isinstance(saver, ConfirmingSaver):
        noted = saver.subgraphs_of(source, head.checkpoint["id"])
        if noted is not None:
            return noted
    saved = list(saver.list({"configurable": {"thread_id": source}}))
    past = _past({_id(each.config): each for each in saved if not _namespace(each)}, head)
    newest: dict[tuple[str, bool], tuple[int, CheckpointTuple]] = {}
    for each in sorted(saved, key=lambda found: found.checkpoint["id"]):
        namespace, step = _namespace(each), past.get(_root(each))
        place = namespace, each.checkpoint["id"] > head.checkpoint["id"]
        if not namespace or step is None:
            continue
        if step.was_lost and each.checkpoint["id"] > str(_root(each)):
            continue
        if NS_END in namespace and step.age:
            continue  # of a task that is done
        if place not in newest or step.age <= newest[place][0]:
            newest[place] = (step.age, each)
    return [found for _, found in newest.values()]


def _root(found: CheckpointTuple) -> str | None:
    """The checkpoint of the outermost graph in whose step this one of a subgraph was saved."""
    return (found.metadata.get("parents") or {}).get("")


class _Step(NamedTuple):
    """A step in the past of a head: how many steps ago, and whether it was begun again, on a fork or after an update:
    what it had saved until then is void."""

    age: int
    was_lost: bool


def _past(roots: dict[str | None, CheckpointTuple], head: CheckpointTuple) -> dict[str | None, _Step]:
    past: dict[str | None, _Step] = {}
    current: CheckpointTuple | None = head
    was_lost = False
    while current is not None and current.checkpoint["id"] not in past:
        past[current.checkpoint["id"]] = _Step(len(past), was_lost)
        was_lost = current.metadata.get("source") in BRANCHES
        current = roots.get(_id(current.parent_config))
    return past


def _needed_ancestors(saver: BaseCheckpointSaver[Any], found: CheckpointTuple) -> Sequence[CheckpointTuple]:
    """Those that LangGraph computes the values of `found` from: only a `DeltaChannel` needs any."""
    ancestors: list[CheckpointTuple] = []
    current: CheckpointTuple | None = found
    while current is not None and current.metadata.get("counters_since_delta_snapshot") and current.parent_config:
        current = saver.get_tuple(current.parent_config)
        if current is not None:
            ancestors.append(current)
    return ancestors[::-1]


def _copy(saver: BaseCheckpointSaver[Any], found: CheckpointTuple, to: str, head: CheckpointTuple) -> None:
    namespace, metadata = _namespace(found), found.metadata
    if namespace:
        # Known to the head, which is where the past of the new thread begins.
        metadata = {**metadata, "parents": {**(metadata.get("parents") or {}), "": head.checkpoint["id"]}}
    parent = _config(to, namespace, _id(found.parent_config))
    copied = saver.put(parent, found.checkpoint, metadata, found.checkpoint["channel_versions"])
    kept = [write for write in found.pending_writes or () if not _used_up(write)]
    # The sort is stable: a saver tells the writes of one task apart by their order.
    for task_id, writes in groupby(sorted(kept, key=lambda write: write[0]), key=lambda write: write[0]):
        saver.put_writes(copied, [(channel, value) for _, channel, value in writes], task_id)


def _used_up(write: PendingWrite) -> bool:
    task_id, channel, _ = write
    return task_id == NULL_TASK_ID and channel == RESUME
