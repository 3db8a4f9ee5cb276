"""Takes each part of a graph's stream, in the thread that makes it, and hands its events to the writer at once.

So an event holds what was written at the moment it was written, whatever the graph does with the object afterwards. A
synchronous node that writes faster than the log takes waits here for the log; a coroutine cannot, since it would hold
up the loop that all others run on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any, Protocol
from uuid import UUID

from graphjobs.core.run_request import RunRequest
from graphjobs.worker.jsonable import jsonable
from graphjobs.worker.langgraph_compat import (
    INTERRUPT,
    Namespace,
    Part,
    namespace_of_this_task,
    streaming_into,
)
from graphjobs.worker.messages import MessageHandler
from graphjobs.worker.raw_parts import RawParts
from graphjobs.worker.tasks import Place, Retry, Tasks, place_of
from graphjobs.worker.translate import Made, OwnEvents


class Log(Protocol):
    """What is asked of the writer; see `LogWriter`."""

    @property
    def full(self) -> bool:
        """See `LogWriter.full`."""

    @property
    def last_seq(self) -> int:
        """See `LogWriter.last_seq`."""

    def append(self, kind: str, data: str, place: Place | None = None, cut: tuple[str, ...] = ()) -> int:
        """See `LogWriter.append`."""

    def wait_for_room(self) -> None:
        """See `LogWriter.wait_for_room`."""


class Events(Protocol):
    """What a job wants to see of its graph: `OwnEvents` or `RawParts`."""

    @property
    def modes(self) -> frozenset[str]:
        """LangGraph's stream modes that events are made of."""

    def of(self, part: Part) -> Iterable[Made]:
        """The events of one part."""

    def custom(self, value: Any, namespace: Namespace) -> Iterable[Made]:
        """The events of what a node of the task `namespace` has written."""

    def retry(self, retry: Retry) -> Iterable[Made]:
        """The events of a task that is tried again."""


class Recorder:
    """Records one run. Made on the thread whose loop the graph runs on; its methods are called by any thread."""

    def __init__(self, log: Log, request: RunRequest, reached: Callable[[dict[str, Any]], None]) -> None:
        """`reached` is called with each checkpoint of the graph itself, once all events before it are in `log`."""
        self._log = log
        self._reached = reached
        self._tasks = Tasks()
        modes, subgraphs = request.stream_mode, request.stream_subgraphs
        self._events: Events = RawParts(modes, subgraphs=subgraphs) if modes else OwnEvents(self._tasks)
        self._subgraphs = subgraphs or not modes
        self._loop_thread = threading.get_ident()
        self._errors: list[tuple[Any, str]] = []  # appended by whichever thread tells of a task; read by the loop's
        self._failure: Exception | None = None  # the first, by whichever thread
        self.interrupted = False
        """Whether the graph waits for a person; by the loop's thread."""
        self.interrupts: list[dict[str, Any]] = []
        """What it asks: ``{id, value}`` each; by the loop's thread."""
        self.outcomes: dict[str, dict[str, Any]] = {}
        """What the tasks of the step that is under way came to, by their ids; by the loop's thread."""

    def configurable(self, store: Any) -> dict[str, Any]:
        """Members of ``configurable`` by which a graph with `store` streams into this recorder."""
        return streaming_into(self.stream, self._events.modes | {"updates", "tasks", "checkpoints"}, self.write, store)

    def callbacks(self) -> list[Any]:
        """The callback handlers that the graph is to be run with."""
        return (
            [MessageHandler(self.stream, self, subgraphs=self._subgraphs)] if "messages" in self._events.modes else []
        )

    def check(self) -> None:
        """Raise what has kept an event from being recorded: LangGraph and the graph may have caught it.

        Raises:
            EventTooLarge, WriterClosed: see `LogWriter.append`.
        """
        if self._failure is not None:
            raise self._failure

    def where(self, error: BaseException) -> str | None:
        """The path of the node that has raised `error`; None if no node has."""
        return next((node for raised, node in self._errors if raised is error), None)

    def stream(self, part: Part) -> None:
        """Record a part of LangGraph's stream."""
        namespace, mode, data = part
        try:
            if mode == "checkpoints" and not namespace:
                self.outcomes = {}
                self._reached(data)
            elif mode == "tasks":
                self._ended(namespace, data)
            elif mode == "updates" and not namespace and INTERRUPT in data:
                self.interrupted = True
            self._record(self._events.of(part))
        except Exception as error:
            self._failed(error)
            raise

    def write(self, value: Any) -> None:
        """Record what a node has written: its ``stream_writer``."""
        namespace = namespace_of_this_task()
        try:
            self._record(self._events.custom(value, namespace))
        except Exception as error:
            self._failed(error)
            raise

    def began(self, run_id: UUID, namespace: Namespace, graph: Namespace) -> None:
        """See `Tries.began`."""
        retry = self._tasks.began(run_id, place_of(namespace, graph), self._log.last_seq)
        if retry is not None:
            self._record(self._events.retry(retry))

    def failed(self, run_id: UUID) -> None:
        """See `Tries.failed`."""
        self._tasks.failed(run_id)

    def ended(self, run_id: UUID) -> None:
        """See `Tries.ended`."""
        self._tasks.ended(run_id)

    def _record(self, events: Iterable[Made]) -> None:
        for kind, data, place in events:
            self._log.append(kind, data.text, place, data.cut)
        if self._log.full and threading.get_ident() != self._loop_thread:
            self._log.wait_for_room()

    def _failed(self, error: Exception) -> None:
        self._failure = self._failure or error

    def _ended(self, namespace: Namespace, task: dict[str, Any]) -> None:
        error = task.get("error")
        if error is not None and all(raised is not error for raised, _ in self._errors):
            self._errors.append((error, place_of((*namespace, f"{task['name']}:{task['id']}"), namespace).node))
        if not namespace and "result" in task:
            self.outcomes[task["id"]] = task
        if not namespace and task.get("interrupts"):
            self.interrupted = True
            self.interrupts += [jsonable({"id": each["id"], "value": each["value"]}) for each in task["interrupts"]]
