"""Environment of all tests: dummy credentials, so that nothing can ever reach a real account; and properties that are
the same at any speed of a machine, and at every run.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from graphjobs.core.loading import without_collection
from tests.support.order import spread

pytest.register_assert_rewrite("graphjobs.testing.event_log_suite")

os.environ.update(
    AWS_ACCESS_KEY_ID="testing",
    AWS_SECRET_ACCESS_KEY="testing",
    AWS_SESSION_TOKEN="testing",
    AWS_DEFAULT_REGION="us-east-1",
    AWS_REGION="us-east-1",
    AWS_EC2_METADATA_DISABLED="true",
    POWERTOOLS_METRICS_NAMESPACE="graphjobs",
)
for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_CA_BUNDLE"):
    os.environ.pop(name, None)

settings.register_profile(
    "same_everywhere", deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("same_everywhere")


IN_MEMORY = Path("/dev/shm")
ENOUGH_BYTES = 6_000_000_000

# Bundles have thousands of folders, which a disk makes and removes a hundred times slower. Taken away after each run
# that passes (``tmp_path_retention_policy``).
if os.access(IN_MEMORY, os.W_OK) and shutil.disk_usage(IN_MEMORY).free > ENOUGH_BYTES:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(IN_MEMORY))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """What is there when the tests begin stays: to look through a million objects again and again for what can be freed
    took a tenth of the time of all tests.
    """
    with without_collection():
        return (yield)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What takes longest comes first, in each of the processes that share the tests."""
    processes: int = getattr(config, "workerinput", {}).get("workercount", 1)
    items[:] = spread(items, lambda item: item.nodeid.removeprefix("tests/").partition("/")[0], processes)
