"""What a job started ends with it; what a module keeps lives on."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from typing import Any

import pytest

from graphjobs.worker.leftovers import Leftovers


class Pool:
    """As connection pools are: it keeps a task of its own on the loop."""

    task: asyncio.Task[Any] | None = None

    def open(self) -> None:
        self.task = asyncio.get_running_loop().create_task(asyncio.Event().wait())


POOL = Pool()


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    made = asyncio.new_event_loop()
    yield made
    for task in asyncio.all_tasks(made):
        task.cancel()
        made.run_until_complete(asyncio.wait([task]))
    made.close()


def started(loop: asyncio.AbstractEventLoop) -> set[str]:
    return {task.get_name() for task in asyncio.all_tasks(loop)}


async def leave(name: str) -> None:
    forgotten = asyncio.get_running_loop().create_task(asyncio.Event().wait(), name=name)
    del forgotten
    await asyncio.sleep(0)


def test_a_task_that_only_the_job_knew_is_the_jobs(loop: asyncio.AbstractEventLoop) -> None:
    left = Leftovers(loop)
    loop.run_until_complete(leave("forgotten"))
    assert {task.get_name() for task in left.tasks()} == {"forgotten"}


def test_a_task_that_a_module_keeps_is_not_and_is_looked_for_once(
    loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules[__name__], "POOL", Pool())

    async def job() -> None:
        POOL.open()
        await leave("forgotten")

    first = Leftovers(loop)
    loop.run_until_complete(job())
    left = first.tasks()
    assert {task.get_name() for task in left} == {"forgotten"}
    for task in left:
        task.cancel()
    loop.run_until_complete(asyncio.wait(left))

    def walked(*given: Any) -> Any:
        raise AssertionError("the heap was walked for what is known")

    monkeypatch.setattr("graphjobs.worker.leftovers.kept_of", walked)
    assert Leftovers(loop).tasks() == first.tasks() == set()


PROGRAMS = """
import asyncio, subprocess, sys, time
from graphjobs.worker.leftovers import Leftovers, adopt_orphans, children
import kept_by_a_module

adopt_orphans()
left = Leftovers(asyncio.new_event_loop())

def job():
    kept_by_a_module.start()
    subprocess.Popen(["sleep", "600"])
    # One that has left its parent behind, and does not listen to SIGTERM.
    orphan = "import os, signal, time; signal.signal(15, signal.SIG_IGN); os.fork() and os._exit(0); time.sleep(600)"
    subprocess.Popen([sys.executable, "-c", orphan]).wait()

job()
while len(children()) < 3: time.sleep(0.01)
assert left.end_programs() == 2, left
assert children() == {kept_by_a_module.PROGRAM.pid}, children()
assert Leftovers(asyncio.new_event_loop()).end_programs() == 0
kept_by_a_module.PROGRAM.kill(); kept_by_a_module.PROGRAM.wait()
print("right")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="children are told by /proc")
def test_programs_that_a_job_left_running_are_ended_with_all_they_started(tmp_path: Any) -> None:
    (tmp_path / "kept_by_a_module.py").write_text(
        textwrap.dedent("""
            import subprocess
            PROGRAM = None
            def start():
                global PROGRAM
                PROGRAM = subprocess.Popen(["sleep", "600"])
        """)
    )
    (tmp_path / "script.py").write_text(PROGRAMS)
    ran = subprocess.run([sys.executable, tmp_path / "script.py"], capture_output=True, text=True, timeout=60)
    assert ran.stdout == "right\n", ran.stderr
