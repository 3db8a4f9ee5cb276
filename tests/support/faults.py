"""A client that fails on demand: what moto never does. Wraps any boto3 client."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

Fault = Callable[[Callable[[], Any]], Any]


def client_error(code: str, status: int = 400) -> ClientError:
    """The error that a service answers with."""
    return ClientError(
        {"Error": {"Code": code, "Message": code}, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[typeddict-item]
        "Operation",
    )


FAULTS: dict[str, Callable[[], Exception]] = {
    "throttled": lambda: client_error("ThrottlingException"),
    "throughput": lambda: client_error("ProvisionedThroughputExceededException"),
    "internal": lambda: client_error("InternalServerError", 500),
    "unavailable": lambda: client_error("ServiceUnavailable", 503),
    "timeout": lambda: ReadTimeoutError(endpoint_url="http://127.0.0.1"),
    "reset": lambda: ConnectionClosedError(endpoint_url="http://127.0.0.1"),
}


class Faults:
    """Wraps `client`; `fail` and `lose_answer` say what the next calls of an operation do."""

    def __init__(self, client: Any, on_call: Callable[[str], object] = lambda operation: None) -> None:
        """`on_call` is told of each call before it is made, in the order of several clients' calls."""
        self._client = client
        self._on_call = on_call
        self._faults: dict[str, deque[Fault]] = defaultdict(deque)
        self.calls: list[str] = []
        self.meta = client.meta

    @property
    def client(self) -> Any:
        """Itself, to be given where a boto3 client is expected."""
        return self

    def fail(self, operation: str, error: Exception, times: int = 1) -> None:
        """The next `times` calls do nothing and raise `error`."""

        def fault(call: Callable[[], Any]) -> Any:
            raise error

        self._faults[operation].extend([fault] * times)

    def lose_answer(self, operation: str, times: int = 1) -> None:
        """The next `times` calls are done, and their answer is lost."""

        def fault(call: Callable[[], Any]) -> Any:
            call()
            raise client_error("InternalServerError", 500)

        self._faults[operation].extend([fault] * times)

    def repeat(self, operation: str) -> None:
        """The next call is done twice, as by an SDK that has lost the first answer."""

        def fault(call: Callable[[], Any]) -> Any:
            call()
            return call()

        self._faults[operation].append(fault)

    def before(self, operation: str, action: Callable[[], object]) -> None:
        """Right before the next call of `operation`, `action` happens: a race that is lost."""

        def fault(call: Callable[[], Any]) -> Any:
            action()
            return call()

        self._faults[operation].append(fault)

    def __getattr__(self, operation: str) -> Any:
        method = getattr(self._client, operation)

        def call(**arguments: Any) -> Any:
            self.calls.append(operation)
            self._on_call(operation)
            if self._faults[operation]:
                return self._faults[operation].popleft()(lambda: method(**arguments))
            return method(**arguments)

        return call
