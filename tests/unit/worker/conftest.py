"""One backend a module, since making one is slow; jobs do not see each other."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

import pytest

from graphjobs.worker import kept, slot_buffer
from tests.support.backend import Backend, backend
from tests.support.worker import graphs as worker_graphs
from tests.support.worker import talks as worker_talks
from tests.support.worker.rig import Parts, Rig, rig

GRAPHS = ("parallel", "rounds", "turns", "nested", "tokens", "sync_hook", "async_hook", "crowd", "heavy", "held")


@pytest.fixture(scope="module")
def aws() -> Iterator[Backend]:
    with backend(in_memory=True, flush_interval_ms=0.0, watch_seconds=1.5) as fresh:
        yield fresh


@pytest.fixture(scope="session")
def spare() -> list[Parts]:
    """AWS clients that are left over: what they are asked is answered by the backend that is there then."""
    return []


@pytest.fixture
def workers(aws: Backend, spare: list[Parts], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """Worker processes on the backend; steps are journalled."""
    worker_graphs.clear()
    module = worker_graphs.__name__
    with rig(aws, tmp_path_factory.mktemp("project"), {name: f"{module}:{name}" for name in GRAPHS}, spare) as made:
        yield made
    assert aws.tables is not None
    aws.tables.clear()  # what hundreds of tests have stored is slow to search, and to collect garbage beside


@pytest.fixture(scope="session")
def of_tests() -> frozenset[str]:
    """The packages that all tests together have imported: some million objects, which no worker would have."""
    return frozenset(name.partition(".")[0] for name in sys.modules) - {"tests"}


@pytest.fixture(autouse=True)
def few_modules(of_tests: frozenset[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """What a job has left is looked for in the tests' own modules, and in those that a test imports."""
    monkeypatch.setattr(kept, "NOT_ASKED", kept.NOT_ASKED | of_tests)


@pytest.fixture
def patient_updates(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mark of a step is in the slot of its `update`, however slow the machine: so it can be awaited in the log."""
    monkeypatch.setattr(slot_buffer, "UPDATE_HOLD_SECONDS", 60.0)


@pytest.fixture
def drain(workers: Rig) -> Callable[[], None]:
    """Asks the run that is under way to stop at the next boundary, as its heartbeat does near the deadline."""
    return lambda: workers.runs[-1].drain()


@pytest.fixture
def talks(workers: Rig) -> None:
    """The graphs of conversations."""
    module = worker_talks.__name__
    workers.add_graphs({name: f"{module}:{name}" for name in ("talk", "approval", "panel")})
