"""The HTTP client.

* `client`: `Client`: one method a call
* `errors`: the error tree
* `event_stream`: following over many connections
* `retry`: backoff
* `session`: one authorised exchange
* `sse`: parsing server-sent events
"""

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
    "ApiError",
    "Client",
    "ConfigurationError",
    "ContractViolation",
    "GraphjobsError",
    "RetryPolicy",
    "SequenceError",
    "ServiceUnreachable",
]
