"""The record of a state: what a checkpoint of a thread holds, in JSON, to be read without the code of the graph."""

from __future__ import annotations

from dataclasses import dataclass

from graphjobs.core.thread import Position


@dataclass(frozen=True, slots=True, kw_only=True)
class StateNote:
    """What is known of a state without its body.

    Attributes:
        position: the checkpoint, and the checkpoint thread that it can be gone on from: the name of the record.
        parent: the one that it came from; None for the first of a thread.
        job_id, epoch: the claim that has saved it.
        interrupts: ids of the questions that are open there.
    """

    position: Position
    parent: Position | None
    job_id: str
    epoch: int
    interrupts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StateRecord:
    """A state.

    Attributes:
        note: see there.
        body: JSON, ``{"values", "next", "tasks", "metadata", "created_at"}`` as LangGraph's API has them, and
            ``"cut"``, what `values` does not hold of the graph's state, and why, if there is anything.
    """

    note: StateNote
    body: str
