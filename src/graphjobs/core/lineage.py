"""Which states of a thread can be seen: those of its heads and of the running job's mark, and their ancestors.

Nothing else: what a worker that was fenced, a job that was rolled back, or one that failed before its first mark has
saved is an ancestor of none of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from graphjobs.core.state_record import StateNote
from graphjobs.core.thread import Position

Notes = Mapping[Position, StateNote]


def ancestors(notes: Notes, tip: Position) -> Iterator[StateNote]:
    """`tip` and what it came from, the newest first; it ends where nothing is stored any more."""
    current: Position | None = tip
    seen: set[Position] = set()
    while current is not None and current in notes and current not in seen:
        seen.add(current)
        yield notes[current]
        current = notes[current].parent


def visible(notes: Notes, tips: Iterable[Position]) -> list[StateNote]:
    """What can be seen, the newest first, as LangGraph sorts checkpoints: each id begins with the time it was made.

    `tips` come in the order of their worth: a checkpoint whose questions were answered may be there under one id before
    and after the answer, and the one that the first of `tips` has come from counts.
    """
    found: dict[str, StateNote] = {}
    for tip in tips:
        for note in ancestors(notes, tip):
            found.setdefault(note.position.checkpoint_id, note)
    return sorted(found.values(), key=lambda note: note.position.checkpoint_id, reverse=True)
