"""The folder for temporary files: Lambda keeps /tmp for the next job, which may be another owner's.

What was there before the first job stays, such as what modules wrote when they were imported. This is done on Lambda
alone, where the folder is this environment's own; elsewhere it is everybody's.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Final

RUNTIME: Final = Path("/var/runtime/bootstrap")
"""Of Lambda's own environment; an emulator may set its variables and share /tmp with the whole machine."""


def lambda_scratch() -> Path | None:
    """The folder that is to be emptied; None where that would touch what is not ours."""
    on_lambda = "AWS_LAMBDA_RUNTIME_API" in os.environ and RUNTIME.exists()
    return Path(tempfile.gettempdir()) if on_lambda else None


class Scratch:
    """Empties `folder` between the jobs of two owners."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._owner: str | None = None
        self._kept: set[str] = set()

    def enter(self, owner: str) -> list[str]:
        """A job of `owner` begins; the names of what could not be removed."""
        if self._folder is None:
            return []
        before, self._owner = self._owner, owner
        if before is None:
            self._kept = {path.name for path in self._folder.iterdir()}
        if before in (None, owner):
            return []
        return [path.name for path in self._folder.iterdir() if path.name not in self._kept and not _removed(path)]


def _removed(path: Path) -> bool:
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    except OSError:
        return False
    return True
