"""The test of what the model says of forks: histories that random ones rarely come to, with a defect and without."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext

import pytest
from pytest import MonkeyPatch

from tests.model import thread_mutants
from tests.model.machine import JobMachine
from tests.model.mutants import Mutate
from tests.model.world import THREADS, World


@pytest.fixture
def world() -> Iterator[World]:
    made = JobMachine()
    made.a_running_job(timeout=3600, actions=0, conversation=True)
    made.world.create_turn(THREADS[0], "say", "enqueue", 3600)
    made.world.deliver(-1)
    made.world.work(made.world.workers[-1], 12, "each")
    yield made.world
    made.teardown()


def roll_back(world: World) -> None:
    (worker,) = world.workers
    world.cancel(worker.claim.job.job_id, rollback=True)
    world.beat(worker, renew=True)
    world.settle(worker)
    world.check()


@pytest.mark.parametrize("mutate", [None, thread_mutants.a_fork_from_what_was_never_confirmed])
def test_a_fork_from_what_was_rolled_back_is_refused(
    world: World, monkeypatch: MonkeyPatch, mutate: Mutate | None
) -> None:
    roll_back(world)
    (thread,) = world.storage.threads()
    hidden = world.forks.hidden(thread)
    assert hidden
    if mutate:
        mutate(monkeypatch)
    world.create_turn(THREADS[0], "say", "enqueue", 3600, checkpoint_id=hidden[0])
    with pytest.raises(AssertionError, match="cannot be seen was accepted") if mutate else nullcontext():
        world.check()
    world.witness.violations.clear()


@pytest.mark.parametrize("mutate", [None, thread_mutants.a_fork_from_what_was_rolled_back])
def test_a_fork_that_waited_for_what_was_rolled_back_begins_nowhere(
    world: World, monkeypatch: MonkeyPatch, mutate: Mutate | None
) -> None:
    (thread,) = world.storage.threads()
    newest = max(world.forks.visible(thread))
    world.create_turn(THREADS[0], "say", "enqueue", 3600, checkpoint_id=newest)
    roll_back(world)
    if mutate:
        mutate(monkeypatch)
    world.memory.messages.clear()
    world.queue.announce(str(world.storage.threads()[0].turn), "user-1")
    world.deliver(-1)
    for worker in world.workers:
        worker.work(99)
        world.settle(worker)
    with pytest.raises(AssertionError, match="comes from what was rolled back") if mutate else nullcontext():
        world.check()
    world.witness.violations.clear()
