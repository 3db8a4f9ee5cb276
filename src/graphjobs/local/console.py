"""What ``graphjobs local`` shows in the terminal while it runs: one line per job and its end, and what goes wrong."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from graphjobs.local.notes import CLAIMED, DIED, FAILED, FINISHED, GRAPHS, RELOADED, Note


class Console:
    """Prints notes; `show` takes one line of text without a line break at its end."""

    def __init__(self, show: Callable[[str], object], clock: Callable[[], time.struct_time] = time.localtime) -> None:
        self._show = show
        self._clock = clock
        self._graphs: dict[str, Any] = {}
        self._reported: Any = None

    def note(self, note: Note) -> None:
        """Show one note of a worker; those that say nothing to a person are passed over."""
        text = self._text(note)
        if text is not None:
            self.say(text)

    def say(self, text: str) -> None:
        """Show a text under the time of now."""
        self._show(f"{time.strftime('%H:%M:%S', self._clock())}  {text}")

    def child_died(self, name: str, exit_code: int | None) -> None:
        """A process other than a worker has ended and is started again."""
        self.say(f"{name} ended ({how_it_ended(exit_code)}); started again")

    def _text(self, note: Note) -> str | None:
        kind, worker = note["note"], note["worker"]
        if kind == GRAPHS:
            return self._report(note["reports"])
        if kind == CLAIMED:
            self._graphs[note["job_id"]] = note.get("graph")
            again = f", attempt {note['attempt']}" if note.get("attempt", 1) != 1 else ""
            return f"{self._job(note)}  running on worker-{worker}{again}"
        if kind == FINISHED:
            code = f": {note['code']}" if note.get("code") else ""
            text = f"{self._job(note)}  {note['status']}{code} after {note['seconds']} s"
            self._graphs.pop(note["job_id"], None)
            return text
        if kind == FAILED:
            return f"{self._job(note)}  the graph raised\n{_indented(note['trace'])}"
        if kind == DIED:
            return f"worker-{worker} ended ({how_it_ended(note['exit_code'])}){_what_it_had(note)}; started again"
        if kind == RELOADED:
            return f"worker-{worker} starts afresh: {Path(note['file']).name} has changed"
        return None

    def _report(self, reports: list[tuple[str, str]]) -> str | None:
        """What each graph came to, unless that was said before: every worker process imports them for itself."""
        if reports == self._reported:
            return None
        self._reported = reports
        loaded = [name for name, reason in reports if not reason]
        lines = [f"graphs that are served: {', '.join(loaded) or 'none'}"]
        return "\n".join([*lines, *(f"  {reason}" for _, reason in reports if reason)])

    def _job(self, note: Note) -> str:
        return f"{note['job_id']}  {self._graphs.get(note['job_id']) or '?'}"


def how_it_ended(exit_code: int | None) -> str:
    """An exit code in words."""
    if exit_code is not None and exit_code < 0:
        try:
            return f"killed by {signal.Signals(-exit_code).name}"
        except ValueError:
            return f"killed by signal {-exit_code}"
    return f"exit code {exit_code}"


def _what_it_had(note: Note) -> str:
    return f" while it had {note['job_id']}, which goes on in another attempt" if note.get("job_id") else ""


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())
