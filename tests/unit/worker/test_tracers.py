"""Tracers are flushed when a job is over, and cannot hold it up for long."""

from __future__ import annotations

import io
import sys
import threading
import uuid
from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest
from aws_lambda_powertools import Logger

from graphjobs.core.job import Status
from graphjobs.worker.tracers import flush_tracers
from tests.support.worker.rig import Rig


@pytest.fixture
def text() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def logger(text: io.StringIO) -> Logger:
    return Logger(service=f"tracers-test-{uuid.uuid4().hex}", stream=text)  # a name of its own: handlers are kept by it


def module(monkeypatch: pytest.MonkeyPatch, name: str, **members: Any) -> None:
    made: Any = ModuleType(name)
    for member, value in members.items():
        setattr(made, member, value)
    monkeypatch.setitem(sys.modules, name, made)


class Provider:
    """What OpenTelemetry's SDK has in place."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def force_flush(self, milliseconds: int) -> bool:
        self.asked.append(milliseconds)
        return True


def test_langsmith_and_opentelemetry_are_flushed(
    monkeypatch: pytest.MonkeyPatch, logger: Logger, text: io.StringIO
) -> None:
    flushed: list[str] = []
    provider = Provider()
    module(monkeypatch, "langchain_core.tracers.langchain", wait_for_all_tracers=lambda: flushed.append("langsmith"))
    module(monkeypatch, "opentelemetry.trace", get_tracer_provider=lambda: provider)
    module(monkeypatch, "opentelemetry.metrics", get_meter_provider=lambda: object())
    monkeypatch.delitem(sys.modules, "opentelemetry._logs", raising=False)
    flush_tracers(logger, 2.0)
    assert (flushed, provider.asked) == (["langsmith"], [2000])
    assert text.getvalue() == ""


def test_one_that_fails_or_hangs_is_named_and_the_others_are_flushed(
    monkeypatch: pytest.MonkeyPatch, logger: Logger, text: io.StringIO
) -> None:
    never = threading.Event()
    provider = Provider()

    def broken() -> None:
        raise ConnectionError("nobody there")

    module(monkeypatch, "langchain_core.tracers.langchain", wait_for_all_tracers=broken)
    module(monkeypatch, "opentelemetry.trace", get_tracer_provider=lambda: provider)
    hung: Any = Provider()
    hung.force_flush = lambda milliseconds: never.wait()
    module(monkeypatch, "opentelemetry.metrics", get_meter_provider=lambda: hung)
    try:
        flush_tracers(logger, 0.2)
    finally:
        never.set()
    assert provider.asked == [200]
    assert "nobody there" in text.getvalue()
    assert "flush opentelemetry.metrics" in text.getvalue()


def test_they_are_flushed_after_a_job_that_has_ended(workers: Rig) -> None:
    rigged = workers.worker()
    job = workers.job("rounds", {"rounds": 1})
    seen: list[Any] = []

    def flush() -> None:
        seen.append(workers.aws.jobs.get(job.job_id))

    rigged.worker.reports = replace(rigged.worker.reports, flush_tracers=flush)
    rigged.process(job)
    assert [found.status for found in seen] == [Status.COMPLETED]
