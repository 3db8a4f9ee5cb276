"""The edge process: plays the HTTP API in front of the very functions that are deployed, and the OIDC issuer.

Tokens are enforced as the HTTP API's JWT authorizer does, before any function is called. Each function takes one
invocation at a time, as one Lambda environment does.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import json
import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from graphjobs.auth.jwks import Jwks
from graphjobs.auth.jwt_auth import JwtVerifier
from graphjobs.auth.principal import AuthError
from graphjobs.core import cors
from graphjobs.core.api_functions import API, ROUTES
from graphjobs.core.function_spec import FunctionSpec
from graphjobs.core.loading import without_collection
from graphjobs.local.child import end_with_parent, serve
from graphjobs.local.gateway import answer, payload
from graphjobs.local.issuer import ensure_key, public_keys
from graphjobs.local.issuer_routes import issuer_routes
from graphjobs.local.lambda_context import LambdaContext
from graphjobs.local.state import AUDIENCE

MAX_BODY_BYTES = 10 * 1024 * 1024
TIMEOUT_SECONDS = 29.0

logger = logging.getLogger("graphjobs.local.edge")


class Function:
    """One function: its handler, imported when first called, one invocation at a time."""

    def __init__(self, spec: FunctionSpec) -> None:
        self.name = spec.name
        self._module = spec.module
        self._lock = threading.Lock()
        self._handler: Callable[[dict[str, Any], Any], Any] | None = None

    def warm(self) -> None:
        """Import the handler."""
        if self._handler is None:
            self._handler = importlib.import_module(self._module).handler

    def invoke(self, event: dict[str, Any]) -> Any:
        """Call the handler; blocks while another invocation is under way."""
        with self._lock:
            self.warm()
            handler = self._handler
            assert handler is not None  # noqa: S101 - `warm` has set it
            return handler(event, LambdaContext(self.name, time.monotonic() + TIMEOUT_SECONDS))


def message(status: int, text: str, headers: dict[str, str] | None = None) -> Response:
    """An answer of the gateway's own."""
    return Response(json.dumps({"message": text}), status, headers, media_type="application/json")


def create_edge(issuer: str, state_dir: Path) -> Starlette:
    """The edge as an ASGI app."""
    key = ensure_key(state_dir)
    document = json.dumps(public_keys(key)).encode()
    verifier = JwtVerifier(issuer, (AUDIENCE,), Jwks(issuer, f"{issuer}/jwks", fetch=lambda url: document))

    functions = {spec.name: Function(spec) for spec in API}
    for function in functions.values():
        function.warm()

    def route(method: str, path: str, name: str) -> Route:
        function = functions[name]

        async def endpoint(request: Request) -> Response:
            claims = authorized(request, verifier)
            if claims is None:
                return message(401, "Unauthorized", {"www-authenticate": "Bearer"})
            body = await request.body()
            if len(body) > MAX_BODY_BYTES:
                return message(413, "Request Entity Too Large")
            event = payload(request, f"{method} {path}", body, claims)
            try:
                return answer(await asyncio.to_thread(function.invoke, event))
            except Exception:
                logger.exception("%s failed", name)
                return message(500, "Internal Server Error")

        return Route(path, endpoint, methods=[method])

    async def no_route(request: Request, error: Exception) -> Response:
        return message(404, "Not Found")

    middleware = Middleware(
        CORSMiddleware,
        allow_origins=["*"],
        allow_methods=sorted({method for method, _, _ in ROUTES}),
        allow_headers=list(cors.REQUEST_HEADERS),
        expose_headers=list(cors.ANSWER_HEADERS),
    )
    routes: list[Any] = [route(*known) for known in ROUTES]
    routes.append(Mount("/oidc", routes=issuer_routes(issuer, key)))
    # What no route matches, by path or by method, the HTTP API answers itself.
    app = Starlette(routes=routes, middleware=[middleware], exception_handlers={404: no_route, 405: no_route})
    app.router.redirect_slashes = False
    return app


def authorized(request: Request, verifier: JwtVerifier) -> dict[str, Any] | None:
    """The claims of the request's token, None if the authorizer refuses it."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        return None
    try:
        return verifier.claims(token.strip())
    except AuthError:
        return None


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(prog="graphjobs.local.edge")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--state-dir", type=Path, required=True)
    arguments = parser.parse_args()
    end_with_parent()
    with without_collection():
        app = create_edge(os.environ["GRAPHJOBS_OIDC_ISSUER"], arguments.state_dir)

    asyncio.run(serve(app, arguments.port))


if __name__ == "__main__":
    main()
