"""A fresh backend a test, and a reconciler on it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.backend import Backend, backend
from tests.unit.lifecycle.passes import Pass


@pytest.fixture
def aws(request: pytest.FixtureRequest) -> Iterator[Backend]:
    """Its tables are moto's where the stores themselves are tested, in memory where a reconciler is."""
    with backend(in_memory="reconcile" in request.fixturenames) as fresh:
        yield fresh


@pytest.fixture
def reconcile(aws: Backend) -> Pass:
    return Pass(aws)
