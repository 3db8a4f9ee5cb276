"""The emulator process: moto's server on 127.0.0.1, made to behave where we depend on it.

moto checks a condition and then writes, with no lock between, so under threads a compare-and-swap could be won
twice. Requests to everything but SQS are therefore taken one at a time; SQS, whose long polls sleep inside the
request, is left alone.
"""

from __future__ import annotations

import argparse
import logging
import threading
from collections.abc import Callable, Iterable
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

from graphjobs.local.child import end_with_parent, say_ready
from graphjobs.local.keep_alive import KeepAlive
from graphjobs.local.resources import create_resources, settings_of
from graphjobs.local.transactions import rolled_back_by_item

WsgiApp = Callable[[dict[str, Any], Any], Iterable[bytes]]


class OneAtATime:
    """WSGI middleware: one request at a time, but for SQS."""

    def __init__(self, app: WsgiApp) -> None:
        self._app = app
        self._lock = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one request."""
        if "/sqs/aws4_request" in environ.get("HTTP_AUTHORIZATION", ""):
            return self._app(environ, start_response)
        with self._lock:
            return list(self._app(environ, start_response))


def make_emulator(port: int) -> Any:
    """The server, listening on 127.0.0.1:`port` (0 for a free one)."""
    app = OneAtATime(DomainDispatcherApplication(create_backend_app))
    return make_server("127.0.0.1", port, app, threaded=True, request_handler=KeepAlive)


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(prog="graphjobs.local.emulator")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--suffix", required=True, help="of the names of what is made at the start")
    parser.add_argument("--visibility-seconds", type=int, required=True)
    arguments = parser.parse_args()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = make_emulator(arguments.port)
    end_with_parent()
    with rolled_back_by_item():
        threading.Thread(target=server.serve_forever, daemon=True).start()
        endpoint = f"http://127.0.0.1:{server.server_port}"
        made = create_resources(endpoint, arguments.suffix, visibility_seconds=arguments.visibility_seconds)
        if made != settings_of(endpoint, arguments.suffix):
            raise SystemExit(f"The emulator names things otherwise than expected: {made}")
        say_ready(port=server.server_port)
        threading.Event().wait()


if __name__ == "__main__":
    main()
