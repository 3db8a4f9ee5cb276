"""Which files of the user's project a process has loaded, and whether one of them has changed since."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path


class SourceWatch:
    """The Python files under `root` that are imported, and `others`: the ``langgraph.json``, the env file."""

    def __init__(self, root: Path, others: Iterable[Path] = ()) -> None:
        self._root = root.resolve()
        self._seen: dict[Path, int] = {}
        self._looked_at: set[str] = set()
        for path in others:
            self._note(path)

    def look(self) -> None:
        """Note what has been imported since the last look: after each job, since nodes import as well."""
        for module in list(sys.modules.values()):
            file = getattr(module, "__file__", None)
            if isinstance(file, str) and file not in self._looked_at:
                self._looked_at.add(file)
                path = Path(file)
                if path.suffix == ".py" and path not in self._seen and self._is_ours(path):
                    self._note(path)

    def changed(self) -> Path | None:
        """A file that is no longer as it was when it was loaded; None if all are."""
        return next((path for path, before in self._seen.items() if _stamp(path) != before), None)

    def _is_ours(self, path: Path) -> bool:
        return path.is_relative_to(self._root) and "site-packages" not in path.parts

    def _note(self, path: Path) -> None:
        self._seen[path] = _stamp(path)


def _stamp(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
