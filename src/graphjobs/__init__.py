"""graphjobs: LangGraph graphs as durable jobs, followed live.

`Client`, `AsyncClient`, their types and their errors are imported from here. They are loaded when first used: a Lambda
function imports its own part of this package and nothing of the client.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from graphjobs.client.answers import (
        Accepted,
        Checkpoint,
        Command,
        Event,
        Interrupt,
        JobError,
        JobList,
        JobOptions,
        JobStatus,
        JobSummary,
        RunConfig,
        StateUpdated,
        StreamTicket,
        Thread,
        ThreadState,
        TicketsRevoked,
    )
    from graphjobs.client.async_client import AsyncClient
    from graphjobs.client.client import Client
    from graphjobs.client.errors import (
        ApiError,
        CannotAnswer,
        ConfigurationError,
        ContractViolation,
        GraphjobsError,
        SequenceError,
        ServiceUnreachable,
    )
    from graphjobs.client.retry import RetryPolicy

__all__ = [
    "Accepted",
    "ApiError",
    "AsyncClient",
    "CannotAnswer",
    "Checkpoint",
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
    "StateUpdated",
    "StreamTicket",
    "Thread",
    "ThreadState",
    "TicketsRevoked",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'graphjobs' has no attribute {name!r}")
    for module in ("answers", "errors", "retry", "client", "async_client"):  # what needs httpx comes last
        found = getattr(import_module(f"graphjobs.client.{module}"), name, None)
        if found is not None:
            return found
    raise AttributeError(f"graphjobs.client has no {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
