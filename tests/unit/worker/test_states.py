"""The result is what the bare graph answers, whatever its state is made of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.backend import Backend
from tests.support.worker import graphs as worker_graphs
from tests.support.worker import states as worker_states
from tests.support.worker.checks import check_sound
from tests.support.worker.rig import Parts, Rig, rig

GIVEN: dict[str, Any] = {"query": "it", "answer": ""}
RESULTS: dict[str, dict[str, Any]] = {
    "model": {"query": "it", "answer": "to it!"},
    "of_dataclass": {"done": ["only"]},
    "unlike_its_subgraph": {"query": "it", "answer": "['inner']"},
    "functional": {"answer": "to it"},
}


@pytest.fixture
def workers(aws: Backend, spare: list[Parts], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """Worker processes that know the graphs with odd states."""
    worker_graphs.clear()
    module = worker_states.__name__
    with rig(aws, tmp_path_factory.mktemp("project"), {name: f"{module}:{name}" for name in RESULTS}, spare) as made:
        yield made


@pytest.mark.parametrize("graph", sorted(RESULTS))
def test_a_state_of_any_kind_has_its_result(workers: Rig, graph: str) -> None:
    given = {"query": "it"} if graph == "model" else GIVEN
    job = workers.job(graph, given)
    workers.worker().process(job)
    events = workers.events(job)
    check_sound(events, workers.row(job))
    assert events[-1]["data"] == {"status": "completed", "result": RESULTS[graph]}
