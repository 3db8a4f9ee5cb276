"""The emulator's HTTP: clients keep their connections, as they do with AWS.

werkzeug's own handler closes each connection after one request, since it does not read what an application has left
of a body. Here the body is read before the application is called, so the next request begins where it should.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from werkzeug.serving import WSGIRequestHandler

logger = logging.getLogger("graphjobs.local.emulator")

WITHOUT_BODY = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})


class KeepAlive(WSGIRequestHandler):
    """HTTP/1.1 with persistent connections, a thread each."""

    protocol_version = "HTTP/1.1"

    # Answers are small and each is waited for: never hold one back to fill a packet.
    disable_nagle_algorithm = True

    # Headers and body leave in one write.
    wbufsize = -1

    def handle_expect_100(self) -> bool:
        """Have the client send its body; it waits a second for this."""
        goes_on = super().handle_expect_100()
        self.wfile.flush()
        return goes_on

    def run_wsgi(self) -> None:
        """Answer one request."""
        environ = self.make_environ()
        started: list[tuple[str, list[tuple[str, str]]]] = []
        written: list[bytes] = []

        def start_response(
            status: str, headers: list[tuple[str, str]], error: Any = None, /
        ) -> Callable[[bytes], object]:
            started.append((status, headers))
            return written.append

        environ["wsgi.input"] = io.BytesIO(self._body(environ))
        try:
            parts = _joined(self.server.app(environ, start_response))
            body = b"".join(written) + parts
            status, headers = started[-1]
        except Exception:
            logger.exception("%s failed", self.path)
            status, headers, body = "500 Internal Server Error", [], b""
        self._answer(status, headers, body)

    def _body(self, environ: dict[str, Any]) -> bytes:
        if environ.get("wsgi.input_terminated"):  # sent in chunks, which werkzeug puts together
            body: bytes = environ["wsgi.input"].read()
            environ["CONTENT_LENGTH"] = str(len(body))
            return body
        return self.rfile.read(int(environ.get("CONTENT_LENGTH") or 0))

    def _answer(self, status: str, headers: list[tuple[str, str]], body: bytes) -> None:
        code, _, reason = status.partition(" ")
        self.send_response(int(code), reason)
        names = set()
        for name, value in headers:
            self.send_header(name, value)
            names.add(name.lower())
        bodiless = int(code) in WITHOUT_BODY
        if "content-length" not in names and not bodiless:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if not bodiless and self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Requests are not logged."""


def _joined(parts: Iterable[bytes]) -> bytes:
    try:
        return b"".join(parts)
    finally:
        close = getattr(parts, "close", None)
        if close is not None:
            close()
