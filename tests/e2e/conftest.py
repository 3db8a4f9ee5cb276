"""One instance for all acceptance tests of a session, and users of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.secrets_check import check_no_secret_written
from tests.e2e.user import User
from tests.support.instance import Target, target_from_environment

GRAPHS = Path(__file__).parent / "graphs" / "langgraph.json"

SETTINGS = {
    "GRAPHJOBS_OFFLINE_TOKEN_MS": "10",
    "GRAPHJOBS_STREAM_HEARTBEAT_SECONDS": "0.5",
    "GRAPHJOBS_RECONCILE_SECONDS": "1",
    "GRAPHJOBS_ERROR_DETAIL": "class",  # as deployed
    "GRAPHJOBS_ADMIN_CLAIM": "scope",
    "GRAPHJOBS_ADMIN_VALUE": "graphjobs/admin",
}
"""Lease, watch and flush times are the defaults: those are what is promised."""

# On a small machine that is busy with other things an instance takes a minute to start.
TIMEOUT_SECONDS = 300


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give the tests of this folder their time."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.timeout(TIMEOUT_SECONDS))


@pytest.fixture(scope="session")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """The service under test."""
    with target_from_environment(tmp_path_factory.mktemp("instance"), GRAPHS, **SETTINGS) as target:
        yield target
        check_no_secret_written(target)


@pytest.fixture
def user(target: Target) -> Iterator[User]:
    """The first user."""
    with User(target) as user:
        yield user


@pytest.fixture
def stranger(target: Target) -> Iterator[User]:
    """Another user."""
    with User(target, "user-2") as user:
        yield user
