"""The API functions on a fresh backend per test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.api.calls import Api, api
from tests.support.backend import Backend, backend


@pytest.fixture
def aws() -> Iterator[Backend]:
    with backend(in_memory=True) as fresh:
        yield fresh


@pytest.fixture
def service(aws: Backend, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    with api(aws, monkeypatch) as fresh:
        yield fresh
