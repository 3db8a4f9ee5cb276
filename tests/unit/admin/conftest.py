"""A backend that the environment names, and the command on it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.backend import Backend
from tests.support.operator import Operator, operated


@pytest.fixture
def aws(tmp_path: Path) -> Iterator[Backend]:
    with operated(tmp_path) as fresh:
        yield fresh


@pytest.fixture
def admin(aws: Backend, capsys: pytest.CaptureFixture[str]) -> Operator:
    return Operator(capsys)
