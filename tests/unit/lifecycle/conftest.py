"""A fresh backend a test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.backend import Backend, backend


@pytest.fixture
def aws() -> Iterator[Backend]:
    with backend() as fresh:
        yield fresh
