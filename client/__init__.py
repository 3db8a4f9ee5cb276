"""The Python client and the command line of graphjobs.

Holds true: needs httpx and the standard library only; speaks nothing but the public HTTP contract, so
the same code serves a local instance and a deployed one.
"""

from client.client import Client
from client.errors import (
    ApiError,
    ConfigurationError,
    ContractViolation,
    GraphjobsError,
    SequenceError,
    ServiceUnreachable,
)

__all__ = [
    "ApiError",
    "Client",
    "ConfigurationError",
    "ContractViolation",
    "GraphjobsError",
    "SequenceError",
    "ServiceUnreachable",
]
