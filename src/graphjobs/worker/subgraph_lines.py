"""What subgraphs have kept on the thread after each step of the outermost graph.

LangGraph goes on with the next step while the checkpoint of the last one is being saved. So when that is saved, what a
subgraph has kept is no longer what it had kept then, and both must be at hand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from graphjobs.worker.snapshot import Snapshot

Line = list[Snapshot]
"""The newest checkpoint of a namespace, preceded by those that LangGraph computes it from."""


class SubgraphLines:
    """By namespace: a line for each step whose checkpoint is not saved yet, and the one before those."""

    def __init__(self) -> None:
        self._lines: dict[str, list[Line]] = {}

    def __iter__(self) -> Iterator[Snapshot]:
        """All that is at hand."""
        return (each for lines in self._lines.values() for line in lines for each in line)

    def add(self, namespace: str, before: Line, line: Line) -> None:
        """Note a subgraph's line, which was `before`."""
        lines = self._lines.setdefault(namespace, [before] if before else [])
        if lines and lines[-1][-1].root_id == line[-1].root_id:
            lines[-1] = line
        else:
            lines.append(line)

    def keep(self, namespace: str, is_kept: Callable[[Snapshot], bool]) -> None:
        """Forget all of a subgraph that is not kept."""
        lines = [[each for each in line if is_kept(each)] for line in self._lines.pop(namespace, [])]
        if lines := [line for line in lines if line]:
            self._lines[namespace] = lines

    def at(self, namespace: str, line: Line, is_before: Callable[[Snapshot], bool]) -> Line | None:
        """The line that a subgraph had when a checkpoint was made, and forget older ones; None if it had none.

        Args:
            namespace: of the subgraph.
            line: its line now.
            is_before: whether a checkpoint of it was there then.
        """
        lines = self._lines.get(namespace, [line])
        while len(lines) > 1 and is_before(lines[1][-1]):
            del lines[0]
        return lines[0] if is_before(lines[0][-1]) else None
