"""One authorised HTTP exchange: the token on every request, and every failure as an error of `graphjobs.client.errors`.

Holds true: no error text and no log has the token or an address' query (which may be a ticket).
"""

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import httpx

from graphjobs.client.errors import ConfigurationError, ContractViolation, ServiceUnreachable, api_error

Token = str | Callable[[], str]
"""A bearer token, or what gives a fresh one: called for the first request and once more after each 401."""

API_TIMEOUT: Final = httpx.Timeout(35.0, connect=10.0)
"""API Gateway itself gives up on a function after 30 s."""

STREAM_TIMEOUT: Final = httpx.Timeout(45.0, connect=10.0)
"""Three heartbeats of 15 s missed: the connection is dead, whatever TCP believes."""

# A proxy of the environment cannot reach this machine's own loopback.
_DIRECT: Final[Mapping[str, None]] = {"all://127.0.0.1": None, "all://localhost": None, "all://[::1]": None}


class Session:
    """An httpx client and a token. Close it, or use it as a context manager through `client.Client`."""

    def __init__(self, token: Token, transport: httpx.BaseTransport | None = None) -> None:
        self._http = httpx.Client(transport=transport, mounts=_DIRECT)
        self._fresh = None if isinstance(token, str) else token
        self._token = token if isinstance(token, str) else None

    def close(self) -> None:
        """Close the connections that are kept open."""
        self._http.close()

    def fetch(self, method: str, url: str, **request: Any) -> dict[str, Any]:
        """The JSON object that the request is answered with.

        Raises:
            ApiError, ServiceUnreachable, ConfigurationError: as of `open`.
            ContractViolation: the answer is not a JSON object.
        """
        with (
            self.open(method, url, timeout=API_TIMEOUT, **request) as response,
            transport_errors(response.url),
        ):
            body = response.read()
        try:
            members = response.json() if body else None
        except ValueError:
            members = None
        if not isinstance(members, dict):
            raise ContractViolation(f"{origin_of(response.url)} did not answer with a JSON object.")
        return members

    @contextmanager
    def open(self, method: str, url: str, **request: Any) -> Generator[httpx.Response]:
        """An answer of status 2xx with its body unread; it is closed at the end, however far it was read.

        Raises:
            ApiError: any other status; a 401 only after one try with a fresh token, if one can be had.
            ServiceUnreachable: no connection, or it broke.
            ConfigurationError: the address or the token cannot be sent.
        """
        response = self._send(method, url, **request)
        try:
            if response.status_code == 401 and self._fresh is not None:
                response.close()
                self._token = None
                response = self._send(method, url, **request)
            if not response.is_success:
                with transport_errors(response.url):
                    body = response.read()
                raise api_error(response.status_code, body, response.headers.get("Retry-After"))
            yield response
        finally:
            response.close()

    def _send(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, **request: Any
    ) -> httpx.Response:
        authorised = {**(headers or {}), "Authorization": f"Bearer {self._bearer()}"}
        try:
            made = self._http.build_request(method, url, headers=authorised, **request)
        except httpx.InvalidURL as error:
            raise ConfigurationError(f"An address cannot be used: {error}") from None
        with transport_errors(made.url):
            return self._http.send(made, stream=True)

    def _bearer(self) -> str:
        if self._token is None and self._fresh is not None:
            self._token = self._fresh()
        return header_value(self._token or "", "The token")


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


def header_value(text: str, name: str) -> str:
    """`text`, if it can be a header's value.

    Raises:
        ConfigurationError: it cannot; it is named by `name` and not shown, since it may be a secret.
    """
    if not text or not text.isascii() or not text.isprintable() or text != text.strip():
        raise ConfigurationError(f"{name} is empty or holds characters that a header cannot carry.")
    return text
