"""The reading side of ``text/event-stream``: bytes in, events out.

Follows the HTML standard, section 9.2.6 "Interpreting an event stream". Holds true: how the bytes are cut
into chunks changes nothing; an event is given at its blank line and not before, so one that the end of the
stream cuts short is never given.
"""

from typing import Final, NamedTuple

BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"

MAX_RETRY_DIGITS: Final = 15
"""A longer ``retry`` is thousands of years: ignored, as is anything that is no number."""


class Message(NamedTuple):
    """One event as the wire has it: `type` is ``message`` unless named, `last_event_id` may be inherited."""

    type: str
    data: str
    last_event_id: str


class EventParser:
    """An incremental parser of one stream; a new connection needs a new one.

    Attributes:
        last_event_id: the id as of the last blank line.
        retry_ms: the reconnection time that the server last asked for, in milliseconds, or None.
    """

    def __init__(self) -> None:
        self.last_event_id = ""
        self.retry_ms: int | None = None
        self._type = ""
        self._data: list[str] = []
        self._id = ""
        self._partial_line: list[bytes] = []
        self._after_cr = False
        self._at_start = True

    def feed(self, chunk: bytes) -> list[Message]:
        """The events that `chunk` completes."""
        if not chunk:
            return []
        # A CR ends its line at once, for no one knows when the next byte comes; an LF after it belongs to it.
        rest = chunk[1:] if self._after_cr and chunk[0] == 0x0A else chunk
        self._after_cr = chunk[-1] == 0x0D
        messages = []
        for line in self._complete_lines(rest):
            if line:
                self._field(line)
            elif (message := self._dispatch()) is not None:
                messages.append(message)
        return messages

    def _complete_lines(self, chunk: bytes) -> list[bytes]:
        """The lines that `chunk` ends; what is after the last line break is kept for the next chunk.

        Line breaks are looked for in the bytes: in UTF-8 neither CR nor LF is part of another character.
        """
        if not chunk:
            return []
        lines = chunk.splitlines()
        tail = [] if chunk[-1] in b"\r\n" else [lines.pop()]
        if not lines:
            self._partial_line += tail
            return []
        if self._partial_line:
            lines[0] = b"".join([*self._partial_line, lines[0]])
        self._partial_line = tail
        if self._at_start:
            self._at_start = False
            lines[0] = lines[0].removeprefix(BYTE_ORDER_MARK)
        return lines

    def _field(self, line: bytes) -> None:
        """Take one line that is not blank; a comment has an empty field name, and so is ignored."""
        name, _, value = line.partition(b":")
        if value[:1] == b" ":
            value = value[1:]
        if name == b"data":
            self._data.append(value.decode("utf-8", "replace"))
        elif name == b"event":
            self._type = value.decode("utf-8", "replace")
        elif name == b"id":
            if b"\0" not in value:
                self._id = value.decode("utf-8", "replace")
        elif name == b"retry" and value.isdigit() and len(value) <= MAX_RETRY_DIGITS:
            self.retry_ms = int(value)

    def _dispatch(self) -> Message | None:
        """A blank line: the event, if there was any data; the id counts either way."""
        self.last_event_id = self._id
        message = None
        if self._data:
            message = Message(self._type or "message", "\n".join(self._data), self._id)
            self._data = []
        self._type = ""
        return message
