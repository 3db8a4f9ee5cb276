"""LangGraph's own parts as events, for a job with ``stream_mode``: the mode is the type, ``{ns, data}`` the data."""

from __future__ import annotations

from collections.abc import Iterable

from graphjobs.worker.jsonable import encode
from graphjobs.worker.langgraph_compat import Namespace, Part, graph_of_this_task
from graphjobs.worker.messages import ENDED, PIECE, RETURNED, SPOKEN
from graphjobs.worker.tasks import Retry
from graphjobs.worker.translate import Made


class RawParts:
    """Makes events of the parts of one run in the modes that were asked for, without those of subgraphs if so asked."""

    def __init__(self, modes: Iterable[str], *, subgraphs: bool) -> None:
        self.modes = frozenset(modes)
        self._subgraphs = subgraphs

    def of(self, part: Part) -> Iterable[Made]:
        """The events of one part."""
        namespace, mode, data = part
        if mode == ENDED:  # LangGraph tells of the pieces alone
            return ()
        mode = PIECE if mode in (SPOKEN, RETURNED) else mode
        return self._made(namespace, mode, data)

    def custom(self, value: object, namespace: Namespace) -> Iterable[Made]:
        """The event of what a node of the task `namespace` has written."""
        if "custom" not in self.modes or (not self._subgraphs and graph_of_this_task()):
            return ()
        return (_event("custom", namespace[:-1] if self._subgraphs else (), value),)

    def retry(self, retry: Retry) -> Iterable[Made]:
        """LangGraph says nothing of it."""
        return ()

    def _made(self, namespace: Namespace, mode: str, data: object) -> Iterable[Made]:
        if mode not in self.modes or (namespace and not self._subgraphs):
            return ()
        return (_event(mode, namespace, data),)


def _event(mode: str, namespace: Namespace, data: object) -> Made:
    return mode, encode({"ns": namespace, "data": data}), None
