"""The event model: what one event is, which types are ours, and its one JSON form.

The JSON line of an event is made once, by the writer, and is what the log stores and the stream sends.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

METADATA: Final = "metadata"
TOKEN: Final = "token"  # noqa: S105 - of a model's answer
REASONING: Final = "reasoning"
TOOL_CALL: Final = "tool_call"
MESSAGE: Final = "message"
UPDATE: Final = "update"
INTERRUPT: Final = "interrupt"
RETRY: Final = "retry"
CUSTOM: Final = "custom"
ATTEMPT: Final = "attempt"
ERROR: Final = "error"
DONE: Final = "done"

OWN_TYPES: Final = frozenset(
    {METADATA, TOKEN, REASONING, TOOL_CALL, MESSAGE, UPDATE, INTERRUPT, RETRY, ATTEMPT, ERROR, DONE}
)
"""Types that only graphjobs writes."""

EVENTSOURCE_TYPES: Final = frozenset({"open", "message"})
"""What EventSource itself calls things: ``open`` of a node would reach a page's ``onopen``."""

RESERVED_TYPES: Final = OWN_TYPES | EVENTSOURCE_TYPES
"""A node that names one of these types gets ``custom``."""

MAX_EVENT_BYTES: Final = 5 * 1024 * 1024
"""Upper bound of one event's JSON line, in bytes of UTF-8."""


class EventTooLarge(ValueError):
    """An event's JSON is over `MAX_EVENT_BYTES`."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a job's log.

    Attributes:
        seq: 1, 2, 3, ... over the whole job.
        type: one of the types above, or what a node named it.
        ts: RFC 3339 UTC time at which it was produced.
        data: a JSON object.
        node, task: of an event whose data is the node's own: the node's path, and the ids of the tasks on it.
        cut: what `data` does not hold of what the graph gave, and why; nearly always nothing.
    """

    seq: int
    type: str
    ts: str
    data: dict[str, Any]
    node: str | None = None
    task: str | None = None
    cut: tuple[str, ...] = ()

    def line(self) -> str:
        """The event's JSON on one line: no raw line break can be in it, since JSON escapes them.

        Raises:
            ValueError: `data` holds NaN or an infinity (the caller makes values JSON first).
            EventTooLarge: the line is over `MAX_EVENT_BYTES`.
        """
        return event_line(self.seq, self.type, self.ts, _encode(self.data), self.node, self.task, self.cut)


def event_line(
    seq: int,
    kind: str,
    ts: str,
    data: str,
    node: str | None = None,
    task: str | None = None,
    cut: tuple[str, ...] = (),
) -> str:
    """An event's one line of JSON, made of its members; `data` is JSON already, without a raw line feed.

    No reader takes it for several lines: also what only some of them break lines at is escaped.

    Raises:
        EventTooLarge: the line is over `MAX_EVENT_BYTES`.
    """
    # Seq and time need no escaping.
    origin = "" if node is None or task is None else f'"node":{_quote(node)},"task":{_quote(task)},'
    missing = f'"cut":{_on_one_line(_encode(cut))},' if cut else ""
    text = f'{{"seq":{seq},"type":{_quote(kind)},"ts":"{ts}",{origin}{missing}"data":{_on_one_line(data)}}}'
    if len(text) * 4 > MAX_EVENT_BYTES and len(text.encode()) > MAX_EVENT_BYTES:
        raise EventTooLarge(f"An event of type {kind!r} is over {MAX_EVENT_BYTES} bytes of JSON.")
    return text


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event as the log holds it: its seq and the JSON line, parsed only when somebody looks inside."""

    seq: int
    line: str

    def parse(self) -> Event:
        """The event itself."""
        members = json.loads(self.line)
        return Event(**members | {"cut": tuple(members.get("cut", ()))})

    @property
    def type(self) -> str:
        """The event's type, without parsing its data: ``type`` is always the second member of the line.

        Raises:
            ValueError: the line is no event.
        """
        return self._type()[0]

    @property
    def ts(self) -> str:
        """The time at which it was produced, without parsing its data: ``ts`` is always the third member.

        Raises:
            ValueError: the line is no event.
        """
        _, end = self._type()
        if not self.line.startswith(_TS, end):
            raise ValueError(f"Event {self.seq} has no time.")
        text: str
        text, _ = _DECODER.raw_decode(self.line, end + len(_TS))
        return text

    def _type(self) -> tuple[str, int]:
        """The type, and where its text ends in the line."""
        return _DECODER.raw_decode(self.line, self.line.index(_TYPE) + len(_TYPE))


def _on_one_line(data: str) -> str:
    """JSON `data` with the three escaped that JSON lets stand and `str.splitlines` breaks at; only in texts are any."""
    if data.isascii():  # known without a look at the text, and true of most
        return data
    return data.replace("\x85", "\\u0085").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


_TYPE: Final = '"type":'
_TS: Final = ',"ts":'
_DECODER: Final = json.JSONDecoder()
_quote: Callable[[str], str] = json.encoder.encode_basestring
# Made once, since making one costs as much as using it.
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
