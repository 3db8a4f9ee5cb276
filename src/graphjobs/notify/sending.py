"""One HTTPS request to a webhook: to a public address only, without redirects, within a bounded time.

The name is resolved here, each of its addresses is looked at, and the connection goes to an address that was looked
at: a name that resolves to another address a moment later gains nothing. A redirect is a failure, since it would lead
around all of this.
"""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Callable, Mapping
from typing import Final

from graphjobs.http.public_url import Target, UrlRefused, is_public, target_of

TIMEOUT_SECONDS: Final = 10.0
Resolve = Callable[[str, int], list[str]]


class DeliveryFailed(Exception):
    """The receiver could not be reached or did not answer with success; a later try may succeed."""


def resolve(host: str, port: int) -> list[str]:
    """The IP addresses of a name, in the system's order."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    private: bool = False,
    resolve: Resolve = resolve,
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> int:
    """POST `body` and give the status of the answer, which is never followed elsewhere.

    Raises:
        UrlRefused: see `target_of`; also a name that leads to a private address.
        DeliveryFailed: no answer.
    """
    target = target_of(url, private=private)
    try:
        addresses = resolve(target.host, target.port)
    except OSError as error:
        raise DeliveryFailed(f"the host is not found ({type(error).__name__})") from error
    if not private and not all(is_public(address) for address in addresses):
        raise UrlRefused("the host of the webhook has a private address")
    connection = _Pinned(target, addresses[0], timeout_seconds)
    try:
        connection.request("POST", target.path, body, dict(headers))
        return connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        raise DeliveryFailed(f"no answer ({type(error).__name__})") from error
    finally:
        connection.close()


class _Pinned(http.client.HTTPConnection):
    """A connection to an address that was looked at; the name stays in `Host` and in the certificate's check."""

    def __init__(self, target: Target, address: str, timeout_seconds: float) -> None:
        super().__init__(target.host, target.port, timeout=timeout_seconds)
        self._target = target
        self._address = address

    def connect(self) -> None:
        """Open the socket."""
        self.sock = socket.create_connection((self._address, self._target.port), self.timeout)
        if self._target.scheme == "https":
            self.sock = ssl.create_default_context().wrap_socket(self.sock, server_hostname=self._target.host)
