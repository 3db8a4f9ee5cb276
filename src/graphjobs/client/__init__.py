"""The HTTP client. It needs httpx alone.

* `answers`: what goes in and comes out, as types
* `async_client`: `AsyncClient`, the same for asyncio
* `calls`: each call as a request that is still to be sent
* `client`: `Client`: one method per call
* `errors`: the error tree
* `event_stream`: following over many connections, without I/O
* `exchange`: token and failures of one exchange
* `retry`: backoff
* `sse`: parsing server-sent events
"""

from graphjobs.client.answers import (
    Accepted,
    Command,
    Event,
    Interrupt,
    JobError,
    JobList,
    JobOptions,
    JobStatus,
    JobSummary,
    RunConfig,
    StreamTicket,
)
from graphjobs.client.async_client import AsyncClient
from graphjobs.client.client import Client
from graphjobs.client.errors import (
    ApiError,
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
