"""Tracers are flushed before the invocation ends: Lambda freezes the process then, with what their threads still hold.

LangSmith's client and OpenTelemetry's providers, if the project has loaded them.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger

FLUSH_SECONDS: Final = 5.0
"""For all of them together: a backend of traces that does not answer costs a job no more than this."""

PROVIDERS: Final = {
    "opentelemetry.trace": "get_tracer_provider",
    "opentelemetry.metrics": "get_meter_provider",
    "opentelemetry._logs": "get_logger_provider",
}


def flush_tracers(logger: Logger, seconds: float = FLUSH_SECONDS) -> None:
    """Have each tracer send what it holds; returns after `seconds` at the latest, whatever they do."""
    waiting = [
        threading.Thread(target=_run, args=(logger, name, flush), name=f"flush {name}", daemon=True)
        for name, flush in _flushes(seconds)
    ]
    for thread in waiting:
        thread.start()
    end = time.monotonic() + seconds
    for thread in waiting:
        thread.join(max(0.0, end - time.monotonic()))
    late = [thread.name for thread in waiting if thread.is_alive()]
    if late:
        logger.warning("tracers were not flushed in time", extra={"tracers": late})


def _flushes(seconds: float) -> Iterator[tuple[str, Callable[[], Any]]]:
    langsmith: Any = sys.modules.get("langchain_core.tracers.langchain")
    if langsmith is not None:
        yield "langsmith", langsmith.wait_for_all_tracers
    for name, getter in PROVIDERS.items():
        provider = getattr(sys.modules.get(name), getter, lambda: None)()
        flush = getattr(provider, "force_flush", None)  # those that only hand on have none
        if flush is not None:
            yield name, partial(flush, int(seconds * 1000))


def _run(logger: Logger, name: str, flush: Callable[[], Any]) -> None:
    try:
        flush()
    except Exception:  # whatever a tracer does, the job is over
        logger.warning("a tracer was not flushed", exc_info=True, extra={"tracer": name})
