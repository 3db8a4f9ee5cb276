"""A fresh backend a test, and a reconciler on it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.backend import Backend, backend
from tests.unit.lifecycle.passes import Pass


@pytest.fixture
def aws() -> Iterator[Backend]:
    with backend() as fresh:
        yield fresh


@pytest.fixture
def reconcile(aws: Backend) -> Pass:
    return Pass(aws)
