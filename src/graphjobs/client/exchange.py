"""What both clients' HTTP exchanges share: the token, and every failure as an error of `graphjobs.client.errors`.

Holds true: no error text and no log has the token or an address' query (which may be a ticket).
"""

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from types import NoneType
from typing import Any, Final

import httpx

from graphjobs.client.calls import Call, header_value
from graphjobs.client.errors import (
    ApiError,
    ConfigurationError,
    ContractViolation,
    GraphjobsError,
    ServiceUnreachable,
    api_error,
)
from graphjobs.client.retry import Failures

Token = str | Callable[[], str]
"""A bearer token, or what gives a fresh one: called for the first request and once more after each 401."""

API_TIMEOUT: Final = httpx.Timeout(35.0, connect=10.0)
"""API Gateway itself gives up on a function after 30 s."""

STREAM_TIMEOUT: Final = httpx.Timeout(45.0, connect=10.0)
"""Three heartbeats of 15 s missed: the connection is dead, whatever TCP believes."""

KINDS: Final[Mapping[type, str]] = {dict: "a JSON object", list: "a JSON array", NoneType: "an empty body"}
"""What an answer may be."""

# A proxy of the environment cannot reach this machine's own loopback.
DIRECT: Final[Mapping[str, None]] = {"all://127.0.0.1": None, "all://localhost": None, "all://[::1]": None}


class Bearer(httpx.Auth):
    """Puts the token on every request; after a 401 tries once more with a fresh one, if one can be had.

    Raises:
        ConfigurationError: the token cannot be sent.
    """

    def __init__(self, token: Token) -> None:
        self._fresh = None if isinstance(token, str) else token
        self._token = token if isinstance(token, str) else None

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response]:
        """See `httpx.Auth`."""
        response = yield self._authorised(request)
        if response.status_code == 401 and self._fresh is not None:
            self._token = None
            yield self._authorised(request)

    def _authorised(self, request: httpx.Request) -> httpx.Request:
        if self._token is None and self._fresh is not None:
            self._token = self._fresh()
        request.headers["Authorization"] = f"Bearer {header_value(self._token or '', 'The token')}"
        return request


def built(http: httpx.Client | httpx.AsyncClient, base: str, call: Call, timeout: httpx.Timeout) -> httpx.Request:
    """`call` to the service at `base`, ready to be sent by `http`.

    Raises:
        ConfigurationError: the address cannot be used.
    """
    given: dict[str, Any] = {"json": call.json} if call.json is not None else {}
    headers: Mapping[str, str] = call.headers
    if call.params:
        given["params"] = call.params
    try:
        return http.build_request(call.method, base + call.path, headers=headers, timeout=timeout, **given)
    except httpx.InvalidURL as error:
        raise ConfigurationError(f"An address cannot be used: {error}") from None


def refusal(response: httpx.Response) -> ApiError:
    """The error that an answer stands for; its body has been read."""
    return api_error(response.status_code, response.content, response.headers.get("Retry-After"))


def json_of(response: httpx.Response, kind: type) -> Any:
    """The JSON object (`dict`) or array (`list`) of an answer, or None (`NoneType`); its body has been read.

    Raises:
        ContractViolation: it is none.
    """
    try:
        members = response.json() if response.content else None
    except ValueError:
        members = None
    if not isinstance(members, kind):
        raise ContractViolation(f"{origin_of(response.url)} did not answer with {KINDS[kind]}.")
    return members


def deleted_before(call: Call, error: GraphjobsError, failures: Failures) -> bool:
    """What `call` deletes is gone, and an earlier try, whose answer was lost, may have done that: it counts as done."""
    gone = isinstance(error, ApiError) and error.status == 404
    return gone and call.deletes and failures.maybe_done


@contextmanager
def transport_errors(url: httpx.URL) -> Generator[None]:
    """httpx's transport errors as ours, whichever part of an exchange they break.

    Raises:
        ConfigurationError: the request itself cannot be sent.
        ServiceUnreachable: anything else.
    """
    try:
        yield
    except (httpx.UnsupportedProtocol, httpx.LocalProtocolError) as error:
        raise ConfigurationError(f"A request to {origin_of(url)} cannot be sent: {error}") from error
    except httpx.TransportError as error:
        timed_out = "timed out" if isinstance(error, httpx.TimeoutException) else type(error).__name__
        raise ServiceUnreachable(origin_of(url), str(error) or timed_out) from error


def origin_of(url: httpx.URL) -> str:
    """Scheme, host and port: all of an address that a message may show."""
    return f"{url.scheme}://{url.netloc.decode('ascii')}"
