"""From LangGraph's stream to our events: the one place that knows both.

=============  ===================================================================================================
stream mode    events
=============  ===================================================================================================
messages       ``token``, ``reasoning``, ``tool_call`` for pieces; ``message`` for each whole message
updates        ``update {node, task, output}``, one per node
custom         the type that the node named (``progress`` and any other that is not reserved), else ``custom``
tasks          none: says which task an update is of
=============  ===================================================================================================

A node inside a subgraph is named by its path, ``outer/inner``. What a piece holds is told at once; a whole message
gives a ``token`` too unless a model has spoken in its task, so a client that joins all tokens shows each text once.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Final

from graphjobs.core.event import CUSTOM, MESSAGE, REASONING, RESERVED_TYPES, RETRY, TOKEN, TOOL_CALL, UPDATE
from graphjobs.core.event import INTERRUPT as INTERRUPT_EVENT
from graphjobs.worker.jsonable import Encoded, encode, jsonable
from graphjobs.worker.langgraph_compat import ABOUT, INTERRUPT, Namespace, Part, namespace_of
from graphjobs.worker.messages import ENDED, PIECE, RETURNED, SPOKEN
from graphjobs.worker.pieces import reasoning_of, text_of, tool_calls_of, whole
from graphjobs.worker.surrogates import Halves
from graphjobs.worker.tasks import Place, Retry, Tasks

TYPE_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}", re.ASCII)
"""What may follow ``event:`` on the wire."""

Made = tuple[str, Encoded, Place | None]
"""An event's type, its data, and for a custom event, whose data is the node's own, where it comes from."""


class OwnEvents:
    """Makes our events of the parts of one run. Called by the threads that make the parts, each with its own."""

    def __init__(self, tasks: Tasks) -> None:
        self.modes = frozenset({"messages", "updates", "custom", "tasks"})
        self._tasks = tasks
        self._halves = Halves()  # each entry by the thread that runs the model
        self._asked: set[str] = set()
        """Ids of the interrupts that were told of: what a subgraph asks, each graph around it asks again.

        By whichever thread tells of the end of a task.
        """
        self._updates: dict[int, Any] = {}
        """The update that a thread has just told of: the part that names its task is the next one of that thread.

        Each entry by the thread whose number it is under.
        """

    def of(self, part: Part) -> Iterable[Made]:
        """The events of one part."""
        namespace, mode, data = part
        if mode in (PIECE, ENDED, SPOKEN, RETURNED):
            return self._message(mode, *data)
        if mode == "updates":
            return self._update(namespace, data)
        if mode == "tasks" and "result" in data:
            return self._finished(namespace, data)
        return ()

    def custom(self, value: Any, namespace: Namespace) -> Iterable[Made]:
        """The event of what a node of the task `namespace` has written."""
        return ((*_custom(value), self._tasks.place(namespace)),)

    def retry(self, retry: Retry) -> Iterable[Made]:
        """The event of a task that is tried again."""
        data = _at(retry.place, {"attempt": retry.attempt, "discard_after": retry.discard_after})
        return ((RETRY, encode(data), None),)

    def _message(self, mode: str, message: Any, metadata: Mapping[str, Any]) -> Iterable[Made]:
        place = self._tasks.place(namespace_of(metadata))
        tags = metadata.get("tags")
        about = _at(place, {"message_id": message.id, "tags": tags} if tags else {"message_id": message.id})
        reasoning, text = self._texts(mode, message)
        if mode != RETURNED and (text or reasoning):
            self._tasks.spoke(place)
        told: list[tuple[str, dict[str, Any]]] = []
        if mode == PIECE or ((mode != RETURNED or not self._tasks.has_spoken(place)) and _of_assistant(message)):
            if reasoning:
                told.append((REASONING, {"text": reasoning, **about}))
            if text:
                told.append((TOKEN, {"text": text, **about}))
        if mode == PIECE:
            told += [(TOOL_CALL, {**call, **about}) for call in tool_calls_of(message)]
        else:
            told.append((MESSAGE, {**whole(message), **about}))
        return [(kind, encode(data), None) for kind, data in told]

    def _texts(self, mode: str, message: Any) -> tuple[str, str]:
        """Reasoning and text to tell of; of a message whose pieces were told, what is left of its last."""
        if mode == PIECE:
            reasoning = self._halves.joined((message.id, REASONING), reasoning_of(message))
            return reasoning, self._halves.joined((message.id, TOKEN), text_of(message))
        if mode == ENDED:
            return self._halves.left((message.id, REASONING)), self._halves.left((message.id, TOKEN))
        return reasoning_of(message), text_of(message)

    def _update(self, namespace: Namespace, data: Mapping[str, Any]) -> Iterable[Made]:
        if INTERRUPT in data:
            return ()
        if ABOUT in data:  # from a cache: no task has run
            nodes = [(name, output) for name, output in data.items() if name != ABOUT]
            return [_updated(name, namespace, None, output) for name, output in nodes]
        self._updates[threading.get_ident()] = namespace, data
        return ()

    def _finished(self, namespace: Namespace, result: Mapping[str, Any]) -> Iterable[Made]:
        place = self._tasks.finished(result["id"], namespace, result["name"])
        asked = [each for each in result["interrupts"] if each["id"] not in self._asked]
        self._asked.update(each["id"] for each in asked)
        if asked:
            return [
                (INTERRUPT_EVENT, encode(_at(place, {"id": each["id"], "value": each["value"]})), None)
                for each in asked
            ]
        of, data = self._updates.pop(threading.get_ident(), (None, {}))
        if of != namespace:
            return ()
        return [_updated(name, namespace, place, output) for name, output in data.items()]


def _of_assistant(message: Any) -> bool:
    """Whether a whole message is one whose text is told as a token too."""
    return bool(message.type in ("ai", "AIMessageChunk"))


def _updated(name: str, namespace: Namespace, place: Place | None, output: Any) -> Made:
    if place is None:
        node = "/".join([*(step.partition(":")[0] for step in namespace if ":" in step), name])
        return UPDATE, encode({"node": node, "output": output}), None
    return UPDATE, encode({"node": place.node, "task": place.task, "output": output}), None


def _at(place: Place, members: dict[str, Any]) -> dict[str, Any]:
    return {"node": place.node, "task": place.task, **members}


def _custom(value: Any) -> tuple[str, Encoded]:
    # A plain dict, as nearly always, is looked into as it is.
    data, whole = value, Encoded("")
    if type(value) is not dict:
        whole = encode(value)
        data = json.loads(whole.text)
        if not isinstance(data, dict):
            return CUSTOM, Encoded(f'{{"value":{whole.text}}}', whole.cut)
    kind = data.get("type")
    if type(kind) is not str:
        kind = jsonable(kind)
    if isinstance(kind, str) and _names_a_type(kind):
        data = data.copy()
        del data["type"]
    else:
        kind = CUSTOM
    made = encode(data)
    return kind, Encoded(made.text, whole.cut + made.cut)


@lru_cache(maxsize=256)
def _names_a_type(name: str) -> bool:
    return name not in RESERVED_TYPES and TYPE_NAME.fullmatch(name) is not None
