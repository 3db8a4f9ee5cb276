"""Requests to moto's DynamoDB, handed to it without Flask.

moto's server takes each request through a Flask application of the service: its routing, its contexts, its hooks for
browsers of other origins. All operations of DynamoDB have one address, and only SDKs call it, so nothing of that is
needed; it takes a third of the time of a call. Everything else goes the way that it always went.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any, Final

from moto.core.request import Request
from moto.dynamodb.responses import DynamoHandler

WsgiApp = Callable[[dict[str, Any], Any], Iterable[bytes]]

TARGET: Final = "DynamoDB_20120810."
"""How the header begins that names an operation, of the version of the API that there is."""

SIGNED_FOR: Final = "/dynamodb/aws4_request"


class ServedRequest(Request):
    """A request as moto's server gives it to a service."""

    from_wsgi_server = True


class QuickRequests:
    """WSGI middleware: signed requests to DynamoDB go to moto's handler, all others to `app`."""

    def __init__(self, app: WsgiApp) -> None:
        self._app = app

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one request."""
        if not _is_for_dynamodb(environ):
            return self._app(environ, start_response)
        request = ServedRequest(environ)
        status, headers, body = DynamoHandler.dispatch(request, request.raw_url, dict(request.headers))
        code = HTTPStatus(int(status))
        start_response(f"{code.value} {code.phrase}", [(name, str(value)) for name, value in headers.items()])
        return [body.encode() if isinstance(body, str) else body]


def _is_for_dynamodb(environ: dict[str, Any]) -> bool:
    return (
        environ["REQUEST_METHOD"] == "POST"
        and environ["PATH_INFO"] == "/"
        and environ.get("HTTP_X_AMZ_TARGET", "").startswith(TARGET)
        and SIGNED_FOR in environ.get("HTTP_AUTHORIZATION", "")
    )
