"""What loggers write, in place of standard output."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from graphjobs.observability import own_logger


class Output:
    """What loggers write from now on, in place of standard output."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self._written = io.StringIO()

    def of(self, service: str) -> None:
        """Take the lines of the logger of `service`."""
        (handler,) = own_logger(service).handlers
        self._monkeypatch.setattr(handler, "stream", self._written)

    @property
    def text(self) -> str:
        return self._written.getvalue()

    def lines(self) -> list[dict[str, Any]]:
        """The lines, each of which must be a JSON object."""
        return [json.loads(line) for line in self.text.split("\n") if line]
