"""graphjobs: LangGraph graphs as durable jobs, followed live.

`Client`, `AsyncClient`, their types and their errors are imported from here. They are loaded when first used: a Lambda
function imports its own part of this package and nothing of the client.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from graphjobs.client import (
        Accepted,
        ApiError,
        AsyncClient,
        Client,
        Command,
        ConfigurationError,
        ContractViolation,
        Event,
        GraphjobsError,
        Interrupt,
        JobError,
        JobList,
        JobOptions,
        JobStatus,
        JobSummary,
        RetryPolicy,
        RunConfig,
        SequenceError,
        ServiceUnreachable,
        StreamTicket,
    )

__all__ = [
    "Accepted",
    "ApiError",
    "AsyncClient",
    "Client",
    "Command",
    "ConfigurationError",
    "ContractViolation",
    "Event",
    "GraphjobsError",
    "Interrupt",
    "JobError",
    "JobList",
    "JobOptions",
    "JobStatus",
    "JobSummary",
    "RetryPolicy",
    "RunConfig",
    "SequenceError",
    "ServiceUnreachable",
    "StreamTicket",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'graphjobs' has no attribute {name!r}")
    return getattr(import_module("graphjobs.client"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
