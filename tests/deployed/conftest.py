"""One deployment for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from deploy.steps import show_logs
from tests.deployed.deployment import Deployment, deployed
from tests.deployed.starts import Starts, begun

TIMEOUT_SECONDS = 1200


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of this folder, and give them their time."""
    for item in items:
        if "tests/deployed/" in item.path.as_posix():
            item.add_marker(pytest.mark.deployed)
            item.add_marker(pytest.mark.timeout(TIMEOUT_SECONDS))


@pytest.fixture(scope="session")
def deployment(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """The app, deployed; should a test fail, the last lines of every log are shown."""
    folder = tmp_path_factory.mktemp("deployed")
    failed = request.session.testsfailed
    try:
        with deployed(folder) as made:
            yield made
    finally:
        if request.session.testsfailed > failed:
            show_logs(folder)


@pytest.fixture(scope="session")
def starts(deployment: Deployment) -> Iterator[Starts]:
    """Jobs whose workers cannot start: the first test begins them, one of the last looks at them."""
    with begun(deployment) as made:
        yield made
