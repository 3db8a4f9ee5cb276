"""What the programs of this package print, and how they fail: one line per step, logs only when something breaks."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from graphjobs.processes import last_lines, running

ROOT: Final = Path(__file__).resolve().parent.parent
TAIL_LINES: Final = 60


class Failed(Exception):
    """A step did not do what it has to; the message says what, for a person."""


def say(text: str) -> None:
    """Print a line at once."""
    print(text, flush=True)


@contextmanager
def step(what: str) -> Iterator[None]:
    """Print what is done, and how long it took."""
    say(f"==> {what}")
    began = time.monotonic()
    yield
    say(f"    done in {time.monotonic() - began:.1f} s")


def run(
    command: Sequence[str], log: Path, *, environ: Mapping[str, str] | None = None, cwd: Path = ROOT, seconds: float
) -> str:
    """Run a command to its end, everything it says into `log`; returns what it said.

    Raises:
        Failed: it did not succeed, or not within `seconds`.
    """
    began = log.stat().st_size if log.exists() else 0
    with running(command, os.environ if environ is None else environ, cwd=cwd, log=log) as process:
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failed(f"{' '.join(command[:3])} ... took longer than {seconds:.0f} s, see {log.name}") from None
    with log.open("rb") as said:
        said.seek(began)
        text = said.read().decode("utf-8", "replace")
    if code:
        raise Failed(f"{' '.join(command[:3])} ... ended with exit code {code}, see {log.name}")
    return text


def show_logs(folder: Path) -> None:
    """Print the end of every log in `folder`."""
    for log in sorted(folder.glob("*.log")):
        print(f"----- {log.name}: its last lines", file=sys.stderr)
        print(last_lines(log.read_bytes(), TAIL_LINES), file=sys.stderr, flush=True)
