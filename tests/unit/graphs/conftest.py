"""The built-in graphs run offline here, with no pause between tokens."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GRAPHJOBS_MODEL", raising=False)
    monkeypatch.setenv("GRAPHJOBS_OFFLINE_TOKEN_MS", "0")
    monkeypatch.setenv("LANGSMITH_TRACING", "false")
