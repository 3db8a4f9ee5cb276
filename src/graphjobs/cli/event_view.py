"""Events on a terminal: as JSON lines, or as text for a person.

For a person, stdout has the answer as it is written, the progress and the final line; everything else is faint on
stderr. Text that a crash or a retry has made void is said to be void, and the text that still holds is shown again
before it goes on. A type that this version does not know is a faint line.
"""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TextIO

from graphjobs.cli.event_text import compact, error_text, message_lines, message_text, progress_text, shortened
from graphjobs.cli.terminal import dim, harmless, one_line
from graphjobs.cli.value_text import value_lines
from graphjobs.client.answers import Event
from graphjobs.core.event import (
    ATTEMPT,
    DONE,
    ERROR,
    INTERRUPT,
    MESSAGE,
    METADATA,
    REASONING,
    RETRY,
    TOKEN,
    TOOL_CALL,
    UPDATE,
)


class EventView(Protocol):
    """Shows the events of one job, one after the other."""

    def show(self, event: Event) -> None:
        """Show `event` at once."""

    def leave(self) -> None:
        """Something else is about to be printed, or nothing more: end a line that was begun."""


class JsonLines:
    """One event object a line on stdout."""

    def show(self, event: Event) -> None:
        """Show `event` at once."""
        print(json.dumps(event, ensure_ascii=False, separators=(",", ":")), flush=True)

    def leave(self) -> None:
        """No line is ever left begun."""


@dataclass(frozen=True, slots=True)
class _Piece:
    """A piece of text that was shown; `task` names what wrote it, and under what that ran."""

    seq: int
    text: str
    task: str


class Readable:
    """Text for a person."""

    def __init__(self) -> None:
        self._pieces: list[_Piece] = []
        self._source: tuple[str, object] | None = None
        self._spoken: set[object] = set()
        self._begun: TextIO | None = None
        self._shows: dict[str, Callable[[int, dict[str, Any]], None]] = {
            METADATA: self._metadata,
            TOKEN: self._token,
            REASONING: self._reasoning,
            TOOL_CALL: self._tool_call,
            MESSAGE: self._message,
            UPDATE: self._update,
            "progress": self._progress,
            INTERRUPT: self._interrupt,
            ATTEMPT: self._attempt,
            RETRY: self._retry,
            ERROR: self._error,
            DONE: self._done,
        }

    def show(self, event: Event) -> None:
        """Show `event` at once."""
        kind, data = event["type"], event["data"]
        if kind in self._shows:
            self._shows[kind](event["seq"], data)
        else:
            self._aside(f"{kind} {shortened(compact(data))}")

    def leave(self) -> None:
        """End a line that was begun."""
        begun, self._begun = self._begun, None
        if begun is not None:
            print(file=begun, flush=True)

    def _metadata(self, seq: int, data: dict[str, Any]) -> None:
        self._aside(", ".join(f"{name} {_plain(value)}" for name, value in data.items() if value is not None))

    def _token(self, seq: int, data: dict[str, Any]) -> None:
        text = str(data.get("text", ""))
        self._speak("token", data)
        self._spoken.add(data.get("message_id"))
        self._pieces.append(_Piece(seq, text, str(data.get("task") or "")))
        self._write(text)

    def _reasoning(self, seq: int, data: dict[str, Any]) -> None:
        self._speak("reasoning", data)
        self._write(str(data.get("text", "")), faint=True)

    def _tool_call(self, seq: int, data: dict[str, Any]) -> None:
        """The first piece names the tool; the arguments are shown with the complete message."""
        if data.get("name"):
            self._aside(f"calls {data['name']} ...")

    def _message(self, seq: int, data: dict[str, Any]) -> None:
        """What its pieces have not shown."""
        spoken = data.get("role") == "tool" or data.get("message_id") in self._spoken
        text = "" if spoken else message_text(data)
        for line in message_lines(data):
            self._aside(line)
        if text.strip():
            self._aside(f"{data.get('role') or 'message'}: {shortened(text)}")

    def _update(self, seq: int, data: dict[str, Any]) -> None:
        """What a node returned, unless it is messages alone: each of them has been shown."""
        output = data.get("output")
        if not (isinstance(output, dict) and set(output) == {"messages"}):
            self._aside(f"{UPDATE} {shortened(compact(data))}")

    def _progress(self, seq: int, data: dict[str, Any]) -> None:
        self._line(progress_text(data))

    def _interrupt(self, seq: int, data: dict[str, Any]) -> None:
        self._line(f"{data.get('node') or 'the graph'} asks:")
        for line in value_lines(data.get("value")):
            self._line(f"  {line}", keep=True)

    def _attempt(self, seq: int, data: dict[str, Any]) -> None:
        """Another worker carries on; after a hand-off nothing is void."""
        attempt, reason, kept = data.get("attempt"), data.get("reason"), data.get("discard_after")
        if not isinstance(kept, int) or kept >= seq - 1:
            self._aside(f"attempt {attempt} ({reason}): another worker carries on, nothing is void")
        else:
            self._void(seq, kept, f"attempt {attempt} ({reason}): events {kept + 1} to {seq - 1}")

    def _retry(self, seq: int, data: dict[str, Any]) -> None:
        """A node is run again in the same attempt: what its failed try wrote is void, and nothing of others."""
        what, kept = f"{data.get('node')} is tried again ({data.get('attempt')})", data.get("discard_after")
        if isinstance(kept, int):
            self._void(seq, kept, f"{what}: its events after {kept}", str(data.get("task") or ""))
        else:
            self._aside(what)

    def _error(self, seq: int, data: dict[str, Any]) -> None:
        self._aside(f"error {error_text(data)}")

    def _done(self, seq: int, data: dict[str, Any]) -> None:
        asks = data.get("status") == "interrupted"  # what it asks has been shown; its result is only half of one
        if not self._pieces and not asks and data.get("result") is not None:
            for line in value_lines(data["result"]):
                self._line(line, keep=True)
        self._line(f"[{data.get('status')}]")

    def _void(self, seq: int, kept: int, what: str, task: str = "") -> None:
        """Say which text is void: what came after `kept`, of the task and of what runs under it if one is named."""

        def holds(piece: _Piece) -> bool:
            return piece.seq <= kept or not f"{piece.task}/".startswith(f"{task}/" if task else "")

        void = "".join(piece.text for piece in self._pieces if not holds(piece))
        self._pieces = [piece for piece in self._pieces if holds(piece)]
        quoted = f', the text "{shortened(void)}" too' if void.strip() else ""
        self._line(f"--- {what} are void{quoted} ---")
        if void:
            self._write("".join(piece.text for piece in self._pieces))

    def _speak(self, kind: str, data: dict[str, Any]) -> None:
        """A piece of this message comes next: on a line of its own, if another was shown before."""
        source = (kind, data.get("message_id"))
        if self._source is not None and source != self._source:
            self.leave()
        self._source = source

    def _write(self, text: str, *, faint: bool = False) -> None:
        if text:
            shown = harmless(text)
            stream = sys.stderr if faint else sys.stdout
            print(dim(shown, stream) if faint else shown, end="", file=stream, flush=True)
            self._begun = None if text.endswith("\n") else stream

    def _line(self, text: str, *, keep: bool = False) -> None:
        """One line on stdout; `keep` says that its spaces mean something."""
        self.leave()
        print(harmless(text) if keep else one_line(text), flush=True)

    def _aside(self, text: str) -> None:
        self.leave()
        print(dim(one_line(text), sys.stderr), file=sys.stderr, flush=True)


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else compact(value)
