"""The terminal: UTF-8 in any locale, no control sequences from a model, no noise on a closed pipe."""

import contextlib
import io
import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import Final, TextIO

NAME: Final = "graphjobs"

INTERRUPTED: Final = 130
"""Exit code after Ctrl-C: 128 + SIGINT."""

BROKEN_PIPE: Final = 141
"""Exit code when the reader of our output has gone: 128 + SIGPIPE, as a shell expects."""

# C0 and C1 control characters but tab and line feed: a model's text must not steer the terminal.
_CONTROLS: Final = dict.fromkeys((*range(32), *range(127, 160)), "�")
_CONTROLS.pop(ord("\t"))
_CONTROLS.pop(ord("\n"))


def use_utf8() -> None:
    """Write UTF-8 in every locale; half a surrogate pair becomes the escape that JSON has for it."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def harmless(text: str) -> str:
    """`text` without control characters."""
    return text.translate(_CONTROLS)


def one_line(text: str) -> str:
    """`text` without control characters, on one line."""
    return harmless(" ".join(text.split()))


def dim(text: str, stream: TextIO) -> str:
    """`text` in a faint colour, if `stream` is a terminal that wants colours."""
    if "NO_COLOR" in os.environ or not stream.isatty():
        return text
    return f"\x1b[2m{text}\x1b[0m"


def program() -> str:
    """How a shell in this folder calls this command: for hints that can be pasted."""
    called = Path(sys.argv[0])
    if called.name != NAME or shutil.which(NAME) == str(called.absolute()):
        return NAME
    with contextlib.suppress(ValueError):
        called = called.absolute().relative_to(Path.cwd())
    return shlex.quote(str(called))


def say(text: str) -> None:
    """One line on stderr."""
    print(one_line(text), file=sys.stderr, flush=True)


def silence_stdout() -> None:
    """Point stdout at nothing, so that the interpreter's last flush does not fail on a closed pipe."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, sys.stdout.fileno())
    os.close(nothing)
