"""With `log_graph_errors` of `type`, nothing of what users and graphs write reaches the worker's log."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import pytest
from langgraph.config import get_stream_writer
from langgraph.types import interrupt

from graphjobs.core.event import MAX_EVENT_BYTES
from graphjobs.observability import log_no_messages
from tests.support.worker.checks import check_sound
from tests.support.worker.graphs import HOOKS
from tests.support.worker.rig import Rig

PROMPT = "my salary is 7,301"


class Silent(Exception):
    """One whose text is made when it is asked for."""

    def __str__(self) -> str:
        return PROMPT

    __repr__ = __str__


def raises(error: BaseException, cause: BaseException | None = None) -> Callable[[], Any]:
    def hook() -> None:
        raise error from cause

    return hook


def writes(value: Any) -> Callable[[], Any]:
    return lambda: get_stream_writer()(value)


ENDS: dict[str, tuple[Callable[[], Any], str]] = {
    "completed": (lambda: {"done": [PROMPT]}, "completed"),
    "interrupted": (lambda: interrupt({"question": PROMPT}), "interrupted"),
    "error": (raises(ValueError(PROMPT)), "failed"),
    "error with a cause": (raises(RuntimeError("x"), ValueError(PROMPT)), "failed"),
    "error that makes its text": (raises(Silent()), "failed"),
    "exit": (lambda: sys.exit(PROMPT), "failed"),
    "event": (writes({"said": PROMPT}), "completed"),
    "event of an odd type": (writes({PROMPT, Silent()}), "completed"),
    "event that is too large": (writes(PROMPT * (MAX_EVENT_BYTES // len(PROMPT) + 1)), "failed"),
    "state that cannot be saved": (lambda: {"done": [PROMPT, (_ for _ in PROMPT)]}, "failed"),
    "state of a wrong form": (lambda: {"done": PROMPT}, "failed"),
    "no such channel": (lambda: {PROMPT: 1}, "completed"),
}


@pytest.mark.parametrize("graph", ["sync_hook", "async_hook"])
@pytest.mark.parametrize("how", ENDS)
def test_no_end_of_a_job_writes_what_it_was_told(workers: Rig, graph: str, how: str) -> None:
    hook, status = ENDS[how]
    worker, job = workers.worker(), workers.job(graph, {"words": [PROMPT]})
    log_no_messages(worker.worker.reports.logger)
    HOOKS.update(in_thread=hook, on_loop=hook)
    worker.process(job)
    check_sound(workers.events(job), workers.row(job))
    assert workers.row(job).status == status
    assert worker.logged and PROMPT not in json.dumps(worker.logged, ensure_ascii=False)
    assert PROMPT not in json.dumps(workers.events(job)[-1]) or status in ("completed", "interrupted")


def test_it_would_be_there_otherwise(workers: Rig) -> None:
    worker, job = workers.worker(), workers.job("sync_hook")
    HOOKS.update(in_thread=raises(ValueError(PROMPT)))
    worker.process(job)
    assert PROMPT in json.dumps(worker.logged)
