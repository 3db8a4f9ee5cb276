"""The emulator process: moto's server on 127.0.0.1, made to behave where we depend on it.

moto checks a condition and then writes, with no lock between, so under threads a compare-and-swap could be won
twice. Requests to everything but SQS are therefore taken one at a time; SQS, whose long polls sleep inside the
request, is left alone.
"""

from __future__ import annotations

import argparse
import logging
import signal
import threading
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeVar

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

from graphjobs.aws.job_store import JobStore
from graphjobs.aws.queue import JobQueue
from graphjobs.local.child import end_with_parent, say_ready
from graphjobs.local.fair_queue import fair_queues
from graphjobs.local.keep_alive import KeepAlive
from graphjobs.local.kept_data import DataUnreadable, KeptData
from graphjobs.local.quick_answers import quick_answers
from graphjobs.local.quick_requests import QuickRequests, WsgiApp
from graphjobs.local.resources import client, create_resources, settings_of
from graphjobs.local.transactions import rolled_back_by_item
from graphjobs.local.unread_messages import UnreadMessages

T = TypeVar("T")

READS: Final = ("Get", "BatchGet", "Query", "Scan", "Describe", "List")
"""How the names of operations begin that change nothing."""

SAVE_SECONDS: Final = 2.0
"""How often everything is written to the folder of ``--data``, if anything has changed: what a crash may cost."""


class OneAtATime:
    """WSGI middleware: one request at a time, but for SQS."""

    def __init__(self, app: WsgiApp) -> None:
        self._app = app
        self._lock = threading.Lock()
        self._changes = 0
        self._saved = 0

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one request."""
        if "/sqs/aws4_request" in environ.get("HTTP_AUTHORIZATION", ""):
            return self._app(environ, start_response)
        with self._lock:
            self._changes += changes(environ)
            return list(self._app(environ, start_response))

    def alone(self, call: Callable[[], T]) -> T:
        """`call` while no request is answered."""
        with self._lock:
            return call()

    def save(self, data: KeptData) -> None:
        """Keep what is there, if anything was asked for since the last time that may have changed it."""
        with self._lock:
            if self._changes != self._saved:
                data.save()
                self._saved = self._changes


def changes(environ: Mapping[str, Any]) -> bool:
    """Whether a request may change what is stored; streams that poll do not."""
    operation = str(environ.get("HTTP_X_AMZ_TARGET", "")).rpartition(".")[2]
    if operation:
        return not operation.startswith(READS)
    return environ.get("REQUEST_METHOD") not in ("GET", "HEAD")


class Dispatcher(DomainDispatcherApplication):
    """moto's choice of a service, made once for each host: it lists the folders of all services for it."""

    def __init__(self) -> None:
        super().__init__(create_backend_app)
        self.get_backend_for_host = cache(super().get_backend_for_host)  # type: ignore[method-assign]


def make_app() -> OneAtATime:
    """The emulator as a WSGI app."""
    return OneAtATime(QuickRequests(UnreadMessages(Dispatcher())))


def make_emulator(port: int, app: OneAtATime) -> Any:
    """The server, listening on 127.0.0.1:`port` (0 for a free one)."""
    return make_server("127.0.0.1", port, app, threaded=True, request_handler=KeepAlive)


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(prog="graphjobs.local.emulator")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--suffix", required=True, help="of the names of what is made at the start")
    parser.add_argument("--visibility-seconds", type=int, required=True)
    parser.add_argument("--data", type=Path, help="the folder in which everything is kept")
    arguments = parser.parse_args()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    app = make_app()
    server = make_emulator(arguments.port, app)
    data = KeptData(arguments.data) if arguments.data else None
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda number, frame: stopping.set())
    end_with_parent()
    with rolled_back_by_item(), quick_answers(), fair_queues():
        threading.Thread(target=server.serve_forever, daemon=True).start()
        endpoint = f"http://127.0.0.1:{server.server_port}"
        made = create_resources(endpoint, arguments.suffix, visibility_seconds=arguments.visibility_seconds)
        if made != settings_of(endpoint, arguments.suffix):
            raise SystemExit(f"The emulator names things otherwise than expected: {made}")
        if data is not None:
            try:
                active = app.alone(data.load)
            except DataUnreadable as error:
                raise SystemExit(str(error)) from None
            jobs = JobStore(client("dynamodb", endpoint), made["GRAPHJOBS_JOBS_TABLE"])
            queue = JobQueue(client("sqs", endpoint), made["GRAPHJOBS_QUEUE_URL"])
            for job in filter(None, map(jobs.get, active)):
                queue.send(job.job_id, job.owner)
        say_ready(port=server.server_port)
        while not stopping.wait(SAVE_SECONDS):
            if data is not None:
                app.save(data)
        if data is not None:
            app.save(data)


if __name__ == "__main__":
    main()
