"""The API functions on one backend a package, emptied for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.api_calls import Api, api, empty
from tests.support.backend import Backend, backend


@pytest.fixture(scope="package")
def shared() -> Iterator[Backend]:
    with backend() as aws:
        yield aws


@pytest.fixture
def aws(shared: Backend) -> Backend:
    empty(shared)
    return shared


@pytest.fixture
def service(aws: Backend, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    with api(aws, monkeypatch) as fresh:
        yield fresh
