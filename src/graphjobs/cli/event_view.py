"""Events on a terminal: as JSON lines, or as text for a person.

For a person, stdout has the answer as it is written, the progress and the final line; everything else is a
faint line on stderr. Text that a crash has made void is said to be void, and the text that still holds is
shown again before it goes on.
"""

import json
import sys
from typing import Any, Protocol

from graphjobs.cli.terminal import dim, harmless, one_line
from graphjobs.client.answers import Event
from graphjobs.core.event import ATTEMPT, DONE, ERROR, METADATA, TOKEN

PROGRESS = "progress"
QUOTED_CHARACTERS = 60
"""How much of a long text is quoted within a line."""


class EventView(Protocol):
    """Shows the events of one job, one after the other."""

    def show(self, event: Event) -> None:
        """Show `event` at once."""

    def leave(self) -> None:
        """Nothing more will be shown: end a line that was begun."""


class JsonLines:
    """One event object a line on stdout."""

    def show(self, event: Event) -> None:
        """Show `event` at once."""
        print(json.dumps(event, ensure_ascii=False, separators=(",", ":")), flush=True)

    def leave(self) -> None:
        """No line is ever left begun."""


class Readable:
    """Text for a person."""

    def __init__(self) -> None:
        self._tokens: list[tuple[int, str]] = []
        self._message_id: object = None
        self._line_begun = False

    def show(self, event: Event) -> None:
        """Show `event` at once."""
        seq, kind, data = event["seq"], event["type"], event["data"]
        if kind == TOKEN:
            self._token(seq, data)
        elif kind == PROGRESS:
            self._line(progress_text(data))
        elif kind == ATTEMPT:
            self._attempt(seq, data)
        elif kind == DONE:
            self._done(data)
        elif kind == ERROR:
            self._aside(f"error {data.get('code')}: {data.get('message')}")
        elif kind == METADATA:
            self._aside(", ".join(f"{name} {value}" for name, value in data.items() if value is not None))
        else:
            self._aside(f"{kind} {shortened(compact(data))}")

    def leave(self) -> None:
        """End a line that was begun."""
        if self._line_begun:
            self._line_begun = False
            print(flush=True)

    def _token(self, seq: int, data: dict[str, Any]) -> None:
        text, message_id = str(data.get("text", "")), data.get("message_id")
        if self._tokens and message_id != self._message_id:
            self.leave()
        self._message_id = message_id
        self._tokens.append((seq, text))
        self._write(text)

    def _attempt(self, seq: int, data: dict[str, Any]) -> None:
        """Say which text is void; after a hand-off nothing is."""
        attempt, reason, kept = data.get("attempt"), data.get("reason"), data.get("discard_after")
        if not isinstance(kept, int) or kept >= seq - 1:
            self._aside(f"attempt {attempt} ({reason}): another worker carries on, nothing is void")
            return
        void = "".join(text for at, text in self._tokens if at > kept)
        self._tokens = [(at, text) for at, text in self._tokens if at <= kept]
        quoted = f', the text "{shortened(void)}" too' if void.strip() else ""
        self._line(f"--- attempt {attempt} ({reason}): events {kept + 1} to {seq - 1} are void{quoted} ---")
        if void:
            self._write("".join(text for _, text in self._tokens))

    def _done(self, data: dict[str, Any]) -> None:
        if not self._tokens and data.get("result") is not None:
            self._line(compact(data["result"]))
        self._line(f"[{data.get('status')}]")

    def _write(self, text: str) -> None:
        if text:
            print(harmless(text), end="", flush=True)
            self._line_begun = not text.endswith("\n")

    def _line(self, text: str) -> None:
        self.leave()
        print(one_line(text), flush=True)

    def _aside(self, text: str) -> None:
        self.leave()
        print(dim(one_line(text), sys.stderr), file=sys.stderr, flush=True)


def progress_text(data: dict[str, Any]) -> str:
    """``[2/6] message``, or ``[40%] message``."""
    if "step" in data and "total" in data:
        mark = f"[{data['step']}/{data['total']}]"
    elif "percent" in data:
        mark = f"[{data['percent']}%]"
    else:
        mark = "[...]"
    return f"{mark} {data.get('message', '')}".rstrip()


def compact(value: Any) -> str:
    """`value` as JSON on one line."""
    return json.dumps(value, ensure_ascii=False, separators=(", ", ": "))


def shortened(text: str) -> str:
    """`text` on one line, cut where it grows too long to be quoted."""
    line = one_line(text)
    return line if len(line) <= QUOTED_CHARACTERS else f"{line[:QUOTED_CHARACTERS]}…"
