"""What belongs to the process and any node may change: working directory, environment, standard streams, signals.

It is noted when the graph is loaded, since what modules set up when they are imported is meant to stay, and is put back
when the job is over. A module may also be imported within a node: what it adds to the environment then stays as well.
"""

from __future__ import annotations

import io
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterable
from functools import lru_cache
from types import FrameType
from typing import Any, TextIO


class ProcessState:
    """The state as it was at the last `note`."""

    def __init__(self) -> None:
        _watch_imports()
        self.note()

    def note(self) -> None:
        """Take what is there now for what should be."""
        self._folder = _folder()
        self._environ = dict(os.environ)
        self._streams = {name: getattr(sys, name) for name in ("stdin", "stdout", "stderr")}
        self._timeout = socket.getdefaulttimeout()
        self._handlers = {number: signal.getsignal(number) for number in signal.valid_signals()}

    def restore(self) -> list[str]:
        """Put back what has changed; the names of it, for the log."""
        return [name for name, changed in self._changes() if changed]

    def _changes(self) -> Iterable[tuple[str, bool]]:
        yield "working directory", self._restore_folder()
        yield "environment", self._restore_environ()
        yield "standard streams", self._restore_streams()
        yield "signal handlers", self._restore_handlers()
        yield "socket timeout", socket.getdefaulttimeout() != self._timeout
        socket.setdefaulttimeout(self._timeout)

    def _restore_folder(self) -> bool:
        if _folder() == self._folder or self._folder is None:
            return False
        try:
            os.chdir(self._folder)
        except OSError:  # it was removed
            os.chdir("/")
        return True

    def _restore_environ(self) -> bool:
        changed = False
        for name in {*os.environ, *self._environ} - _SET_BY_IMPORTS:
            value = self._environ.get(name)
            if os.environ.get(name) != value:
                changed = True
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value
        return changed

    def _restore_streams(self) -> bool:
        changed = False
        for number, (name, stream) in enumerate(self._streams.items()):
            if stream is not None and stream.closed:
                stream = self._streams[name] = _reopened(number)
            if getattr(sys, name) is not stream:
                setattr(sys, name, stream)
                changed = True
        return changed

    def _restore_handlers(self) -> bool:
        if threading.current_thread() is not threading.main_thread():
            return False  # only the main thread may set them, and so may a node have
        changed = False
        for number, handler in self._handlers.items():
            # None: it was set by a library in C, and cannot be put back.
            if handler is not None and signal.getsignal(number) != handler:
                signal.signal(number, handler)
                changed = True
        return changed


class LastingOutput(io.TextIOBase):
    """Standard output as it is now, for our own lines: it goes on when a node closes or replaces ``sys.stdout``."""

    def __init__(self) -> None:
        self._stream: TextIO = sys.stdout
        try:
            self._number: int | None = os.dup(self._stream.fileno())
        except (OSError, ValueError, io.UnsupportedOperation):  # a stream of a test's
            self._number = None

    def write(self, text: str) -> int:
        """Write, one way or the other."""
        if self._stream.closed and self._number is not None:
            self._stream = open(self._number, "w", encoding="utf-8", errors="backslashreplace")  # noqa: SIM115, PTH123
        return self._stream.write(text)

    def close(self) -> None:
        """See `io`."""
        self._stream.close()
        super().close()

    def flush(self) -> None:
        """See `io`."""
        if not self._stream.closed:
            self._stream.flush()


def _folder() -> str | None:
    try:
        return os.getcwd()  # noqa: PTH109 -- as text, which `chdir` takes
    except FileNotFoundError:
        return None


def _reopened(number: int) -> TextIO:
    """Standard stream `number`, whose object was closed: Python leaves the descriptor open."""
    try:
        os.fstat(number)
    except OSError:
        return open(os.devnull, "r" if number == 0 else "w", encoding="utf-8")  # noqa: PTH123
    return open(number, "r" if number == 0 else "w", encoding="utf-8", errors="backslashreplace", closefd=False)


_SET_BY_IMPORTS: set[str] = set()
"""Variables that were set while a module was imported."""


@lru_cache(maxsize=1)
def _watch_imports() -> None:
    """Note which variables imports set; such a hook stays for the life of the process."""

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if event == "os.putenv" and _importing(sys._getframe(1)):
            _SET_BY_IMPORTS.add(os.fsdecode(args[0]))

    sys.addaudithook(hook)


def _importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename == "<frozen importlib._bootstrap>":
            return True
        frame = frame.f_back
    return False
